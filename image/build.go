package image

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"rancheros/image/deb"
	"rancheros/image/golines"
	"rancheros/image/kernel"
	"rancheros/image/oci"
	"rancheros/image/tree"
)

// Options say what to build, and of what.
type Options struct {
	// Repo is the folder with templates/, Out where results go, Programs where our
	// programs are (ros, init, engine/; empty is Out), Cache keeps packages.
	Repo, Out, Programs, Cache string
	// Version of the OS, such as v0.1.0.
	Version string
	// Time is the time of every file: that of the commit.
	Time time.Time
	// Kernel and Modules are a bzImage and a folder with lib/modules/RELEASE,
	// instead of Debian's.
	Kernel, Modules string
	// Extra names profiles to add: "storage,wifi".
	Extra string
	// Update fetches the package lists anew.
	Update bool
	// Compression of the root image: zstd, which starts faster, or xz, which is
	// smaller. Empty is zstd.
	Compression string
	// Quick compresses less, for trying things out.
	Quick bool
	// Log shows progress.
	Log func(format string, args ...any)

	// firmware is the folder with what modules of Kernel ask for, or "".
	firmware string
}

// build is one run with what the steps hand on.
type build struct {
	Options
	profiles *profiles
	apt      *deb.Apt
	lists    map[string][]*deb.Package // by profile name
	files    map[string]*tree.Tree     // by package name
	kernel   *kernel.Kernel
	host     *tree.Tree
	initrd   *tree.Tree
	trees    map[string]*tree.Tree // of system images, whole
	images   []*oci.Image
	tools    *tools
}

type buildStep struct {
	name string
	run  func(b *build, ctx context.Context) error
}

// steps of a build, in order.
var steps = []buildStep{
	{"packages", (*build).resolve},
	{"tools", (*build).unpackTools},
	{"kernel", (*build).takeKernel},
	{"system images", (*build).makeImages},
	{"host tree", (*build).makeHost},
	{"root image", (*build).writeRoot},
	{"initrd", (*build).writeInitrd},
	{"ISO", (*build).writeISO},
	{"disk", (*build).writeDisk},
	{"archives of the system images", (*build).writeArchives},
	{"manifest", (*build).writeManifest},
}

// Build builds everything, unless the last build was of the same inputs.
func Build(ctx context.Context, o Options) error {
	if err := o.absolute(); err != nil {
		return err
	}
	if err := o.findModules(); err != nil {
		return err
	}
	unlock, err := o.lock()
	if err != nil {
		return err
	}
	defer unlock()
	stamp, err := o.stamp()
	if err != nil {
		return err
	}
	if !o.Update && o.isBuilt(stamp) {
		o.Log("%s is up to date", o.Out)
		return nil
	}
	b := &build{Options: o, trees: map[string]*tree.Tree{}}
	for _, s := range steps {
		start := time.Now()
		if err := s.run(b, ctx); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		o.Log("%-30s %5.1f s", s.name, time.Since(start).Seconds())
	}
	return os.WriteFile(o.stampFile(), []byte(stamp), 0o644)
}

func (o *Options) absolute() error {
	o.Programs = cmp.Or(o.Programs, o.Out)
	for _, p := range []*string{&o.Repo, &o.Out, &o.Programs, &o.Cache} {
		abs, err := filepath.Abs(*p)
		if err != nil {
			return err
		}
		*p = abs
	}
	return os.MkdirAll(o.Out, 0o755)
}

// lock waits until no other build writes to Out.
func (o *Options) lock() (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(o.Out, ".lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		o.Log("another build is running; waiting for it")
		if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
			f.Close()
			return nil, fmt.Errorf("lock %s: %w", f.Name(), err)
		}
	}
	return func() { f.Close() }, nil
}

// resolve finds out which packages are wanted and gets them.
func (b *build) resolve(ctx context.Context) error {
	var err error
	if b.profiles, err = readProfiles(filepath.Join(b.Repo, "templates/image"), b.Extra); err != nil {
		return err
	}
	b.apt = &deb.Apt{Dir: filepath.Join(b.Cache, "apt"), Suite: "trixie", Log: b.Log}
	index, err := b.apt.Index(ctx, b.Update)
	if err != nil {
		return err
	}
	b.lists = map[string][]*deb.Package{}
	all := map[string]*deb.Package{}
	for name := range b.profiles.byName {
		if !b.profiles.isTree(name) {
			continue
		}
		excluded := b.profiles.excludedPackages(name)
		if name == "tools" {
			excluded = nil
		}
		list, err := index.Closure(b.profiles.packages(name), excluded)
		if err != nil {
			return fmt.Errorf("%s.yml: %w", name, err)
		}
		b.lists[name] = list
		for _, p := range list {
			all[p.Name] = p
		}
	}
	list, err := b.kernelPackages(index)
	if err != nil {
		return err
	}
	for _, p := range list {
		all[p.Name] = p
	}
	b.lists["kernel"] = list
	var flat []*deb.Package
	for _, p := range all {
		flat = append(flat, p)
	}
	b.files, err = b.apt.Unpack(ctx, flat)
	return err
}

// kernelPackages is the one package with the kernel that the wanted package
// depends on: linux-image-6.12.1+deb13-cloud-amd64 for linux-image-cloud-amd64.
func (b *build) kernelPackages(index *deb.Index) ([]*deb.Package, error) {
	if b.Kernel != "" {
		return nil, nil
	}
	name := b.profiles.kernel.Package
	list, err := index.Closure([]string{name}, nil)
	if err != nil {
		return nil, err
	}
	for _, p := range list {
		if strings.HasPrefix(p.Name, "linux-image-") && p.Name != name {
			return []*deb.Package{p}, nil
		}
	}
	return nil, fmt.Errorf("package %s depends on no linux-image-*", name)
}

func (b *build) takeKernel(context.Context) error {
	t := tree.New()
	if b.Kernel == "" {
		t = b.files[b.lists["kernel"][0].Name]
	} else if err := b.ownKernel(t); err != nil {
		return err
	}
	var err error
	if b.kernel, err = kernel.FromPackage(t); err != nil {
		return err
	}
	return b.checkKernel()
}

// checkKernel refuses a kernel that could not boot, and says what else it lacks.
func (b *build) checkKernel() error {
	lacks, err := b.kernel.Lacks(b.profiles.kernel.Required)
	if err != nil {
		return err
	}
	if len(lacks) > 0 {
		return fmt.Errorf("kernel %s has no %s, neither as a module nor built in, and no image boots without", b.kernel.Release, strings.Join(lacks, ", "))
	}
	for _, e := range b.profiles.extras {
		lacks, err := b.kernel.Lacks(b.profiles.byName[e].Modules)
		if err != nil {
			return err
		}
		if len(lacks) > 0 {
			b.Log("  PROFILE=%s: kernel %s has no %s; KERNEL= and MODULES= take another", e, b.kernel.Release, strings.Join(lacks, ", "))
		}
	}
	return nil
}

func (b *build) path(name string) string { return filepath.Join(b.Out, name) }

// create writes a result by a temporary file, so that a broken build leaves
// none that looks whole.
func (b *build) create(name string, write func(f *os.File) error) error {
	if err := os.MkdirAll(filepath.Dir(b.path(name)), 0o755); err != nil {
		return err
	}
	f, err := os.Create(b.path(name) + ".tmp")
	if err != nil {
		return err
	}
	defer f.Close()
	if err := write(f); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), b.path(name))
}

// program is one of our own binaries, which make builds before, without its
// source lines: the one in Programs keeps them, for `ros-image trace`.
func (b *build) program(name string) (*tree.Content, error) {
	path := filepath.Join(b.Programs, name)
	whole, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s is missing: run `make image`, which builds it first", path)
	}
	if err != nil {
		return nil, err
	}
	bare, err := golines.Drop(whole)
	if err != nil {
		return nil, fmt.Errorf("leave out the source lines of %s: %w", path, err)
	}
	return tree.Bytes(bare), nil
}
