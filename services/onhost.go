package services

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"rancheros/paths"
)

// onHost runs the command of s outside of any container, and waits for its end.
// What it writes goes to paths.BootLogs.
func (r *run) onHost(ctx context.Context, s *Service) error {
	if s.Online {
		if err := r.online(); err != nil { // the service may do without
			r.Log.Warn("no default route", "service", s.Name, "err", err)
		}
	}
	return runOnHost(ctx, s, filepath.Join(paths.BootLogs, s.Name+".log"))
}

func runOnHost(ctx context.Context, s *Service, log string) error {
	argv := append(append([]string(nil), s.Config.Entrypoint...), s.Config.Cmd...)
	if len(argv) == 0 {
		return fmt.Errorf("it has no command, which %s needs", labelHost)
	}
	path := argv[0]
	if !strings.Contains(path, "/") {
		path = filepath.Join("/usr/bin", path)
	}
	if err := os.MkdirAll(filepath.Dir(log), 0o755); err != nil {
		return err
	}
	// Programs print what is not for everybody.
	out, err := os.OpenFile(log, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o640)
	if err != nil {
		return err
	}
	defer out.Close()
	if err := out.Chmod(0o640); err != nil { // of an older log
		return err
	}
	cmd := exec.CommandContext(ctx, path)
	cmd.Args, cmd.Dir, cmd.Stdout, cmd.Stderr = argv, "/", out, out
	cmd.Env = append([]string{"PATH=/usr/sbin:/usr/bin", "HOME=/root"}, s.Config.Env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w; see %s", strings.Join(argv, " "), err, log)
	}
	return nil
}
