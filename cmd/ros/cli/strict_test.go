package cli

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

func runRos(t *testing.T, args ...string) (code int, out, errs string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code = Main(t.Context(), args, strings.NewReader(""), &stdout, &stderr)
	return code, stdout.String(), stderr.String()
}

func TestWrongUseIsExitCodeTwoAndNamesTheHelp(t *testing.T) {
	for _, row := range []struct{ line, says string }{
		{"bogus", "see `ros --help`"},
		{"datasorce", "did you mean datasource?"},
		{"datasource bogus", "see `ros datasource --help`"},
		{"datasource detct", "did you mean detect"},
		{"cloud-init stauts", "did you mean status?"},
		{"completion tcsh", "see `ros completion --help`"},
		{"env", "see `ros env --help`"},
		{"env --nope printenv", "see `ros env --help`"},
		{"help confg", "did you mean config?"},
		{"help config explian", "there is no `ros config explian`; did you mean explain?"},
		{"dev", "see `ros dev --help`"},
		{"datasource list extra", "see `ros datasource list --help`"},
		{"cloud-init status --nope", "see `ros cloud-init status --help`"},
		{"cloud-init plan --only write_file /dev/null", "did you mean write_files?"},
		{"datasource fetch ec2 --endpoint nonsense", "is no URL"},
		{"cloud-init record --endpoint nonsense x.tar", "is no URL"},
		{"cloud-init clean --root /nonexistent --configs bogus", "want one of"},
	} {
		if code, out, errs := runRos(t, strings.Fields(row.line)...); code != 2 || !strings.Contains(errs, row.says) || out != "" {
			t.Errorf("ros %s = %d, want 2 and %q\nstdout: %s\nstderr: %s", row.line, code, row.says, out, errs)
		}
	}
}

func TestHelpIsShownOfEveryCommand(t *testing.T) {
	for _, line := range []string{"help", "help env", "env --help", "env -h", "help config explain", "help dev"} {
		words := strings.Fields(line)
		if code, out, errs := runRos(t, words...); code != 0 || !strings.Contains(out, "Usage:\n  ros") || errs != "" {
			t.Errorf("ros %s = %d, want the help\nstdout: %s\nstderr: %s", line, code, out, errs)
		}
	}
}

func TestEveryCommandHasHelpAndTeachesByExample(t *testing.T) {
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		if c.Short == "" && !c.Hidden {
			t.Errorf("%s says nothing of itself", c.CommandPath())
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(New())
	if code, out, _ := runRos(t, "datasource"); code != 0 || !strings.Contains(out, "Examples:") {
		t.Errorf("ros datasource = %d, want its help:\n%s", code, out)
	}
}

func TestShellCompletesWhatWeKnow(t *testing.T) {
	for _, row := range []struct{ line, want string }{
		{"datasource fetch ", "hetzner"},
		{"datasource fetch --output ", "json"},
		{"cloud-init analyze ", "critical-path"},
		{"cloud-init status --format ", "yaml"},
		{"cloud-init plan --only ", "write_files"},
		{"cloud-init clean --configs ", "fstab"},
		{"config validate --as ", "network-config"},
	} {
		args := append([]string{"__complete"}, strings.Split(row.line, " ")...)
		if _, out, errs := runRos(t, args...); !strings.Contains(out, row.want+"\n") {
			t.Errorf("%q completes to %q %s, want %s among it", row.line, out, errs, row.want)
		}
	}
}

func TestNoDatasourceSaysWhatWasLookedAt(t *testing.T) {
	root := t.TempDir()
	write(t, root, "sys/class/dmi/id/sys_vendor", "Acme\n")
	code, _, errs := runRos(t, "datasource", "detect", "--root", root)
	if code != 1 || !strings.Contains(errs, `sys_vendor "Acme"`) || !strings.Contains(errs, "ros datasource fetch") {
		t.Errorf("detect = %d %s, want what the firmware says and what to do", code, errs)
	}
}

func write(t *testing.T, root, name, text string) {
	t.Helper()
	p := filepath.Join(root, name)
	if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestCloudIDTellsItsCallersWhyItDoesNotKnow(t *testing.T) {
	for _, row := range []struct {
		name, file, text string
		args             []string
		code             int
		out              string
	}{
		{"not run", "etc/x", "", nil, 3, ""},
		{"disabled", "etc/cloud/cloud-init.disabled", "", nil, 2, ""},
		{"known", "run/cloud-init/instance-data.json", `{"v1": {"cloud_id": "aws", "region": null}}`, nil, 0, "aws\n"},
		{"long", "run/cloud-init/instance-data.json", `{"v1": {"cloud_id": "aws", "region": null}}`, []string{"--long"}, 0, "aws\tunknown\n"},
		{"json", "run/cloud-init/instance-data.json", `{"v1": {"cloud_id": "aws"}}`, []string{"-j"}, 0, "{\n  \"cloud_id\": \"aws\"\n}\n"},
	} {
		t.Run(row.name, func(t *testing.T) {
			root := t.TempDir()
			write(t, root, row.file, row.text)
			c := newCloudID()
			var out bytes.Buffer
			c.SetOut(&out)
			c.SetArgs(append(row.args, "--root", root))
			err, code := c.ExecuteContext(t.Context()), 0
			if e, ok := errors.AsType[*ExitError](err); ok {
				code = e.Code
			}
			if code != row.code || out.String() != row.out {
				t.Errorf("cloud-id = %d %q (%v), want %d %q", code, out.String(), err, row.code, row.out)
			}
		})
	}
}

func TestCollectedLogsHoldNoUserDataUnlessAsked(t *testing.T) {
	root := t.TempDir()
	const secret = "correct horse"
	write(t, root, "var/log/cloud-init-output.log", "hello\n")
	write(t, root, "run/cloud-init/status.json", `{"v1": {}}`)
	write(t, root, "run/cloud-init/instance-data-sensitive.json", secret)
	write(t, root, "var/lib/cloud/instance/user-data.txt", secret)
	write(t, root, "var/lib/cloud/data/result.json", "{}")
	for _, with := range []bool{false, true} {
		file := filepath.Join(t.TempDir(), "logs.tar.gz")
		args := []string{"collect-logs", "--root", root, "--tarfile", file}
		if with {
			args = append(args, "--include-userdata")
		}
		if out, err := upstream(t, Programs{}, args...); err != nil {
			t.Fatalf("collect-logs = %v\n%s", err, out)
		}
		names, all := untar(t, file)
		if strings.Contains(all, secret) != with {
			t.Errorf("--include-userdata %v: user-data in it: %v", with, !with)
		}
		for _, want := range []string{"/var/log/cloud-init-output.log", "/run/cloud-init/status.json", "/var/lib/cloud/data/result.json"} {
			if !strings.Contains(names, want+"\n") {
				t.Errorf("collected logs lack %s:\n%s", want, names)
			}
		}
	}
}

func untar(t *testing.T, file string) (names, all string) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err == io.EOF {
			return names, all
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		names += h.Name + "\n"
		all += string(b)
	}
}
