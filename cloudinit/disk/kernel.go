package disk

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Open opens a disk for writing. Close it by Done, which tells the kernel.
func Open(path string) (*os.File, Geometry, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, Geometry{}, err
	}
	st, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, Geometry{}, err
	}
	if st.Mode().IsRegular() {
		return f, Geometry{512, uint64(st.Size()) / 512}, nil
	}
	sector, err1 := unix.IoctlGetInt(int(f.Fd()), unix.BLKSSZGET)
	size, err2 := unix.IoctlGetInt(int(f.Fd()), unix.BLKGETSIZE64)
	if err := errors.Join(err1, err2); err != nil {
		f.Close()
		return nil, Geometry{}, fmt.Errorf("size of %s: %w", path, err)
	}
	return f, Geometry{int64(sector), uint64(size) / uint64(sector)}, nil
}

// Whole splits /dev/vda1 into /dev/vda and 1, by what sysfs below root says.
// A device that is no partition has number 0.
func Whole(root, dev string) (disk string, number int, err error) {
	name := filepath.Base(dev)
	sys, err := filepath.EvalSymlinks(filepath.Join(root, "sys/class/block", name))
	if err != nil {
		return "", 0, fmt.Errorf("%s: it is no block device", dev)
	}
	b, err := os.ReadFile(filepath.Join(sys, "partition"))
	if err != nil {
		return dev, 0, nil
	}
	number, err = strconv.Atoi(strings.TrimSpace(string(b)))
	return "/dev/" + filepath.Base(filepath.Dir(sys)), number, err
}

// PartName is the device of a disk's partition: vda1, nvme0n1p1.
func PartName(disk string, number int) string {
	if last := disk[len(disk)-1]; last >= '0' && last <= '9' {
		return disk + "p" + strconv.Itoa(number)
	}
	return disk + strconv.Itoa(number)
}

// blkpg is struct blkpg_ioctl_arg, blkpgPart struct blkpg_partition of
// linux/blkpg.h.
type blkpg struct {
	op, flags, datalen int32
	data               unsafe.Pointer
}

type blkpgPart struct {
	start, length int64
	number        int32
	_             [64 + 64]byte
	_             [4]byte
}

const blkpgResize = 3

// Resized tells the kernel of a partition that has grown; it may be mounted.
func Resized(f *os.File, g Geometry, p Part) error {
	part := blkpgPart{start: int64(p.Start) * g.Sector, length: int64(p.Sectors) * g.Sector, number: int32(p.Number)}
	arg := blkpg{op: blkpgResize, datalen: int32(unsafe.Sizeof(part)), data: unsafe.Pointer(&part)}
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), unix.BLKPG, uintptr(unsafe.Pointer(&arg))); errno != 0 {
		return fmt.Errorf("tell the kernel of partition %d: %w", p.Number, errno)
	}
	return nil
}

// Reread makes the kernel read the table of a disk of which nothing is in use.
func Reread(f *os.File) error {
	if err := unix.IoctlSetInt(int(f.Fd()), unix.BLKRRPART, 0); err != nil {
		return fmt.Errorf("read the partition table again: %w", err)
	}
	return nil
}

// ext4Resize is EXT4_IOC_RESIZE_FS of linux/fs/ext4/ext4.h: _IOW('f', 16, __u64).
const ext4Resize = 0x40086610

// GrowExt makes the mounted ext4 at dir as large as size bytes allow. It says
// whether it was smaller.
func GrowExt(dir string, size int64) (bool, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return false, err
	}
	f, err := os.Open(dir)
	if err != nil {
		return false, err
	}
	defer f.Close()
	blocks := uint64(size) / uint64(st.Bsize)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), ext4Resize, uintptr(unsafe.Pointer(&blocks))); errno != 0 {
		return false, fmt.Errorf("grow the file system at %s: %w", dir, errno)
	}
	var after unix.Statfs_t
	if err := unix.Statfs(dir, &after); err != nil {
		return false, err
	}
	return after.Blocks > st.Blocks, nil
}
