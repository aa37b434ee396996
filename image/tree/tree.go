// Package tree holds the files of an image in memory, as names and where their
// content lies, before they are written as an archive. No step of an image
// build needs to be root, because owners are data here.
package tree

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

// Type is the kind of an Entry.
type Type byte

// The kinds of files an image can hold.
const (
	Dir Type = iota
	File
	Symlink
)

// An Entry is one file.
type Entry struct {
	// Path has no leading slash: "usr/bin/ros".
	Path string
	Type Type
	// Mode is the permission bits with set-uid, set-gid and sticky, as in stat(2).
	Mode     uint32
	UID, GID int
	// Target is where a Symlink points.
	Target string
	// Content is what a File holds.
	Content *Content
	// Origin says where it came from: "bash=5.2.37-2", "rancheros", "kernel".
	Origin string
}

// A Tree is a set of entries by path. Parents of an entry are always there.
type Tree struct {
	entries map[string]*Entry
}

// New returns an empty tree.
func New() *Tree { return &Tree{entries: map[string]*Entry{}} }

// Len is the number of entries.
func (t *Tree) Len() int { return len(t.entries) }

// Get returns the entry at a path, or nil.
func (t *Tree) Get(name string) *Entry { return t.entries[clean(name)] }

// Add puts entries in, in place of what was there, and makes missing parents.
// A directory does not replace a symlink to one: packages still name /bin/x.
func (t *Tree) Add(entries ...*Entry) {
	for _, e := range entries {
		e.Path = clean(e.Path)
		if e.Path == "" {
			continue
		}
		t.addParents(e)
		t.entries[e.Path] = e
	}
}

func (t *Tree) addParents(e *Entry) {
	for p := path.Dir(e.Path); p != "."; p = path.Dir(p) {
		if t.entries[p] != nil {
			return
		}
		t.entries[p] = &Entry{Path: p, Type: Dir, Mode: 0o755, Origin: e.Origin}
	}
}

// AddFile puts one regular file in.
func (t *Tree) AddFile(name string, mode uint32, c *Content, origin string) {
	t.Add(&Entry{Path: name, Type: File, Mode: mode, Content: c, Origin: origin})
}

// AddLink puts one symlink in.
func (t *Tree) AddLink(name, target, origin string) {
	t.Add(&Entry{Path: name, Type: Symlink, Mode: 0o777, Target: target, Origin: origin})
}

// AddDir puts one directory in.
func (t *Tree) AddDir(name string, mode uint32, origin string) {
	t.Add(&Entry{Path: name, Type: Dir, Mode: mode, Origin: origin})
}

// Merge adds every entry of other below prefix ("" is the root).
func (t *Tree) Merge(prefix string, other *Tree) {
	for _, e := range other.Sorted() {
		c := *e
		c.Path = path.Join(prefix, e.Path)
		if have := t.entries[c.Path]; have != nil && c.Type == Dir && have.Type == Dir && c.Mode == 0o755 {
			continue
		}
		t.Add(&c)
	}
}

// Sub returns what lies below dir, with paths relative to it.
func (t *Tree) Sub(dir string) *Tree {
	out := New()
	prefix := clean(dir) + "/"
	for _, e := range t.Sorted() {
		if rel, ok := strings.CutPrefix(e.Path, prefix); ok {
			c := *e
			c.Path = rel
			out.Add(&c)
		}
	}
	return out
}

// Filter keeps the entries for which keep says yes, and drops directories that
// became empty by it.
func (t *Tree) Filter(keep func(e *Entry) bool) {
	had := map[string]bool{}
	for name, e := range t.entries {
		if e.Type != Dir {
			had[path.Dir(name)] = true
		}
		if e.Type != Dir && !keep(e) {
			delete(t.entries, name)
		}
	}
	t.dropEmptied(had, keep)
}

// dropEmptied removes directories without anything below them, if they once
// had something or are not wanted themselves.
func (t *Tree) dropEmptied(had map[string]bool, keep func(e *Entry) bool) {
	names := slices.Sorted(maps.Keys(t.entries))
	slices.Reverse(names)
	full := map[string]bool{}
	for _, name := range names {
		e := t.entries[name]
		if e.Type == Dir && !full[name] && (had[name] || !keep(e)) {
			delete(t.entries, name)
			had[path.Dir(name)] = true
			continue
		}
		full[path.Dir(name)] = true
	}
}

// Remove deletes one entry and all below it.
func (t *Tree) Remove(name string) {
	name = clean(name)
	for p := range t.entries {
		if p == name || strings.HasPrefix(p, name+"/") {
			delete(t.entries, p)
		}
	}
}

// Minus returns what t has that base has not or has otherwise, with the
// directories on the way: a layer to be put over base.
func (t *Tree) Minus(base *Tree) (*Tree, error) {
	out := New()
	for _, e := range t.Sorted() {
		same, err := equal(e, base.entries[e.Path])
		if err != nil {
			return nil, err
		}
		if same {
			continue
		}
		for p := path.Dir(e.Path); p != "." && out.entries[p] == nil; p = path.Dir(p) {
			out.entries[p] = t.entries[p]
		}
		out.entries[e.Path] = e
	}
	return out, nil
}

func equal(a, b *Entry) (bool, error) {
	if b == nil || a.Type != b.Type || a.Mode != b.Mode || a.UID != b.UID || a.GID != b.GID || a.Target != b.Target {
		return false, nil
	}
	if a.Type != File {
		return true, nil
	}
	x, err := a.Content.Sum()
	if err != nil {
		return false, fmt.Errorf("%s: %w", a.Path, err)
	}
	y, err := b.Content.Sum()
	if err != nil {
		return false, fmt.Errorf("%s: %w", b.Path, err)
	}
	return x == y, nil
}

// Sorted returns all entries by path, parents first.
func (t *Tree) Sorted() []*Entry {
	names := slices.SortedFunc(maps.Keys(t.entries), comparePaths)
	out := make([]*Entry, len(names))
	for i, n := range names {
		out[i] = t.entries[n]
	}
	return out
}

// comparePaths sorts by path elements, so that a directory is followed by what
// is in it ("a/b" before "a-c").
func comparePaths(a, b string) int {
	return strings.Compare(strings.ReplaceAll(a, "/", "\x00"), strings.ReplaceAll(b, "/", "\x00"))
}

// Size is the sum of the files' sizes in bytes, equal files counted each time.
func (t *Tree) Size() int64 {
	var n int64
	for _, e := range t.entries {
		if e.Type == File {
			n += e.Content.Size()
		}
	}
	return n
}

func clean(name string) string {
	return strings.TrimPrefix(path.Clean("/"+name), "/")
}
