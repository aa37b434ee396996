package execute

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"rancheros/cloudconfig"
	"rancheros/cloudinit/disk"
	"rancheros/cloudinit/tree"
	"rancheros/sys/blkdev"
)

// resize makes partitions as large as their disks allow, and the file systems
// on them. Elsewhere that is the root; our OS grows its state disk itself and
// does here what rancher.resize_device or growpart asks for.
func resize(ctx context.Context, t *Target, c *cloudconfig.Config) error {
	g := c.GrowPart
	switch {
	case g.Mode == "off" || g.Mode == cloudconfig.False:
		return Skip("growpart.mode is off")
	case t.Tree.Exists("/etc/growroot-disabled") && !g.IgnoreGrowrootDisabled:
		return Skip("/etc/growroot-disabled is there")
	case !t.Live && !t.Tree.Planned():
		return Skip("the root is not this machine")
	}
	devices := g.Devices
	if t.Ours && c.Rancher.ResizeDevice != "" {
		devices = append(slices.Clone(devices), disk.PartName(c.Rancher.ResizeDevice, 1))
	}
	if len(devices) == 0 && !t.Ours {
		devices = []string{"/"}
	}
	if len(devices) == 0 {
		return Skip("neither growpart nor rancher.resize_device names a device")
	}
	var errs []error
	for _, d := range devices {
		if err := t.resizeOne(ctx, c, d); err != nil {
			errs = append(errs, fmt.Errorf("resize %s: %w", d, err))
		}
	}
	return errors.Join(errs...)
}

// resizeOne grows the device that d is, or that is mounted at d.
func (t *Target) resizeOne(ctx context.Context, c *cloudconfig.Config, d string) error {
	dev, at, fstype, err := t.mountOf(d)
	if err != nil {
		return err
	}
	if !strings.HasPrefix(dev, "/dev/") {
		return nil // an overlay or tmpfs: there is nothing to grow
	}
	if dev, err = t.Tree.Resolve(dev, true); err != nil {
		return err
	}
	if err := t.growPartition(dev); err != nil {
		return err
	}
	if !c.ResizeRootFS.Bool(true) || at == "" {
		return nil
	}
	return t.growFS(ctx, dev, at, fstype)
}

// mountOf is the device of a mount point, or the mount point of a device.
func (t *Target) mountOf(d string) (dev, at, fstype string, err error) {
	mounted, err := t.Kernel.Mounted()
	if err != nil {
		return "", "", "", err
	}
	if strings.HasPrefix(d, "/dev/") {
		dev = d
	}
	for _, m := range mounted {
		if m.Target == d || dev != "" && m.Source == dev {
			dev, at, fstype = m.Source, m.Target, m.FSType
		}
	}
	if dev == "/dev/root" {
		dev = t.rootDevice()
	}
	if dev == "" && d != "/" {
		return "", "", "", errors.New("nothing is mounted there")
	}
	return dev, at, fstype, nil
}

// rootDevice is what root= on the kernel command line means.
func (t *Target) rootDevice() string {
	for f := range strings.FieldsSeq(t.Tree.ReadString("/proc/cmdline")) {
		if spec, ok := strings.CutPrefix(f, "root="); ok {
			if info, err := blkdev.Resolve("/", spec); err == nil {
				return info.Path
			}
		}
	}
	return ""
}

func (t *Target) growPartition(dev string) error {
	whole, number, err := disk.Whole("/", dev)
	if err != nil || number == 0 {
		return err
	}
	f, g, err := disk.Open(whole)
	if err != nil {
		return err
	}
	defer f.Close()
	if t.Tree.Planned() {
		_, gained, err := disk.Grow(readOnly{f}, g, number)
		if gained > 0 {
			t.Tree.Note(tree.Change{Op: tree.Set, Path: dev, Target: fmt.Sprintf("grow by %d MB", int64(gained)*g.Sector>>20)})
			return nil
		}
		return err
	}
	part, gained, err := disk.Grow(f, g, number)
	if err != nil || gained == 0 {
		return err
	}
	err = t.Set(dev, fmt.Sprintf("grow by %d MB", int64(gained)*g.Sector>>20), func() error { return disk.Resized(f, g, part) })
	return errors.Join(err, f.Sync())
}

// readOnly is a disk for a plan: what is written to it is lost.
type readOnly struct{ *os.File }

func (readOnly) WriteAt(b []byte, _ int64) (int, error) { return len(b), nil }

// growFS grows a mounted file system: ext4 by the kernel itself, others by
// their tool.
func (t *Target) growFS(ctx context.Context, dev, at, fstype string) error {
	if t.Tree.Planned() {
		return nil
	}
	switch fstype {
	case "ext2", "ext3", "ext4":
		f, g, err := disk.Open(dev)
		if err != nil {
			return err
		}
		f.Close()
		grown, err := disk.GrowExt(at, int64(g.Sectors)*g.Sector)
		if grown {
			t.Tree.Note(tree.Change{Op: tree.Set, Path: "file system at " + at, Target: "grown"})
		}
		return err
	case "xfs":
		return t.growBy(ctx, at, "xfs_growfs", at)
	case "btrfs":
		return t.growBy(ctx, at, "btrfs", "filesystem", "resize", "max", at)
	}
	return nil
}

// growBy runs a tool that grows what can grow and says nothing of whether
// anything did; only a gain counts as a change.
func (t *Target) growBy(ctx context.Context, at string, argv ...string) error {
	before := t.blocks(at)
	cmd := t.Command(ctx, argv...)
	if cmd.Err != nil {
		return cmd.Err
	}
	if err := t.Run(cmd); err != nil {
		return fmt.Errorf("run %s: %w", argv[0], err)
	}
	if t.blocks(at) > before {
		t.Tree.Note(tree.Change{Op: tree.Run, Target: strings.Join(argv, " ")})
	}
	return nil
}

// diskSetup writes partition tables: on blank disks, or where the config says
// overwrite.
func diskSetup(ctx context.Context, t *Target, c *cloudconfig.Config) error {
	if len(c.DiskSetup) == 0 {
		return Skip("disk_setup is not set")
	}
	if !t.Live && !t.Tree.Planned() {
		return Skip("the root is not this machine")
	}
	var errs []error
	for _, name := range sortedKeys(c.DiskSetup) {
		dev := t.device(name, c)
		if !path.IsAbs(dev) {
			dev = "/dev/" + dev
		}
		t.awaitDevice(ctx, dev)
		if err := t.divide(dev, c.DiskSetup[name]); err != nil {
			errs = append(errs, fmt.Errorf("disk_setup %s: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

func (t *Target) divide(dev string, d cloudconfig.Disk) error {
	kind := d.TableType
	if kind == "" {
		kind = disk.MBR
	}
	if kind != disk.MBR && kind != disk.GPT {
		return fmt.Errorf("table_type %q is neither mbr nor gpt", kind)
	}
	if !d.Layout.Whole && !d.Layout.Remove && len(d.Layout.Parts) == 0 {
		return nil
	}
	f, g, err := disk.Open(dev)
	if err != nil {
		return err
	}
	defer f.Close()
	percents, types := shares(d.Layout)
	want, err := disk.Divide(g, kind, percents, types)
	if err != nil {
		return err
	}
	have, parts, err := disk.Read(f, g)
	blank := errors.Is(err, disk.ErrNoTable)
	if err == nil && have == kind && !d.Layout.Remove && samePlaces(parts, want) {
		return nil
	}
	if info, perr := blkdev.Probe(dev); perr == nil && info.FSType != "" {
		blank = false
	}
	if !blank && !d.Overwrite {
		return errors.New("the disk is not blank, and overwrite is not set: left alone")
	}
	return t.Set(dev, kind+" table", func() error {
		if err := disk.Clear(f, g); err != nil || d.Layout.Remove {
			return err
		}
		if err := disk.Write(f, g, kind, want); err != nil {
			return err
		}
		return errors.Join(f.Sync(), disk.Reread(f))
	})
}

func shares(l cloudconfig.Layout) (percents []int, types []string) {
	if len(l.Parts) == 0 {
		return []int{100}, []string{""}
	}
	for _, p := range l.Parts {
		percents, types = append(percents, p.Percent), append(types, p.Type)
	}
	return percents, types
}

func samePlaces(a, b []disk.Part) bool {
	return slices.EqualFunc(a, b, func(x, y disk.Part) bool { return x.Start == y.Start && x.Sectors == y.Sectors })
}

// fsSetup makes file systems on devices that have none.
func fsSetup(ctx context.Context, t *Target, c *cloudconfig.Config) error {
	if len(c.FSSetup) == 0 {
		return Skip("fs_setup is not set")
	}
	if !t.Live && !t.Tree.Planned() {
		return Skip("the root is not this machine")
	}
	var errs []error
	for i, fs := range c.FSSetup {
		if err := t.makeFS(ctx, c, fs); err != nil {
			errs = append(errs, fmt.Errorf("fs_setup[%d] %s: %w", i, fs.Device, err))
		}
	}
	return errors.Join(errs...)
}

func (t *Target) makeFS(ctx context.Context, c *cloudconfig.Config, fs cloudconfig.FileSystem) error {
	dev := t.fsDevice(c, fs)
	t.awaitDevice(ctx, dev)
	if !t.Tree.Exists(dev) && !t.Tree.Planned() {
		return errors.New("there is no " + dev)
	}
	info, err := blkdev.Probe(t.host(dev))
	if err == nil && info.FSType != "" {
		same := info.FSType == fs.Filesystem && (fs.Label == "" || info.HasLabel(fs.Label))
		if same && !fs.Overwrite || fs.Partition == "any" {
			return nil
		}
		if !fs.Overwrite && (fs.ReplaceFS == "" || fs.ReplaceFS != info.FSType) {
			return fmt.Errorf("there is a file system (%s), and overwrite is not set: left alone", info.FSType)
		}
	} else if !fs.Overwrite && divided(t.host(dev)) {
		return errors.New("the disk has partitions, and overwrite is not set: left alone")
	}
	return t.Do(t.Command(ctx, mkfs(dev, fs)...))
}

// divided says whether a disk has partitions: what is in them is somebody's.
func divided(dev string) bool {
	f, g, err := disk.Open(dev)
	if err != nil {
		return false
	}
	defer f.Close()
	_, parts, err := disk.Read(f, g)
	return err == nil && len(parts) > 0
}

// mkfs is the command that makes a file system.
func mkfs(dev string, fs cloudconfig.FileSystem) []string {
	if len(fs.Cmd) > 0 {
		r := strings.NewReplacer("%(filesystem)s", fs.Filesystem, "%(label)s", fs.Label, "%(device)s", dev)
		var argv []string
		for _, a := range fs.Cmd {
			argv = append(argv, r.Replace(a))
		}
		if len(argv) == 1 {
			return []string{"sh", "-c", argv[0]}
		}
		return argv
	}
	argv := []string{"mkfs." + fs.Filesystem}
	label, force := "-L", ""
	switch fs.Filesystem {
	case "swap":
		argv = []string{"mkswap"}
	case "vfat", "fat", "msdos":
		label = "-n"
	case "ext2", "ext3", "ext4":
		force = "-F"
	case "xfs", "btrfs":
		force = "-f"
	}
	if force != "" {
		argv = append(argv, force)
	}
	if fs.Label != "" {
		argv = append(argv, label, fs.Label)
	}
	return append(append(argv, fs.ExtraOpts...), dev)
}
