package tree

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// WriteFile makes p a file with that content, mode and owner, if it is not one
// already; links are followed, missing folders made (0755, root). It says
// whether anything changed. A reader sees the old file or the new one.
func (t *Tree) WriteFile(p string, data []byte, perm Perm) (bool, error) {
	r, old, err := t.find(p, true)
	return t.write(r, old, err, data, perm)
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
	old, err := t.s.lstat(r)
	return t.write(r, old, err, data, perm)
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

// write writes p, of which lstat said old and err.
func (t *Tree) write(p string, old Node, err error, data []byte, perm Perm) (bool, error) {
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
	r, n, err := t.find(p, false)
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

// Symlink makes p a symbolic link to target, owned as perm says, in place of a
// file or link.
func (t *Tree) Symlink(p, target string, perm Perm) (bool, error) {
	r, n, err := t.find(p, false)
	switch {
	case err == nil && n.Kind == Link && n.Link == target && (!t.owners || n.UID == perm.UID && n.GID == perm.GID):
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

// Hardlink makes p another name of the file target, in place of a file or link.
// If target is itself a symbolic link, p is another name of that link.
func (t *Tree) Hardlink(p, target string) (bool, error) {
	r, err := t.Resolve(p, false)
	if err != nil {
		return false, err
	}
	from, err := t.Resolve(target, false)
	if err != nil {
		return false, err
	}
	n, err := t.s.lstat(from)
	if err != nil {
		return false, err
	}
	if n.Kind == Dir {
		return false, &fs.PathError{Op: "link", Path: target, Err: errors.New("a folder has one name only")}
	}
	have, err := t.s.lstat(r)
	switch {
	case err == nil && have.Kind == Dir:
		return false, &fs.PathError{Op: "link", Path: p, Err: errors.New("there is a folder")}
	case err == nil:
		if same, err := t.s.same(r, from); same || err != nil {
			return false, err
		}
	case !errors.Is(err, fs.ErrNotExist):
		return false, err
	}
	if _, err := t.mkdirAll(path.Dir(r), Perm{Mode: 0o755}); err != nil {
		return false, err
	}
	if err := t.s.hardlink(r, from); err != nil {
		return false, err
	}
	t.note(Change{Op: Hardlink, Path: r, Target: from})
	return true, nil
}

// SameFile says whether p and q are names of one file; links are not followed.
// Of what is not there nothing is the same.
func (t *Tree) SameFile(p, q string) (bool, error) {
	a, err := t.Resolve(p, false)
	if err != nil {
		return false, err
	}
	b, err := t.Resolve(q, false)
	if err != nil {
		return false, err
	}
	same, err := t.s.same(a, b)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return same, err
}

// Remove removes a file, link or empty folder; nothing there is no error.
func (t *Tree) Remove(p string) (bool, error) {
	r, n, err := t.find(p, false)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, t.remove(r, n)
}

func (t *Tree) remove(p string, n Node) error {
	c := Change{Op: Remove, Path: p}
	if n.Kind == File && t.planned {
		c.Before, _ = t.s.read(p, MaxFile)
		c.Secret = n.Mode&0o004 == 0
	}
	if err := t.s.remove(p); err != nil {
		return err
	}
	t.note(c)
	return nil
}

// RemoveAll removes p and what is below it. Links are not followed, also not
// one that somebody puts in the place of a folder meanwhile.
func (t *Tree) RemoveAll(p string) error {
	r, err := t.Resolve(p, false)
	if err != nil {
		return err
	}
	return t.removeAll(r)
}

// Empty removes what is in the folder p, in the same way.
func (t *Tree) Empty(p string) error {
	r, err := t.Resolve(p, true)
	if err != nil {
		return err
	}
	return t.empty(r)
}

func (t *Tree) removeAll(p string) error {
	n, err := t.s.lstat(p)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if n.Kind == Dir {
		if err := t.empty(p); err != nil {
			return err
		}
	}
	return t.remove(p, n)
}

func (t *Tree) empty(p string) error {
	names, err := t.s.list(p)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := t.removeAll(path.Join(p, name)); err != nil {
			return err
		}
	}
	return nil
}
