package image

import (
	"bytes"
	"debug/elf"
	"fmt"
	"path"
	"strings"

	"rancheros/image/tree"
)

// libraries is where shared libraries are that programs are linked with. What
// lies in folders below it is loaded by name.
const libraries = "usr/lib/x86_64-linux-gnu"

// pruneLibraries drops the libraries that nothing in t is linked with. Packages
// bring more of them than the programs that we take of these need.
func pruneLibraries(t *tree.Tree, keep func(name string) bool) error {
	p := pruner{t: t, needed: map[string]bool{}}
	for _, e := range t.Sorted() {
		if !isLibrary(e) || keep(e.Path) {
			if err := p.use(e); err != nil {
				return err
			}
		}
	}
	t.Filter(func(e *tree.Entry) bool { return !isLibrary(e) || p.needed[e.Path] })
	return nil
}

// isLibrary says whether the entry is lib*.so*, or a link to one, directly in
// the folder of libraries.
func isLibrary(e *tree.Entry) bool {
	return e.Type != tree.Dir && path.Dir(e.Path) == libraries && strings.Contains(path.Base(e.Path), ".so")
}

type pruner struct {
	t      *tree.Tree
	needed map[string]bool
}

// use marks an entry and, through links and libraries, all that it needs.
func (p *pruner) use(e *tree.Entry) error {
	if e == nil || p.needed[e.Path] {
		return nil
	}
	p.needed[e.Path] = true
	switch e.Type {
	case tree.Symlink:
		if path.Dir(e.Path) == libraries {
			return p.use(p.t.Get(path.Join(libraries, e.Target)))
		}
		return nil
	case tree.Dir:
		return nil
	}
	needs, err := linkedWith(e)
	if err != nil {
		return fmt.Errorf("libraries of %s: %w", e.Path, err)
	}
	for _, n := range needs {
		if err := p.use(p.t.Get(path.Join(libraries, n))); err != nil {
			return err
		}
	}
	return nil
}

// linkedWith lists the libraries that an ELF file names; none for other files.
func linkedWith(e *tree.Entry) ([]string, error) {
	if e.Content.Size() < 64 || strings.HasSuffix(e.Path, ".ko") {
		return nil, nil
	}
	data, err := e.Content.All()
	if err != nil || !bytes.HasPrefix(data, []byte(elf.ELFMAG)) {
		return nil, err
	}
	f, err := elf.NewFile(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	return f.ImportedLibraries()
}
