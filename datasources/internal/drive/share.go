package drive

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"rancheros/datasources"
)

// openShare mounts a folder that the hypervisor shares, read-only, for as long
// as it is open. Unlike a drive it has no file system of its own that could be
// broken, and whoever shares it runs the machine anyway.
func openShare(h *datasources.Host, b datasources.Block) (*Drive, error) {
	if h.Dir != "/" {
		return nil, fmt.Errorf("shared folder %s: only the machine itself can open it", b.Name)
	}
	dir, err := os.MkdirTemp("", "share")
	if err != nil {
		return nil, fmt.Errorf("shared folder %s: %w", b.Name, err)
	}
	const flags = unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC
	if err := unix.Mount(b.Name, dir, datasources.FS9P, flags, "trans=virtio,version=9p2000.L"); err != nil {
		os.Remove(dir)
		return nil, fmt.Errorf("mount shared folder %s: %w", b.Name, err)
	}
	root, err := os.OpenRoot(dir) // no link leads out of it
	if err != nil {
		unmount(dir)
		return nil, fmt.Errorf("shared folder %s: %w", b.Name, err)
	}
	return &Drive{Block: b, files: folder{root.FS()}, closer: closers{root, mounted(dir)}}, nil
}

// mounted is a mount point that is no longer needed once it is closed.
type mounted string

func (m mounted) Close() error { return unmount(string(m)) }

func unmount(dir string) error {
	if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
		return fmt.Errorf("unmount %s: %w", dir, err)
	}
	return os.Remove(dir)
}

// closers are closed one after the other.
type closers []io.Closer

func (c closers) Close() error {
	var first error
	for _, one := range c {
		if err := one.Close(); err != nil && first == nil {
			first = err
		}
	}
	return first
}
