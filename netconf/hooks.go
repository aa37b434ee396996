package netconf

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// hookTimeout bounds one command of the config.
const hookTimeout = time.Minute

// run runs the config's commands one by one. $iface is the link. One that fails
// is logged, and the next one runs.
func (m *machine) run(ctx context.Context, link string, commands []string) {
	for _, c := range commands {
		if err := runHook(ctx, link, c); err != nil {
			m.log.Error("network command", "command", c, "link", link, "err", err)
		}
	}
}

func runHook(ctx context.Context, link, command string) error {
	ctx, cancel := context.WithTimeout(ctx, hookTimeout)
	defer cancel()
	c := exec.CommandContext(ctx, "/bin/sh", "-c", strings.ReplaceAll(command, "$iface", link))
	c.Env = append(os.Environ(), "iface="+link)
	c.WaitDelay = time.Second
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	if err := c.Run(); err != nil {
		said, _, _ := strings.Cut(strings.TrimSpace(out.String()), "\n")
		return errors.Join(err, errIf(said))
	}
	return nil
}

func errIf(s string) error {
	if s == "" {
		return nil
	}
	return errors.New(s)
}

// A ranHook is a command that has been run in this boot.
type ranHook struct {
	Link    string `json:"link"`
	Command string `json:"command"`
}

// before runs commands that come before the network is configured. Those that
// Up has run at the start of this boot are not run again by the first start of
// the service; from then on every change runs them.
func (m *machine) before(ctx context.Context, link string, commands []string) {
	var todo []string
	for _, c := range commands {
		if i := slices.Index(m.ran, ranHook{link, c}); i >= 0 {
			m.ran = slices.Delete(m.ran, i, i+1)
			continue
		}
		todo = append(todo, c)
		m.running = append(m.running, ranHook{link, c})
	}
	m.run(ctx, link, todo)
}

func hooksPath(dir string) string { return filepath.Join(dir, "hooks-run") }

// keepHooks notes what has been run, for the service.
func (m *machine) keepHooks() error {
	if len(m.running) == 0 {
		return nil
	}
	b, err := json.Marshal(m.running)
	if err != nil {
		return fmt.Errorf("note network commands: %w", err)
	}
	if err := os.MkdirAll(leaseDir(m.opts), 0o755); err != nil {
		return fmt.Errorf("note network commands: %w", err)
	}
	return writeFile(hooksPath(leaseDir(m.opts)), b, 0o600)
}

// takeHooks reads and forgets what Up noted.
func takeHooks(dir string) []ranHook {
	b, err := os.ReadFile(hooksPath(dir))
	if err != nil {
		return nil
	}
	// Forgotten first: if it is not readable, the commands run twice.
	if err := os.Remove(hooksPath(dir)); err != nil {
		return nil
	}
	var out []ranHook
	if json.Unmarshal(b, &out) != nil {
		return nil
	}
	return out
}
