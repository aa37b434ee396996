// Package deb fetches Debian packages for an image with apt, which checks the
// archive's signatures, in a root of its own: the host's apt is not touched.
package deb

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// A Package is one stanza of the archive's index.
type Package struct {
	Name, Version, Architecture, Source string
	// Depends lists what it needs; each item is a list of alternatives, names
	// only. Pre-Depends come first.
	Depends [][]string
	// Provides lists virtual packages.
	Provides []string
	// SHA256 of the .deb, in hex.
	SHA256 string
	// Filename below the archive's root.
	Filename string
}

// ID is name=version, as apt-get takes it and manifests name it.
func (p *Package) ID() string { return p.Name + "=" + p.Version }

// An Index is all packages that can be had.
type Index struct {
	byName    map[string]*Package
	providers map[string][]*Package
}

// ParseIndex reads the output of `apt-cache dumpavail`.
func ParseIndex(r io.Reader) (*Index, error) {
	x := &Index{byName: map[string]*Package{}, providers: map[string][]*Package{}}
	s := bufio.NewScanner(r)
	s.Buffer(nil, 1<<20)
	p := &Package{}
	for s.Scan() {
		line := s.Text()
		if line == "" {
			x.add(p)
			p = &Package{}
			continue
		}
		if key, value, ok := strings.Cut(line, ": "); ok && line[0] != ' ' {
			p.set(key, value)
		}
	}
	x.add(p)
	if err := s.Err(); err != nil {
		return nil, fmt.Errorf("read package index: %w", err)
	}
	return x, nil
}

func (x *Index) add(p *Package) {
	if p.Name == "" {
		return
	}
	x.byName[p.Name] = p
	for _, v := range p.Provides {
		x.providers[v] = append(x.providers[v], p)
	}
}

func (p *Package) set(key, value string) {
	switch key {
	case "Package":
		p.Name = value
	case "Version":
		p.Version = value
	case "Architecture":
		p.Architecture = value
	case "Source":
		p.Source = value
	case "SHA256":
		p.SHA256 = value
	case "Filename":
		p.Filename = value
	case "Pre-Depends":
		p.Depends = append(relations(value), p.Depends...)
	case "Depends":
		p.Depends = append(p.Depends, relations(value)...)
	case "Provides":
		for _, r := range relations(value) {
			p.Provides = append(p.Provides, r...)
		}
	}
}

// relations parses "a (>= 1), b:any | c" to [[a] [b c]].
func relations(s string) [][]string {
	var out [][]string
	for group := range strings.SplitSeq(s, ",") {
		var alternatives []string
		for a := range strings.SplitSeq(group, "|") {
			name := strings.TrimSpace(a)
			if i := strings.IndexAny(name, " ([:"); i >= 0 {
				name = name[:i]
			}
			alternatives = append(alternatives, name)
		}
		out = append(out, alternatives)
	}
	return out
}

// Closure returns the packages asked for and all that they need, by name.
// Nothing is taken, nor followed, that matches excluded: an exact name, or one
// ending in "*". One suite holds what fits together, so versions in relations
// are not looked at.
func (x *Index) Closure(names, excluded []string) ([]*Package, error) {
	got := map[string]*Package{}
	var queue []*Package
	add := func(name, need string) error {
		p := x.byName[name]
		if p == nil {
			return fmt.Errorf("package %s, which %s needs, is not in the archive: check its name in templates/image", name, need)
		}
		if got[name] == nil {
			got[name] = p
			queue = append(queue, p)
		}
		return nil
	}
	// What was asked for comes first: it decides among alternatives.
	for _, n := range names {
		if err := add(n, "the image"); err != nil {
			return nil, err
		}
	}
	for i := 0; i < len(queue); i++ {
		for _, alternatives := range queue[i].Depends {
			if n := x.choose(alternatives, got, excluded); n != "" {
				if err := add(n, queue[i].Name); err != nil {
					return nil, err
				}
			}
		}
	}
	return slices.SortedFunc(maps.Values(got), func(a, b *Package) int { return strings.Compare(a.Name, b.Name) }), nil
}

// choose names the package to add for a list of alternatives: the first that
// can be had. It is "" if one is there already, or if one is excluded, which
// means that the image does without.
func (x *Index) choose(alternatives []string, got map[string]*Package, excluded []string) string {
	for _, a := range alternatives {
		if got[a] != nil || x.provided(a, got) || matches(excluded, a) {
			return ""
		}
	}
	for _, a := range alternatives {
		if x.byName[a] != nil {
			return a
		}
		for _, p := range x.providers[a] {
			if matches(excluded, p.Name) {
				return ""
			}
			return p.Name
		}
	}
	return alternatives[0]
}

func (x *Index) provided(name string, got map[string]*Package) bool {
	return slices.ContainsFunc(x.providers[name], func(p *Package) bool { return got[p.Name] != nil })
}

func matches(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		head, ok := strings.CutSuffix(p, "*")
		return p == name || ok && strings.HasPrefix(name, head)
	})
}
