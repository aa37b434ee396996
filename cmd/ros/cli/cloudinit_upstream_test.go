package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rancheros/cloudinit/state"
	"rancheros/cloudinit/tree"
)

// upstream runs `cloud-init ARGS` and returns what it printed.
func upstream(t *testing.T, p Programs, args ...string) (string, error) {
	t.Helper()
	root := newUpstream(p)
	var out bytes.Buffer
	root.SetOut(&out)
	root.SetErr(&out)
	root.SetArgs(args)
	err := root.ExecuteContext(t.Context())
	return out.String(), err
}

func TestCallersOfUpstreamFindItsCommands(t *testing.T) {
	root := newUpstream(Programs{})
	for _, name := range []string{"status", "query", "clean", "analyze", "init", "modules", "single", "schema", "features"} {
		if c, _, err := root.Find([]string{name}); err != nil || c.Name() != name {
			t.Errorf("there is no cloud-init %s", name)
		}
	}
}

func TestQueryFillsInATemplateAndWarnsOfWhatIsMissing(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, state.InstanceData)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(`{"v1": {"instance_id": "i-1"}}`), 0o644); err != nil {
		t.Fatal(err)
	}
	var out, warn bytes.Buffer
	c := newUpstream(Programs{})
	c.SetOut(&out)
	c.SetErr(&warn)
	c.SetArgs([]string{"query", "--root", dir, "--format", "{{ v1.instance_id }} {{ v1.missing }}"})
	if err := c.ExecuteContext(t.Context()); err != nil || out.String() != "i-1 CI_MISSING_JINJA_VAR/missing\n" {
		t.Errorf("query printed %q, %v", out.String(), err)
	}
	if want := "warning: template: instance-data has no missing; CI_MISSING_JINJA_VAR/missing stands there instead\n"; warn.String() != want {
		t.Errorf("query warned %q, want %q", warn.String(), want)
	}
}

func TestQueryReadsTheFilesThatItIsTold(t *testing.T) {
	t.Chdir(t.TempDir())
	for name, text := range map[string]string{"i.json": `{"v1": {"instance_id": "i-9"}, "ds": {"n": [1, 20000000]}}`, "u": "#!user\n", "v": "#!vendor\n"} {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, row := range []struct {
		args []string
		want string
	}{
		{[]string{"-i", "i.json", "instance_id"}, "i-9\n"},
		{[]string{"--instance-data", "i.json", "-f", "{{ ds.n[0] }} {{ ds.n }}"}, "1 [1, 20000000]\n"},
		{[]string{"-u", "u", "-v", "v", "userdata"}, "#!user\n"},
		{[]string{"--user-data", "u", "--vendor-data", "v", "vendordata"}, "#!vendor\n"},
	} {
		if got, err := upstream(t, Programs{}, append([]string{"query", "--root", t.TempDir()}, row.args...)...); err != nil || got != row.want {
			t.Errorf("query %q = %q, %v; want %q", row.args, got, err, row.want)
		}
	}
	c := newCloudID()
	c.SetArgs([]string{"-i", "i.json", "--root", t.TempDir()})
	if err := c.Execute(); err != nil {
		t.Errorf("cloud-id -i with a file of this folder: %v", err)
	}
}

func TestModulesRunThePhaseTheyName(t *testing.T) {
	var got []string
	p := Programs{Execute: func(_ context.Context, args []string) int {
		got = append(got, strings.Join(args, " "))
		return 0
	}}
	for _, mode := range []string{"--mode=config", "--mode=final"} {
		if _, err := upstream(t, p, "modules", mode); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := upstream(t, p, "single", "--name", "cc_users_groups", "--frequency", "always"); err != nil {
		t.Fatal(err)
	}
	if want := "-config|-final|-only users -again"; strings.Join(got, "|") != want {
		t.Errorf("ran %q, want %s", got, want)
	}
}

func TestCallersMayAskForDebuggingAnywhere(t *testing.T) {
	for _, line := range []string{"--debug features", "-d features", "--force features", "features --debug"} {
		if out, err := upstream(t, Programs{}, strings.Fields(line)...); err != nil || !strings.Contains(out, "NETWORK_CONFIG_V2") {
			t.Errorf("cloud-init %s = %v\n%s", line, err, out)
		}
	}
}

func TestAModuleIsAllThatUpstreamsDoes(t *testing.T) {
	got := ""
	p := Programs{Execute: func(_ context.Context, args []string) int {
		got = strings.Join(args, " ")
		return 0
	}}
	for name, want := range map[string]string{"cc_set_passwords": "passwords,sshd", "ssh": "ssh_host_keys,ssh_keys,sshd", "install-hotplug": "hotplug", "cc_ntp": "ntp"} {
		if _, err := upstream(t, p, "single", "--name", name, "--frequency", "always"); err != nil || got != "-only "+want+" -again" {
			t.Errorf("single %s runs %q, %v; want %s", name, got, err, want)
		}
	}
}

func TestAModuleThatIsNotThereIsAnError(t *testing.T) {
	_, err := upstream(t, Programs{}, "single", "--name", "cc_write_file")
	if err == nil || !strings.Contains(err.Error(), "did you mean write_files") {
		t.Errorf("single = %v, want the nearest named", err)
	}
}

func TestStatusOfAFailedMachineIsExitCodeOne(t *testing.T) {
	dir := t.TempDir()
	tr, err := tree.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	s := state.NewStatus()
	for _, stage := range state.Stages() {
		if err := s.End(tr, stage, time.Unix(1, 0), []string{"it broke"}, nil); err != nil {
			t.Fatal(err)
		}
	}
	out, err := upstream(t, Programs{}, "status", "--wait", "--long", "--root", dir)
	e, ok := errors.AsType[*ExitError](err)
	if !ok || e.Code != 1 || !strings.Contains(out, "status: error") || !strings.Contains(out, "it broke") {
		t.Errorf("status = %v\n%s", err, out)
	}
}

func TestSchemaNamesLinesAndFails(t *testing.T) {
	file := filepath.Join(t.TempDir(), "c.yml")
	if err := os.WriteFile(file, []byte("#cloud-config\nhostnmae: x\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := upstream(t, Programs{}, "schema", "--config-file", file); err == nil || !strings.Contains(out, ":2:1") {
		t.Errorf("schema = %v\n%s", err, out)
	}
	if err := os.WriteFile(file, []byte("#cloud-config\nhostname: x\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := upstream(t, Programs{}, "schema", "-c", file); err != nil || !strings.Contains(out, "Valid schema") {
		t.Errorf("schema = %v\n%s", err, out)
	}
}

func TestSchemaChecksWhatUserDataMeans(t *testing.T) {
	t.Chdir(t.TempDir())
	const mime = "Content-Type: multipart/mixed; boundary=X\nMIME-Version: 1.0\n\n--X\nContent-Type: text/cloud-config\n\n%s\n--X--\n"
	if err := os.WriteFile("i.json", []byte(`{"v1": {"region": "eu"}}`), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct{ name, doc, says string }{
		{"a template", "## template: jinja\n#cloud-config\nhostname: box-{{ region }}\n", ""},
		{"a template of what is wrong", "## template: jinja\n#cloud-config\nhostnmae: box-{{ region }}\n", "hostname"},
		{"a template that is broken", "## template: jinja\n#cloud-config\nhostname: {{ region\n", "template"},
		{"parts", fmt.Sprintf(mime, "#cloud-config\nhostname: box"), ""},
		{"parts of which one is wrong", fmt.Sprintf(mime, "#cloud-config\nhostnmae: box"), "hostname"},
		{"an archive", "#cloud-config-archive\n- |\n  #cloud-config\n  hostname: box\n", ""},
		{"what a cloud takes for text", "hostname: box\n", "#cloud-config"},
		{"a script", "#!/bin/sh\n", "script"},
	} {
		if err := os.WriteFile("u", []byte(row.doc), 0o644); err != nil {
			t.Fatal(err)
		}
		out, err := upstream(t, Programs{}, "schema", "-c", "u", "-i", "i.json")
		if (err == nil) != (row.says == "") || !strings.Contains(out, row.says) || err == nil && !strings.Contains(out, "Valid schema u") {
			t.Errorf("%s: %v\n%s", row.name, err, out)
		}
	}
}
