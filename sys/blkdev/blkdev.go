// Package blkdev knows the block devices of the machine: what is on them, what
// they are called, and when they appear.
//
// It reads superblocks itself, so that init needs neither udev nor blkid.
package blkdev

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// ErrNotFound says that no device fits.
var ErrNotFound = errors.New("no such block device")

// An Info is a block device and what is on it. Names of types are blkid's.
type Info struct {
	// Name is vda1, Path where it can be opened.
	Name, Path string
	// FSType is ext4, vfat, iso9660, squashfs, crypto_LUKS, swap,
	// linux_raid_member, LVM2_member, ...; empty when nothing known is there.
	FSType string
	Label  string
	// LabelFATBoot is the label in a FAT's boot sector. The one in its root
	// folder, Label, may differ or be absent.
	LabelFATBoot string
	UUID         string
	PartUUID     string
	PartLabel    string
	// Disk is the name of the disk that a partition is on, and Part its number;
	// empty and 0 for a disk.
	Disk string
	Part int
	// Size in bytes.
	Size      int64
	ReadOnly  bool
	Removable bool
}

// Member says whether the device has no file system of its own but is a part of
// other devices, or the shell of one: LUKS, RAID, LVM.
func (i Info) Member() bool {
	return slices.Contains([]string{"crypto_LUKS", "linux_raid_member", "LVM2_member"}, i.FSType)
}

// Holders are the names of the devices that are made of this one by now.
func (i Info) Holders(root string) []string {
	entries, err := os.ReadDir(filepath.Join(root, "sys/class/block", strings.ReplaceAll(i.Name, "/", "!"), "holders"))
	if err != nil {
		return nil
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// HasLabel says whether the device has that label.
func (i Info) HasLabel(label string) bool {
	return label != "" && (i.Label == label || i.LabelFATBoot == label)
}

// ignored are devices that are never what anybody looks for: opening a floppy
// that is not there takes seconds, and the others are somebody's memory or
// images.
var ignored = []string{"fd", "loop", "ram", "zram", "mtdblock"}

// List looks at all block devices below root, disks before their partitions.
// Devices that cannot be read, such as a drive without a disc, have no FSType.
func List(root string) ([]Info, error) {
	entries, err := os.ReadDir(filepath.Join(root, "sys/class/block"))
	if err != nil {
		return nil, fmt.Errorf("list block devices: %w", err)
	}
	var found []Info
	for _, e := range entries {
		kind := strings.TrimRight(e.Name(), "0123456789")
		if slices.Contains(ignored, kind) {
			continue
		}
		info := describe(root, e.Name())
		if info.Size == 0 {
			continue
		}
		_ = info.probe() // no medium, no permission: nothing is known of it
		found = append(found, info)
	}
	slices.SortFunc(found, byName)
	return found, nil
}

// byName sorts vda2 before vda10, and vdb before vdaa.
func byName(a, b Info) int {
	disk := func(i Info) string { return cmp.Or(i.Disk, i.Name) }
	da, db := disk(a), disk(b)
	return cmp.Or(cmp.Compare(len(da), len(db)), cmp.Compare(da, db), cmp.Compare(a.Part, b.Part))
}

// Probe looks at one device, or at an image in a file.
func Probe(path string) (Info, error) {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return Info{}, fmt.Errorf("probe %s: %w", path, err)
	}
	info := Info{Name: filepath.Base(real)}
	if i := strings.LastIndex(real, "/dev/"); i >= 0 {
		info = describe(real[:i]+"/", real[i+len("/dev/"):])
	}
	info.Path = path
	return info, info.probe()
}

func (i *Info) probe() error {
	f, err := os.Open(i.Path)
	if err != nil {
		return fmt.Errorf("probe: %w", err)
	}
	defer f.Close()
	if size, err := f.Seek(0, io.SeekEnd); err == nil && size > 0 {
		i.Size = size
	}
	super, err := Superblock(f, i.Size)
	if err != nil {
		return fmt.Errorf("probe %s: %w", i.Path, err)
	}
	i.FSType, i.Label, i.LabelFATBoot, i.UUID = super.FSType, super.Label, super.LabelFATBoot, super.UUID
	return nil
}

// describe reads what sysfs says of a device.
func describe(root, name string) Info {
	dir := filepath.Join(root, "sys/class/block", strings.ReplaceAll(name, "/", "!"))
	read := func(file string) string {
		b, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			return ""
		}
		return strings.TrimSpace(string(b))
	}
	info := Info{
		Name:      name,
		Path:      filepath.Join(root, "dev", strings.ReplaceAll(name, "!", "/")),
		ReadOnly:  read("ro") == "1",
		Removable: read("removable") == "1",
	}
	sectors, _ := strconv.ParseInt(read("size"), 10, 64)
	info.Size = sectors * 512 // sysfs counts so whatever the device's own sector
	info.Part, _ = strconv.Atoi(read("partition"))
	for line := range strings.SplitSeq(read("uevent"), "\n") {
		switch k, v, _ := strings.Cut(line, "="); k {
		case "PARTUUID":
			info.PartUUID = strings.ToLower(v)
		case "PARTNAME":
			info.PartLabel = v
		}
	}
	if info.Part > 0 {
		if real, err := filepath.EvalSymlinks(dir); err == nil {
			info.Disk = filepath.Base(filepath.Dir(real))
		}
		if info.PartUUID == "" && info.Disk != "" { // kernels before 6.10
			info.PartUUID = partUUID(filepath.Join(root, "dev", info.Disk), info.Part)
		}
	}
	return info
}

// ByLabel finds the first device with a label.
func ByLabel(root, label string) (Info, error) { return Resolve(root, "LABEL="+label) }

// Resolve finds a device by LABEL=x, UUID=x, PARTUUID=x, PARTLABEL=x, a path
// such as /dev/vda1 or /dev/disk/by-label/x, or a name such as vda1. The error
// is ErrNotFound when there is none.
func Resolve(root, spec string) (Info, error) {
	fits, err := matcher(spec)
	if err != nil {
		return Info{}, err
	}
	if fits == nil {
		return resolvePath(root, spec)
	}
	devs, err := List(root)
	if err != nil {
		return Info{}, err
	}
	i := slices.IndexFunc(devs, func(d Info) bool { return fits(d) && !d.Member() })
	if i < 0 { // LUKS has labels too; what lies in it comes first
		i = slices.IndexFunc(devs, fits)
	}
	if i < 0 {
		return Info{}, fmt.Errorf("%s: %w", spec, ErrNotFound)
	}
	return devs[i], nil
}

func resolvePath(root, spec string) (Info, error) {
	path := filepath.Join(root, spec)
	if !strings.HasPrefix(spec, "/") {
		path = filepath.Join(root, "dev", spec)
	}
	info, err := Probe(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Info{}, fmt.Errorf("%s: %w", spec, ErrNotFound)
	}
	return info, err
}

// matcher understands a spec. It is nil for a path, which needs no list.
func matcher(spec string) (func(Info) bool, error) {
	key, value, ok := strings.Cut(spec, "=")
	if strings.HasPrefix(spec, "/dev/disk/by-") {
		// These links are udev's, and perhaps it does not run yet.
		key, value, ok = strings.Cut(strings.TrimPrefix(spec, "/dev/disk/by-"), "/")
		value = unescape(value)
	}
	if !ok {
		return nil, nil
	}
	value = strings.Trim(value, `"`)
	if value == "" {
		return nil, fmt.Errorf("block device %q: nothing after %s", spec, key)
	}
	switch strings.ToUpper(key) {
	case "LABEL":
		return func(i Info) bool { return i.HasLabel(value) }, nil
	case "UUID":
		return func(i Info) bool { return strings.EqualFold(i.UUID, value) }, nil
	case "PARTUUID":
		return func(i Info) bool { return strings.EqualFold(i.PartUUID, value) }, nil
	case "PARTLABEL":
		return func(i Info) bool { return i.PartLabel == value }, nil
	}
	if strings.HasPrefix(spec, "/") {
		return nil, nil
	}
	return nil, fmt.Errorf("block device %q: want LABEL=, UUID=, PARTUUID=, PARTLABEL= or a path", spec)
}

// unescape undoes udev's \x20 in names of links.
func unescape(s string) string {
	var b strings.Builder
	for len(s) > 0 {
		if len(s) >= 4 && s[:2] == `\x` {
			if c, err := strconv.ParseUint(s[2:4], 16, 8); err == nil {
				b.WriteByte(byte(c))
				s = s[4:]
				continue
			}
		}
		b.WriteByte(s[0])
		s = s[1:]
	}
	return b.String()
}
