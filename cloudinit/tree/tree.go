// Package tree reads and changes the files below one root the way the machine
// with that root would see them: absolute symbolic links stay inside it, every
// change is atomic, and each is remembered. A planned tree remembers and
// changes nothing.
package tree

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
)

// maxLinks is how many symbolic links one path may lead through, as in Linux.
const maxLinks = 40

// MaxFile is the largest file that a Tree reads, in bytes.
const MaxFile = 64 << 20

// Kinds of nodes.
const (
	File = "file"
	Dir  = "dir"
	Link = "link"
	// Other is a device, socket or pipe: looked at, never changed.
	Other = "other"
)

// A Node is what lstat says of a path.
type Node struct {
	Kind string
	// Mode holds the permission bits with setuid, setgid and sticky: 0o7777.
	Mode     uint32
	UID, GID int
	Size     int64
	// Link is the target of a symbolic link.
	Link string
}

// A Perm is who may do what with a file.
type Perm struct {
	Mode     uint32
	UID, GID int
	// Secret: the content is never shown in a plan or a record.
	Secret bool
}

// store is what a tree lies on. Paths are absolute and clean; no parent of
// them may be a symbolic link.
type store interface {
	lstat(p string) (Node, error)
	read(p string, limit int64) ([]byte, error)
	list(p string) ([]string, error)
	put(p string, data []byte, perm Perm) error
	overwrite(p string, data []byte) error
	symlink(p, target string, perm Perm) error
	mkdir(p string, perm Perm) error
	remove(p string) error
	setMeta(p string, perm Perm) error
	sync() error
	close() error
}

// A Tree is the files below one root. It is used by one goroutine at a time.
type Tree struct {
	s       store
	dir     string
	planned bool
	// owners: may we give files away? Only root can.
	owners  bool
	changes []Change
}

// Open is the tree whose root is the folder dir; "/" is the machine itself.
func Open(dir string) (*Tree, error) { return OpenWithHook(dir, nil) }

// OpenWithHook is Open with a func that is called before every step of every
// change. An error from it ends the change right there, as a power cut would.
func OpenWithHook(dir string, hook func(step, path string) error) (*Tree, error) {
	d, err := newDisk(dir, hook)
	if err != nil {
		return nil, err
	}
	return &Tree{s: d, dir: dir, owners: os.Geteuid() == 0}, nil
}

// Plan is the tree whose root is dir, on which changes are only remembered:
// what was written is read back, the disk stays as it is.
func Plan(dir string) (*Tree, error) {
	d, err := newDisk(dir, nil)
	if err != nil {
		return nil, err
	}
	return &Tree{s: newMemory(d), dir: dir, planned: true, owners: true}, nil
}

// Dir is the root's own path.
func (t *Tree) Dir() string { return t.dir }

// Planned says whether changes are only remembered.
func (t *Tree) Planned() bool { return t.planned }

// Sync makes the changes so far survive a power cut.
func (t *Tree) Sync() error { return t.s.sync() }

// Close syncs and lets go of the root.
func (t *Tree) Close() error { return errors.Join(t.s.sync(), t.s.close()) }

// Resolve follows the symbolic links of p inside the tree; the last part may
// be missing. With last false the last part is not followed.
func (t *Tree) Resolve(p string, last bool) (string, error) {
	rest := strings.Split(strings.Trim(path.Clean("/"+p), "/"), "/")
	cur, links := "/", 0
	for len(rest) > 0 {
		part := rest[0]
		rest = rest[1:]
		switch part {
		case "", ".":
			continue
		case "..":
			cur = path.Dir(cur)
			continue
		}
		next := path.Join(cur, part)
		if len(rest) == 0 && !last {
			return next, nil
		}
		n, err := t.s.lstat(next)
		if errors.Is(err, fs.ErrNotExist) {
			return path.Join(append([]string{next}, rest...)...), nil
		}
		if err != nil {
			return "", err
		}
		if n.Kind != Link {
			cur = next
			continue
		}
		if links++; links > maxLinks {
			return "", &fs.PathError{Op: "resolve", Path: p, Err: errors.New("too many symbolic links")}
		}
		if path.IsAbs(n.Link) {
			cur = "/"
		}
		rest = append(strings.Split(n.Link, "/"), rest...)
	}
	return cur, nil
}

// Stat says what p is, links followed.
func (t *Tree) Stat(p string) (Node, error) {
	r, err := t.Resolve(p, true)
	if err != nil {
		return Node{}, err
	}
	return t.s.lstat(r)
}

// Lstat says what p itself is.
func (t *Tree) Lstat(p string) (Node, error) {
	r, err := t.Resolve(p, false)
	if err != nil {
		return Node{}, err
	}
	return t.s.lstat(r)
}

// Exists says whether p is there, links followed.
func (t *Tree) Exists(p string) bool {
	_, err := t.Stat(p)
	return err == nil
}

// ReadFile reads a file, links followed, of at most MaxFile bytes.
func (t *Tree) ReadFile(p string) ([]byte, error) {
	r, err := t.Resolve(p, true)
	if err != nil {
		return nil, err
	}
	return t.s.read(r, MaxFile)
}

// ReadString reads a small file, trimmed; "" when there is none.
func (t *Tree) ReadString(p string) string {
	b, err := t.ReadFile(p)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// List names the entries of a folder, sorted; none when there is no folder.
func (t *Tree) List(p string) ([]string, error) {
	r, err := t.Resolve(p, true)
	if err != nil {
		return nil, err
	}
	names, err := t.s.list(r)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return names, err
}

// WriteFile makes p a file with that content, mode and owner, if it is not one
// already; links are followed, missing folders made (0755, root). It says
// whether anything changed. A reader sees the old file or the new one.
func (t *Tree) WriteFile(p string, data []byte, perm Perm) (bool, error) {
	r, err := t.Resolve(p, true)
	if err != nil {
		return false, err
	}
	return t.write(r, data, perm)
}

// WriteFileBelow is WriteFile for folders that belong to a user: below base,
// nothing on the way to p may be a symbolic link, and missing folders are made
// with dir's permissions.
func (t *Tree) WriteFileBelow(base, p string, data []byte, perm, dir Perm) (bool, error) {
	r, err := t.below(base, p)
	if err != nil {
		return false, err
	}
	if _, err := t.mkdirAll(path.Dir(r), dir); err != nil {
		return false, err
	}
	return t.write(r, data, perm)
}

// ReadFileBelow is ReadFile under the rule of WriteFileBelow.
func (t *Tree) ReadFileBelow(base, p string) ([]byte, error) {
	r, err := t.below(base, p)
	if err != nil {
		return nil, err
	}
	return t.s.read(r, MaxFile)
}

func (t *Tree) below(base, p string) (string, error) {
	rest, ok := strings.CutPrefix(path.Clean(p), path.Clean(base)+"/")
	if !ok {
		return "", fmt.Errorf("%s does not lie below %s", p, base)
	}
	cur, err := t.Resolve(base, true)
	if err != nil {
		return "", err
	}
	for part := range strings.SplitSeq(rest, "/") {
		cur = path.Join(cur, part)
		n, err := t.s.lstat(cur)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", err
		}
		if n.Kind == Link {
			return "", fmt.Errorf("%s is a symbolic link, which is not followed there", cur)
		}
	}
	return cur, nil
}

func (t *Tree) write(p string, data []byte, perm Perm) (bool, error) {
	old, err := t.s.lstat(p)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if _, err := t.mkdirAll(path.Dir(p), Perm{Mode: 0o755}); err != nil {
			return false, err
		}
		if err := t.s.put(p, data, perm); err != nil {
			return false, err
		}
		t.note(Change{Op: Create, Path: p, After: data, Mode: perm.Mode, UID: perm.UID, GID: perm.GID, Secret: perm.Secret})
		return true, nil
	case err != nil:
		return false, err
	case old.Kind != File:
		return false, &fs.PathError{Op: "write", Path: p, Err: errors.New("there is a " + old.Kind + ", not a file")}
	}
	var have []byte
	if old.Size <= MaxFile {
		if have, err = t.s.read(p, MaxFile); err != nil {
			return false, err
		}
	}
	if old.Size == int64(len(data)) && bytes.Equal(have, data) {
		return t.meta(p, old, perm)
	}
	if err := t.s.put(p, data, perm); err != nil {
		return false, err
	}
	t.note(Change{Op: Replace, Path: p, Before: have, After: data, Mode: perm.Mode, UID: perm.UID, GID: perm.GID,
		Secret: perm.Secret || old.Mode&0o004 == 0})
	return true, nil
}

// Overwrite writes into a file that is there and stays the same one: the
// kernel's files under /proc/sys and /sys.
func (t *Tree) Overwrite(p string, data []byte) (bool, error) {
	have, err := t.ReadFile(p)
	if err != nil {
		return false, err
	}
	if bytes.Equal(bytes.Join(bytes.Fields(have), []byte(" ")), bytes.Join(bytes.Fields(data), []byte(" "))) {
		return false, nil
	}
	r, err := t.Resolve(p, true)
	if err != nil {
		return false, err
	}
	if err := t.s.overwrite(r, data); err != nil {
		return false, err
	}
	t.note(Change{Op: Replace, Path: r, Before: have, After: data, Mode: 0o644})
	return true, nil
}

// SetPerm gives what is at p its mode and owner; a link is not followed.
func (t *Tree) SetPerm(p string, perm Perm) (bool, error) {
	r, err := t.Resolve(p, false)
	if err != nil {
		return false, err
	}
	n, err := t.s.lstat(r)
	if err != nil {
		return false, err
	}
	if n.Kind == Link {
		return false, &fs.PathError{Op: "set mode of", Path: p, Err: errors.New("it is a symbolic link")}
	}
	return t.meta(r, n, perm)
}

func (t *Tree) meta(p string, old Node, perm Perm) (bool, error) {
	sameOwner := !t.owners || (old.UID == perm.UID && old.GID == perm.GID)
	if old.Mode == perm.Mode && sameOwner {
		return false, nil
	}
	if err := t.s.setMeta(p, perm); err != nil {
		return false, err
	}
	t.note(Change{Op: Chmod, Path: p, Mode: perm.Mode, UID: perm.UID, GID: perm.GID})
	return true, nil
}

// MkdirAll makes the folder p and those above it. Folders that are there keep
// their mode and owner.
func (t *Tree) MkdirAll(p string, perm Perm) (bool, error) {
	r, err := t.Resolve(p, true)
	if err != nil {
		return false, err
	}
	return t.mkdirAll(r, perm)
}

func (t *Tree) mkdirAll(p string, perm Perm) (bool, error) {
	if p == "/" {
		return false, nil
	}
	n, err := t.s.lstat(p)
	if err == nil {
		if n.Kind != Dir {
			return false, &fs.PathError{Op: "mkdir", Path: p, Err: errors.New("there is a " + n.Kind)}
		}
		return false, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	if _, err := t.mkdirAll(path.Dir(p), perm); err != nil {
		return false, err
	}
	if err := t.s.mkdir(p, perm); err != nil {
		return false, err
	}
	t.note(Change{Op: Mkdir, Path: p, Mode: perm.Mode, UID: perm.UID, GID: perm.GID})
	return true, nil
}

// Symlink makes p a symbolic link to target, in place of a file or link.
func (t *Tree) Symlink(p, target string, perm Perm) (bool, error) {
	r, err := t.Resolve(p, false)
	if err != nil {
		return false, err
	}
	n, err := t.s.lstat(r)
	switch {
	case err == nil && n.Kind == Link && n.Link == target:
		return false, nil
	case err == nil && n.Kind == Dir:
		return false, &fs.PathError{Op: "link", Path: p, Err: errors.New("there is a folder")}
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return false, err
	}
	if _, err := t.mkdirAll(path.Dir(r), Perm{Mode: 0o755}); err != nil {
		return false, err
	}
	if err := t.s.symlink(r, target, perm); err != nil {
		return false, err
	}
	t.note(Change{Op: Symlink, Path: r, Target: target})
	return true, nil
}

// Remove removes a file, link or empty folder; nothing there is no error.
func (t *Tree) Remove(p string) (bool, error) {
	r, err := t.Resolve(p, false)
	if err != nil {
		return false, err
	}
	n, err := t.s.lstat(r)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	c := Change{Op: Remove, Path: r}
	if n.Kind == File && t.planned {
		c.Before, _ = t.s.read(r, MaxFile)
		c.Secret = n.Mode&0o004 == 0
	}
	if err := t.s.remove(r); err != nil {
		return false, err
	}
	t.note(c)
	return true, nil
}

// RemoveAll removes p and what is below it, links not followed.
func (t *Tree) RemoveAll(p string) error {
	n, err := t.Lstat(p)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if n.Kind == Dir {
		names, err := t.List(p)
		if err != nil {
			return err
		}
		for _, name := range names {
			if err := t.RemoveAll(path.Join(p, name)); err != nil {
				return err
			}
		}
	}
	_, err = t.Remove(p)
	return err
}
