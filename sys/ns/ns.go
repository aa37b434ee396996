// Package ns enters the mount namespace of another process.
package ns

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// EnterMount moves the calling goroutine, locked to its thread for good, into
// the mount namespace of pid. Other goroutines stay where they are; what this
// one starts or execs is in the new namespace.
func EnterMount(pid int) error {
	f, err := os.Open(fmt.Sprintf("/proc/%d/ns/mnt", pid))
	if err != nil {
		return fmt.Errorf("enter the mount namespace of process %d: %w", pid, err)
	}
	defer f.Close()
	runtime.LockOSThread()
	// Threads share root and working directory until told otherwise, and a
	// thread that shares them may not change its mount namespace.
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return fmt.Errorf("unshare file system attributes: %w", err)
	}
	if err := unix.Setns(int(f.Fd()), unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("enter the mount namespace of process %d: %w", pid, err)
	}
	return nil
}

// Exec enters the mount namespace of pid and becomes argv there. Only an error
// comes back.
func Exec(pid int, argv, env []string) error {
	if err := EnterMount(pid); err != nil {
		return err
	}
	if err := unix.Exec(argv[0], argv, env); err != nil {
		return fmt.Errorf("exec %s: %w", argv[0], err)
	}
	return nil
}

// SameMount says whether we are in the mount namespace of pid.
func SameMount(pid int) bool {
	ours, err1 := os.Readlink("/proc/self/ns/mnt")
	theirs, err2 := os.Readlink(fmt.Sprintf("/proc/%d/ns/mnt", pid))
	return err1 == nil && err2 == nil && ours == theirs
}
