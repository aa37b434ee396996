package image

import (
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

// writeRoot writes the host's tree as root.squashfs.
func (b *build) writeRoot(ctx context.Context) error {
	tmp := b.path("root.squashfs.tmp")
	if err := os.RemoveAll(tmp); err != nil {
		return err
	}
	r, w := io.Pipe()
	go func() {
		w.CloseWithError(b.host.WriteTar(w, tree.TarOptions{Time: b.Time, HardLinks: true, First: early}))
	}()
	compression, err := b.compression()
	if err != nil {
		return err
	}
	epoch := strconv.FormatInt(b.Time.Unix(), 10)
	args := []string{
		"-", tmp, "-tar", "-noappend", "-no-progress", "-quiet", "-no-xattrs", "-mkfs-time", epoch, "-all-time", epoch,
		"-root-mode", "0755", "-root-uid", "0", "-root-gid", "0",
	}
	_, err = b.tools.run(ctx, b.Out, nil, r, "usr/bin/mksquashfs", append(args, compression...)...)
	r.Close()
	if err != nil {
		return err
	}
	st, err := os.Stat(tmp)
	if err != nil {
		return err
	}
	b.Log("  root.squashfs %.1f MB of %.1f MB", float64(st.Size())/1e6, float64(b.host.Size())/1e6)
	return os.Rename(tmp, b.path("root.squashfs"))
}

// compression is mksquashfs's arguments. xz is 11 % smaller than zstd, but costs
// ten CPU seconds more of a first boot in QEMU (docs/images.md).
func (b *build) compression() ([]string, error) {
	switch {
	case b.Quick:
		return []string{"-comp", "zstd", "-Xcompression-level", "3", "-b", "128K"}, nil
	case b.Compression == "" || b.Compression == "zstd":
		return []string{"-comp", "zstd", "-Xcompression-level", "22", "-b", "1M"}, nil
	case b.Compression == "xz":
		return []string{"-comp", "xz", "-Xbcj", "x86", "-b", "1M"}, nil
	}
	return nil, fmt.Errorf("compression %q is neither zstd nor xz", b.Compression)
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
