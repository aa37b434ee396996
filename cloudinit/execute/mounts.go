package execute

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"rancheros/cloudconfig"
	"rancheros/cloudinit/tree"
)

// ourMark is the option by which we know our own lines of fstab.
const ourMark = "comment=cloudconfig"

// A line of fstab.
type fsLine struct {
	dev, dir, fstype, opts, dump, pass string
}

func (l fsLine) String() string {
	return strings.Join([]string{escape(l.dev), escape(l.dir), l.fstype, l.opts, l.dump, l.pass}, "\t")
}

func escape(s string) string {
	return strings.NewReplacer(`\`, `\134`, " ", `\040`, "\t", `\011`, "\n", `\012`).Replace(s)
}

func (l fsLine) has(opt string) bool { return slices.Contains(strings.Split(l.opts, ","), opt) }

// mounts writes fstab and mounts. A device that is not there is a warning with
// nofail and an error without; the boot goes on either way.
func mounts(ctx context.Context, t *Target, c *cloudconfig.Config) error {
	if len(c.Mounts) == 0 && c.Swap.Size == "" {
		return Skip("neither mounts nor swap is set")
	}
	var lines []fsLine
	var errs []error
	for i, m := range c.Mounts {
		l, ok, err := t.fill(m, c)
		if err != nil {
			errs = append(errs, fmt.Errorf("mounts[%d]: %w", i, err))
		}
		if ok {
			lines = append(lines, l)
		} else if err == nil {
			// A device without a directory takes back what was said of it before.
			lines = slices.DeleteFunc(lines, func(before fsLine) bool { return before.dev == l.dev })
		}
	}
	if swap, ok, err := t.swapFile(c.Swap); err != nil {
		errs = append(errs, err)
	} else if ok {
		lines = append(lines, swap)
	}
	changed, err := t.writeFstab(lines)
	errs = append(errs, err)
	if changed {
		errs = append(errs, t.reloadUnits(ctx))
	}
	for _, l := range lines {
		if err := t.mount(ctx, l); err != nil {
			if l.has("nofail") {
				t.Warn("%v", err)
				continue
			}
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// fill makes a whole line of what the config says. No directory, or None, takes
// a line away, which ok false says.
func (t *Target) fill(m cloudconfig.Mount, c *cloudconfig.Config) (fsLine, bool, error) {
	if len(m) == 0 || m[0] == "" {
		return fsLine{}, false, errors.New("the device is missing")
	}
	defaults := []string{"", "", "auto", "defaults,nofail", "0", "2"}
	for i, v := range c.MountDefaultFields {
		if i < len(defaults) && v != "" {
			defaults[i] = v
		}
	}
	for i, v := range m {
		if v != "" || i == 1 {
			defaults[i] = v
		}
	}
	l := fsLine{t.mountDevice(defaults[0], c), defaults[1], defaults[2], defaults[3], defaults[4], defaults[5]}
	// The examples of upstream have a swap device that no machine has any more.
	if l.dir == "" || l.dir == "None" || l.dev == "swap" {
		return l, false, nil
	}
	if cloudsName().MatchString(l.dev) {
		t.Warn("mounts: the cloud says of no disk that it is %s: left out", l.dev)
		return l, false, nil
	}
	if l.fstype == "swap" || l.dir == "swap" || l.dir == "none" {
		l.dir, l.fstype = "none", "swap"
	} else if !path.IsAbs(l.dir) {
		return l, false, fmt.Errorf("%s: the directory %q must begin with a slash", l.dev, l.dir)
	}
	for _, s := range []string{l.fstype, l.opts, l.dump, l.pass} {
		if strings.ContainsAny(s, " \t\n") {
			return l, false, fmt.Errorf("%s: %q: a blank is not allowed there", l.dev, s)
		}
	}
	if l.opts == "" {
		l.opts = "defaults"
	}
	return l, true, nil
}

// writeFstab keeps others' lines and replaces ours. What another line has already
// mounted, by a person or another cloud-init, is not said twice.
func (t *Target) writeFstab(lines []fsLine) (changed bool, err error) {
	have, _ := t.Tree.ReadFile("/etc/fstab")
	var out strings.Builder
	said := map[[2]string]bool{}
	for line := range strings.Lines(string(have)) {
		if f := strings.Fields(line); len(f) >= 4 && !strings.HasPrefix(f[0], "#") {
			if slices.Contains(strings.Split(f[3], ","), ourMark) {
				continue
			}
			said[[2]string{f[0], f[1]}] = true
		}
		out.WriteString(strings.TrimRight(line, "\n") + "\n")
	}
	for _, l := range lines {
		if said[[2]string{escape(l.dev), escape(l.dir)}] {
			continue
		}
		l.opts += "," + ourMark
		out.WriteString(l.String() + "\n")
	}
	return t.Tree.WriteFile("/etc/fstab", []byte(out.String()), rootPerm)
}

// CleanFstab takes our lines out of fstab.
func CleanFstab(t *Target) error {
	if !t.Tree.Exists("/etc/fstab") {
		return nil
	}
	_, err := t.writeFstab(nil)
	return err
}

// mount mounts one line, unless something is mounted there.
func (t *Target) mount(ctx context.Context, l fsLine) error {
	if l.fstype == "swap" {
		return t.swapOn(l)
	}
	if _, err := t.Tree.MkdirAll(l.dir, tree.Perm{Mode: 0o755}); err != nil {
		return fmt.Errorf("mount %s: %w", l.dev, err)
	}
	if l.has("noauto") || !t.Live {
		return nil
	}
	dir, err := t.Tree.Resolve(l.dir, true)
	if err != nil {
		return fmt.Errorf("mount %s: %w", l.dev, err)
	}
	mounted, err := t.Kernel.Mounted()
	if err != nil {
		return err
	}
	if slices.ContainsFunc(mounted, func(m MountPoint) bool { return m.Target == dir }) {
		return nil
	}
	if path.IsAbs(l.dev) && !t.Tree.Exists(l.dev) {
		return fmt.Errorf("mount %s on %s: there is no such device", l.dev, l.dir)
	}
	flags, data, native := mountOptions(l)
	if !native {
		return t.Do(t.Command(ctx, "mount", "-t", l.fstype, "-o", strings.Join(realOptions(l.opts), ","), l.dev, dir))
	}
	return t.Set("mount "+dir, l.dev, func() error { return t.Kernel.Mount(l.dev, dir, l.fstype, flags, data) })
}

// flagOf are the options that are flags of mount(2); a true value clears.
var flagOf = map[string]struct {
	flag  uintptr
	clear bool
}{
	"ro": {unix.MS_RDONLY, false}, "rw": {unix.MS_RDONLY, true},
	"nosuid": {unix.MS_NOSUID, false}, "suid": {unix.MS_NOSUID, true},
	"nodev": {unix.MS_NODEV, false}, "dev": {unix.MS_NODEV, true},
	"noexec": {unix.MS_NOEXEC, false}, "exec": {unix.MS_NOEXEC, true},
	"sync": {unix.MS_SYNCHRONOUS, false}, "async": {unix.MS_SYNCHRONOUS, true},
	"dirsync": {unix.MS_DIRSYNC, false},
	"noatime": {unix.MS_NOATIME, false}, "atime": {unix.MS_NOATIME, true},
	"nodiratime": {unix.MS_NODIRATIME, false}, "diratime": {unix.MS_NODIRATIME, true},
	"relatime": {unix.MS_RELATIME, false}, "strictatime": {unix.MS_STRICTATIME, false}, "lazytime": {unix.MS_LAZYTIME, false},
	"bind": {unix.MS_BIND, false}, "rbind": {unix.MS_BIND | unix.MS_REC, false},
}

// realOptions are those that mean something to the kernel or a file system.
func realOptions(opts string) []string {
	var out []string
	for o := range strings.SplitSeq(opts, ",") {
		switch {
		case o == "" || o == "defaults" || o == "nofail" || o == "auto" || o == "noauto" || o == "_netdev" || o == ourMark:
		case o == "user" || o == "nouser" || o == "users" || o == "owner" || strings.HasPrefix(o, "x-") || strings.HasPrefix(o, "comment="):
		default:
			out = append(out, o)
		}
	}
	if len(out) == 0 {
		return []string{"defaults"}
	}
	return out
}

// mountOptions are the arguments of mount(2); native false means that
// mount(8) must do it: it probes, resolves labels, and has helpers.
func mountOptions(l fsLine) (flags uintptr, data string, native bool) {
	var rest []string
	for _, o := range realOptions(l.opts) {
		f, ok := flagOf[o]
		switch {
		case o == "defaults":
		case !ok:
			rest = append(rest, o)
		case f.clear:
			flags &^= f.flag
		default:
			flags |= f.flag
		}
	}
	helper := strings.HasPrefix(l.fstype, "nfs") || strings.HasPrefix(l.fstype, "fuse") || l.fstype == "cifs" || l.fstype == "auto" || l.fstype == ""
	// A bind mount ignores every other flag at first; mount(8) knows.
	bind := flags&unix.MS_BIND != 0
	if bind && flags&^(unix.MS_BIND|unix.MS_REC) != 0 {
		return 0, "", false
	}
	return flags, strings.Join(rest, ","), (bind || !helper) && !strings.Contains(l.dev, "=") && !slices.Contains(rest, "loop")
}
