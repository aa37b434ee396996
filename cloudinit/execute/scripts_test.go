package execute

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// scripted is a machine with a script of every kind.
func scripted(t *testing.T) *machine {
	t.Helper()
	files := map[string]string{}
	for name, text := range debian {
		files[name] = text
	}
	for _, p := range []string{"lib/cloud/scripts/per-boot/a", "lib/cloud/scripts/per-once/b", "lib/cloud/instances/i-1/scripts/per-boot/c",
		"lib/cloud/instances/i-1/scripts/user", "lib/cloud/instances/i-1/scripts/vendor/v", "lib/cloud/instances/i-1/boothooks/h"} {
		files["var/"+p] = "#!/bin/sh\n"
	}
	m := newMachine(t, files)
	if err := os.Symlink("instances/i-1", m.dir+"/var/lib/cloud/instance"); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestScriptsRunInTheirOrderAndAsOftenAsTheyShould(t *testing.T) {
	m := scripted(t)
	c := config(t, "runcmd: [date]\nbootcmd: [true-boot]\nvendor_data: {enabled: true, prefix: [nice, -n5]}\n")
	boot := []string{"/var/lib/cloud/instance/boothooks/h", "sh /run/cloud-init/bootcmd", "/var/lib/cloud/scripts/per-boot/a", "/var/lib/cloud/instance/scripts/per-boot/c"}
	first := []string{boot[0], boot[1], "nice -n5 /var/lib/cloud/instance/scripts/vendor/v", "/var/lib/cloud/scripts/per-once/b", boot[2], boot[3],
		"/var/lib/cloud/instance/scripts/user", "sh /run/cloud-init/runcmd"}
	for _, want := range [][]string{first, boot} {
		m.ran = nil
		if _, err := Run(t.Context(), m.Target, c, Options{}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, m.ran); diff != "" {
			t.Errorf("ran (-want +got):\n%s", diff)
		}
	}
}

func TestWhatUsersRunHasHadItsTurnWhenItHasBegun(t *testing.T) {
	m := scripted(t)
	m.Run = func(c *exec.Cmd) error {
		m.ran = append(m.ran, c.Args[0])
		if applier := []string{"scripts_user", "runcmd"}[len(m.ran)-1]; m.due(Applier{Name: applier, Every: Instance}) == nil {
			t.Errorf("%s is still due while %s runs", applier, c.Args)
		}
		return errors.New("the machine restarts")
	}
	c := config(t, "runcmd: [reboot]\n")
	only := Options{Only: []string{"scripts_user", "runcmd"}}
	if _, err := Run(t.Context(), m.Target, c, only); err == nil || !strings.Contains(err.Error(), "scripts/user: the machine restarts") {
		t.Errorf("Run() = %v", err)
	}
	if _, err := Run(t.Context(), m.Target, c, only); err != nil || len(m.ran) != 2 {
		t.Errorf("second boot: %v, ran %q", err, m.ran)
	}
}

func TestWhatCouldNotRunIsStillDue(t *testing.T) {
	m := scripted(t)
	m.Live = false
	c := config(t, "runcmd: [date]\n")
	only := Options{Only: []string{"runcmd"}}
	if _, err := Run(t.Context(), m.Target, c, only); err != nil || len(m.ran) != 0 {
		t.Fatalf("on another root: %v, ran %q", err, m.ran)
	}
	m.Live = true
	if _, err := Run(t.Context(), m.Target, c, only); err != nil || len(m.ran) != 1 {
		t.Errorf("on the machine: %v, ran %q", err, m.ran)
	}
}

func TestVendorScriptsCanBeForbidden(t *testing.T) {
	m := scripted(t)
	if _, err := Run(t.Context(), m.Target, config(t, "vendor_data: {enabled: false}\n"), Options{Only: []string{"scripts_vendor"}}); err != nil || len(m.ran) != 0 {
		t.Errorf("Run() = %v, ran %q", err, m.ran)
	}
}

func TestPerRunsOnce(t *testing.T) {
	m := scripted(t)
	for range 2 {
		if err := Per(t.Context(), m.Target, []string{"once", "x", "date"}); err != nil {
			t.Fatal(err)
		}
	}
	if len(m.ran) != 1 {
		t.Errorf("ran %q", m.ran)
	}
	for _, args := range [][]string{{}, {"sometimes", "x", "date"}, {"once", "x"}} {
		if err := Per(t.Context(), m.Target, args); err == nil {
			t.Errorf("Per(%q) was taken", args)
		}
	}
}

func TestCommandsAreOneScriptAsUpstreams(t *testing.T) {
	m := newMachine(t, debian)
	c := config(t, "runcmd:\n- cd /tmp\n- [echo, \"it's\", 'a b']\n- ''\n- |\n  if true; then\n    echo x\n  fi\n")
	if _, err := Run(t.Context(), m.Target, c, Options{Only: []string{"runcmd"}}); err != nil {
		t.Fatal(err)
	}
	want := "#!/bin/sh\ncd /tmp\n'echo' 'it'\\''s' 'a b'\nif true; then\n  echo x\nfi\n"
	if got := m.read(t, "run/cloud-init/runcmd"); got != want {
		t.Errorf("the script is\n%s\nwant\n%s", got, want)
	}
}
