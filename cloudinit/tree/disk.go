package tree

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// disk is a folder of this machine. Every path is walked part by part from the
// root's descriptor without following links, so that nobody who may write in
// one of the folders can lead us out of it.
type disk struct {
	root int
	hook func(step, path string) error
	// dirty are folders in which a name changed since the last sync.
	dirty map[string]bool
}

func newDisk(dir string, hook func(step, path string) error) (*disk, error) {
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open root %s: %w", dir, err)
	}
	if hook == nil {
		hook = func(string, string) error { return nil }
	}
	return &disk{root: fd, hook: hook, dirty: map[string]bool{}}, nil
}

func (d *disk) close() error { return unix.Close(d.root) }

// at calls f with the open folder in which p lies and p's last part.
func (d *disk) at(op, p string, f func(dir int, name string) error) error {
	dir, name := path.Split(p)
	fd, err := d.open(dir, unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		return pathError(op, p, err)
	}
	defer unix.Close(fd)
	if name == "" {
		name = "."
	}
	if err := f(fd, name); err != nil {
		return pathError(op, p, err)
	}
	return nil
}

func pathError(op, p string, err error) error {
	if _, ok := errors.AsType[*fs.PathError](err); ok {
		return err
	}
	return &fs.PathError{Op: op, Path: p, Err: err}
}

// open opens p, no part of which may be a link. A missing folder on the way is
// a missing file.
func (d *disk) open(p string, flags int) (int, error) {
	fd, err := d.openStraight(p, flags)
	if err == nil || errors.Is(err, unix.ENOENT) {
		return fd, err
	}
	// Kernels before 5.6 and sandboxes do not know the call. Of other errors the
	// walk gives the reason.
	return d.walk(p, flags)
}

// openStraight is open by one call to the kernel, where it has that.
func (d *disk) openStraight(p string, flags int) (int, error) {
	how := &unix.OpenHow{Flags: uint64(flags | unix.O_NOFOLLOW | unix.O_CLOEXEC), Resolve: unix.RESOLVE_NO_SYMLINKS}
	return unix.Openat2(d.root, "."+p, how)
}

// walk is open part by part.
func (d *disk) walk(p string, flags int) (int, error) {
	cur := d.root
	parts := strings.Split(cmp.Or(strings.Trim(p, "/"), "."), "/")
	for i, part := range parts {
		how := unix.O_PATH | unix.O_DIRECTORY
		if i == len(parts)-1 {
			how = flags
		}
		next, err := openat(cur, part, how|unix.O_NOFOLLOW|unix.O_CLOEXEC)
		if cur != d.root {
			unix.Close(cur)
		}
		if err != nil {
			return -1, err
		}
		cur = next
	}
	return cur, nil
}

func openat(dir int, name string, flags int) (int, error) {
	for {
		fd, err := unix.Openat(dir, name, flags, 0)
		if !errors.Is(err, unix.EINTR) {
			return fd, err
		}
	}
}

func (d *disk) lstat(p string) (Node, error) {
	fd, err := d.open(p, unix.O_PATH)
	return nodeOf(p, fd, err)
}

func (d *disk) straight(p string) (Node, error) {
	fd, err := d.openStraight(p, unix.O_PATH)
	return nodeOf(p, fd, err)
}

// nodeOf says what was opened as p, and closes it.
func nodeOf(p string, fd int, err error) (Node, error) {
	// A file where a folder should be: what lies below it is not there.
	if errors.Is(err, unix.ENOTDIR) {
		err = unix.ENOENT
	}
	if err != nil {
		return Node{}, pathError("lstat", p, err)
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return Node{}, pathError("lstat", p, err)
	}
	n := Node{Kind: kindOf(st.Mode), Mode: st.Mode & 0o7777, UID: int(st.Uid), GID: int(st.Gid), Size: st.Size}
	if n.Kind == Link {
		buf := make([]byte, unix.PathMax)
		k, err := unix.Readlinkat(fd, "", buf)
		if err != nil {
			return n, pathError("lstat", p, err)
		}
		n.Link = string(buf[:k])
	}
	return n, nil
}

func kindOf(mode uint32) string {
	switch mode & unix.S_IFMT {
	case unix.S_IFREG:
		return File
	case unix.S_IFDIR:
		return Dir
	case unix.S_IFLNK:
		return Link
	}
	return Other
}

func (d *disk) read(p string, limit int64) ([]byte, error) {
	fd, err := d.open(p, unix.O_RDONLY|unix.O_NONBLOCK)
	if err != nil {
		return nil, pathError("read", p, err)
	}
	f := os.NewFile(uintptr(fd), p)
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(b)) > limit {
		return nil, &fs.PathError{Op: "read", Path: p, Err: fmt.Errorf("larger than %d bytes", limit)}
	}
	return b, nil
}

func (d *disk) list(p string) ([]string, error) {
	fd, err := d.open(p, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return nil, pathError("list", p, err)
	}
	f := os.NewFile(uintptr(fd), p)
	defer f.Close()
	names, err := f.Readdirnames(-1)
	slices.Sort(names)
	return names, err
}

// temp is the name of the new file while it is written. It is always the same,
// so that a power cut leaves at most one behind and the next write clears it;
// the leading dot and the suffix keep it out of every drop-in folder.
func temp(name string) string { return "." + name + ".new~" }

func (d *disk) put(p string, data []byte, perm Perm) error {
	return d.at("write", p, func(dir int, name string) error {
		tmp := temp(name)
		if err := d.create(p, dir, tmp, data, perm); err != nil {
			return err
		}
		err := d.rename(p, dir, tmp, name)
		// A file that is a mount of its own, as /etc/hosts in a container,
		// cannot be replaced, only written.
		if errors.Is(err, unix.EBUSY) {
			return d.overwrite(p, data)
		}
		return err
	})
}

func (d *disk) create(p string, dir int, tmp string, data []byte, perm Perm) error {
	if err := d.hook("create", p); err != nil {
		return err
	}
	if err := unix.Unlinkat(dir, tmp, 0); err != nil && !errors.Is(err, unix.ENOENT) {
		return err
	}
	fd, err := unix.Openat(dir, tmp, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return err
	}
	f := os.NewFile(uintptr(fd), p)
	err = d.fill(f, p, data, perm)
	err = errors.Join(err, f.Close())
	if err != nil && !errors.Is(err, errKilled) {
		_ = unix.Unlinkat(dir, tmp, 0)
	}
	return err
}

// errKilled is what a test's hook returns to play a power cut: then nothing is
// cleaned up.
var errKilled = errors.New("killed")

// ErrKilled makes a hook's error a power cut: nothing is cleaned up after it.
func ErrKilled() error { return errKilled }

func (d *disk) fill(f *os.File, p string, data []byte, perm Perm) error {
	if err := d.hook("write", p); err != nil {
		return err
	}
	if _, err := f.Write(data); err != nil {
		return err
	}
	if err := d.hook("owner", p); err != nil {
		return err
	}
	// Owner first: chown takes setuid bits away.
	if os.Geteuid() == 0 {
		if err := f.Chown(perm.UID, perm.GID); err != nil {
			return err
		}
	}
	if err := unix.Fchmod(int(f.Fd()), perm.Mode); err != nil {
		return err
	}
	if err := d.hook("fsync", p); err != nil {
		return err
	}
	if len(data) == 0 || gone(p) {
		return nil // its name is all there is to it
	}
	return f.Sync()
}

func (d *disk) rename(p string, dir int, tmp, name string) error {
	if err := d.hook("rename", p); err != nil {
		return err
	}
	if err := unix.Renameat(dir, tmp, dir, name); err != nil {
		_ = unix.Unlinkat(dir, tmp, 0)
		return err
	}
	d.changed(p)
	return nil
}

// gone says whether a file is gone after a power cut in any case.
func gone(p string) bool { return strings.HasPrefix(p, "/run/") }

// changed notes that the name p changed.
func (d *disk) changed(p string) {
	if !gone(p) {
		d.dirty[path.Dir(p)] = true
	}
}

func (d *disk) overwrite(p string, data []byte) error {
	fd, err := d.open(p, unix.O_WRONLY|unix.O_TRUNC)
	if err != nil {
		return pathError("write", p, err)
	}
	f := os.NewFile(uintptr(fd), p)
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}

func (d *disk) symlink(p, target string, perm Perm) error {
	return d.at("link", p, func(dir int, name string) error {
		tmp := temp(name)
		if err := d.hook("symlink", p); err != nil {
			return err
		}
		if err := unix.Unlinkat(dir, tmp, 0); err != nil && !errors.Is(err, unix.ENOENT) {
			return err
		}
		if err := unix.Symlinkat(target, dir, tmp); err != nil {
			return err
		}
		if os.Geteuid() == 0 {
			if err := unix.Fchownat(dir, tmp, perm.UID, perm.GID, unix.AT_SYMLINK_NOFOLLOW); err != nil {
				return err
			}
		}
		return d.rename(p, dir, tmp, name)
	})
}

func (d *disk) hardlink(p, target string) error {
	return d.at("link", target, func(from int, old string) error {
		return d.at("link", p, func(dir int, name string) error {
			tmp := temp(name)
			if err := d.hook("hardlink", p); err != nil {
				return err
			}
			if err := unix.Unlinkat(dir, tmp, 0); err != nil && !errors.Is(err, unix.ENOENT) {
				return err
			}
			if err := unix.Linkat(from, old, dir, tmp, 0); err != nil {
				return err
			}
			return d.rename(p, dir, tmp, name)
		})
	})
}

// same says whether two names are those of one file.
func (d *disk) same(p, q string) (bool, error) {
	var a, b unix.Stat_t
	for _, f := range []struct {
		path string
		st   *unix.Stat_t
	}{{p, &a}, {q, &b}} {
		if err := d.at("lstat", f.path, func(dir int, name string) error {
			return unix.Fstatat(dir, name, f.st, unix.AT_SYMLINK_NOFOLLOW)
		}); err != nil {
			return false, err
		}
	}
	return a.Dev == b.Dev && a.Ino == b.Ino, nil
}

func (d *disk) mkdir(p string, perm Perm) error {
	return d.at("mkdir", p, func(dir int, name string) error {
		if err := d.hook("mkdir", p); err != nil {
			return err
		}
		if err := unix.Mkdirat(dir, name, perm.Mode&0o777); err != nil {
			return err
		}
		d.changed(p)
		return d.setMetaAt(dir, name, perm)
	})
}

func (d *disk) setMeta(p string, perm Perm) error {
	return d.at("set mode of", p, func(dir int, name string) error {
		if err := d.hook("chmod", p); err != nil {
			return err
		}
		return d.setMetaAt(dir, name, perm)
	})
}

func (d *disk) setMetaAt(dir int, name string, perm Perm) error {
	fd, err := openat(dir, name, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW|unix.O_CLOEXEC)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if os.Geteuid() == 0 {
		if err := unix.Fchown(fd, perm.UID, perm.GID); err != nil {
			return err
		}
	}
	return unix.Fchmod(fd, perm.Mode)
}

func (d *disk) remove(p string) error {
	return d.at("remove", p, func(dir int, name string) error {
		if err := d.hook("remove", p); err != nil {
			return err
		}
		err := unix.Unlinkat(dir, name, 0)
		if errors.Is(err, unix.EISDIR) || errors.Is(err, unix.EPERM) {
			err = unix.Unlinkat(dir, name, unix.AT_REMOVEDIR)
		}
		if err == nil {
			d.changed(p)
		}
		return err
	})
}

func (d *disk) sync() error {
	var errs []error
	for p := range d.dirty {
		fd, err := d.open(p, unix.O_RDONLY|unix.O_DIRECTORY)
		if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
			continue // it has been removed since, perhaps for something else
		}
		if err != nil {
			errs = append(errs, pathError("sync", p, err))
			continue
		}
		// Some file systems cannot sync a folder; they need not.
		if err := unix.Fsync(fd); err != nil && !errors.Is(err, unix.EINVAL) {
			errs = append(errs, pathError("sync", p, err))
		}
		unix.Close(fd)
	}
	clear(d.dirty)
	return errors.Join(errs...)
}
