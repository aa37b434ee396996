// Package kvp writes what a guest of Hyper-V tells its host: records of a fixed
// size in a pool that the key-value daemon carries over.
package kvp

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Pool is where guests write.
const Pool = "/var/lib/hyperv/.kvp_pool_1"

const (
	keyLen   = 512
	valueLen = 2048
	// MaxValue is how much of a value the host really reads.
	MaxValue = 1022
)

// A Record is one pair.
type Record struct{ Key, Value string }

// Append adds records to a pool that is there; who has none has no daemon that
// would carry it. What is older than this boot is dropped first, lest the pool
// grow with every boot.
func Append(file string, records ...Record) error {
	f, err := os.OpenFile(file, os.O_RDWR|os.O_APPEND, 0)
	if err != nil {
		return fmt.Errorf("tell the host: %w", err)
	}
	err = appendTo(f, records)
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("tell the host: %w", err)
	}
	return nil
}

func appendTo(f *os.File, records []Record) error {
	// The daemon takes the same lock; closing gives it back.
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.ModTime().Before(bootTime()) {
		if err := f.Truncate(0); err != nil {
			return err
		}
	}
	var all []byte
	for _, r := range records {
		all = append(all, r.bytes()...)
	}
	_, err = f.Write(all)
	return err
}

func (r Record) bytes() []byte {
	b := make([]byte, keyLen+valueLen)
	copy(b[:keyLen-1], r.Key)
	copy(b[keyLen:keyLen+valueLen-1], Cut(r.Value, MaxValue))
	return b
}

// Cut shortens s to n bytes without splitting a character.
func Cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "")
}

// bootTime is when this machine started; long ago when the kernel does not say.
func bootTime() time.Time {
	var ts unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts) != nil {
		return time.Time{}
	}
	return time.Now().Add(-time.Duration(ts.Nano()))
}
