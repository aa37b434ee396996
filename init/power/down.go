package power

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/moby/moby/client"
	"golang.org/x/sys/unix"

	"rancheros/init/step"
	"rancheros/paths"
	"rancheros/sys/kmsg"
)

// machine is what the steps of going down share.
type machine struct {
	action Action
	// patience is how long containers may take to stop.
	patience time.Duration
	docker   *client.Client
}

// down is the way back from init/boot's tables.
var down = []step.Step[*machine]{
	step.Should("stop user containers", stopUserDocker),
	step.Should("stop system services", stopServices),
	step.Should("end other processes", endProcesses),
	step.Should("unmount", unmount),
	step.Must("end", end),
}

// Down runs in the mount namespace of process 1 and outside of every
// container. It does not come back.
func Down(ctx context.Context, action Action, timeout time.Duration) error {
	log := kmsg.Logger(slog.LevelInfo)
	// Whatever hangs, the machine goes down.
	force := time.AfterFunc(timeout, func() {
		kmsg.Write(kmsg.Error, "going down by force: not done after %s", timeout)
		unix.Sync()
		_ = unix.Reboot(commands[action])
	})
	defer force.Stop()
	docker, err := client.New(client.WithHost("unix://" + paths.SystemDockerSocket))
	if err != nil {
		return err
	}
	m := &machine{action: action, patience: max(timeout-10*time.Second, 2*time.Second), docker: docker}
	return step.Run(ctx, step.Runner{Log: log}, string(action), m, down)
}

var commands = map[Action]int{
	Poweroff: unix.LINUX_REBOOT_CMD_POWER_OFF,
	Reboot:   unix.LINUX_REBOOT_CMD_RESTART,
	Halt:     unix.LINUX_REBOOT_CMD_HALT,
}

// stopUserDocker stops the container that User Docker runs in; it stops its
// own containers then.
func stopUserDocker(ctx context.Context, m *machine) error {
	return m.stop(ctx, "docker", m.patience)
}

// stopServices stops the rest, the console last: somebody may be watching.
func stopServices(ctx context.Context, m *machine) error {
	list, err := m.docker.ContainerList(ctx, client.ContainerListOptions{})
	if err != nil {
		return fmt.Errorf("list system containers: %w", err)
	}
	done := make(chan error)
	n, console := 0, ""
	for _, c := range list.Items {
		if len(c.Names) > 0 && c.Names[0] == "/console" {
			console = c.ID
			continue
		}
		n++
		go func() { done <- m.stop(ctx, c.ID, 5*time.Second) }()
	}
	var errs []error
	for range n {
		errs = append(errs, <-done)
	}
	if console != "" {
		errs = append(errs, m.stop(ctx, console, 2*time.Second))
	}
	return errors.Join(errs...)
}

func (m *machine) stop(ctx context.Context, name string, patience time.Duration) error {
	seconds := int(patience / time.Second)
	_, err := m.docker.ContainerStop(ctx, name, client.ContainerStopOptions{Timeout: &seconds})
	if err != nil {
		return fmt.Errorf("stop container %s: %w", name, err)
	}
	return nil
}

// endProcesses asks every process but us and process 1 to end, then makes it.
func endProcesses(ctx context.Context, _ *machine) error {
	for _, s := range []struct {
		signal unix.Signal
		wait   time.Duration
	}{{unix.SIGTERM, time.Second}, {unix.SIGKILL, time.Second}} {
		fds := others()
		for _, fd := range fds {
			_ = unix.PidfdSendSignal(fd, s.signal, nil, 0)
		}
		wait(fds, s.wait)
		for _, fd := range fds {
			unix.Close(fd)
		}
	}
	return ctx.Err()
}

// others opens every process that is not ours, not process 1 and not the
// kernel's.
func others() []int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var fds []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid <= 1 || pid == os.Getpid() {
			continue
		}
		// Kernel threads have no command line.
		if b, err := os.ReadFile("/proc/" + e.Name() + "/cmdline"); err != nil || len(b) == 0 {
			continue
		}
		if fd, err := unix.PidfdOpen(pid, 0); err == nil {
			fds = append(fds, fd)
		}
	}
	return fds
}

// wait returns when all of fds are dead or the time is over.
func wait(fds []int, patience time.Duration) {
	deadline := time.Now().Add(patience)
	for _, fd := range fds {
		left := time.Until(deadline)
		if left <= 0 {
			return
		}
		p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		_, _ = unix.Poll(p, int(left/time.Millisecond))
	}
}

// kernelFS hold nothing that could be lost.
var kernelFS = map[string]bool{
	"proc": true, "sysfs": true, "devtmpfs": true, "devpts": true, "tmpfs": true, "cgroup2": true, "mqueue": true,
	"squashfs": true, "iso9660": true, "securityfs": true, "debugfs": true, "tracefs": true, "bpf": true, "nsfs": true,
	"pstore": true, "efivarfs": true, "hugetlbfs": true, "configfs": true, "binfmt_misc": true, "fusectl": true,
}

// unmount unmounts what holds data, deepest first. What is busy (System Docker
// is process 1 and keeps its files open) is made read-only, which writes
// everything out as an unmount does.
func unmount(_ context.Context, _ *machine) error {
	unix.Sync()
	var busy []string
	for _, target := range dataMounts() {
		if err := unix.Unmount(target, 0); err != nil {
			if unix.Mount("", target, "", unix.MS_REMOUNT|unix.MS_RDONLY, "") != nil {
				busy = append(busy, target)
			}
		}
	}
	if len(busy) == 0 {
		return nil
	}
	if err := os.WriteFile("/proc/sysrq-trigger", []byte("u"), 0); err != nil {
		return fmt.Errorf("make %s read-only: %w", strings.Join(busy, ", "), err)
	}
	for deadline := time.Now().Add(3 * time.Second); !readOnly(busy); {
		if time.Now().After(deadline) {
			return fmt.Errorf("%s still writable", strings.Join(busy, ", "))
		}
		<-time.After(10 * time.Millisecond)
	}
	return nil
}

func dataMounts() []string {
	var targets []string
	for _, f := range mountinfo() {
		if !kernelFS[f.fsType] && f.fsType != "overlay" {
			targets = append(targets, f.target)
		}
	}
	sort.Sort(sort.Reverse(sort.StringSlice(targets)))
	return targets
}

func readOnly(targets []string) bool {
	want := map[string]bool{}
	for _, t := range targets {
		want[t] = true
	}
	for _, f := range mountinfo() {
		if want[f.target] && !f.readOnly {
			return false
		}
	}
	return true
}

type mountPoint struct {
	target, fsType string
	readOnly       bool
}

// mountinfo reads our mounts; see proc_pid_mountinfo(5). The flags of the file
// system, not of the mount, say whether anything can be written.
func mountinfo() []mountPoint {
	b, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil
	}
	var all []mountPoint
	for line := range strings.Lines(string(b)) {
		left, right, ok := strings.Cut(line, " - ")
		l, r := strings.Fields(left), strings.Fields(right)
		if !ok || len(l) < 6 || len(r) < 3 {
			continue
		}
		ro := strings.HasPrefix(r[2]+",", "ro,")
		all = append(all, mountPoint{l[4], r[0], ro})
	}
	return all
}

func end(_ context.Context, m *machine) error {
	unix.Sync()
	if err := unix.Reboot(commands[m.action]); err != nil {
		return fmt.Errorf("%s: %w", m.action, err)
	}
	// Halt comes back to nobody: the CPU stops.
	select {}
}
