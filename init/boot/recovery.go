package boot

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"rancheros/init/step"
	"rancheros/paths"
)

const banner = `
This machine did not boot: %v

You are root in the recovery console. Nothing is running; what was mounted is
mounted. The steps so far:

%s
  ros os boot            the record again
  ros config validate    what is wrong with the config
  dmesg                  the kernel's view
  exit                   start this shell anew
  reboot -f              try again

`

// recoveryShell runs one shell on the console and waits for it.
func recoveryShell(ctx context.Context, cause error) error {
	tty, err := os.OpenFile(consoleDevice(), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer tty.Close()
	fmt.Fprintf(tty, banner, cause, recordTable())
	cmd := exec.CommandContext(ctx, "/bin/bash", "-l")
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin", "TERM=linux", "HOME=/root", "PS1=recovery# "}
	cmd.Dir = "/"
	cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, tty, tty
	// A session with the terminal as its own, so that Ctrl-C works.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start a shell: %w", err)
	}
	// Orphans of the shell are ours now: collect until the shell itself is dead.
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, 0, nil)
		if pid == cmd.Process.Pid || err != nil && err != unix.EINTR {
			return nil
		}
	}
}

// consoleDevice is the terminal behind /dev/console: /dev/console itself
// cannot be a controlling terminal.
func consoleDevice() string {
	b, err := os.ReadFile("/sys/class/tty/console/active")
	if f := strings.Fields(string(b)); err == nil && len(f) > 0 {
		return "/dev/" + f[len(f)-1]
	}
	return "/dev/tty1"
}

func recordTable() string {
	results, err := step.ReadRecord(paths.BootRecord)
	if err != nil {
		return err.Error()
	}
	var b strings.Builder
	for _, r := range results {
		fmt.Fprintf(&b, "  %-9s %-28s %s\n", r.Outcome, r.Name, r.Detail)
	}
	return b.String()
}
