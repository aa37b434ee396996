// Package userdocker starts User Docker.
//
// It is the process of the container docker of System Docker, but it sees the
// file system of the console, so that `docker run -v /foo:/foo` means the /foo
// of the person who types it.
package userdocker

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/moby/moby/client"

	"rancheros/cloudconfig"
	"rancheros/paths"
	"rancheros/services"
	"rancheros/services/daemon"
	"rancheros/sys/ns"
)

// consoleWait is how long User Docker waits for the console to be ready. Then
// it starts all the same: a script that hangs there must not take Docker away.
const consoleWait = 5 * time.Minute

// pidFile is where dockerd looks whether another one runs.
const pidFile = "/var/run/docker.pid"

// Main is `ros user-docker`. It comes back only if it fails.
func Main(ctx context.Context, _ []string) int {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	if err := run(ctx, log); err != nil {
		log.Error("user docker", "err", err)
		return 1
	}
	return 0
}

func run(ctx context.Context, log *slog.Logger) error {
	c, _, err := cloudconfig.Load("/")
	if err != nil {
		log.Warn("config", "err", err) // what is wrong of it is left out
	}
	if c == nil {
		return err
	}
	place := c.Rancher.Docker.StorageContext
	if place == "" {
		place = "console"
	}
	pid, err := storageContext(ctx, place)
	if err != nil {
		return err
	}
	if place == "console" {
		if err := waitFor(ctx, paths.ConsoleDone, consoleWait); err != nil {
			log.Warn("start without the console", "err", err)
		}
	}
	if !ns.SameMount(pid) {
		if err := ns.EnterMount(pid); err != nil {
			return err
		}
	}
	// From here on this thread is in the other file system.
	cmd, err := daemon.User(c)
	if err != nil {
		return err
	}
	for _, p := range cmd.Problems {
		log.Warn("setting", "err", p)
	}
	if err := prepare(cmd); err != nil {
		return err
	}
	if err := unix.Exec(cmd.Argv[0], cmd.Argv, cmd.Env); err != nil {
		return fmt.Errorf("exec %s: %w", cmd.Argv[0], err)
	}
	return nil
}

// storageContext waits until the container of that name runs and returns its
// process.
func storageContext(ctx context.Context, name string) (int, error) {
	e, err := services.Connect(paths.SystemDockerSocket)
	if err != nil {
		return 0, err
	}
	defer e.Close()
	ctx, cancel := context.WithTimeout(ctx, consoleWait)
	defer cancel()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		c, err := e.Client().ContainerInspect(ctx, name, client.ContainerInspectOptions{})
		if err == nil && c.Container.State != nil && c.Container.State.Running {
			return c.Container.State.Pid, nil
		}
		select {
		case <-ctx.Done():
			return 0, fmt.Errorf("container %s, whose file system User Docker is to see (rancher.docker.storage_context), does not run: %w", name, err)
		case <-tick.C:
		}
	}
}

// waitFor waits until a file is there.
func waitFor(ctx context.Context, path string, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		_, err := os.Stat(path)
		if err == nil {
			return nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("no %s after %s", path, timeout)
		case <-tick.C:
		}
	}
}

// prepare makes what dockerd expects of a machine.
func prepare(cmd daemon.Command) error {
	// Mounts that containers share must reach the console, and the other way.
	if err := unix.Mount("", "/", "", unix.MS_SHARED|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("share /: %w", err)
	}
	// Without it the engine refuses to make its bridge, and containers would
	// reach nobody.
	if err := os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644); err != nil {
		return fmt.Errorf("forward packets: %w", err)
	}
	if err := os.MkdirAll("/var/lib/docker", 0o710); err != nil {
		return err
	}
	if err := cmd.WriteConfig("/"); err != nil {
		return err
	}
	// An engine that was killed leaves its number, which may be somebody else's by
	// now. There is only one of us: System Docker sees to that.
	if err := os.Remove(pidFile); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(paths.DockerLog), 0o755); err != nil {
		return err
	}
	log, err := os.OpenFile(paths.DockerLog, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o640)
	if err != nil {
		return fmt.Errorf("log of User Docker: %w", err)
	}
	// What was started before reads this as: Docker is on its way.
	if err := os.WriteFile(paths.DockerDone, nil, 0o644); err != nil {
		return err
	}
	for fd := 1; fd <= 2; fd++ {
		if err := unix.Dup3(int(log.Fd()), fd, 0); err != nil {
			return fmt.Errorf("log of User Docker: %w", err)
		}
	}
	return nil
}

// WaitMain is `wait-for-docker`: it returns when User Docker answers.
func WaitMain(ctx context.Context, args []string) int {
	flags := flag.NewFlagSet("wait-for-docker", flag.ContinueOnError)
	timeout := flags.Duration("timeout", time.Hour, "how long to wait at most")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	e, err := services.Connect(paths.DockerSocket)
	if err == nil {
		defer e.Close()
		err = e.Ready(ctx, *timeout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "wait-for-docker:", err)
		return 1
	}
	return 0
}
