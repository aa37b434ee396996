package boot

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"rancheros/init/reap"
	"rancheros/paths"
	"rancheros/services/daemon"
)

// nofile is the limit of open files for the engine and all that it starts.
const nofile = 1 << 20

// SysinitApplet is the child of process 1 that brings the services up, because
// process 1 becomes System Docker.
const SysinitApplet = "sysinit"

// startSystemDocker prepares System Docker and becomes it, or stays and keeps
// it running when rancher.system_docker.exec is false.
func startSystemDocker(ctx context.Context, m *machine) error {
	cmd, err := daemon.System(m.config)
	if err != nil {
		return fmt.Errorf("arguments of System Docker: %w", err)
	}
	for _, p := range cmd.Problems {
		m.log.Warn("System Docker", "err", p)
	}
	if err := cmd.WriteConfig("/"); err != nil {
		return err
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: nofile, Max: nofile}); err != nil {
		m.log.Warn("limit of open files", "err", err)
	}
	log, err := openLog(paths.SystemDockerLog)
	if err != nil {
		return err
	}
	defer log.Close()
	if exec := m.config.Rancher.SystemDocker.Exec; exec != nil && !*exec {
		return supervise(ctx, m, cmd, log)
	}
	if err := startSysinit(reap.New(), log); err != nil {
		return err
	}
	// Anything that we leave open or unread is gone after exec.
	for fd := 1; fd <= 2; fd++ {
		if err := unix.Dup3(int(log.Fd()), fd, 0); err != nil {
			return fmt.Errorf("log of System Docker: %w", err)
		}
	}
	err = unix.Exec(cmd.Argv[0], cmd.Argv, cmd.Env)
	return fmt.Errorf("become System Docker (%s): %w", cmd.Argv[0], err)
}

func openLog(path string) (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o640)
	if err != nil {
		return nil, fmt.Errorf("log of System Docker: %w", err)
	}
	return f, nil
}

// startSysinit starts the child that waits for the engine.
func startSysinit(r *reap.Reaper, log *os.File) error {
	cmd := exec.Command(paths.Ros, SysinitApplet)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := r.Start(cmd); err != nil {
		return fmt.Errorf("start %s: %w", SysinitApplet, err)
	}
	return nil
}

// supervise keeps System Docker running as our child. Its containers live on
// while it is away (live_restore).
func supervise(ctx context.Context, m *machine, c daemon.Command, log *os.File) error {
	r := reap.New()
	go r.Loop(ctx)
	if err := startSysinit(r, log); err != nil {
		return err
	}
	for {
		cmd := &exec.Cmd{Path: c.Argv[0], Args: c.Argv, Env: c.Env, Stdout: log, Stderr: log,
			SysProcAttr: &syscall.SysProcAttr{Setsid: true}}
		start := time.Now()
		err := r.Run(cmd)
		m.log.Error("System Docker ended; it starts again", "after", time.Since(start).Round(time.Second), "err", errors.Join(err))
		if time.Since(start) < time.Second {
			// One that cannot start must not eat the machine.
			<-time.After(time.Second)
		}
	}
}
