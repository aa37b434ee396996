package image

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"strconv"

	"rancheros/image/deb"
	"rancheros/image/tree"
)

// early is what a boot reads first; it lies together at the front of the image.
var early = []string{"bin/ros", "bin/dockerd", "bin/containerd-shim-runc-v2", "bin/runc", "lib/modules", "share/ros/system-docker"}

// Compressions are mksquashfs's arguments for each way to write the root image.
var compressions = map[string][]string{
	"quick": {"-comp", "zstd", "-Xcompression-level", "3", "-b", "128K"},
	"zstd":  {"-comp", "zstd", "-Xcompression-level", "22", "-b", "1M"},
	"xz":    {"-comp", "xz", "-Xbcj", "x86", "-b", "1M"},
}

// compression is what the user asked for, or else what suits best.
func (o *Options) compression(best string) string {
	if o.Quick {
		return "quick"
	}
	return cmp.Or(o.Compression, best)
}

// writeRoot writes the host's tree as root.squashfs, for disks and networks: it
// is read at every boot.
func (b *build) writeRoot(ctx context.Context) error {
	return b.squash(ctx, b.path("root.squashfs"), b.compression("zstd"))
}

// isoRoot is the file of the ISO's root image: a download counts its bytes. xz is
// 12 % smaller than zstd and costs a fifth more CPU until Docker answers. done
// removes it.
func (b *build) isoRoot(ctx context.Context) (file string, done func(), err error) {
	c := b.compression("xz")
	if c == b.compression("zstd") {
		return b.path("root.squashfs"), func() {}, nil
	}
	file = b.path("iso-root.squashfs")
	return file, func() { os.Remove(file) }, b.squash(ctx, file, c)
}

func (b *build) squash(ctx context.Context, file, compression string) error {
	args, ok := compressions[compression]
	if !ok {
		return fmt.Errorf("compression %q is neither zstd nor xz", compression)
	}
	tmp := file + ".tmp"
	if err := os.RemoveAll(tmp); err != nil {
		return err
	}
	r, w := io.Pipe()
	go func() {
		w.CloseWithError(b.host.WriteTar(w, tree.TarOptions{Time: b.Time, HardLinks: true, First: early}))
	}()
	epoch := strconv.FormatInt(b.Time.Unix(), 10)
	args = append([]string{
		"-", tmp, "-tar", "-noappend", "-no-progress", "-quiet", "-no-xattrs", "-mkfs-time", epoch, "-all-time", epoch,
		"-root-mode", "0755", "-root-uid", "0", "-root-gid", "0",
	}, args...)
	_, err := b.tools.run(ctx, b.Out, nil, r, "usr/bin/mksquashfs", args...)
	r.Close()
	if err != nil {
		return err
	}
	st, err := os.Stat(tmp)
	if err != nil {
		return err
	}
	b.Log("  root.squashfs (%s) %.1f MB of %.1f MB", compression, float64(st.Size())/1e6, float64(b.host.Size())/1e6)
	return os.Rename(tmp, file)
}

func names(list []*deb.Package) []string {
	var out []string
	for _, p := range list {
		out = append(out, p.Name)
	}
	return out
}

// origin is the package with its version, for files that we make of it.
func (b *build) origin(name string) string {
	for _, p := range b.lists["host"] {
		if p.Name == name {
			return p.ID()
		}
	}
	return name
}

func (b *build) writeArchives(context.Context) error {
	for _, i := range b.images {
		name := i.Name[len("rancheros/") : len(i.Name)-len(b.Version)-1]
		err := b.create("images/"+name+".tar", func(f *os.File) error { return i.WriteArchive(f) })
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}
