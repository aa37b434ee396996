package ignition

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"syscall"
)

// renumbered is a user with other numbers than before: these.
type renumbered struct {
	user     *row
	uid, gid int
}

// homes removes, moves and gives to their owners the home directories of users
// that are no more or have changed, as userdel and usermod do.
func (t tree) homes(a *accounts) error {
	for _, r := range a.removed {
		if err := t.removeHome(r); err != nil {
			return fmt.Errorf("user %s: %w", r.fields[0], err)
		}
	}
	for _, m := range a.moved {
		if err := t.moveHome(m[0], m[1]); err != nil {
			return fmt.Errorf("move %s to %s: %w", m[0], m[1], err)
		}
	}
	for _, n := range a.renumbered {
		p, err := t.resolve(n.user.fields[5])
		if err != nil {
			return err
		}
		if err := t.giveAll(p, n); err != nil {
			return fmt.Errorf("user %s: %w", n.user.fields[0], err)
		}
	}
	return nil
}

// removeHome removes the home, which must belong to the user, and the mail.
func (t tree) removeHome(r *row) error {
	for _, name := range []string{path.Join("var/mail", r.fields[0]), path.Join("var/spool/mail", r.fields[0]), r.fields[5]} {
		p, err := t.resolve(name)
		if err != nil {
			return err
		}
		st, err := t.Lstat(p)
		if err != nil || p == "." {
			continue
		}
		if uidOf(st) != r.number(2) {
			return fmt.Errorf("%s is not removed: it belongs to somebody else", name)
		}
		if err := t.RemoveAll(p); err != nil {
			return err
		}
	}
	return nil
}

func (t tree) moveHome(from, to string) error {
	old, err := t.resolve(from)
	if err != nil {
		return err
	}
	p, err := t.resolve(to)
	if err != nil {
		return err
	}
	if st, err := t.Lstat(old); err != nil || !st.IsDir() || old == "." {
		return nil
	}
	if _, err := t.Lstat(p); err == nil {
		return fmt.Errorf("there is something already")
	}
	if err := t.MkdirAll(path.Dir(p), 0o755); err != nil {
		return err
	}
	return t.Rename(old, p)
}

// giveAll gives what belonged to the user and its group below a directory to
// the new ones.
func (t tree) giveAll(p string, was renumbered) error {
	if p == "." {
		return nil
	}
	err := fs.WalkDir(t.FS(), p, func(name string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		st, err := t.Lstat(name)
		if err != nil {
			return err
		}
		uid, gid := -1, -1
		if uidOf(st) == was.uid {
			uid = was.user.number(2)
		}
		if gidOf(st) == was.gid {
			gid = was.user.number(3)
		}
		return t.Lchown(name, uid, gid)
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func gidOf(st fs.FileInfo) int {
	if sys, ok := st.Sys().(*syscall.Stat_t); ok {
		return int(sys.Gid)
	}
	return -1
}

func uidOf(st fs.FileInfo) int {
	if sys, ok := st.Sys().(*syscall.Stat_t); ok {
		return int(sys.Uid)
	}
	return -1
}

// skeleton copies what every new home has.
func (t tree) skeleton(home string, r *row) error {
	from, err := t.resolve("etc/skel/x")
	if err != nil {
		return err
	}
	from = path.Dir(from)
	err = fs.WalkDir(t.FS(), from, func(name string, d fs.DirEntry, err error) error {
		if err != nil || name == from {
			return err
		}
		to := path.Join(home, strings.TrimPrefix(name, from+"/"))
		made, err := t.copyNode(name, to)
		if err != nil || !made {
			return err
		}
		return t.Lchown(to, r.number(2), r.number(3))
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// copyNode copies one directory, link or file; others are left out.
func (t tree) copyNode(from, to string) (made bool, err error) {
	st, err := t.Lstat(from)
	if err != nil {
		return false, err
	}
	switch {
	case st.IsDir():
		return true, t.Mkdir(to, st.Mode().Perm())
	case st.Mode()&fs.ModeSymlink != 0:
		target, err := t.Readlink(from)
		if err != nil {
			return false, err
		}
		return true, t.Symlink(target, to)
	case !st.Mode().IsRegular():
		return false, nil
	}
	data, err := t.ReadFile(from)
	if err != nil {
		return false, err
	}
	if err := t.write(to, data, nil); err != nil {
		return false, err
	}
	return true, t.Chmod(to, st.Mode().Perm())
}

// home makes the home of a new user.
func (t tree) home(r *row, mode fs.FileMode, u User) error {
	if u.NoCreateHome || r == nil || len(r.fields) < 6 {
		return nil
	}
	p, err := t.resolve(r.fields[5])
	if err != nil {
		return err
	}
	if _, err := t.Lstat(p); err == nil || p == "." {
		return nil
	}
	if err := t.ownDir(p, mode, r); err != nil {
		return err
	}
	return t.skeleton(p, r)
}

// ownDir makes a directory, with those above it, that belongs to a user.
func (t tree) ownDir(p string, mode fs.FileMode, r *row) error {
	if err := t.MkdirAll(path.Dir(p), 0o755); err != nil {
		return err
	}
	if err := t.Mkdir(p, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := t.Lchown(p, r.number(2), r.number(3)); err != nil {
		return err
	}
	return t.Chmod(p, mode)
}

func (t tree) keys(r *row, u User) error {
	if len(u.SSHAuthorizedKeys) == 0 || r == nil || len(r.fields) < 6 {
		return nil
	}
	dir, err := t.resolve(path.Join(r.fields[5], ".ssh", "x"))
	if err != nil {
		return err
	}
	dir = path.Dir(dir)
	if _, err := t.Lstat(dir); err != nil {
		if err := t.ownDir(dir, 0o700, r); err != nil {
			return err
		}
	}
	file := path.Join(dir, "authorized_keys")
	text := strings.TrimSuffix(strings.Join(u.SSHAuthorizedKeys, "\n"), "\n") + "\n"
	if err := t.put(file, text); err != nil {
		return err
	}
	if err := t.Lchown(file, r.number(2), r.number(3)); err != nil {
		return err
	}
	return t.Chmod(file, 0o600)
}
