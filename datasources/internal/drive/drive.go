// Package drive reads the drives on which clouds and people hand over
// configuration: a small iso9660, FAT or ext file system with a known label.
//
// The drive is read here and never mounted: whoever can attach a drive should
// not get to feed the kernel's file system code, and no mount point, module or
// privilege but reading the device is needed.
package drive

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"rancheros/datasources"
)

// MaxFile is how many bytes a file may have, unless ReadMax says otherwise.
const MaxFile = 16 << 20

// ErrTooLarge is what reading a file of more bytes gives.
var ErrTooLarge = errors.New("too large")

// A Drive is a drive that can be read.
type Drive struct {
	datasources.Block
	files  files
	closer io.Closer
}

// files is what every file system has.
type files interface {
	// open finds a regular file. Paths are clean, without a leading slash.
	open(name string) (io.Reader, error)
	// list gives the names in a folder; those of folders end in a slash.
	list(dir string) ([]string, error)
}

// Find returns the drives of the machine with one of the labels, as given, in
// upper case or in lower case, because mkfs.vfat and people change it. Whole
// disks come before partitions, then by name from the last: vdb before vda.
func Find(h *datasources.Host, labels ...string) []datasources.Block {
	return find(h, func(b datasources.Block) bool { return HasLabel(b, labels...) })
}

// FindExact is Find for labels that nobody writes in another case.
func FindExact(h *datasources.Host, labels ...string) []datasources.Block {
	return find(h, func(b datasources.Block) bool {
		return slices.Contains(labels, b.Label) || slices.Contains(labels, b.LabelFATBoot)
	})
}

func find(h *datasources.Host, match func(datasources.Block) bool) []datasources.Block {
	var found []datasources.Block
	for _, b := range h.Blocks {
		if match(b) {
			found = append(found, b)
		}
	}
	slices.SortStableFunc(found, func(a, b datasources.Block) int {
		if pa, pb := a.PartUUID != "", b.PartUUID != ""; pa != pb {
			if pa {
				return 1
			}
			return -1
		}
		return strings.Compare(b.Name, a.Name)
	})
	return found
}

// HasLabel says whether b is labelled so. See Find.
func HasLabel(b datasources.Block, labels ...string) bool {
	for _, have := range []string{b.Label, b.LabelFATBoot} {
		for _, l := range labels {
			if have != "" && (have == l || have == strings.ToUpper(l) || have == strings.ToLower(l)) {
				return true
			}
		}
	}
	return false
}

// Open opens a block device of the machine, or the folder of a recording that
// stands for it. The caller closes it.
func Open(h *datasources.Host, b datasources.Block) (*Drive, error) {
	if dir := recorded(h, b); dir != "" {
		return &Drive{Block: b, files: folder{os.DirFS(dir)}, closer: io.NopCloser(nil)}, nil
	}
	if h.Dir == "" {
		return nil, fmt.Errorf("drive %s: there is no device to open", b.Name)
	}
	if b.FSType == datasources.FS9P {
		return openShare(h, b)
	}
	f, err := os.Open(filepath.Join(h.Dir, "dev", b.Name))
	if err != nil {
		return nil, fmt.Errorf("open drive: %w", err)
	}
	d, err := Read(f, b)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("drive %s: %w", f.Name(), err)
	}
	d.closer = f
	return d, nil
}

// recorded is the folder of a recording that holds the drive's files.
func recorded(h *datasources.Host, b datasources.Block) string {
	if h.Drives == "" {
		return ""
	}
	for _, name := range []string{b.Name, b.Label, b.LabelFATBoot} {
		if name == "" || !filepath.IsLocal(name) {
			continue
		}
		dir := filepath.Join(h.Drives, name)
		if st, err := os.Stat(dir); err == nil && st.IsDir() {
			return dir
		}
	}
	return ""
}

// A Device is what a file system is read from: a device or an image.
type Device interface {
	io.ReaderAt
	io.Seeker
}

// Read reads a drive from an open device or image.
func Read(dev Device, b datasources.Block) (*Drive, error) {
	size, err := dev.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, err
	}
	var fs files
	if iso, isoErr := readISO(dev, size); isoErr == nil {
		fs = iso
	} else if fs, err = readOther(dev, size); err != nil {
		return nil, fmt.Errorf("no iso9660 (%w), no FAT or ext (%w)", isoErr, err)
	}
	return &Drive{Block: b, files: fs, closer: io.NopCloser(nil)}, nil
}

// Folder is a folder that has the layout of a drive, such as a seed.
func Folder(fsys fs.FS) *Drive { return &Drive{files: folder{fsys}, closer: io.NopCloser(nil)} }

// Close lets go of the device.
func (d *Drive) Close() error { return d.closer.Close() }

// Read returns a file of at most MaxFile bytes. A file that is not there is
// fs.ErrNotExist.
func (d *Drive) Read(name string) ([]byte, error) { return d.ReadMax(name, MaxFile) }

// ReadMax returns a file of at most limit bytes.
func (d *Drive) ReadMax(name string, limit int64) (b []byte, err error) {
	defer d.guard(name, &err)
	r, err := d.files.open(clean(name))
	if err != nil {
		return nil, d.named(name, err)
	}
	if c, ok := r.(io.Closer); ok {
		defer c.Close()
	}
	b, err = io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, d.named(name, err)
	}
	if int64(len(b)) > limit {
		return nil, d.named(name, fmt.Errorf("%w: larger than %d bytes", ErrTooLarge, limit))
	}
	return b, nil
}

// Optional is Read, with nil for a file that is not there.
func (d *Drive) Optional(name string) ([]byte, error) {
	b, err := d.Read(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return b, err
}

// List returns the names in a folder, sorted; those of folders end in a slash.
func (d *Drive) List(dir string) (names []string, err error) {
	defer d.guard(dir, &err)
	names, err = d.files.list(clean(dir))
	if err != nil {
		return nil, d.named(dir, err)
	}
	slices.Sort(names)
	return names, nil
}

// Exists says whether the drive has that file or folder.
func (d *Drive) Exists(name string) bool {
	names, err := d.List(path.Dir(clean(name)))
	return err == nil && slices.ContainsFunc(names, func(n string) bool {
		return strings.EqualFold(strings.TrimSuffix(n, "/"), path.Base(clean(name)))
	})
}

func (d *Drive) named(name string, err error) error {
	if d.Name == "" {
		return fmt.Errorf("read %s: %w", clean(name), err)
	}
	return fmt.Errorf("read %s of drive %s: %w", clean(name), d.Name, err)
}

// guard turns a panic of a file system library over a damaged drive into an
// error: nobody may stop a boot by attaching one.
func (d *Drive) guard(name string, err *error) {
	if p := recover(); p != nil {
		*err = d.named(name, fmt.Errorf("damaged file system: %v", p))
	}
}

func clean(name string) string {
	return strings.TrimPrefix(path.Clean("/"+name), "/")
}

// pick finds name among names, exactly or but for its case, because old
// iso9660 and FAT names know only one.
func pick(names []string, name string) (string, bool) {
	for _, n := range names {
		if n == name {
			return n, true
		}
	}
	for _, n := range names {
		if strings.EqualFold(n, name) {
			return n, true
		}
	}
	return "", false
}
