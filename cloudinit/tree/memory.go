package tree

import (
	"errors"
	"io/fs"
	"maps"
	"path"
	"slices"

	"golang.org/x/sys/unix"
)

// memory is a disk with changes on top that are only remembered.
type memory struct {
	below *disk
	nodes map[string]*memNode
}

type memNode struct {
	Node
	data []byte
	// gone: removed; nothing of the disk below shines through.
	gone bool
	// fresh: a folder that was made here, with nothing of the disk below it.
	fresh bool
	// kept: only mode and owner changed, the content is the disk's.
	kept bool
}

func newMemory(d *disk) *memory { return &memory{below: d, nodes: map[string]*memNode{}} }

func (m *memory) close() error { return m.below.close() }
func (m *memory) sync() error  { return nil }

// straight knows nothing: what is only remembered is walked part by part.
func (m *memory) straight(string) (Node, error) { return Node{}, errors.ErrUnsupported }

// hidden says whether the disk's p cannot be seen.
func (m *memory) hidden(p string) bool {
	for dir := path.Dir(p); ; dir = path.Dir(dir) {
		if n, ok := m.nodes[dir]; ok && (n.gone || n.fresh || n.Kind != Dir) {
			return true
		}
		if dir == "/" {
			return false
		}
	}
}

func noEntry(op, p string) error { return &fs.PathError{Op: op, Path: p, Err: unix.ENOENT} }

func (m *memory) lstat(p string) (Node, error) {
	if n, ok := m.nodes[p]; ok {
		if n.gone {
			return Node{}, noEntry("lstat", p)
		}
		return n.Node, nil
	}
	if m.hidden(p) {
		return Node{}, noEntry("lstat", p)
	}
	return m.below.lstat(p)
}

func (m *memory) read(p string, limit int64) ([]byte, error) {
	n, ok := m.nodes[p]
	switch {
	case ok && n.gone:
		return nil, noEntry("read", p)
	case ok && !n.kept:
		return n.data, nil
	case !ok && m.hidden(p):
		return nil, noEntry("read", p)
	}
	return m.below.read(p, limit)
}

func (m *memory) list(p string) ([]string, error) {
	names := map[string]bool{}
	own, ok := m.nodes[p]
	if ok && own.gone {
		return nil, noEntry("list", p)
	}
	if !m.hidden(p) && (!ok || own.kept) {
		below, err := m.below.list(p)
		if err != nil {
			return nil, err
		}
		for _, name := range below {
			names[name] = true
		}
	}
	for q, n := range m.nodes {
		if path.Dir(q) == p && q != "/" {
			names[path.Base(q)] = !n.gone
		}
	}
	maps.DeleteFunc(names, func(_ string, there bool) bool { return !there })
	return slices.Sorted(maps.Keys(names)), nil
}

func (m *memory) put(p string, data []byte, perm Perm) error {
	m.nodes[p] = &memNode{Node: Node{Kind: File, Mode: perm.Mode, UID: perm.UID, GID: perm.GID, Size: int64(len(data))}, data: data}
	return nil
}

func (m *memory) overwrite(p string, data []byte) error {
	n, err := m.lstat(p)
	if err != nil {
		return err
	}
	n.Size = int64(len(data))
	m.nodes[p] = &memNode{Node: n, data: data}
	return nil
}

func (m *memory) symlink(p, target string, perm Perm) error {
	m.nodes[p] = &memNode{Node: Node{Kind: Link, Mode: 0o777, UID: perm.UID, GID: perm.GID, Link: target}}
	return nil
}

// hardlink gives two names one node, so that what is done to the one is done
// to the other.
func (m *memory) hardlink(p, target string) error {
	n, ok := m.nodes[target]
	if !ok {
		have, err := m.below.lstat(target)
		if err != nil {
			return err
		}
		n = &memNode{Node: have}
		if have.Kind == File && have.Size <= MaxFile {
			if n.data, err = m.below.read(target, MaxFile); err != nil {
				return err
			}
		}
		m.nodes[target] = n
	}
	m.nodes[p] = n
	return nil
}

func (m *memory) same(p, q string) (bool, error) {
	for _, f := range []string{p, q} {
		if _, err := m.lstat(f); err != nil {
			return false, err
		}
	}
	a, b := m.nodes[p], m.nodes[q]
	if a == nil && b == nil {
		return m.below.same(p, q)
	}
	return a == b, nil
}

func (m *memory) mkdir(p string, perm Perm) error {
	m.nodes[p] = &memNode{Node: Node{Kind: Dir, Mode: perm.Mode, UID: perm.UID, GID: perm.GID}, fresh: true}
	return nil
}

func (m *memory) remove(p string) error {
	m.nodes[p] = &memNode{gone: true}
	return nil
}

func (m *memory) setMeta(p string, perm Perm) error {
	n, ok := m.nodes[p]
	if !ok {
		have, err := m.below.lstat(p)
		if err != nil {
			return err
		}
		n = &memNode{Node: have, kept: true}
		m.nodes[p] = n
	}
	n.Mode, n.UID, n.GID = perm.Mode, perm.UID, perm.GID
	return nil
}
