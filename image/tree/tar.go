package tree

import (
	"archive/tar"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
	"time"
)

// ReadTar reads the tar file at name. Contents stay in that file. Old places
// of a merged /usr (bin, sbin, lib, lib64) become usr/bin and so on.
func ReadTar(name, origin string) (*Tree, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	t := New()
	links := map[string]string{}
	for r := tar.NewReader(f); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return t, t.resolve(links)
		}
		if err != nil {
			return nil, fmt.Errorf("read tar %s: %w", name, err)
		}
		off, err := f.Seek(0, io.SeekCurrent)
		if err != nil {
			return nil, err
		}
		e := &Entry{Path: mergedUsr(clean(h.Name)), Mode: uint32(h.Mode) & 0o7777, UID: h.Uid, GID: h.Gid, Origin: origin}
		switch h.Typeflag {
		case tar.TypeDir:
			e.Type = Dir
		case tar.TypeReg:
			e.Type, e.Content = File, Stretch(name, off, h.Size)
		case tar.TypeSymlink:
			e.Type, e.Mode, e.Target = Symlink, 0o777, h.Linkname
		case tar.TypeLink:
			links[e.Path] = mergedUsr(clean(h.Linkname))
			continue
		default:
			return nil, fmt.Errorf("read tar %s: %s has type %q, which an image cannot hold", name, h.Name, h.Typeflag)
		}
		t.Add(e)
	}
}

// resolve makes hard links of a tar into entries of their own with the same
// content; WriteTar finds them again by that.
func (t *Tree) resolve(links map[string]string) error {
	for name, target := range links {
		e := t.entries[target]
		if e == nil {
			return fmt.Errorf("hard link %s points to %s, which is not in the archive", name, target)
		}
		c := *e
		c.Path = name
		t.Add(&c)
	}
	return nil
}

func mergedUsr(name string) string {
	first, _, _ := strings.Cut(name, "/")
	switch first {
	case "bin", "sbin", "lib", "lib64":
		return "usr/" + name
	}
	return name
}

// TarOptions say how a tree becomes a tar stream.
type TarOptions struct {
	// Time is the modification time of everything.
	Time time.Time
	// HardLinks writes equal files (content, owner, mode) as one inode.
	HardLinks bool
	// First lists path prefixes whose files come first in the stream.
	First []string
}

// WriteTar writes the tree; the same tree gives the same bytes.
func (t *Tree) WriteTar(w io.Writer, o TarOptions) error {
	tw := tar.NewWriter(w)
	seen := map[inode]string{}
	for _, e := range t.ordered(o.First) {
		if err := writeEntry(tw, e, o, seen); err != nil {
			return fmt.Errorf("%s: %w", e.Path, err)
		}
	}
	return tw.Close()
}

// ordered puts the named prefixes and their parents first.
func (t *Tree) ordered(first []string) []*Entry {
	all := t.Sorted()
	if len(first) == 0 {
		return all
	}
	var out []*Entry
	done := map[string]bool{}
	put := func(e *Entry) {
		if !done[e.Path] {
			done[e.Path] = true
			out = append(out, e)
		}
	}
	for _, prefix := range first {
		for _, e := range all {
			if e.Path == prefix || strings.HasPrefix(e.Path, prefix+"/") {
				for _, p := range parents(e.Path) {
					put(t.entries[p])
				}
				put(e)
			}
		}
	}
	for _, e := range all {
		put(e)
	}
	return out
}

func parents(name string) []string {
	var out []string
	for p := path.Dir(name); p != "."; p = path.Dir(p) {
		out = append([]string{p}, out...)
	}
	return out
}

type inode struct {
	sum      [sha256.Size]byte
	mode     uint32
	uid, gid int
}

func writeEntry(tw *tar.Writer, e *Entry, o TarOptions, seen map[inode]string) error {
	h := &tar.Header{Name: e.Path, Mode: int64(e.Mode), Uid: e.UID, Gid: e.GID, ModTime: o.Time, Format: tar.FormatPAX}
	switch e.Type {
	case Dir:
		h.Typeflag, h.Name = tar.TypeDir, e.Path+"/"
		return tw.WriteHeader(h)
	case Symlink:
		h.Typeflag, h.Linkname = tar.TypeSymlink, e.Target
		return tw.WriteHeader(h)
	}
	if o.HardLinks && e.Content.Size() > 0 {
		sum, err := e.Content.Sum()
		if err != nil {
			return err
		}
		key := inode{sum, e.Mode, e.UID, e.GID}
		if prior, ok := seen[key]; ok {
			h.Typeflag, h.Linkname = tar.TypeLink, prior
			return tw.WriteHeader(h)
		}
		seen[key] = e.Path
	}
	h.Typeflag, h.Size = tar.TypeReg, e.Content.Size()
	if err := tw.WriteHeader(h); err != nil {
		return err
	}
	_, err := e.Content.WriteTo(tw)
	return err
}
