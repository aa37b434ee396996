package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"rancheros/cloudconfig/ignition"
	"rancheros/cloudconfig/userdata/fetch"
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
		return c.positive(t.TempDir(), data)
	}
	return c.negative(t.TempDir(), data)
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

func (c *ignCase) apply(t string, data []byte) (string, error) {
	root := filepath.Join(t, "root")
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
	im, err := ignition.Parse(context.Background(), data, ignition.Options{Fetch: fetch.HTTP(fetch.Options{})})
	if err != nil {
		return root, err
	}
	return root, ignition.Apply(root, im, ignition.ApplyOptions{Users: true, Systemd: true, Now: time.Unix(17331*86400, 0)})
}

func (c *ignCase) positive(tmp string, data []byte) error {
	root, err := c.apply(tmp, data)
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

func (c *ignCase) negative(tmp string, data []byte) error {
	if _, err := c.apply(tmp, data); err == nil {
		return errors.New("it was applied, want a failure")
	}
	return nil
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
