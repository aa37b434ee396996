// Dockerd is the Docker engine and its command line in one binary, told apart
// by the name it is called by:
//
//	dockerd        the engine, with containerd in the same process
//	docker         the command line
//	system-docker  the command line, on System Docker's socket
//
// They share nine tenths of their code, so one binary is 30 MB smaller than
// two. The names must be hard links: the engine starts itself again by the path
// of its executable, and a symbolic link would lose the name.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/moby/moby/v2/daemon/command"
	"github.com/moby/sys/reexec"
	"github.com/moby/term"

	"rancheros/engine/internal/orphans"
	"rancheros/engine/internal/revive"
)

// keepAlive names the engine's own socket when it shall start containers again
// that it has given up. See services/daemon in the main module.
const keepAlive = "ROS_KEEP_ALIVE"

func main() {
	// Docker starts itself again under names like docker-untar.
	if reexec.Init() {
		return
	}
	ctx := context.Background()
	switch filepath.Base(os.Args[0]) {
	case "docker":
		os.Exit(cliMain(ctx))
	case "system-docker":
		useSystemDocker()
		os.Exit(cliMain(ctx))
	}
	if os.Getpid() == 1 {
		go orphans.Collect(ctx)
	}
	if host := os.Getenv(keepAlive); host != "" {
		os.Unsetenv(keepAlive) // runc and shims need not know
		go revive.Watch(ctx, host, slog.New(slog.NewTextHandler(os.Stderr, nil)))
	}
	err := engine(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	if os.Getpid() == 1 {
		lastWords(err)
	}
	if err != nil {
		os.Exit(1)
	}
}

func engine(ctx context.Context) error {
	bePatient()
	signal.Ignore(syscall.SIGPIPE) // a log reader that went away must not end us
	_, stdout, stderr := term.StdStreams()
	r, err := command.NewDaemonRunner(stdout, stderr)
	if err != nil {
		return err
	}
	return r.Run(ctx)
}

// ros is the main module's program. See paths.Ros there.
const ros = "/usr/bin/ros"

// lastWords is called when the engine has ended and is process 1. The kernel
// panics when process 1 ends, so somebody else becomes it: after an error the
// recovery console; after a signal, which has stopped all containers, the one
// who restarts the machine.
func lastWords(cause error) {
	argv := []string{"power-down", "reboot", "60"}
	if cause != nil {
		argv = []string{"recovery", "System Docker has ended: " + cause.Error()}
	}
	err := syscall.Exec(ros, argv, os.Environ())
	fmt.Fprintf(os.Stderr, "exec %s: %v; nothing is left to run, switch the machine off\n", ros, err)
	syscall.Sync()
	select {}
}
