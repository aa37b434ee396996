// Package module loads kernel modules: by name with what they depend on, and
// by modalias for the devices that are there. It needs no kmod.
//
// File formats: modules.dep(5) and modules.alias of kmod.
package module

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// ErrNotFound says that the kernel in use has no such module, neither as a
// file nor built in.
var ErrNotFound = errors.New("no such module")

// A Set is the modules of one kernel.
type Set struct {
	dir     string
	files   map[string]string   // name -> path below dir
	deps    map[string][]string // name -> names, in the order of modules.dep
	builtin map[string]bool
	insert  func(path, params string) error

	mu      sync.Mutex
	loaded  map[string]bool
	aliases map[string][]alias // bus -> patterns; nil until the first Match
}

type alias struct{ pattern, name string }

// Open reads the module tree of the running kernel below root, which is
// usually "/".
func Open(root string) (*Set, error) {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return nil, fmt.Errorf("uname: %w", err)
	}
	return OpenDir(filepath.Join(root, "lib/modules", unix.ByteSliceToString(u.Release[:])))
}

// OpenDir reads a module tree: a folder with modules.dep in it.
func OpenDir(dir string) (*Set, error) {
	s := &Set{
		dir: dir, files: map[string]string{}, deps: map[string][]string{},
		builtin: map[string]bool{}, loaded: map[string]bool{}, insert: insert,
	}
	err := eachLine(filepath.Join(dir, "modules.dep"), func(line string) {
		file, deps, ok := strings.Cut(line, ":")
		if !ok {
			return
		}
		name := nameOf(file)
		s.files[name] = file
		for d := range strings.FieldsSeq(deps) {
			s.deps[name] = append(s.deps[name], nameOf(d))
		}
	})
	if err != nil {
		return nil, fmt.Errorf("read module tree: %w", err)
	}
	err = eachLine(filepath.Join(dir, "modules.builtin"), func(line string) { s.builtin[nameOf(line)] = true })
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read module tree: %w", err)
	}
	return s, nil
}

// Load loads a module and what it depends on. A module that is loaded already
// or built into the kernel is no error.
func (s *Set) Load(name, params string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.load(canonical(name), params)
}

func (s *Set) load(name, params string) error {
	if s.loaded[name] || s.builtin[name] {
		return nil
	}
	file, ok := s.files[name]
	if !ok {
		return fmt.Errorf("load module %s: %w", name, ErrNotFound)
	}
	// modules.dep lists the nearest dependency first; the last has none itself.
	deps := s.deps[name]
	for i := len(deps) - 1; i >= 0; i-- {
		if err := s.load(deps[i], ""); err != nil {
			return err
		}
	}
	if err := s.insert(filepath.Join(s.dir, file), params); err != nil {
		return fmt.Errorf("load module %s: %w", name, err)
	}
	s.loaded[name] = true
	return nil
}

// insert hands the file to the kernel. EEXIST is success: somebody was faster.
func insert(path, params string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	err = unix.FinitModule(int(f.Fd()), params, 0)
	if errors.Is(err, unix.EEXIST) {
		return nil
	}
	return err
}

// Match lists the modules that drive a device with this modalias.
func (s *Set) Match(modalias string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.aliases == nil {
		s.readAliases()
	}
	modalias = flat(modalias)
	var names []string
	for _, a := range s.aliases[bus(modalias)] {
		if ok, _ := filepath.Match(a.pattern, modalias); ok {
			names = append(names, a.name)
		}
	}
	return names
}

// readAliases sorts modules.alias by bus, so that a look-up tries a few
// hundred patterns and not twenty thousand.
func (s *Set) readAliases() {
	s.aliases = map[string][]alias{}
	// A tree without aliases loads by name only; that is not an error.
	_ = eachLine(filepath.Join(s.dir, "modules.alias"), func(line string) {
		f := strings.Fields(line)
		if len(f) != 3 || f[0] != "alias" {
			return
		}
		pattern := flat(f[1])
		s.aliases[bus(pattern)] = append(s.aliases[bus(pattern)], alias{pattern, canonical(f[2])})
	})
}

// bus is the first word of a device or pattern. Patterns of ACPI and DMI spell
// theirs with a star: acpi*:VMBUS:*.
func bus(alias string) string {
	b, _, _ := strings.Cut(alias, ":")
	return strings.TrimRight(b, "*")
}

// flat is without slashes, at which a star would end; DMI has dates in it.
func flat(alias string) string { return strings.ReplaceAll(alias, "/", "|") }

// ColdPlug loads the modules of every device below sys (usually "/sys") and
// returns the names that it loaded. A driver can make new devices appear, so
// it looks again until nothing is new. Errors of single modules are joined.
func (s *Set) ColdPlug(sys string) ([]string, error) {
	var all []string
	var errs []error
	seen := map[string]bool{}
	for {
		found := false
		for _, m := range modaliases(sys) {
			if seen[m] {
				continue
			}
			seen[m], found = true, true
			for _, name := range s.Match(m) {
				if s.isLoaded(name) {
					continue
				}
				if err := s.Load(name, ""); err != nil {
					// ENODEV: the driver looked and does not want the device.
					if !errors.Is(err, unix.ENODEV) {
						errs = append(errs, err)
					}
					continue
				}
				all = append(all, name)
			}
		}
		if !found {
			return all, errors.Join(errs...)
		}
	}
}

func (s *Set) isLoaded(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.loaded[name] || s.builtin[name]
}

func modaliases(sys string) []string {
	var list []string
	// Errors mean that a device went away meanwhile.
	_ = filepath.WalkDir(filepath.Join(sys, "devices"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() != "modalias" {
			return nil
		}
		if b, err := os.ReadFile(path); err == nil && len(b) > 1 {
			list = append(list, strings.TrimSpace(string(b)))
		}
		return nil
	})
	return list
}

func eachLine(path string, do func(string)) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		do(sc.Text())
	}
	return sc.Err()
}

// nameOf is the module's name for its file: kernel/fs/isofs/isofs.ko.xz is isofs.
func nameOf(file string) string {
	name, _, _ := strings.Cut(filepath.Base(file), ".")
	return canonical(name)
}

func canonical(name string) string { return strings.ReplaceAll(name, "-", "_") }
