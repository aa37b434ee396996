package drive

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/diskfs/go-diskfs/backend"
	"github.com/diskfs/go-diskfs/filesystem"
	"github.com/diskfs/go-diskfs/filesystem/ext4"
	"github.com/diskfs/go-diskfs/filesystem/fat12"
	"github.com/diskfs/go-diskfs/filesystem/fat16"
	"github.com/diskfs/go-diskfs/filesystem/fat32"
)

// maxTable bounds what the library reads into memory to open a FAT.
const maxTable = 32 << 20

// readOther reads FAT and ext file systems with go-diskfs. Its iso9660 is not
// used: it loses nested folders of Joliet and of plain images (v1.9.4).
func readOther(dev Device, size int64) (f files, err error) {
	defer func() {
		if p := recover(); p != nil {
			f, err = nil, fmt.Errorf("damaged file system: %v", p)
		}
	}()
	var head [2048]byte
	if _, err := dev.ReadAt(head[:], 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	disk := readOnly{dev, size}
	if binary.LittleEndian.Uint16(head[1080:]) == 0xEF53 {
		v, err := ext4.Read(disk, size, 0, 512)
		return library{v}, err
	}
	if err := saneFAT(head[:512], size); err != nil {
		return nil, err
	}
	var errs []error
	for _, read := range []func() (filesystem.FileSystem, error){
		func() (filesystem.FileSystem, error) { return fat12.Read(disk, size, 0, 512) },
		func() (filesystem.FileSystem, error) { return fat16.Read(disk, size, 0, 512) },
		func() (filesystem.FileSystem, error) { return fat32.Read(disk, size, 0, 512) },
	} {
		v, err := read()
		if err == nil {
			return library{v}, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

// saneFAT looks at the sizes in a boot sector before a library believes them.
func saneFAT(boot []byte, size int64) error {
	if boot[510] != 0x55 || boot[511] != 0xAA {
		return errors.New("no boot sector")
	}
	le := binary.LittleEndian
	sector := int64(le.Uint16(boot[11:]))
	per := int64(le.Uint16(boot[22:]))
	if per == 0 {
		per = int64(le.Uint32(boot[36:]))
	}
	table := per * sector
	switch {
	case sector < 512 || sector > 4096 || sector&(sector-1) != 0 || boot[13] == 0:
		return errors.New("no FAT boot sector")
	case table <= 0 || table > maxTable || table > size:
		return fmt.Errorf("allocation table of %d bytes", table)
	}
	return nil
}

// library is a file system of go-diskfs.
type library struct{ filesystem.FileSystem }

func (l library) open(name string) (io.Reader, error) {
	at := ""
	parts := strings.Split(name, "/")
	for i, part := range parts {
		names, err := l.list(at)
		if err != nil {
			return nil, err
		}
		if i < len(parts)-1 {
			part += "/"
		}
		found, ok := pick(names, part)
		if !ok {
			return nil, fs.ErrNotExist
		}
		at = path.Join(at, found)
	}
	f, err := l.FileSystem.OpenFile("/"+at, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	// A FAT file that is read in more than one piece ends for the library where
	// its last cluster does (v1.9.4).
	return whole{io.LimitReader(f, st.Size()), f}, nil
}

// whole is a file up to its size.
type whole struct {
	io.Reader
	io.Closer
}

func (l library) list(dir string) ([]string, error) {
	if dir == "" {
		dir = "."
	}
	entries, err := l.FileSystem.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	return entryNames(entries), nil
}

// readOnly is a device as go-diskfs wants it.
type readOnly struct {
	Device
	size int64
}

var errReadOnly = errors.New("drives are only read")

func (r readOnly) Close() error                            { return nil }
func (r readOnly) Path() string                            { return "" }
func (r readOnly) Sys() (*os.File, error)                  { return nil, errReadOnly }
func (r readOnly) Writable() (backend.WritableFile, error) { return nil, errReadOnly }
func (r readOnly) Read([]byte) (int, error)                { return 0, errReadOnly }
func (r readOnly) Stat() (fs.FileInfo, error)              { return nil, errReadOnly }
