package conformance

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// ignCase is expect.json of the corpus ignition.
type ignCase struct {
	Kind         string
	Valid        *bool
	Parser       string
	Error        string
	Fails        bool
	NeedsServer  bool `json:"needs_server"`
	Incomplete   bool
	Note         string
	Placeholders []string
	Before       ignState
	After        ignState
}

type ignState struct {
	Files, Directories, Links, Removed []ignNode
}

type ignNode struct {
	Path, Mode, Target, Partition string
	Contents                      *string
	UID, GID                      *int
	Hard                          bool
}

// oneIgnition holds ros to the verdicts of Ignition's own tests, and
// what it applies to what they say is there afterwards. Cases that need real
// disks count by their verdict.
func oneIgnition(t *testing.T, bin, dir string) error {
	if os.Geteuid() != 0 {
		return errors.New("needs root, to give files to users")
	}
	var c ignCase
	b, err := os.ReadFile(filepath.Join(dir, "expect.json"))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, &c); err != nil {
		return err
	}
	data, err := os.ReadFile(filepath.Join(dir, "config.ign"))
	if err != nil {
		return err
	}
	data = fillPlaceholders(data)
	switch c.Kind {
	case "parse":
		return c.parse(bin, t.TempDir(), data)
	case "positive":
		return c.positive(bin, t.TempDir(), data)
	}
	return c.negative(bin, t.TempDir(), data)
}

// fillPlaceholders puts devices and UUIDs where a test would.
func fillPlaceholders(data []byte) []byte {
	return regexp.MustCompile(`\$[A-Za-z]+[0-9]*`).ReplaceAllFunc(data, func(m []byte) []byte {
		if strings.HasPrefix(string(m), "$uuid") {
			return []byte("8a9b7c6d-5e4f-4a3b-9c2d-1e0f9a8b7c6d")
		}
		return []byte("/dev/null")
	})
}

// parse: the verdict of one parser. A parser of one version refuses versions
// that we read; such a case says nothing about us.
func (c *ignCase) parse(bin, tmp string, data []byte) error {
	file := filepath.Join(tmp, "config.ign")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		return err
	}
	r, err := renderWith(bin, nil, "--offline", file)
	if err != nil {
		return err
	}
	valid := true
	for _, p := range r.Problems {
		if p.Severity == "error" {
			valid = false
		}
	}
	if c.Valid == nil || valid == *c.Valid {
		return nil
	}
	if valid && strings.HasSuffix(c.Error, "ErrUnknownVersion") && strings.HasPrefix(c.Parser, "v3_") {
		return nil
	}
	return fmt.Errorf("valid = %v, want %v: %s", valid, *c.Valid, r.stderr)
}

// server answers as the server of Ignition's tests on port 8080 does.
func server() (*httptest.Server, error) {
	l, err := net.Listen("tcp", "127.0.0.1:8080")
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	const contents = "asdf\nfdsa"
	const config = `{"ignition":{"version":"3.0.0"},"storage":{"files":[{"path":"/foo/bar","contents":{"source":"data:,example%20file%0A"}}]}}`
	text := func(s string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(s)) }
	}
	guarded := func(next http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("X-Auth") != "r8ewap98gfh4d8" || r.Header.Get("Keep-Alive") != "300" {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			next(w, r)
		}
	}
	to := func(path string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, path, http.StatusFound) }
	}
	mux.HandleFunc("/contents", text(contents))
	mux.HandleFunc("/config", text(config))
	mux.HandleFunc("/contents_headers", guarded(text(contents)))
	mux.HandleFunc("/contents_headers_redirect", guarded(to("/contents_headers")))
	mux.HandleFunc("/config_headers", guarded(text(config)))
	mux.HandleFunc("/config_headers_redirect", guarded(to("/config_headers")))
	s := &httptest.Server{Listener: l, Config: &http.Server{Handler: mux}}
	s.Start()
	return s, nil
}

// coreOS is what of the machine of Ignition's tests the cases take as known: who
// its users are, that useradd gives bash, and that systemd runs it.
var coreOS = map[string]string{
	"etc/cloud/cloud.cfg":     "system_info: {default_user: {name: core, lock_passwd: false}}\n",
	"etc/default/useradd":     "SHELL=/bin/bash\n",
	"etc/group":               "root:x:0:\ncore:x:500:\n",
	"etc/passwd":              "root:x:0:0:root:/root:/bin/bash\ncore:x:500:500::/home/core:/bin/bash\n",
	"usr/lib/systemd/systemd": "",
}

// apply makes the machine as it was before, and has ros apply the config to it.
func (c *ignCase) apply(bin, tmp string, data []byte) (string, error) {
	root := filepath.Join(tmp, "root")
	for p, text := range coreOS {
		p = filepath.Join(root, p)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			return "", err
		}
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			return "", err
		}
	}
	if err := c.Before.write(root); err != nil {
		return "", err
	}
	if c.NeedsServer {
		s, err := server()
		if err != nil {
			return "", err
		}
		defer s.Close()
	}
	file := filepath.Join(tmp, "config.ign")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		return "", err
	}
	var stderr bytes.Buffer
	cmd := exec.Command(bin, "cloud-init", "apply", "--root", root, "--output", "json", file)
	cmd.Stderr = &stderr
	err := cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		if exit.ExitCode() == 1 {
			return root, fmt.Errorf("%w: %s", errNotApplied, stderr.String())
		}
		return "", fmt.Errorf("%w: %s", err, stderr.String())
	}
	return root, err
}

// errNotApplied says that ros found something that it could not apply.
var errNotApplied = errors.New("not applied")

func (c *ignCase) positive(bin, tmp string, data []byte) error {
	root, err := c.apply(bin, tmp, data)
	if err != nil {
		return err
	}
	for _, n := range c.After.Removed {
		if _, err := os.Lstat(filepath.Join(root, n.Path)); err == nil {
			return fmt.Errorf("%s is there", n.Path)
		}
	}
	for _, n := range slices.Concat(c.After.Files, c.After.Directories, c.After.Links) {
		if err := n.check(root); err != nil {
			return err
		}
	}
	return nil
}

func (c *ignCase) negative(bin, tmp string, data []byte) error {
	_, err := c.apply(bin, tmp, data)
	switch {
	case err == nil:
		return errors.New("it was applied, want a failure")
	case errors.Is(err, errNotApplied):
		return nil
	}
	return err
}

// write makes what was there before.
func (s ignState) write(root string) error {
	if err := os.MkdirAll(root, 0o755); err != nil {
		return err
	}
	for _, d := range s.Directories {
		if err := os.MkdirAll(filepath.Join(root, d.Path), 0o755); err != nil {
			return err
		}
	}
	for _, n := range slices.Concat(s.Files, s.Links) {
		p := filepath.Join(root, n.Path)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			return err
		}
		var err error
		switch {
		case n.Hard:
			err = os.Link(filepath.Join(root, n.Target), p)
		case n.Target != "":
			err = os.Symlink(n.Target, p)
		case n.Contents != nil:
			err = os.WriteFile(p, []byte(*n.Contents), 0o644)
		default:
			err = os.WriteFile(p, nil, 0o644)
		}
		if err != nil {
			return err
		}
		if n.UID != nil && n.GID != nil {
			if err := os.Lchown(p, *n.UID, *n.GID); err != nil {
				return err
			}
		}
	}
	return nil
}

func (n ignNode) check(root string) error {
	p := filepath.Join(root, n.Path)
	st, err := os.Lstat(p)
	if err != nil && strings.HasSuffix(n.Path, "/authorized_keys.d/ignition") {
		// Our sshd reads authorized_keys; Ignition has both as build options.
		p = filepath.Join(root, filepath.Dir(filepath.Dir(n.Path)), "authorized_keys")
		st, err = os.Lstat(p)
	}
	if err != nil {
		return err
	}
	if n.Target != "" {
		return n.checkLink(root, p, st)
	}
	if n.Contents != nil {
		b, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		if filepath.Base(p) == "authorized_keys" {
			b = regexp.MustCompile(`(?m)^#.*\n`).ReplaceAll(b, nil) // our block is marked
		}
		if string(b) != *n.Contents {
			return fmt.Errorf("%s = %q, want %q", n.Path, b, *n.Contents)
		}
	}
	if n.Mode != "" {
		want, err := strconv.ParseUint(n.Mode, 8, 32)
		if err != nil {
			return err
		}
		if have := st.Sys().(*syscall.Stat_t).Mode & 0o7777; uint64(have) != want {
			return fmt.Errorf("%s has mode %o, want %s", n.Path, have, n.Mode)
		}
	}
	sys := st.Sys().(*syscall.Stat_t)
	if n.UID != nil && int(sys.Uid) != *n.UID || n.GID != nil && int(sys.Gid) != *n.GID {
		return fmt.Errorf("%s belongs to %d:%d, want %v:%v", n.Path, sys.Uid, sys.Gid, n.UID, n.GID)
	}
	return nil
}

func (n ignNode) checkLink(root, p string, st fs.FileInfo) error {
	if n.Hard {
		other, err := os.Lstat(filepath.Join(root, n.Target))
		if err != nil || !os.SameFile(st, other) {
			return fmt.Errorf("%s is not the same file as %s (%v)", n.Path, n.Target, err)
		}
		return nil
	}
	target, err := os.Readlink(p)
	if err != nil || target != n.Target {
		return fmt.Errorf("%s points to %s (%v), want %s", n.Path, target, err, n.Target)
	}
	return nil
}
