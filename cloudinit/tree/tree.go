// Package tree reads and changes the files below one root the way the machine
// with that root would see them: absolute symbolic links stay inside it, every
// change is atomic, and each is remembered. A planned tree remembers and
// changes nothing.
package tree

import (
	"errors"
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
	// straight is lstat where no parent is known not to be a link. Its only errors
	// that say something are those of fs.ErrNotExist.
	straight(p string) (Node, error)
	read(p string, limit int64) ([]byte, error)
	list(p string) ([]string, error)
	put(p string, data []byte, perm Perm) error
	overwrite(p string, data []byte) error
	symlink(p, target string, perm Perm) error
	hardlink(p, target string) error
	same(p, q string) (bool, error)
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
	r, _, err := t.find(p, last)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return r, err
}

// find is Resolve, and says what is there; what is not is fs.ErrNotExist.
func (t *Tree) find(p string, last bool) (string, Node, error) {
	p = path.Clean("/" + p)
	n, err := t.s.straight(p)
	if err == nil && !(last && n.Kind == Link) || errors.Is(err, fs.ErrNotExist) {
		return p, n, err
	}
	r, err := t.follow(p, last)
	if err != nil {
		return "", n, err
	}
	n, err = t.s.lstat(r)
	return r, n, err
}

// follow is Resolve part by part.
func (t *Tree) follow(p string, last bool) (string, error) {
	rest := strings.Split(strings.Trim(p, "/"), "/")
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
	_, n, err := t.find(p, true)
	return n, err
}

// Lstat says what p itself is.
func (t *Tree) Lstat(p string) (Node, error) {
	_, n, err := t.find(p, false)
	return n, err
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
