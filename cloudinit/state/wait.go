package state

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"rancheros/cloudinit/tree"
	"rancheros/paths"
)

// Wait returns the status when nothing is to come any more, or when ctx ends.
// It sleeps until the kernel says that something changed. each is called with
// every status on the way; it may be nil.
func Wait(ctx context.Context, t *tree.Tree, each func(*Status)) (*Status, bool, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, false, fmt.Errorf("watch %s: %w", paths.CloudInitRun, err)
	}
	events := os.NewFile(uintptr(fd), "inotify")
	defer events.Close()
	stop := context.AfterFunc(ctx, func() { events.Close() })
	defer stop()
	buf := make([]byte, 4096)
	for {
		// Watched first, looked at second: nothing can happen in between.
		if err := watch(fd, t); err != nil {
			return nil, false, err
		}
		s, ok, err := LoadStatus(t)
		if err != nil {
			return s, ok, err
		}
		if each != nil {
			each(s)
		}
		if off, _ := SwitchedOff(t); off != "" || ok && s.State() != Running {
			return s, ok, nil
		}
		if _, err := events.Read(buf); err != nil {
			return s, ok, errors.Join(ctx.Err(), ignoreClosed(err))
		}
	}
}

func ignoreClosed(err error) error {
	if errors.Is(err, os.ErrClosed) {
		return nil
	}
	return err
}

// watch looks at the folder of the status, and until it is there at the ones
// above it.
func watch(fd int, t *tree.Tree) error {
	const what = unix.IN_CREATE | unix.IN_MOVED_TO | unix.IN_CLOSE_WRITE | unix.IN_DELETE_SELF
	for dir := paths.CloudInitRun; ; dir = filepath.Dir(dir) {
		p, err := t.Resolve(dir, true)
		if err != nil {
			return err
		}
		_, err = unix.InotifyAddWatch(fd, filepath.Join(t.Dir(), p), what)
		if err == nil {
			return nil
		}
		if !errors.Is(err, fs.ErrNotExist) || dir == "/" {
			return fmt.Errorf("watch %s: %w", dir, err)
		}
	}
}
