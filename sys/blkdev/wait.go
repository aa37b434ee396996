package blkdev

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// WaitFor is Resolve, but waits until there is such a device or ctx is done.
func WaitFor(ctx context.Context, root, spec string) (Info, error) {
	fits, err := matcher(spec)
	if err != nil {
		return Info{}, err
	}
	look := func() (Info, error) { return Resolve(root, spec) }
	if fits != nil {
		look = func() (Info, error) { return search(root, fits) }
	}
	info, err := Until(ctx, look)
	if err != nil {
		return Info{}, fmt.Errorf("wait for block device %s: %w", spec, err)
	}
	return info, nil
}

// Wait waits until ok says yes to a device, or ctx is done. ok is asked again
// of every device whenever the kernel says that one has appeared or changed.
func Wait(ctx context.Context, root string, ok func(Info) bool) (Info, error) {
	info, err := Until(ctx, func() (Info, error) { return search(root, ok) })
	if err != nil {
		return Info{}, fmt.Errorf("wait for a block device: %w", err)
	}
	return info, nil
}

func search(root string, ok func(Info) bool) (Info, error) {
	devs, err := List(root)
	if err != nil {
		return Info{}, err
	}
	if i := slices.IndexFunc(devs, ok); i >= 0 {
		return devs[i], nil
	}
	return Info{}, ErrNotFound
}

// Until looks, and looks again whenever the kernel says that a device has
// appeared or changed, until there is no error or ctx is done. It listens before
// it looks for the first time, so that nothing is missed.
func Until(ctx context.Context, look func() (Info, error)) (Info, error) {
	events, err := listen()
	if err != nil {
		return Info{}, err
	}
	defer events.Close()
	stop := context.AfterFunc(ctx, func() { events.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	for {
		info, err := look()
		if err == nil {
			return info, nil
		}
		if err := next(ctx, events); err != nil {
			return Info{}, err
		}
	}
}

// listen opens the kernel's uevents.
func listen() (*os.File, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_KOBJECT_UEVENT)
	if err != nil {
		return nil, fmt.Errorf("listen to kernel events: %w", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: 1}); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("listen to kernel events: %w", err)
	}
	return os.NewFile(uintptr(fd), "uevents"), nil
}

// next waits for an event of a block device.
func next(ctx context.Context, events *os.File) error {
	b := make([]byte, 16<<10)
	for {
		n, err := events.Read(b)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, unix.ENOBUFS):
			return nil // some were lost: look again
		case err != nil:
			return fmt.Errorf("read kernel events: %w", err)
		case bytes.Contains(b[:n], []byte("\x00SUBSYSTEM=block\x00")) && !bytes.HasPrefix(b[:n], []byte("remove@")):
			return nil
		}
	}
}
