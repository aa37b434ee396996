package ignition

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// ApplyOptions say what of an Import Apply does beside directories, files and
// links.
type ApplyOptions struct {
	// Users makes and removes users and groups in etc/passwd and its kin. Leave it
	// to the users of Import.Config where those are applied.
	Users bool
	// Systemd writes units, for systems that have systemd.
	Systemd bool
	// Now is written to etc/shadow as the day of a password; zero is today.
	Now time.Time
}

// Apply makes a root folder as the import says, in the order of Ignition: users,
// then directories, files and links from the top down, then units. It never
// leaves the root, whatever links there are in it.
//
// It stops at the first thing that cannot be done, like Ignition, which then
// does not boot the machine.
func Apply(root string, im *Import, o ApplyOptions) error {
	r, err := os.OpenRoot(root)
	if err != nil {
		return err
	}
	defer r.Close()
	if o.Now.IsZero() {
		o.Now = time.Now()
	}
	t := tree{r}
	if o.Users && len(im.Users)+len(im.Groups) > 0 {
		if err := t.accounts(im, o.Now); err != nil {
			return err
		}
	}
	if err := t.entries(im); err != nil {
		return err
	}
	if o.Systemd {
		return t.units(im.Units)
	}
	return nil
}

// A tree is a root folder. Paths in it are relative, with links already
// followed: os.Root would take an absolute link for one that leaves the root.
type tree struct{ *os.Root }

// resolve follows the links of all but the last element of a path.
func (t tree) resolve(name string) (string, error) {
	rest := strings.Split(strings.Trim(path.Clean("/"+name), "/"), "/")
	at := "."
	for hops := 0; len(rest) > 0; {
		next := path.Join(at, rest[0])
		rest = rest[1:]
		if len(rest) == 0 {
			return next, nil
		}
		if next == ".." || strings.HasPrefix(next, "../") {
			next = "."
		}
		st, err := t.Lstat(next)
		if err != nil || st.Mode()&fs.ModeSymlink == 0 {
			at = next
			continue
		}
		if hops++; hops > 40 {
			return "", fmt.Errorf("%s: too many links on the way", name)
		}
		target, err := t.Readlink(next)
		if err != nil {
			return "", err
		}
		if !path.IsAbs(target) {
			target = path.Join(at, target)
		}
		full := strings.Trim(path.Clean("/"+target), "/")
		at = "."
		if full != "" {
			rest = slices.Concat(strings.Split(full, "/"), rest)
		}
	}
	return at, nil
}

// An entry is a directory, file or link with its path resolved.
type entry struct {
	node Node
	path string
	make func(t tree, p string) error
	// last is 1 for hard links: what they link to may be deeper.
	last int
}

func (t tree) entries(im *Import) error {
	var list []entry
	for _, d := range im.Directories {
		list = append(list, entry{d.Node, "", func(t tree, p string) error { return t.directory(d, p) }, 0})
	}
	for _, f := range im.Files {
		list = append(list, entry{f.Node, "", func(t tree, p string) error { return t.file(f, p) }, 0})
	}
	for _, l := range im.Links {
		e := entry{l.Node, "", func(t tree, p string) error { return t.link(l, p) }, 0}
		if l.Hard {
			e.last = 1
		}
		list = append(list, e)
	}
	seen := map[string]string{}
	for i := range list {
		p, err := t.resolve(list[i].node.Path)
		if err != nil {
			return err
		}
		if other, ok := seen[p]; ok {
			return fmt.Errorf("%s and %s are the same place", other, list[i].node.Path)
		}
		seen[p], list[i].path = list[i].node.Path, p
	}
	// From the top down, so that a directory has its mode before its content.
	slices.SortStableFunc(list, func(a, b entry) int {
		if a.last != b.last {
			return cmp.Compare(a.last, b.last)
		}
		return strings.Count(a.path, "/") - strings.Count(b.path, "/")
	})
	for _, e := range list {
		if is(e.node.Overwrite) && e.path != "." {
			if err := t.RemoveAll(e.path); err != nil {
				return fmt.Errorf("remove %s: %w", e.node.Path, err)
			}
		}
		if err := e.make(t, e.path); err != nil {
			return err
		}
	}
	return nil
}

func (t tree) directory(d Directory, p string) error {
	st, err := t.Lstat(p)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := t.MkdirAll(p, 0o755); err != nil {
			return err
		}
		if d.Mode == nil {
			if err := t.Chmod(p, 0o755); err != nil { // whatever the umask
				return err
			}
		}
	case err != nil:
		return err
	case !st.IsDir():
		return fmt.Errorf("directory %s: something else is there and overwrite is false", d.Path)
	}
	return t.permissions(p, d.Mode, d.Node)
}

func (t tree) file(f File, p string) error {
	st, err := t.Lstat(p)
	exists := err == nil
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	case exists && !st.Mode().IsRegular():
		return fmt.Errorf("file %s: something else is there and overwrite is false", f.Path)
	case exists && f.Contents != nil:
		return fmt.Errorf("file %s: a file is there and overwrite is false", f.Path)
	}
	if !exists || len(f.Append) > 0 {
		data, err := t.contents(f, p, exists)
		if err != nil {
			return err
		}
		if err := t.write(p, data, st); err != nil {
			return err
		}
	}
	return t.permissions(p, f.Mode, f.Node)
}

// contents is what a file has in the end.
func (t tree) contents(f File, p string, exists bool) ([]byte, error) {
	var data []byte
	switch {
	case f.Contents != nil:
		data = slices.Clone(*f.Contents)
	case exists:
		var err error
		if data, err = t.ReadFile(p); err != nil {
			return nil, err
		}
	}
	for _, a := range f.Append {
		data = append(data, a...)
	}
	return data, nil
}

// write puts a file in place whole or not at all. A file that was there keeps
// its owner and mode.
func (t tree) write(p string, data []byte, was fs.FileInfo) error {
	if err := t.MkdirAll(path.Dir(p), 0o755); err != nil {
		return err
	}
	tmp := path.Join(path.Dir(p), ".ros-"+path.Base(p)+".tmp")
	if err := t.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := t.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	mode := fs.FileMode(0o644)
	if was != nil && err == nil {
		mode = was.Mode()
		err = t.own(tmp, was)
	}
	if err == nil {
		err = t.Chmod(tmp, mode)
	}
	if err == nil {
		err = t.Rename(tmp, p)
	}
	if err != nil {
		return errors.Join(err, t.Remove(tmp))
	}
	return t.syncDir(path.Dir(p))
}

func (t tree) own(p string, was fs.FileInfo) error {
	st, ok := was.Sys().(*syscall.Stat_t)
	if !ok || int(st.Uid) == os.Geteuid() && int(st.Gid) == os.Getegid() {
		return nil
	}
	return t.Lchown(p, int(st.Uid), int(st.Gid))
}

func (t tree) syncDir(p string) error {
	d, err := t.Open(p)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// permissions sets owner and mode where they are given. The owner comes first:
// a change of owner takes setuid away.
func (t tree) permissions(p string, mode *uint32, n Node) error {
	uid, gid, err := t.owner(n)
	if err != nil {
		return err
	}
	st, err := t.Lstat(p)
	if err != nil {
		return err
	}
	if uid >= 0 || gid >= 0 {
		if err := t.Lchown(p, uid, gid); err != nil {
			return err
		}
	}
	if mode != nil {
		return t.Chmod(p, fileMode(*mode))
	}
	if uid >= 0 || gid >= 0 {
		return t.Chmod(p, st.Mode())
	}
	return nil
}

// owner is the user and group of a node; -1 leaves them.
func (t tree) owner(n Node) (uid, gid int, err error) {
	uid, gid = -1, -1
	if n.User != nil {
		if uid, err = t.lookup("user", "etc/passwd", *n.User); err != nil {
			return uid, gid, fmt.Errorf("%s: %w", n.Path, err)
		}
	}
	if n.Group != nil {
		if gid, err = t.lookup("group", "etc/group", *n.Group); err != nil {
			return uid, gid, fmt.Errorf("%s: %w", n.Path, err)
		}
	}
	return uid, gid, nil
}

func (t tree) lookup(what, file string, o Owner) (int, error) {
	if o.ID != nil {
		return *o.ID, nil
	}
	if o.Name == "root" {
		return 0, nil
	}
	db, err := t.table(file)
	if err != nil {
		return -1, err
	}
	if row := db.find(o.Name); row != nil {
		return row.number(2), nil
	}
	return -1, fmt.Errorf("no %s named %q in %s", what, o.Name, file)
}

func (t tree) link(l Link, p string) error {
	target := l.Target
	if l.Hard {
		var err error
		if target, err = t.resolve(l.Target); err != nil {
			return err
		}
	}
	st, err := t.Lstat(p)
	switch {
	case err == nil && l.Hard:
		other, err := t.Lstat(target)
		if err != nil || !os.SameFile(st, other) {
			return fmt.Errorf("hard link %s: something else is there and overwrite is false", l.Path)
		}
		return nil
	case err == nil && st.Mode()&fs.ModeSymlink != 0:
		have, err := t.Readlink(p)
		if err != nil {
			return err
		}
		if filepath.Clean(have) != filepath.Clean(target) {
			return fmt.Errorf("link %s: it points to %s, not %s, and overwrite is false", l.Path, have, target)
		}
		return nil
	case err == nil:
		return fmt.Errorf("link %s: something else is there and overwrite is false", l.Path)
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if err := t.MkdirAll(path.Dir(p), 0o755); err != nil {
		return err
	}
	if l.Hard {
		if err := t.Link(target, p); err != nil {
			return err
		}
		return nil
	}
	if err := t.Symlink(target, p); err != nil {
		return err
	}
	uid, gid, err := t.owner(l.Node)
	if err != nil || uid < 0 && gid < 0 {
		return err
	}
	return t.Lchown(p, uid, gid)
}
