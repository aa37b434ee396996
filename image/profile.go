// Package image builds the OS image: packages and our own programs become the
// host's /usr, the system images, kernel and initrd, and these become an ISO
// and a disk. What goes in is said by the YAML files of templates/image.
package image

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"rancheros/image/kernel"
	"rancheros/image/tree"
)

// A Profile says what a tree of files is made of.
type Profile struct {
	// Base is the image that this one is a layer on.
	Base string `yaml:"base"`
	// Modules are those that an extra adds to the root image.
	Modules []string `yaml:"modules"`
	// Packages are Debian packages; what they depend on comes too.
	Packages []string `yaml:"packages"`
	// ExcludePackages are never taken, nor what only they need. "x*" is a prefix.
	ExcludePackages []string `yaml:"exclude_packages"`
	// Only limits a package to the files that match.
	Only map[string][]string `yaml:"only"`
	// Exclude are patterns of files that are left out, Keep of those that stay.
	Exclude []string `yaml:"exclude"`
	Keep    []string `yaml:"keep"`
	// LoadByName are libraries to keep although no program is linked with them.
	LoadByName []string `yaml:"load_by_name"`
	// Links are symlinks: name to target.
	Links map[string]string `yaml:"links"`
	// Busybox makes links to busybox for those of its programs that are not there.
	Busybox bool `yaml:"busybox"`
	// Files are folders below templates/image/files that are copied over it.
	Files []string `yaml:"files"`
	// Modes are permissions of Files other than 0644, and owners, as
	// "0640 0:42". A name with a slash at its end is a directory to be made.
	Modes map[string]string `yaml:"modes"`
	// Cmd and Env are how a container of the image starts.
	Cmd []string `yaml:"cmd"`
	Env []string `yaml:"env"`
	// Images are what an extra profile adds to system images; the rest of it is
	// added to the host.
	Images map[string]*Profile `yaml:"images"`
}

// Kernels is templates/image/kernel.yml.
type Kernels struct {
	// Package is the Debian package that depends on the kernel's own.
	Package string `yaml:"package"`
	// Required are modules without which no image boots.
	Required []string `yaml:"required"`
	// Root are the modules in the root image, Initrd those that find it.
	Root   kernel.Selection `yaml:"root"`
	Initrd kernel.Selection `yaml:"initrd"`
}

// profiles is all of templates/image.
type profiles struct {
	dir    string
	common Profile
	kernel Kernels
	byName map[string]*Profile
	// extras are the names of profiles that a person wants beside.
	extras []string
}

// readProfiles reads a folder of them. Extra is a list of names, as PROFILE= has
// it: storage,wifi.
func readProfiles(dir, extra string) (*profiles, error) {
	p := &profiles{dir: dir, byName: map[string]*Profile{}}
	p.extras = strings.FieldsFunc(extra, func(r rune) bool { return r == ',' || r == ' ' })
	names, err := filepath.Glob(filepath.Join(dir, "*.yml"))
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		var to any
		switch base := filepath.Base(name[:len(name)-len(".yml")]); base {
		case "common":
			to = &p.common
		case "kernel":
			to = &p.kernel
		default:
			p.byName[base] = &Profile{}
			to = p.byName[base]
		}
		if err := readYAML(name, to); err != nil {
			return nil, err
		}
	}
	if p.byName["host"] == nil || p.kernel.Package == "" {
		return nil, fmt.Errorf("%s: host.yml and kernel.yml must be there", dir)
	}
	return p, p.check()
}

func readYAML(name string, to any) error {
	b, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	d := yaml.NewDecoder(bytes.NewReader(b))
	d.KnownFields(true)
	if err := d.Decode(to); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

func (p *profiles) check() error {
	for name, x := range p.byName {
		if x.Base != "" && p.byName[x.Base] == nil {
			return fmt.Errorf("%s/%s.yml: there is no profile %q for its base", p.dir, name, x.Base)
		}
	}
	for _, e := range p.extras {
		x := p.byName[e]
		if x == nil || p.isTree(e) {
			return fmt.Errorf("there is no extra profile %q: PROFILE= takes a list of %s", e, strings.Join(p.allExtras(), ", "))
		}
		for name := range x.Images {
			if p.byName[name] == nil || !p.isTree(name) {
				return fmt.Errorf("%s/%s.yml: there is no image %q", p.dir, e, name)
			}
		}
	}
	return nil
}

// isTree says whether a tree of files is made of the profile; the others are
// extras, which are added to such a one.
func (p *profiles) isTree(name string) bool {
	return name == "host" || name == "tools" || strings.HasPrefix(name, "os-")
}

func (p *profiles) allExtras() []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(p.byName)), p.isTree)
}

// rootModules are the modules of the root image.
func (p *profiles) rootModules() kernel.Selection {
	s := p.kernel.Root
	for _, e := range p.extras {
		s.Names = slices.Concat(s.Names, p.byName[e].Modules)
	}
	return s
}

// images are the names of the system images, base first.
func (p *profiles) images() []string {
	var names []string
	for _, n := range slices.Sorted(maps.Keys(p.byName)) {
		if len(n) > 3 && n[:3] == "os-" {
			names = append(names, n)
		}
	}
	slices.SortStableFunc(names, func(a, b string) int { return len(p.chain(a)) - len(p.chain(b)) })
	return names
}

// chain is the profile with those it stands on, lowest first, each with what the
// extras add to it.
func (p *profiles) chain(name string) []*Profile {
	var out []*Profile
	seen := 0
	for n := name; n != "" && seen <= len(p.byName); n = p.byName[n].Base {
		seen++
		part := []*Profile{p.byName[n]}
		for _, e := range p.extras {
			if n == "host" {
				part = append(part, p.byName[e])
			}
			if x := p.byName[e].Images[n]; x != nil {
				part = append(part, x)
			}
		}
		out = append(part, out...)
	}
	return out
}

// excludedPackages are those of the profile and all images.
func (p *profiles) excludedPackages(name string) []string {
	out := slices.Clone(p.common.ExcludePackages)
	for _, x := range p.chain(name) {
		out = append(out, x.ExcludePackages...)
	}
	return out
}

func (p *profiles) packages(name string) []string {
	var out []string
	for _, x := range p.chain(name) {
		out = append(out, x.Packages...)
	}
	return out
}

// compose makes the tree of a profile out of unpacked packages.
func (p *profiles) compose(name string, packages map[string]*tree.Tree, order []string) (*tree.Tree, error) {
	t := tree.New()
	chain := append([]*Profile{&p.common}, p.chain(name)...)
	for _, pkg := range order {
		sub := tree.New()
		sub.Merge("", packages[pkg])
		for _, x := range chain {
			if only := x.Only[pkg]; only != nil {
				sub.Filter(func(e *tree.Entry) bool { return tree.Match(only, e.Path) })
			}
		}
		t.Merge("", sub)
	}
	for _, x := range chain {
		t.Filter(func(e *tree.Entry) bool { return !tree.Match(x.Exclude, e.Path) || keeps(chain, e.Path) })
	}
	for _, x := range chain {
		if err := p.own(t, x); err != nil {
			return nil, err
		}
	}
	return t, pruneLibraries(t, func(name string) bool {
		return keeps(chain, name) || slices.ContainsFunc(chain, func(x *Profile) bool { return tree.Match(x.LoadByName, name) })
	})
}

func keeps(chain []*Profile, name string) bool {
	return slices.ContainsFunc(chain, func(x *Profile) bool { return tree.Match(x.Keep, name) })
}

// own adds the files and links that are ours.
func (p *profiles) own(t *tree.Tree, x *Profile) error {
	for _, folder := range x.Files {
		if err := addFolder(t, "", filepath.Join(p.dir, "files", folder)); err != nil {
			return err
		}
	}
	if x.Busybox {
		addBusybox(t)
	}
	for _, name := range slices.Sorted(maps.Keys(x.Links)) {
		t.AddLink(name, x.Links[name], ours)
	}
	for _, name := range slices.Sorted(maps.Keys(x.Modes)) {
		if err := setMode(t, name, x.Modes[name]); err != nil {
			return err
		}
	}
	return nil
}

// ours is the origin of files from this repository.
const ours = "rancheros"

// addFolder adds a folder of the repository below prefix. A file is 0755 if its
// owner may run it, else 0644: checkouts differ in umask.
func addFolder(t *tree.Tree, prefix, dir string) error {
	return filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("files for the image: %w", err)
			}
			return err
		}
		rel, err := filepath.Rel(dir, name)
		if err != nil || d.IsDir() {
			return err
		}
		to := filepath.Join(prefix, rel)
		if d.Type()&fs.ModeSymlink != 0 {
			target, err := os.Readlink(name)
			t.AddLink(to, target, ours)
			return err
		}
		st, err := d.Info()
		if err != nil {
			return err
		}
		c, err := tree.OnDisk(name)
		if err != nil {
			return err
		}
		mode := uint32(0o644)
		if st.Mode()&0o100 != 0 {
			mode = 0o755
		}
		t.AddFile(to, mode, c, ours)
		return nil
	})
}

func setMode(t *tree.Tree, name, spec string) error {
	var mode uint32
	var uid, gid int
	if n, err := fmt.Sscanf(spec, "%o %d:%d", &mode, &uid, &gid); n < 1 {
		return fmt.Errorf("mode of %s: %q: %w: write 0640 or \"0640 0:42\"", name, spec, err)
	}
	if name[len(name)-1] == '/' {
		t.Add(&tree.Entry{Path: name, Type: tree.Dir, Mode: mode, UID: uid, GID: gid, Origin: ours})
		return nil
	}
	e := t.Get(name)
	if e == nil {
		return fmt.Errorf("mode of %s: there is no such file", name)
	}
	c := *e
	c.Mode, c.UID, c.GID = mode, uid, gid
	t.Add(&c)
	return nil
}
