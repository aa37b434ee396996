package deb

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"rancheros/image/tree"
)

// Apt is an apt with a root of its own below Dir.
type Apt struct {
	// Dir holds its state and the packages; it may be deleted at any time.
	Dir string
	// Suite is the Debian release, such as "trixie".
	Suite string
	// Log is told what is being fetched.
	Log func(format string, args ...any)
}

// The archive's keys, as Debian's debian-archive-keyring installs them.
const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"

// Index returns what can be had, after fetching the archive's lists if there
// are none yet or refresh is asked for.
func (a *Apt) Index(ctx context.Context, refresh bool) (*Index, error) {
	if err := a.setup(ctx); err != nil {
		return nil, err
	}
	stamp := filepath.Join(a.Dir, "updated")
	if _, err := os.Stat(stamp); refresh || err != nil {
		a.Log("fetching the package lists of Debian %s", a.Suite)
		if _, err := a.run(ctx, "apt-get", "update"); err != nil {
			return nil, err
		}
		if err := os.WriteFile(stamp, nil, 0o644); err != nil {
			return nil, err
		}
	}
	out, err := a.run(ctx, "apt-cache", "dumpavail")
	if err != nil {
		return nil, err
	}
	return ParseIndex(bytes.NewReader(out))
}

func (a *Apt) setup(ctx context.Context) error {
	for _, d := range []string{"state/lists/partial", "cache/archives/partial", "etc/apt.conf.d", "etc/preferences.d", "debs", "unpacked"} {
		if err := os.MkdirAll(filepath.Join(a.Dir, d), 0o755); err != nil {
			return err
		}
	}
	if _, err := os.Stat(keyring); err != nil {
		return fmt.Errorf("the Debian archive's keys are missing: %w: install debian-archive-keyring", err)
	}
	sources, err := Sources(ctx, a.Suite)
	if err != nil {
		return err
	}
	conf := fmt.Sprintf(`Dir "%[1]s";
Dir::State "%[1]s/state";
Dir::State::status "%[1]s/state/status";
Dir::Cache "%[1]s/cache";
Dir::Etc "%[1]s/etc";
APT::Architecture "amd64";
APT::Architectures "amd64";
APT::Sandbox::User "";
APT::Install-Recommends "false";
Acquire::Languages "none";
`, a.Dir)
	for name, text := range map[string]string{"state/status": "", "etc/sources.list": sources, "apt.conf": conf} {
		if err := os.WriteFile(filepath.Join(a.Dir, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// Sources are apt's lines for a suite, from the mirrors that this machine uses.
func Sources(ctx context.Context, suite string) (string, error) {
	mirror, security, err := hostMirrors(ctx)
	if err != nil {
		return "", err
	}
	lines := fmt.Sprintf("deb [signed-by=%s] %s %s main\n", keyring, mirror, suite)
	if security != "" {
		lines += fmt.Sprintf("deb [signed-by=%s] %s %s-security main\n", keyring, security, suite)
	}
	return lines, nil
}

// hostMirrors are the mirrors that this machine's own apt uses; security may be
// empty.
func hostMirrors(ctx context.Context) (mirror, security string, err error) {
	out, err := exec.CommandContext(ctx, "apt-get", "indextargets", "--format", "$(LABEL)|$(REPO_URI)", "Created-By: Packages").Output()
	if err != nil {
		return "", "", fmt.Errorf("ask apt for its mirrors: %w", err)
	}
	for line := range strings.Lines(string(out)) {
		label, uri, _ := strings.Cut(strings.TrimSpace(line), "|")
		switch {
		case label == "Debian" && mirror == "":
			mirror = uri
		case label == "Debian-Security" && security == "":
			security = uri
		}
	}
	if mirror == "" {
		return "", "", errors.New("apt knows no Debian mirror: add one to /etc/apt/sources.list.d")
	}
	return mirror, security, nil
}

// run starts an apt program in our root and returns its output.
func (a *Apt) run(ctx context.Context, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = filepath.Join(a.Dir, "debs")
	cmd.Env = append(os.Environ(), "APT_CONFIG="+filepath.Join(a.Dir, "apt.conf"), "LC_ALL=C")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%s %s: %w: %s", name, args[0], err, lastLines(errs.String(), 5))
	}
	return out.Bytes(), nil
}

func lastLines(s string, n int) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "; ")
}

// Unpack returns the files of each package, by package name, fetching what is
// not there. The files' content stays in Dir.
func (a *Apt) Unpack(ctx context.Context, packages []*Package) (map[string]*tree.Tree, error) {
	if err := a.fetch(ctx, packages); err != nil {
		return nil, err
	}
	out := map[string]*tree.Tree{}
	for _, p := range packages {
		t, err := tree.ReadTar(a.tarFile(p), p.ID())
		if err != nil {
			return nil, fmt.Errorf("unpack %s: %w", p.ID(), err)
		}
		out[p.Name] = t
	}
	return out, nil
}

// tarFile is where the files of a package lie as one plain tar. It is named
// after the .deb's checksum, so that it can never be an old one.
func (a *Apt) tarFile(p *Package) string {
	return filepath.Join(a.Dir, "unpacked", p.Name+"_"+p.SHA256[:16]+".tar")
}

func (a *Apt) fetch(ctx context.Context, packages []*Package) error {
	var missing []*Package
	args := []string{"download"}
	for _, p := range packages {
		if _, err := os.Stat(a.tarFile(p)); errors.Is(err, fs.ErrNotExist) {
			missing = append(missing, p)
			args = append(args, p.ID())
		}
	}
	if len(missing) == 0 {
		return nil
	}
	a.Log("fetching %d packages", len(missing))
	if _, err := a.run(ctx, "apt-get", args...); err != nil {
		return err
	}
	for _, p := range missing {
		if err := a.extract(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// extract turns the .deb into its plain tar, checks its sum once more on the
// way, and deletes it.
func (a *Apt) extract(ctx context.Context, p *Package) error {
	name := strings.ReplaceAll(p.Name+"_"+p.Version+"_"+p.Architecture+".deb", ":", "%3a")
	file := filepath.Join(a.Dir, "debs", name)
	c, err := tree.OnDisk(file)
	if err != nil {
		return fmt.Errorf("apt-get download %s: %w", p.ID(), err)
	}
	sum, err := c.Sum()
	if err != nil {
		return err
	}
	if got := fmt.Sprintf("%x", sum); got != p.SHA256 {
		return fmt.Errorf("%s has sha256 %s, the archive's index says %s: delete %s and try again", name, got, p.SHA256, file)
	}
	tmp, err := os.Create(a.tarFile(p) + ".tmp")
	if err != nil {
		return err
	}
	defer tmp.Close()
	cmd := exec.CommandContext(ctx, "dpkg-deb", "--fsys-tarfile", file)
	cmd.Stdout = tmp
	var errs bytes.Buffer
	cmd.Stderr = &errs
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("dpkg-deb --fsys-tarfile %s: %w: %s", name, err, lastLines(errs.String(), 3))
	}
	if err := os.Rename(tmp.Name(), a.tarFile(p)); err != nil {
		return err
	}
	return os.Remove(file)
}
