package execute

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"rancheros/cloudconfig"
	"rancheros/cloudinit/tree"
	"rancheros/sys/blkdev"
)

const (
	swapPage = 4096
	gigabyte = 1 << 30
	// defaultSwap is upstream's name of the file.
	defaultSwap = "/swap.img"
)

// swapFile makes the swap file of the config, if it asks for one.
func (t *Target) swapFile(s cloudconfig.Swap) (fsLine, bool, error) {
	if s.Size == "0" || s.Size == "" {
		return fsLine{}, false, nil
	}
	if s.Filename == "" {
		s.Filename = defaultSwap
	}
	s.Filename = path.Join("/", s.Filename)
	l := fsLine{s.Filename, "none", "swap", "sw", "0", "0"}
	if t.Tree.Exists(s.Filename) {
		return l, true, nil
	}
	size, err := t.swapSize(s)
	if err != nil {
		return l, false, err
	}
	if size < 10*swapPage {
		return l, false, nil
	}
	err = t.makeSwap(s.Filename, size)
	return l, err == nil, err
}

// swapSize is the size asked for. `auto` suits the memory and the disk.
func (t *Target) swapSize(s cloudconfig.Swap) (int64, error) {
	size, err := s.Size.Bytes()
	if err != nil {
		return 0, fmt.Errorf("swap.size: %w", err)
	}
	limit, err := s.MaxSize.Bytes()
	if err != nil {
		return 0, fmt.Errorf("swap.maxsize: %w", err)
	}
	if s.Size == "auto" {
		free := int64(math.MaxInt64)
		var st unix.Statfs_t
		if unix.Statfs(t.Tree.Dir(), &st) == nil {
			free = int64(st.Bavail) * st.Bsize
		}
		size = autoSwap(t.memory(), free, limit)
	}
	return size / swapPage * swapPage, nil
}

// autoSwap is upstream's rule: as much as there is memory up to 4 GB, 4 GB up
// to 16, from there the square root. Unless limit says more, a quarter of what
// is free on the disk is not exceeded; nine tenths never are.
func autoSwap(memory, free, limit int64) int64 {
	size := memory
	switch {
	case memory >= 16*gigabyte:
		size = int64(math.Round(math.Sqrt(float64(memory)/gigabyte))) * gigabyte
	case memory >= 4*gigabyte:
		size = 4 * gigabyte
	}
	if limit == 0 {
		return min(size, free/4)
	}
	return min(size, limit, free/10*9)
}

// memory is MemTotal in bytes.
func (t *Target) memory() int64 {
	b, _ := os.ReadFile("/proc/meminfo")
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "MemTotal:" {
			kb, _ := strconv.ParseInt(f[1], 10, 64)
			return kb << 10
		}
	}
	return 0
}

// makeSwap makes a file of zeros with the header that mkswap writes. Its name
// appears when it is whole.
func (t *Target) makeSwap(name string, size int64) error {
	p, err := t.Tree.Resolve(name, true)
	if err != nil {
		return err
	}
	change := tree.Change{Op: tree.Create, Path: p, Target: fmt.Sprintf("swap file of %d bytes", size), Mode: 0o600, Secret: true}
	if t.Tree.Planned() {
		t.Tree.Note(change)
		return nil
	}
	if _, err := t.Tree.MkdirAll(p[:strings.LastIndex(p, "/")+1], tree.Perm{Mode: 0o755}); err != nil {
		return err
	}
	tmp := t.host(p) + ".new~"
	f, err := os.OpenFile(tmp, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("make swap file: %w", err)
	}
	err = fillSwap(f, size)
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(tmp, t.host(p))
	}
	if err != nil {
		return fmt.Errorf("make swap file %s of %d bytes: %w", name, size, errors.Join(err, os.Remove(tmp)))
	}
	t.Tree.Note(change)
	return nil
}

func fillSwap(f *os.File, size int64) error {
	// On btrfs a file can only be swapped on if it is never copied on write.
	var st unix.Statfs_t
	if unix.Fstatfs(int(f.Fd()), &st) == nil && st.Type == unix.BTRFS_SUPER_MAGIC {
		if err := noCopyOnWrite(f); err != nil {
			return err
		}
	}
	err := unix.Fallocate(int(f.Fd()), 0, 0, size)
	if errors.Is(err, unix.EOPNOTSUPP) {
		err = zeros(f, size)
	}
	if err != nil {
		return err
	}
	head := make([]byte, swapPage)
	binary.LittleEndian.PutUint32(head[1024:], 1)                       // version
	binary.LittleEndian.PutUint32(head[1028:], uint32(size/swapPage-1)) // last page
	if _, err := rand.Read(head[1036 : 1036+16]); err != nil {          // uuid
		return err
	}
	copy(head[swapPage-10:], "SWAPSPACE2")
	if _, err = f.WriteAt(head, 0); err != nil {
		return err
	}
	return f.Sync()
}

func noCopyOnWrite(f *os.File) error {
	const noCOW = 0x00800000 // FS_NOCOW_FL
	flags, err := unix.IoctlGetInt(int(f.Fd()), unix.FS_IOC_GETFLAGS)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(f.Fd()), unix.FS_IOC_SETFLAGS, flags|noCOW)
	}
	return err
}

// zeros fills a file where the file system cannot reserve blocks.
func zeros(f *os.File, size int64) error {
	block := make([]byte, 1<<20)
	for at := int64(0); at < size; at += int64(len(block)) {
		if _, err := f.WriteAt(block[:min(int64(len(block)), size-at)], at); err != nil {
			return err
		}
	}
	return nil
}

// swapOn swaps on, unless that is done.
func (t *Target) swapOn(l fsLine) error {
	if !t.Live || l.has("noauto") {
		return nil
	}
	if strings.Contains(l.dev, "=") {
		// Not by swapon: busybox's knows no labels.
		dev, err := blkdev.Resolve(t.Tree.Dir(), l.dev)
		if err != nil {
			return fmt.Errorf("swap: %w", err)
		}
		l.dev = "/dev/" + dev.Name
	}
	if !t.Tree.Exists(l.dev) && !t.Tree.Planned() {
		return fmt.Errorf("swap on %s: there is no such file or device", l.dev)
	}
	p, err := t.Tree.Resolve(l.dev, true)
	if err != nil {
		return err
	}
	on, err := t.Kernel.Swaps()
	if err != nil || slices.Contains(on, p) {
		return err
	}
	return t.Set("swap", p, func() error { return t.Kernel.Swapon(p) })
}

// blocks is the size of a mounted file system.
func (t *Target) blocks(at string) uint64 {
	var st unix.Statfs_t
	if unix.Statfs(t.host(at), &st) != nil {
		return 0
	}
	return st.Blocks
}
