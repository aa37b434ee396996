package execute

import (
	"bytes"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"rancheros/cloudinit/state"
	"rancheros/cloudinit/tree"
)

// realPrograms lets a machine run programs of this one, with its folder put
// before paths that it names as @/.
func (m *machine) realPrograms(t *testing.T) {
	t.Helper()
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Fatal(err)
	}
	m.Run = func(c *exec.Cmd) error {
		args := append([]string(nil), c.Args[1:]...)
		for i, a := range args {
			if strings.HasPrefix(a, "/run/cloud-init/") {
				args[i] = filepath.Join(m.dir, a)
			}
		}
		real := exec.Command(sh, args...)
		real.Stdin, real.Stdout, real.Stderr = c.Stdin, c.Stdout, c.Stderr
		return real.Run()
	}
}

func TestOutputOfStagesGoesWhereTheConfigSays(t *testing.T) {
	for _, row := range []struct{ name, config, file, want, log string }{
		{"append is the default", "output: {all: /var/log/x}", "var/log/x", "old\nout\nerr\n", ""},
		{"append", "output: {final: '>> /var/log/x'}", "var/log/x", "old\nout\nerr\n", ""},
		{"anew", "output: {final: '> /var/log/x'}", "var/log/x", "out\nerr\n", ""},
		{"a list", "output: {final: ['> /var/log/x', '> /var/log/e']}", "var/log/x", "out\n", ""},
		{"a list, errors", "output: {final: ['> /var/log/e', '> /var/log/x']}", "var/log/x", "err\n", ""},
		{"a map", "output: {final: {output: '> /var/log/x', error: '&1'}}", "var/log/x", "out\nerr\n", ""},
		{"a map, output only", "output: {final: {output: '> /var/log/x'}}", "var/log/x", "out\n", "err\n"},
		{"what distributions have", "output: {all: '| tee -a /var/log/x'}", "var/log/x", "old\nout\nerr\n", ""},
		{"a stage beats all", "output: {all: '> /var/log/e', final: '> /var/log/x'}", "var/log/x", "out\nerr\n", ""},
		{"another stage", "output: {init: '> /var/log/x'}", "var/log/x", "old\n", "out\nerr\n"},
		{"a pipe", "output: {final: \"| sed 's/^/> /'\"}", "var/log/x", "old\n", "> out\n> err\n"},
	} {
		t.Run(row.name, func(t *testing.T) {
			m := newMachine(t, map[string]string{"etc/os-release": "ID=debian\n", "var/log/x": "old\n"})
			m.realPrograms(t)
			var log bytes.Buffer
			m.Output = &log
			c := config(t, row.config+"\nruncmd: ['echo out; echo err >&2']\n")
			if _, err := Config(t.Context(), m.Target, c, Options{Phases: []Phase{Final}, Only: []string{"runcmd"}}); err != nil {
				t.Fatal(err)
			}
			if got := m.read(t, row.file); got != row.want {
				t.Errorf("%s = %q, want %q", row.file, got, row.want)
			}
			if log.String() != row.log {
				t.Errorf("the usual log = %q, want %q", log.String(), row.log)
			}
			if m.Output != &log || m.Errors != nil {
				t.Error("after its stage the output still goes elsewhere")
			}
		})
	}
}

func TestARedirectionThatCannotBeHadIsAWarningAndLosesNothing(t *testing.T) {
	m := newMachine(t, map[string]string{"etc/os-release": "ID=debian\n"})
	m.realPrograms(t)
	var log bytes.Buffer
	m.Output = &log
	c := config(t, "output: {all: '> relative'}\nruncmd: [echo out]\n")
	if _, err := Config(t.Context(), m.Target, c, Options{Phases: []Phase{Final}, Only: []string{"runcmd"}}); err != nil {
		t.Fatal(err)
	}
	s, _, err := state.LoadStatus(m.Tree)
	if err != nil {
		t.Fatal(err)
	}
	if w := s.Recoverable()["WARNING"]; len(w) != 1 || !strings.Contains(w[0], "output.final") || log.String() != "out\n" {
		t.Errorf("warnings %q, log %q; want one and the output", w, log.String())
	}
}

func TestWhoListensHearsOfEveryStageBeforeTheMachineGoesDown(t *testing.T) {
	m := newMachine(t, debian)
	var mu sync.Mutex
	var told []string
	m.HTTP = &http.Client{Transport: trip(func(r *http.Request) (*http.Response, error) {
		var b bytes.Buffer
		_, err := b.ReadFrom(r.Body)
		mu.Lock()
		defer mu.Unlock()
		told = append(told, b.String())
		return &http.Response{StatusCode: 200, Body: http.NoBody}, err
	})}
	down := 0
	m.Run = func(c *exec.Cmd) error {
		mu.Lock()
		defer mu.Unlock()
		if c.Args[0] == "shutdown" {
			down = len(told)
		}
		return nil
	}
	c := config(t, "reporting: {me: {type: webhook, endpoint: 'http://192.0.2.1/'}}\npower_state: {mode: poweroff}\nusers: [{name: ann, ssh_authorized_keys: [nonsense]}]\n")
	if _, err := Config(t.Context(), m.Target, c, Options{}); err != nil {
		t.Fatal(err)
	}
	all := strings.Join(told, "\n")
	for _, want := range []string{`"name":"init-network"`, `"name":"modules-config/config-users"`, `"name":"modules-final"`, `"result":"WARN"`} {
		if !strings.Contains(all, want) {
			t.Errorf("nobody was told %s:\n%s", want, all)
		}
	}
	if down != len(told) {
		t.Errorf("%d of %d events were told before the machine went down", down, len(told))
	}
	if log := m.read(t, "var/log/cloud-init.log"); !strings.Contains(log, "finish: modules-final: SUCCESS: running modules for final\n") {
		t.Errorf("the log lacks the end of the last stage:\n%s", log)
	}
}

type trip func(*http.Request) (*http.Response, error)

func (f trip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestAPlanTellsNobodyAndWritesNoLog(t *testing.T) {
	m := newMachine(t, debian)
	c := config(t, "output: {all: '> /var/log/x'}\nruncmd: [echo hi]\n")
	tr, err := tree.Plan(m.dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Config(t.Context(), m.target(tr), c, Options{}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(m.dir, "var")); err == nil {
		t.Error("the plan wrote below /var")
	}
}

func TestTheFinalMessageIsOnTheConsoleAndInTheLog(t *testing.T) {
	m := newMachine(t, map[string]string{"etc/os-release": "ID=debian\n"})
	var log, console bytes.Buffer
	m.Output, m.Console = &log, &console
	if _, err := Config(t.Context(), m.Target, config(t, "final_message: all is done"), Options{Only: []string{"final_message"}}); err != nil {
		t.Fatal(err)
	}
	if log.String() != "all is done\n" || console.String() != log.String() {
		t.Errorf("log %q, console %q", log.String(), console.String())
	}
}
