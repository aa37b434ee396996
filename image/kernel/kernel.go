// Package kernel takes a kernel with its modules into an image: which modules,
// unpacked (the image compresses better than each of them), and the indexes
// that sys/module and modprobe read. It needs no depmod.
package kernel

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"maps"
	"os/exec"
	"path"
	"slices"
	"strings"

	"github.com/klauspost/compress/zstd"

	"rancheros/image/tree"
)

// A Kernel is what can be booted.
type Kernel struct {
	// Release is what uname -r will say.
	Release string
	// Image is the bzImage.
	Image *tree.Content
	// Origin is the package it came from.
	Origin string

	files   map[string]*tree.Entry // module name -> file
	builtin *tree.Content
	order   *tree.Content
	modules map[string]*module
}

// module is one unpacked module.
type module struct {
	name, path string
	content    *tree.Content
	depends    []string
	aliases    []string
	softdeps   []string
	firmware   []string
}

// FromPackage finds the kernel in the files of a Debian kernel package, or in
// any tree with boot/vmlinuz-* and usr/lib/modules/*.
func FromPackage(t *tree.Tree) (*Kernel, error) {
	k := &Kernel{files: map[string]*tree.Entry{}, modules: map[string]*module{}}
	for _, e := range t.Sorted() {
		switch {
		case e.Type != tree.File:
		case strings.HasPrefix(e.Path, "boot/vmlinuz-"):
			k.Image, k.Origin = e.Content, e.Origin
			k.Release = strings.TrimPrefix(e.Path, "boot/vmlinuz-")
		case isModule(e.Path):
			k.files[Name(e.Path)] = e
		}
	}
	if k.Image == nil {
		return nil, fmt.Errorf("there is no boot/vmlinuz-* in the kernel's package")
	}
	dir := "usr/lib/modules/" + k.Release
	if e := t.Get(dir + "/modules.builtin"); e != nil {
		k.builtin = e.Content
	}
	if e := t.Get(dir + "/modules.order"); e != nil {
		k.order = e.Content
	}
	if len(k.files) == 0 {
		return nil, fmt.Errorf("there are no modules below %s: MODULES= must name the folder that holds %s", dir, k.Release)
	}
	return k, nil
}

// isModule says whether a file below lib/modules is one. Those that do not come
// with the kernel lie in updates/ and extra/.
func isModule(p string) bool {
	return strings.Contains(p, "lib/modules/") && strings.Contains(path.Base(p), ".ko")
}

// Name is the name of the module in a file: "a/xt-nat.ko.xz" is xt_nat.
func Name(file string) string {
	n, _, _ := strings.Cut(path.Base(file), ".ko")
	return strings.ReplaceAll(n, "-", "_")
}

// A Selection says which modules are wanted: the named ones and those that
// match patterns, without the excluded ones, and all that these need. Patterns
// are as tree.Match takes them, relative to the kernel/ folder. Named modules
// that the kernel does not have are left out: it may have them built in.
type Selection struct {
	Names    []string `yaml:"names"`
	Patterns []string `yaml:"patterns"`
	Exclude  []string `yaml:"exclude"`
}

// Tree returns the selected modules with their indexes, below
// lib/modules/RELEASE.
func (k *Kernel) Tree(ctx context.Context, s Selection) (*tree.Tree, error) {
	wanted, err := k.choose(ctx, s)
	if err != nil {
		return nil, err
	}
	names, err := k.closure(ctx, wanted)
	if err != nil {
		return nil, err
	}
	t := tree.New()
	dir := "lib/modules/" + k.Release
	var chosen []*module
	for _, n := range names {
		m := k.modules[n]
		chosen = append(chosen, m)
		t.AddFile(dir+"/"+m.path, 0o644, m.content, k.Origin)
	}
	for name, text := range indexes(chosen) {
		t.AddFile(dir+"/"+name, 0o644, tree.Bytes([]byte(text)), "made by ros-image")
	}
	if k.builtin != nil {
		t.AddFile(dir+"/modules.builtin", 0o644, k.builtin, k.Origin)
	}
	return t, nil
}

// choose lists the wanted modules. One that needs an excluded module is not
// wanted either, unless it is named.
func (k *Kernel) choose(ctx context.Context, s Selection) ([]string, error) {
	var names []string
	named := map[string]bool{}
	for _, n := range s.Names {
		named[Name(n)] = true
		names = append(names, Name(n))
	}
	excluded := func(name string) bool {
		e := k.files[name]
		return e != nil && !named[name] && tree.Match(s.Exclude, inKernel(e.Path))
	}
	for n, e := range k.files {
		if !tree.Match(s.Patterns, inKernel(e.Path)) || excluded(n) {
			continue
		}
		needs, err := k.closure(ctx, []string{n})
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(needs, excluded) {
			names = append(names, n)
		}
	}
	return names, nil
}

// inKernel is the path of a module below the kernel/ folder, or below that of the
// release.
func inKernel(p string) string { return strings.TrimPrefix(inRelease(p), "kernel/") }

// inRelease is the path of a module below lib/modules/RELEASE.
func inRelease(p string) string {
	_, rel, _ := strings.Cut(p, "lib/modules/")
	_, rel, _ = strings.Cut(rel, "/")
	return rel
}

// closure unpacks modules and what they need, and returns all by name.
func (k *Kernel) closure(ctx context.Context, names []string) ([]string, error) {
	seen := map[string]bool{}
	for len(names) > 0 {
		n := names[0]
		names = names[1:]
		if seen[n] || k.files[n] == nil {
			continue
		}
		seen[n] = true
		m, err := k.load(ctx, n)
		if err != nil {
			return nil, err
		}
		names = append(names, m.depends...)
	}
	var out []string
	for n := range seen {
		out = append(out, n)
	}
	slices.Sort(out)
	return out, nil
}

func (k *Kernel) load(ctx context.Context, name string) (*module, error) {
	if m := k.modules[name]; m != nil {
		return m, nil
	}
	e := k.files[name]
	data, err := unpack(ctx, e)
	if err != nil {
		return nil, fmt.Errorf("unpack module %s: %w", e.Path, err)
	}
	rel, _, _ := strings.Cut(inRelease(e.Path), ".ko")
	m := &module{name: name, path: rel + ".ko", content: tree.Bytes(data)}
	if err := m.readInfo(data); err != nil {
		return nil, fmt.Errorf("module %s: %w", e.Path, err)
	}
	k.modules[name] = m
	return m, nil
}

// Lacks lists those of the named modules that the kernel neither has nor has
// built in.
func (k *Kernel) Lacks(names []string) ([]string, error) {
	if k.builtin == nil {
		return nil, nil // nobody can say
	}
	text, err := k.builtin.All()
	if err != nil {
		return nil, err
	}
	has := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		has[Name(line)] = true
	}
	return slices.DeleteFunc(slices.Clone(names), func(n string) bool { return has[Name(n)] || k.files[Name(n)] != nil }), nil
}

// Firmware lists the files that modules of a tree of this kernel ask for, below
// lib/firmware. A name may be a pattern.
func (k *Kernel) Firmware(modules *tree.Tree) []string {
	all := map[string]bool{}
	for _, m := range k.modules {
		if modules.Get("lib/modules/"+k.Release+"/"+m.path) == nil {
			continue
		}
		for _, f := range m.firmware {
			all[f] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// unpack undoes what the file's name says was done.
func unpack(ctx context.Context, e *tree.Entry) ([]byte, error) {
	data, err := e.Content.All()
	if err != nil {
		return nil, err
	}
	switch path.Ext(e.Path) {
	case ".xz":
		cmd := exec.CommandContext(ctx, "xz", "-dc")
		cmd.Stdin = bytes.NewReader(data)
		return cmd.Output()
	case ".gz":
		r, err := gzip.NewReader(bytes.NewReader(data))
		if err != nil {
			return nil, err
		}
		return io.ReadAll(r)
	case ".zst":
		d, err := zstd.NewReader(nil)
		if err != nil {
			return nil, err
		}
		defer d.Close()
		return d.DecodeAll(data, nil)
	}
	return data, nil
}
