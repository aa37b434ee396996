package execute

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rancheros/cloudinit/state"
	"rancheros/cloudinit/tree"
)

// A power cut at any step of applying is made good by the next boot: what is
// there then is what one boot without it leaves.
func TestAPowerCutIsMadeGoodByTheNextBoot(t *testing.T) {
	c := config(t, everything)
	apply := func(m *machine, hook func(string, string) error) error {
		tr, err := tree.OpenWithHook(m.dir, hook)
		if err != nil {
			t.Fatal(err)
		}
		defer tr.Close()
		_, err = Run(t.Context(), m.target(tr), c, Options{Phases: []Phase{PreConsole, Console}})
		return err
	}
	whole := newMachine(t, debian)
	steps := 0
	if err := apply(whole, func(string, string) error { steps++; return nil }); err != nil {
		t.Fatal(err)
	}
	want := stable(snapshot(t, whole.dir))
	for n := steps % 53; n < steps; n += 53 {
		m := newMachine(t, debian)
		left := n
		if err := apply(m, func(string, string) error {
			if left == 0 {
				return tree.ErrKilled()
			}
			left--
			return nil
		}); err == nil {
			t.Fatalf("step %d: the power cut went unnoticed", n)
		}
		for _, f := range []string{"passwd", "shadow", "group", "gshadow"} {
			if !strings.HasPrefix(m.read(t, "etc/"+f), "root:") {
				t.Fatalf("step %d left %s as %q", n, f, m.read(t, "etc/"+f))
			}
		}
		if err := apply(m, func(string, string) error { return nil }); err != nil {
			t.Fatalf("after step %d: %v", n, err)
		}
		if diff := cmp.Diff(want, stable(snapshot(t, m.dir))); diff != "" {
			t.Fatalf("power cut at step %d of %d (-without +with):\n%s", n, steps, diff)
		}
	}
}

// stable leaves out what is made at random, and what a power cut may leave.
func stable(all map[string]string) map[string]string {
	for name, text := range all {
		switch {
		case strings.HasSuffix(name, ".new~"):
			delete(all, name)
		case strings.HasPrefix(name, "etc/ssh/ssh_host_"), strings.HasPrefix(name, "etc/shadow"):
			all[name] = text[:10]
		}
	}
	return all
}

func TestOneApplierThatIsRunAgainLeavesWhatTheBootWas(t *testing.T) {
	m := newMachine(t, debian)
	if _, err := Config(t.Context(), m.Target, config(t, "timezone: Nowhere/Atlantis\nhostname: box\n"), Options{}); err == nil {
		t.Fatal("the timezone was taken")
	}
	if _, err := Config(t.Context(), m.Target, config(t, "hostname: other\n"), Options{Only: []string{"hostname"}, Again: true}); err != nil {
		t.Fatal(err)
	}
	s, _, err := state.LoadStatus(m.Tree)
	if err != nil || s.State() != state.Failed || len(s.Errors()) != 1 {
		t.Errorf("the boot is %q with %q, %v; want its error kept", s.State(), s.Errors(), err)
	}
	if m.read(t, "etc/hostname") != "other\n" {
		t.Error("the applier did not run")
	}
}

func TestPowerStateWaitsUntilAllIsRecorded(t *testing.T) {
	for _, test := range []struct {
		name, text string
		ours       bool
		want       string
	}{
		{"now", "power_state: {mode: reboot}", false, "shutdown -r now"},
		{"later", "power_state: {mode: poweroff, delay: '+5', message: bye}", false, "shutdown -P +5 bye"},
		{"ours", "power_state: {mode: halt, delay: 2}", true, "sh -c (sleep 2m; exec shutdown -H now) >/dev/null 2>&1 &"},
		{"no", "power_state: {mode: reboot, condition: false}", false, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := newMachine(t, debian)
			m.Ours = test.ours
			if _, err := Config(t.Context(), m.Target, config(t, test.text), Options{Phases: []Phase{Final}, Only: []string{"power_state"}}); err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(m.ran, "\n"); got != test.want {
				t.Errorf("ran %q, want %q", got, test.want)
			}
			if s, ok, err := state.LoadStatus(m.Tree); err != nil || !ok || s.State() != state.Done {
				t.Errorf("the status was not finished before: %v, %v", ok, err)
			}
		})
	}
}
