// Package respawn keeps the programs of the console running: gettys, sshd and
// what users list in /etc/respawn.conf.d.
package respawn

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"rancheros/init/reap"
)

// Conf is the file that console-init writes; users add files to Conf + ".d".
const Conf = "/etc/respawn.conf"

// A line that ends more than limit times within window rests: it would only burn
// the machine's time. Not for ever: sshd cannot listen on an address that is yet
// to come.
const (
	limit  = 10
	window = time.Second
	rest   = time.Minute
)

// Main is the applet: respawn [-f FILE].
func Main(ctx context.Context, args []string) int {
	file := Conf
	switch {
	case len(args) == 2 && args[0] == "-f":
		file = args[1]
	case len(args) != 0:
		fmt.Fprintln(os.Stderr, "usage: respawn [-f FILE]")
		return 2
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	lines, err := Read(file)
	if err != nil {
		log.Error("respawn", "err", err)
	}
	if lines == nil {
		return 1
	}
	Run(ctx, log, lines)
	return 0
}

// Read returns the command lines of file and of the files in file + ".d". One that
// cannot be read is named in the error and costs its own lines only: sshd is in
// another.
func Read(file string) (lines []string, err error) {
	files, err := filepath.Glob(file + ".d/*")
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, f := range append([]string{file}, files...) {
		b, err := os.ReadFile(f)
		if err != nil {
			errs = append(errs, fmt.Errorf("read what to respawn: %w", err))
			continue
		}
		for l := range strings.Lines(string(b)) {
			if l = strings.TrimSpace(l); l != "" && !strings.HasPrefix(l, "#") {
				lines = append(lines, l)
			}
		}
	}
	return lines, errors.Join(errs...)
}

// Run keeps lines running until ctx ends; then it ends them.
func Run(ctx context.Context, log *slog.Logger, lines []string) {
	r := reap.New()
	go r.Loop(ctx)
	var wg sync.WaitGroup
	for _, l := range lines {
		wg.Go(func() { keep(ctx, r, log, l, rest) })
	}
	wg.Wait()
	// With nothing to run the console still is a container that stays.
	<-ctx.Done()
}

func keep(ctx context.Context, r *reap.Reaper, log *slog.Logger, line string, rest time.Duration) {
	var ends []time.Time
	for ctx.Err() == nil {
		err := once(ctx, r, line)
		if ctx.Err() != nil {
			return
		}
		now := time.Now()
		ends = append(ends, now)
		if len(ends) > limit {
			ends = ends[1:]
			if now.Sub(ends[0]) < window {
				log.Error("given up for a while: it ends again and again", "command", line, "err", err, "again in", rest)
				select {
				case <-time.After(rest):
				case <-ctx.Done():
				}
				ends = nil
			}
		}
		log.Debug("ended", "command", line, "err", err)
	}
}

// once runs a line in a session of its own, with SIGTERM at the end of ctx.
func once(ctx context.Context, r *reap.Reaper, line string) error {
	f := strings.Fields(line)
	cmd := exec.CommandContext(ctx, f[0], f[1:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	err := r.Run(cmd)
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		// It did not even start: do not spin.
		select {
		case <-time.After(window):
		case <-ctx.Done():
		}
	}
	return err
}
