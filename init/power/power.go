package power

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"rancheros/paths"
	"rancheros/sys/ns"
)

// Applet is the hidden program that does the work, apart from the caller's
// session and container.
const Applet = "power-down"

// Main is poweroff, reboot, halt and shutdown. check reads the config as the
// next boot will, and returns rancher.shutdown_timeout.
func Main(name string, args []string, check func() (time.Duration, error)) int {
	r, err := Parse(name, args)
	if errors.Is(err, ErrHelp) {
		fmt.Print(Usage(name))
		return 0
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	if os.Geteuid() != 0 {
		fmt.Fprintf(os.Stderr, "%s: need to be root: try `sudo %s`\n", name, name)
		return 1
	}
	timeout, err := check()
	if err != nil && !r.Force {
		fmt.Fprintf(os.Stderr, "%s: not now: the next boot would leave out config: %v\nmend it (`ros config validate`) or use -f\n", name, err)
		return 1
	}
	if err := detach(r.Action, timeout); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		return 1
	}
	return 0
}

// detach starts the applet in a session of its own, so that it outlives the
// ssh connection and the console.
func detach(action Action, timeout time.Duration) error {
	cmd := exec.Command(paths.Ros, Applet, string(action), strconv.Itoa(int(timeout/time.Second)))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the shutdown: %w", err)
	}
	return cmd.Process.Release()
}

// DownMain is the applet: ACTION SECONDS. It leaves the container that it was
// started in (its cgroup, then its mount namespace) and goes down.
func DownMain(ctx context.Context, args []string) int {
	if len(args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: power-down ACTION SECONDS")
		return 2
	}
	seconds, err := strconv.Atoi(args[1])
	if err != nil || commands[Action(args[0])] == 0 {
		fmt.Fprintln(os.Stderr, "usage: power-down ACTION SECONDS")
		return 2
	}
	// Stopping the console kills all that is in its cgroup.
	if err := os.WriteFile("/sys/fs/cgroup/cgroup.procs", []byte("0"), 0); err != nil {
		fmt.Fprintln(os.Stderr, "leave the container's cgroup:", err)
	}
	if !ns.SameMount(1) {
		err := ns.Exec(1, append([]string{paths.Ros, Applet}, args...), os.Environ())
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	signal.Ignore(unix.SIGHUP, unix.SIGTERM, unix.SIGINT)
	if err := Down(context.WithoutCancel(ctx), Action(args[0]), time.Duration(seconds)*time.Second); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}
