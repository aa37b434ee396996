package command

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rancheros/cloudinit/state"
	"rancheros/cloudinit/tree"
)

func machine(t *testing.T, files map[string]string) (*tree.Tree, string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	tr, err := tree.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tr.Close() })
	return tr, dir
}

// after is a status when the given stages have run.
func after(t *testing.T, tr *tree.Tree, errs, warnings []string, stages ...string) {
	t.Helper()
	s := state.NewStatus()
	name := "DataSourceNoCloud [seed=/dev/vdb]"
	s.Datasource = &name
	now := time.Unix(1700000000, 0)
	for _, stage := range stages {
		if err := s.Begin(tr, stage, now); err != nil {
			t.Fatal(err)
		}
		if err := s.End(tr, stage, now, errs, warnings); err != nil {
			t.Fatal(err)
		}
	}
}

func TestStatusIsUpstreams(t *testing.T) {
	all := state.Stages()
	for _, test := range []struct {
		name           string
		stages         []string
		errs, warnings []string
		state          string
		extended       string
		exit           int
	}{
		{"nothing", nil, nil, nil, "not started", "not started", 0},
		{"half", all[:2], nil, nil, "running", "running", 0},
		{"done", all, nil, nil, "done", "done", 0},
		{"degraded", all, nil, []string{"w"}, "done", "degraded done", 2},
		{"failed", all, []string{"e"}, nil, "error", "error - done", 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			tr, _ := machine(t, map[string]string{"proc/cmdline": "quiet"})
			after(t, tr, test.errs, test.warnings, test.stages...)
			s, ok, err := state.LoadStatus(tr)
			if err != nil {
				t.Fatal(err)
			}
			got := StatusOf(tr, s, ok)
			if got.State != test.state || got.ExtendedStatus != test.extended || got.Exit() != test.exit {
				t.Errorf("status %q, %q, exit %d; want %q, %q, %d", got.State, got.ExtendedStatus, got.Exit(), test.state, test.extended, test.exit)
			}
		})
	}
}

func TestStatusHasUpstreamsKeys(t *testing.T) {
	tr, _ := machine(t, nil)
	after(t, tr, nil, nil, state.Stages()...)
	s, ok, err := state.LoadStatus(tr)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := StatusOf(tr, s, ok).Print(&out, "json", false); err != nil {
		t.Fatal(err)
	}
	var doc map[string]any
	if err := json.Unmarshal([]byte(out.String()), &doc); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"boot_status_code", "datasource", "detail", "errors", "extended_status", "last_update", "recoverable_errors",
		"stage", "status", "init-local", "init", "modules-config", "modules-final"} {
		if _, ok := doc[key]; !ok {
			t.Errorf("there is no key %s", key)
		}
	}
	if doc["datasource"] != "nocloud" || doc["status"] != "done" {
		t.Errorf("datasource %v, status %v", doc["datasource"], doc["status"])
	}
}

func TestWaitEndsWhenTheLastStageDoes(t *testing.T) {
	tr, dir := machine(t, nil)
	started := make(chan struct{})
	done := make(chan string)
	go func() {
		first := true
		s, _, err := state.Wait(t.Context(), tr, func(*state.Status) {
			if first {
				close(started)
				first = false
			}
		})
		if err != nil {
			done <- err.Error()
			return
		}
		done <- s.State()
	}()
	<-started
	other, err := tree.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	after(t, other, nil, nil, state.Stages()...)
	if got := <-done; got != state.Done {
		t.Errorf("Wait() = %s", got)
	}
}

func TestQueryFindsWhatItIsAsked(t *testing.T) {
	doc := map[string]any{"v1": map[string]any{"instance_id": "i-1", "region": nil}, "ds": map[string]any{"list": []any{"a", "b"}}}
	for _, test := range []struct{ at, want string }{{"v1.instance_id", "i-1"}, {"instance_id", "i-1"}, {"ds.list[1]", "b"}, {"ds.list.0", "a"}} {
		v, err := Lookup(doc, test.at)
		if got, _ := Text(v); err != nil || got != test.want {
			t.Errorf("Lookup(%s) = %q, %v", test.at, got, err)
		}
	}
	for _, at := range []string{"v1.none", "ds.list.7", "v1.instance_id.x"} {
		if _, err := Lookup(doc, at); err == nil {
			t.Errorf("Lookup(%s) found something", at)
		}
	}
	if got, missing, err := Format(doc, "{{ instance_id }}-{{ ds.list[0] }}"); err != nil || got != "i-1-a" || len(missing) > 0 {
		t.Errorf("Format() = %q, missing %v, %v", got, missing, err)
	}
	if got, missing, err := Format(doc, "{{ v1.gone }}!"); err != nil || got != "CI_MISSING_JINJA_VAR/gone!" || len(missing) != 1 {
		t.Errorf("Format() = %q, missing %v, %v", got, missing, err)
	}
	if _, _, err := Format(doc, "{{ gone.deeper }}"); err == nil {
		t.Error("a key of what is not there was taken")
	}
}

func TestCleanMakesTheNextBootAFirstOne(t *testing.T) {
	tr, dir := machine(t, map[string]string{
		"var/lib/cloud/instances/i-1/sem/config_runcmd": "", "var/lib/cloud/data/instance-id": "i-1\n", "var/lib/cloud/seed/nocloud/user-data": "x",
		"run/cloud-init/status.json": "{}", "etc/machine-id": "abc\n", "var/log/cloud-init-output.log": "x", "etc/keep": "x",
	})
	if _, err := Clean(t.Context(), tr, CleanOptions{Logs: true, MachineID: true}); err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, p := range []string{"var/lib/cloud/instances", "var/lib/cloud/data", "run/cloud-init", "var/log/cloud-init-output.log", "var/lib/cloud/seed/nocloud/user-data", "etc/keep"} {
		if _, err := os.Stat(filepath.Join(dir, p)); err == nil {
			left = append(left, p)
		}
	}
	if diff := cmp.Diff([]string{"var/lib/cloud/seed/nocloud/user-data", "etc/keep"}, left); diff != "" {
		t.Error(diff)
	}
	if tr.ReadString("/etc/machine-id") != "uninitialized" {
		t.Error("the machine keeps its ID")
	}
}

func TestPlanOfBrokenUserDataNamesItsLine(t *testing.T) {
	_, dir := machine(t, map[string]string{"etc/os-release": "ID=debian\n", "etc/passwd": "root:x:0:0::/root:/bin/sh\n"})
	r, err := Plan(t.Context(), Document{File: "u.yml", Data: []byte("#cloud-config\nhostnmae: x\nwrite_files: [{path: /etc/a, content: hi}]\n"), Root: dir})
	if err == nil || !strings.Contains(err.Error(), "u.yml:2:1") || !strings.Contains(err.Error(), "hostname") {
		t.Errorf("Plan() = %v, want the line and what was meant", err)
	}
	found := false
	for _, res := range r.Results {
		for _, c := range res.Changes {
			found = found || c.Path == "/etc/a" && strings.Contains(c.Diff, "+ hi")
		}
	}
	if !found {
		t.Error("what is right in the document was not planned")
	}
}

func TestTimelineIsAPage(t *testing.T) {
	events := []state.Event{{Stage: "init", Name: "<b>", Start: 1, Seconds: 0.5, Outcome: "changed"}, {Stage: "modules-final", Name: "runcmd", Start: 2, Seconds: 1, Outcome: "failed"}}
	var out strings.Builder
	if err := Timeline(&out, events); err != nil || strings.Contains(out.String(), "<b>") || !strings.Contains(out.String(), "runcmd") {
		t.Errorf("Timeline() = %v\n%s", err, out.String())
	}
	out.Reset()
	if err := CriticalPath(&out, events); err != nil || !strings.Contains(out.String(), "waiting") {
		t.Errorf("CriticalPath() = %v\n%s", err, out.String())
	}
}

func TestCleanTakesOutWhatWasWrittenAndLeavesTheRest(t *testing.T) {
	tr, dir := machine(t, map[string]string{
		"etc/os-release": "ID=debian\n", "etc/fstab": "UUID=1 / ext4 defaults 0 1\n/dev/vdb\t/data\text4\tdefaults,comment=cloudconfig\t0\t2\n",
		"etc/systemd/network/10-cloud-init-eth0.network": "x", "etc/systemd/network/20-mine.network": "x", "etc/netplan/50-cloud-init.yaml": "x",
		"etc/ssh/sshd_config.d/50-cloud-init.conf": "x", "var/log/cloud-init.log": "x", "var/log/cloud-init.log.1": "x", "var/lib/cloud/data/owned.json": "{}",
	})
	if _, err := Clean(t.Context(), tr, CleanOptions{Logs: true, Configs: []string{"network", "fstab"}}); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{
		"etc/systemd/network/10-cloud-init-eth0.network": false, "etc/systemd/network/20-mine.network": true, "etc/netplan/50-cloud-init.yaml": false,
		"etc/ssh/sshd_config.d/50-cloud-init.conf": true, "var/log/cloud-init.log": false, "var/log/cloud-init.log.1": false, "var/lib/cloud/data/owned.json": false,
	} {
		if _, err := os.Stat(filepath.Join(dir, name)); (err == nil) != want {
			t.Errorf("%s is there: %v, want %v", name, err == nil, want)
		}
	}
	if b, err := os.ReadFile(filepath.Join(dir, "etc/fstab")); err != nil || string(b) != "UUID=1 / ext4 defaults 0 1\n" {
		t.Errorf("fstab = %q, %v", b, err)
	}
}

func TestAProblemOfTheWholeDocumentIsAtItsFirstLine(t *testing.T) {
	_, dir := machine(t, nil)
	_, err := Plan(t.Context(), Document{File: "c.ign", Data: []byte(`{"ignition":{"version":"9.0.0"}}`), Root: dir})
	if err == nil || !strings.Contains(err.Error(), "c.ign:1:1: ignition: version 9.0.0") {
		t.Errorf("Plan() = %v, want line 1", err)
	}
}

func TestIgnitionIsAppliedAsItsMachineNeedsIt(t *testing.T) {
	const doc = `{"ignition":{"version":"3.3.0"},"storage":{"directories":[{"path":"/srv/d","mode":448}],"files":[{"path":"/srv/d/f","contents":{"source":"data:,x"}}],
		"links":[{"path":"/srv/h","target":"/srv/d/f","hard":true}]},
		"systemd":{"units":[{"name":"a.service","enabled":true,"contents":"[Service]\nExecStart=/a\n"},{"name":"b.service","mask":true,"contents":"x"}]}}`
	for _, test := range []struct {
		name    string
		files   map[string]string
		systemd bool
	}{
		{"with systemd", map[string]string{"etc/os-release": "ID=debian\n", "usr/lib/systemd/systemd": ""}, true},
		{"without", map[string]string{"etc/os-release": "ID=alpine\n"}, false},
		{"on our OS", map[string]string{"etc/os-release": "ID=rancheros\n", "usr/lib/systemd/systemd": ""}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			tr, dir := machine(t, test.files)
			if _, err := Apply(t.Context(), Document{File: "c.ign", Data: []byte(doc), Root: dir, Only: []string{"places", "write_files", "hard_links"}}); err != nil {
				t.Fatal(err)
			}
			if n, err := tr.Lstat("/srv/d"); err != nil || n.Mode != 0o700 {
				t.Errorf("the directory has mode %o, %v", n.Mode, err)
			}
			if same, err := tr.SameFile("/srv/h", "/srv/d/f"); !same || err != nil {
				t.Errorf("the hard link is none, %v", err)
			}
			mask, _ := tr.Lstat("/etc/systemd/system/b.service")
			if got := tr.Exists("/etc/systemd/system/a.service"); got != test.systemd || (mask.Link == "/dev/null") != test.systemd {
				t.Errorf("the unit is there: %v; the mask leads to %q", got, mask.Link)
			}
		})
	}
}
