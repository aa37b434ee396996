package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/zstd"

	"rancheros/image/cpio"
	"rancheros/image/oci"
	"rancheros/image/seed"
	"rancheros/image/tree"
)

// engine is our build of Docker: binaries in out/engine and their names. The
// names are hard links, because a program finds out by argv[0] what it is, and
// the shim starts itself anew by what /proc/self/exe says.
var engine = map[string][]string{
	"engine/dockerd":                 {"dockerd", "docker", "system-docker"},
	"engine/containerd-shim-runc-v2": {"containerd-shim-runc-v2"},
	"engine/runc":                    {"runc"},
}

// rosNames are the other names of the ros binary.
var rosNames = []string{
	"cloud-init", "cloud-init-save", "cloud-init-execute", "netconf", "respawn",
	"poweroff", "reboot", "halt", "shutdown",
	"cloud-id", "cloud-init-per", "rancherctl", "system-cron", "udev-settle", "user-docker", "wait-for-docker",
}

// makeImages composes the system images: each is a layer over its base.
func (b *build) makeImages(ctx context.Context) error {
	layers := map[string]*oci.Layer{}
	for _, name := range b.profiles.images() {
		t, err := b.profiles.compose(name, b.files, names(b.lists[name]))
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if err := b.addSystemFiles(t); err != nil {
			return err
		}
		p := b.profiles.byName[name]
		if p.Base == "" {
			addRosNames(t)
		}
		b.trees[name] = t
		only := t
		if p.Base != "" {
			if only, err = t.Minus(b.trees[p.Base]); err != nil {
				return err
			}
		}
		if layers[name], err = oci.NewLayer(only, b.Time); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		i := &oci.Image{Name: "rancheros/" + name + ":" + b.Version, Cmd: p.Cmd, Created: b.Time, Env: b.env(name)}
		for n := name; n != ""; n = b.profiles.byName[n].Base {
			i.Layers = append([]*oci.Layer{layers[n]}, i.Layers...)
		}
		b.images = append(b.images, i)
		b.Log("  %-12s %6.1f MB on its base", name, float64(only.Size())/1e6)
	}
	return nil
}

// addRosNames links the names of ros in an image; ros itself is the machine's,
// bound into every container.
func addRosNames(t *tree.Tree) {
	for _, name := range rosNames {
		t.AddLink("usr/bin/"+name, "ros", ours)
	}
}

// env is the environment of an image: its own, or else that of its base.
func (b *build) env(name string) []string {
	var env []string
	for _, p := range b.profiles.chain(name) {
		if p.Env != nil {
			env = p.Env
		}
	}
	return env
}

// addSystemFiles adds what every image and the host have: users, certificates.
func (b *build) addSystemFiles(t *tree.Tree) error {
	etc := filepath.Join(b.Repo, "templates/etc")
	if err := addFolder(t, "etc", etc); err != nil {
		return err
	}
	t.AddFile("etc/os-release", 0o644, tree.Bytes([]byte(b.osRelease())), ours)
	if t.Get("etc/shadow") != nil {
		if err := setMode(t, "etc/shadow", "0640 0:42"); err != nil {
			return err
		}
	}
	bundle, err := caBundle(t)
	if err != nil {
		return err
	}
	t.AddFile("etc/ssl/certs/ca-certificates.crt", 0o644, tree.Bytes(bundle), b.origin("ca-certificates"))
	t.Remove("usr/share/ca-certificates")
	t.Remove("etc/ca-certificates.conf")
	return nil
}

// caBundle joins the certificates as update-ca-certificates does.
func caBundle(t *tree.Tree) ([]byte, error) {
	var all []byte
	for _, e := range t.Sub("usr/share/ca-certificates").Sorted() {
		if e.Type != tree.File {
			continue
		}
		pem, err := e.Content.All()
		if err != nil {
			return nil, err
		}
		all = append(append(all, []byte(strings.TrimSpace(string(pem)))...), '\n')
	}
	if all == nil {
		return nil, errors.New("package ca-certificates has no certificates")
	}
	return all, nil
}

func (b *build) osRelease() string {
	v := strings.TrimPrefix(b.Version, "v")
	return fmt.Sprintf(`NAME="ros"
ID=rancheros
ID_LIKE=debian
VERSION=%[1]s
VERSION_ID=%[1]s
PRETTY_NAME="ros %[1]s"
`, "v"+v)
}

// makeHost composes the host's /usr, with the images inside.
func (b *build) makeHost(ctx context.Context) error {
	t, err := b.profiles.compose("host", b.files, names(b.lists["host"]))
	if err != nil {
		return err
	}
	if err := b.addSystemFiles(t); err != nil {
		return err
	}
	if err := b.addPrograms(t); err != nil {
		return err
	}
	modules, err := b.kernel.Tree(ctx, b.profiles.rootModules())
	if err != nil {
		return err
	}
	if err := b.addBinaryIndexes(ctx, modules); err != nil {
		return err
	}
	b.Log("  kernel %s, %.1f MB of modules", b.kernel.Release, float64(modules.Size())/1e6)
	t.Merge("usr", modules)
	if err := b.addFirmware(t, modules); err != nil {
		return err
	}
	t.Merge("usr/share/ros/etc", t.Sub("etc"))
	t.Remove("usr/share/ros/etc/mke2fs.conf.d")
	if err := b.addConfig(t); err != nil {
		return err
	}
	s, err := seed.Make(b.images)
	if err != nil {
		return err
	}
	t.Merge("usr/share/ros/system-docker", s.Root)
	t.Merge(seed.LayersDir, s.Layers)
	if err := b.addLicences(ctx, t); err != nil {
		return err
	}
	b.host = t.Sub("usr")
	return nil
}

func (b *build) addPrograms(t *tree.Tree) error {
	for file, links := range engine {
		c, err := b.program(file)
		if err != nil {
			return err
		}
		for _, name := range links {
			t.AddFile("usr/bin/"+name, 0o755, c, ours)
		}
	}
	c, err := b.program("ros")
	if err != nil {
		return err
	}
	t.AddFile("usr/bin/ros", 0o755, c, ours)
	for _, name := range rosNames {
		t.AddFile("usr/bin/"+name, 0o755, c, ours)
	}
	if tini := t.Get("usr/bin/tini-static"); tini != nil {
		t.AddFile("usr/bin/docker-init", 0o755, tini.Content, tini.Origin)
		t.Remove("usr/bin/tini-static")
	}
	return nil
}

// addConfig adds templates/os-config.yml and the service catalogue, with
// {{VERSION}} replaced.
func (b *build) addConfig(t *tree.Tree) error {
	for _, part := range []string{"os-config.yml", "services"} {
		src := filepath.Join(b.Repo, "templates", part)
		err := filepath.WalkDir(src, func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			text, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			rel, err := filepath.Rel(filepath.Join(b.Repo, "templates"), name)
			if err != nil {
				return err
			}
			text = []byte(strings.ReplaceAll(string(text), "{{VERSION}}", b.Version))
			t.AddFile("usr/share/ros/"+rel, 0o644, tree.Bytes(text), ours)
			return nil
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// align ends an initrd where another archive may follow: the kernel skips zeros,
// and takes an archive only at a multiple of four bytes.
func align(f *os.File) error {
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	_, err = f.Write(make([]byte, -size&3))
	return err
}

// writeInitrd writes /init, the modules to find the root image, and the kernel.
func (b *build) writeInitrd(ctx context.Context) error {
	t := tree.New()
	c, err := b.program("init")
	if err != nil {
		return err
	}
	t.AddFile("init", 0o755, c, ours)
	modules, err := b.kernel.Tree(ctx, b.profiles.kernel.Initrd)
	if err != nil {
		return err
	}
	t.Merge("", modules)
	for _, d := range []string{"dev", "proc", "sys", "run", "sysroot", "run/ros/medium"} {
		t.AddDir(d, 0o755, ours)
	}
	b.initrd = t
	err = b.create("initrd", func(f *os.File) error {
		// One block at a time: more of them would make the result depend on timing.
		z, err := zstd.NewWriter(f, zstd.WithEncoderLevel(zstd.SpeedBestCompression), zstd.WithEncoderConcurrency(1))
		if err != nil {
			return err
		}
		if err := cpio.Write(z, t, b.Time.Unix()); err != nil {
			return err
		}
		if err := z.Close(); err != nil {
			return err
		}
		return align(f)
	})
	if err != nil {
		return err
	}
	return b.create("vmlinuz", func(f *os.File) error {
		_, err := b.kernel.Image.WriteTo(f)
		return err
	})
}
