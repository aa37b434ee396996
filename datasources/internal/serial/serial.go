// Package serial opens the serial port on which a hypervisor answers questions.
package serial

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// A Port is something to talk to with a time limit: a serial port, a socket.
type Port interface {
	io.ReadWriteCloser
	SetDeadline(time.Time) error
}

// Open opens a serial port for us alone: raw, at 115200 bits a second. Another
// process that holds it, such as a getty, is an error and not a mix-up.
func Open(path string) (Port, error) {
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("open serial port: %w", err)
	}
	if err := own(f); err != nil {
		f.Close()
		return nil, fmt.Errorf("open serial port %s: %w", path, err)
	}
	return f, nil
}

// own locks the port and makes it raw. It goes by SyscallConn, because Fd would
// make the file blocking, and deadlines would be lost.
func own(f *os.File) error {
	c, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var opErr error
	err = c.Control(func(fd uintptr) {
		if opErr = unix.Flock(int(fd), unix.LOCK_EX|unix.LOCK_NB); opErr == nil {
			opErr = raw(int(fd))
		}
	})
	return errors.Join(err, opErr)
}

// raw switches off all that a terminal does to what passes through.
func raw(fd int) error {
	t, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return err
	}
	t.Iflag, t.Oflag, t.Lflag = 0, 0, 0
	t.Cflag = unix.CS8 | unix.CREAD | unix.CLOCAL | unix.B115200
	t.Ispeed, t.Ospeed = unix.B115200, unix.B115200
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
	return unix.IoctlSetTermios(fd, unix.TCSETS, t)
}
