package services

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// project parses services for a test; nothing may be wrong with them.
func project(t *testing.T, text string) Project {
	t.Helper()
	all, problems := parseFile([]byte(text), nil)
	if len(problems) > 0 {
		t.Fatalf("parseFile: %v", errors.Join(problems...))
	}
	return Project{Name: "os", Services: all}
}

func noWait(context.Context) error { return nil }

const small = `
udev-cold: {image: base, labels: {io.rancher.os.scope: system, io.rancher.os.detach: "false"}}
udev: {image: base, labels: {io.rancher.os.scope: system, io.rancher.os.after: udev-cold}}
network: {image: base, labels: {io.rancher.os.scope: system, io.rancher.os.after: udev}}
console: {image: base, labels: {io.rancher.os.scope: system, io.rancher.os.after: network, io.docker.compose.rebuild: always}}
cron-job: {image: base, labels: {io.rancher.os.scope: system, io.rancher.os.createonly: "true", io.rancher.os.before: console}}
`

func TestUpKeepsTheOrderAndWaitsForTheEnd(t *testing.T) {
	f := newFake("base")
	f.exits["udev-cold"] = 0
	if _, err := Up(t.Context(), project(t, small), Options{System: f, Online: noWait}); err != nil {
		t.Fatal(err)
	}
	for _, pair := range [][2]string{
		{"end udev-cold", "create udev"}, {"start udev", "create network"},
		{"start network", "create console"}, {"create cron-job", "create console"},
	} {
		a, b := slices.Index(f.log, pair[0]), slices.Index(f.log, pair[1])
		if a < 0 || b < 0 || a > b {
			t.Errorf("want %q before %q in %q", pair[0], pair[1], f.log)
		}
	}
	if slices.Contains(f.log, "start cron-job") {
		t.Error("a service that is only to be created was started")
	}
}

func TestUpAgainStartsOnlyWhatEnded(t *testing.T) {
	f := newFake("base")
	f.exits["udev-cold"] = 0
	p := project(t, small)
	if _, err := Up(t.Context(), p, Options{System: f, Online: noWait}); err != nil {
		t.Fatal(err)
	}
	f.log = nil
	if _, err := Up(t.Context(), p, Options{System: f, Online: noWait}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"start udev-cold", "end udev-cold"}, f.log); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

func TestUpAtBootMakesTheConsoleAnew(t *testing.T) {
	f := newFake("base")
	f.exits["udev-cold"] = 0
	p := project(t, small)
	if _, err := Up(t.Context(), p, Options{System: f, Online: noWait}); err != nil {
		t.Fatal(err)
	}
	f.log = nil
	if _, err := Up(t.Context(), p, Options{System: f, Online: noWait, Policy: Policy{Boot: true}}); err != nil {
		t.Fatal(err)
	}
	want := []string{"start udev-cold", "end udev-cold", "create console.new", "stop console", "remove console", "rename console.new console", "start console"}
	if diff := cmp.Diff(want, f.log); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

func TestUpGoesOnAfterAFailure(t *testing.T) {
	f := newFake("base")
	f.exits["udev-cold"] = 3
	results, err := Up(t.Context(), project(t, small), Options{System: f, Online: func(context.Context) error { return errors.New("no route") }})
	if err == nil || !strings.Contains(err.Error(), "udev-cold") || !strings.Contains(err.Error(), "code 3") {
		t.Errorf("Up() error = %v, want one that names udev-cold and its code", err)
	}
	if len(results) != 5 || f.byName("console") == nil || !f.byName("console").Running {
		t.Errorf("the console does not run: %q", f.log)
	}
}

func TestUpPullsAfterTheNetwork(t *testing.T) {
	f := newFake("base")
	f.exits["udev-cold"] = 0
	f.remote["far/away:1"] = "sha256:far"
	p := project(t, small+`
early: {image: "far/away:1", labels: {io.rancher.os.scope: system}}
`)
	if _, err := Up(t.Context(), p, Options{System: f, Online: noWait}); err != nil {
		t.Fatal(err)
	}
	if a, b := slices.Index(f.log, "start network"), slices.Index(f.log, "pull far/away:1"); a < 0 || b < a {
		t.Errorf("want the pull after the network in %q", f.log)
	}
}

func TestUpReadsTheConfigAgainAfterTheNetwork(t *testing.T) {
	f := newFake("base")
	f.exits["udev-cold"] = 0
	p := project(t, strings.Replace(small, "network: {image: base, labels: {", `network: {image: base, labels: {io.rancher.os.reloadconfig: "true", `, 1))
	later := project(t, small+`
added: {image: base, labels: {io.rancher.os.scope: system, io.rancher.os.before: console}}
`)
	loads := 0
	reload := func(context.Context) (Project, []error) { loads++; return later, nil }
	if _, err := Up(t.Context(), p, Options{System: f, Online: noWait, Reload: reload}); err != nil {
		t.Fatal(err)
	}
	if a, b := slices.Index(f.log, "start added"), slices.Index(f.log, "create console"); loads != 1 || a < 0 || b < a {
		t.Errorf("%d loads; want added before console in %q", loads, f.log)
	}
}

func TestUpMakesAnewWhatDoesNotStart(t *testing.T) {
	f := newFake("base")
	p := project(t, `aa: {image: base, labels: [io.rancher.os.scope=system]}`)
	if _, err := Up(t.Context(), p, Options{System: f}); err != nil {
		t.Fatal(err)
	}
	f.byName("aa").Running = false
	f.failStart["aa"] = 1
	if _, err := Up(t.Context(), p, Options{System: f}); err != nil {
		t.Fatal(err)
	}
	if !f.byName("aa").Running {
		t.Errorf("a does not run: %q", f.log)
	}
}

func TestANewContainerKeepsAnonymousVolumes(t *testing.T) {
	f := newFake("base")
	const before = `{image: base, volumes: [/data, /other, /shared], labels: {io.rancher.os.scope: system}}`
	const after = `{image: base, command: new, volumes: [/data, "/host:/other/", {type: tmpfs, target: /shared}], labels: {io.rancher.os.scope: system%s}}`
	up := func(text string, boot bool) {
		t.Helper()
		if _, err := Up(t.Context(), project(t, text), Options{System: f, Policy: Policy{Boot: boot}}); err != nil {
			t.Fatal(err)
		}
	}
	const sharing = `{image: base, command: %s, volumes_from: [kept], labels: {io.rancher.os.scope: system}}`
	up("kept: "+before+"\nfresh: "+before+"\nsharing: "+fmt.Sprintf(sharing, "a"), false)
	for _, name := range []string{"kept", "fresh", "sharing"} {
		f.byName(name).Volumes = map[string]string{"/data": "v1", "/other": "v2", "/shared": "v3"}
	}
	up("kept: "+fmt.Sprintf(after, "")+"\nfresh: "+fmt.Sprintf(after, ", io.docker.compose.rebuild: always")+
		"\nsharing: "+fmt.Sprintf(sharing, "b"), true)
	for name, want := range map[string][]string{"kept": {"/host:/other/", "v1:/data"}, "fresh": {"/host:/other/"}, "sharing": nil} {
		if diff := cmp.Diff(want, f.byName(name).service.Host.Binds); diff != "" {
			t.Errorf("binds of %s (-want +got):\n%s", name, diff)
		}
	}
	// The volumes are no part of the definition: nothing has changed now.
	f.log = nil
	up("kept: "+fmt.Sprintf(after, ""), false)
	if len(f.log) > 0 {
		t.Errorf("up again did %q", f.log)
	}
}

func TestUpKeepsTheOldWhenTheNewCannotBeMade(t *testing.T) {
	f := newFake("base")
	if _, err := Up(t.Context(), project(t, `aa: {image: base, labels: [io.rancher.os.scope=system]}`), Options{System: f}); err != nil {
		t.Fatal(err)
	}
	_, err := Up(t.Context(), project(t, `aa: {image: "none:1", labels: [io.rancher.os.scope=system]}`), Options{System: f, Online: noWait})
	if err == nil || f.byName("aa") == nil || !f.byName("aa").Running {
		t.Errorf("err = %v, want an error and the old container running: %q", err, f.log)
	}
}

func TestUserServicesNeedUserDocker(t *testing.T) {
	sys, user := newFake("base"), newFake("base")
	p := project(t, "aa: {image: base}\ndocker: {image: base, labels: {io.rancher.os.scope: system}}\n")
	_, err := Up(t.Context(), p, Options{System: sys, User: func(context.Context) (Docker, error) {
		if sys.byName("docker") == nil {
			return nil, errors.New("too early")
		}
		return user, nil
	}})
	if err != nil || user.byName("aa") == nil {
		t.Errorf("err = %v, user docker has %q", err, user.log)
	}
}

func TestPlanSaysWhy(t *testing.T) {
	p := project(t, `
new: {image: base}
same: {image: base}
stopped: {image: base}
changed: {image: base, privileged: true}
pinned: {image: base, privileged: true, labels: {io.docker.compose.rebuild: "false"}}
image: {image: base}
console: {image: base, labels: {io.rancher.os.console: debian, io.docker.compose.rebuild: "false"}}
`)
	have := Have{Images: map[string]string{"base": "sha256:2"}, Containers: map[string]Container{}}
	for _, s := range p.Services {
		have.Containers[s.Name] = Container{ID: s.Name, Name: s.Name, Image: "sha256:2", Running: true,
			Labels: map[string]string{labelHash: s.Hash(), labelConsole: s.Console}}
	}
	edit := func(name string, change func(*Container)) {
		c := have.Containers[name]
		change(&c)
		have.Containers[name] = c
	}
	delete(have.Containers, "new")
	edit("stopped", func(c *Container) { c.Running = false })
	edit("changed", func(c *Container) { c.Labels[labelHash] = "old" })
	edit("pinned", func(c *Container) { c.Labels[labelHash] = "old" })
	edit("image", func(c *Container) { c.Image = "sha256:1" })
	edit("console", func(c *Container) { c.Labels[labelConsole] = "default" })
	actions, problems := plan(have, p, Policy{Boot: true})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	var got []string
	for _, a := range actions {
		got = append(got, string(a.Verb)+" "+a.Name+": "+a.Why)
	}
	want := []string{
		"create new: it is not there",
		"keep same: it runs",
		"start stopped: it does not run",
		"replace changed: its definition changed",
		"keep pinned: it runs",
		"replace image: its image changed",
		"replace console: another console is asked for",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("plan() (-want +got):\n%s", diff)
	}
}

func TestACircleIsCutAtTheUsersService(t *testing.T) {
	p := project(t, small+`
mine: {image: base, labels: {io.rancher.os.scope: system, io.rancher.os.after: console, io.rancher.os.before: udev}}
`)
	o, problems := newOrder(p.Services)
	if len(problems) != 1 || !strings.Contains(problems[0].Error(), "which mine asks for") {
		t.Fatalf("problems = %v, want one that blames mine", problems)
	}
	got := o.sorted()
	if slices.Index(got, "udev") > slices.Index(got, "console") {
		t.Errorf("sorted() = %q, want udev before console as the OS has it", got)
	}
}

func TestFilesAreThereBeforeTheStart(t *testing.T) {
	f := newFake("base")
	files := func(_ context.Context, service string) (io.Reader, error) {
		switch service {
		case "aa":
			return strings.NewReader("archive"), nil
		case "bb":
			return nil, errors.New("write_files[3]: no")
		}
		return nil, nil
	}
	p := project(t, "aa: {image: base, labels: [io.rancher.os.scope=system]}\nbb: {image: base, labels: [io.rancher.os.scope=system, io.rancher.os.after=aa]}\n")
	_, err := Up(t.Context(), p, Options{System: f, Files: files})
	if err == nil || !strings.Contains(err.Error(), "write_files[3]") {
		t.Errorf("Up() error = %v, want one that names write_files[3]", err)
	}
	if diff := cmp.Diff([]string{"create aa", "put aa archive", "start aa", "create bb", "start bb"}, f.log); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

func TestDependsOnNetworkDoesNotWaitForARoute(t *testing.T) {
	for keys, want := range map[string]int{
		"depends_on: [network], labels: {io.rancher.os.scope: system}":                  0,
		"labels: {io.rancher.os.scope: system, io.rancher.os.after: network}":           1,
		"labels: {io.rancher.os.scope: system, io.rancher.os.after: \"udev, network\"}": 1,
	} {
		f, asked := newFake("base"), 0
		p := project(t, "network: {image: base, labels: {io.rancher.os.scope: system}}\nmine: {image: base, "+keys+"}\n")
		_, err := Up(t.Context(), p, Options{System: f, Online: func(context.Context) error { asked++; return nil }})
		if err != nil || asked != want {
			t.Errorf("%s: asked %d times for a route, want %d (%v)", keys, asked, want, err)
		}
	}
}

func TestOnHostNeedsNoContainer(t *testing.T) {
	all, problems := parseFile([]byte(`aa: {image: none, command: [/bin/sh, -c, "echo $$GREETING; exit 3"], labels: {io.rancher.os.scope: system, io.rancher.os.host: "true"}}`), nil)
	if len(all) != 1 || !all[0].OnHost {
		t.Fatal(all, problems)
	}
	all[0].Config.Env = []string{"GREETING=hello"}
	log := filepath.Join(t.TempDir(), "boot", "aa.log")
	if err := os.MkdirAll(filepath.Dir(log), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(log, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := runOnHost(t.Context(), &all[0], log); err == nil || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("runOnHost() = %v, want exit status 3", err)
	}
	if st, err := os.Stat(log); err != nil || st.Mode().Perm() != 0o640 {
		t.Errorf("mode of the log = %v (%v), want 0640: what programs print is not for all", st.Mode(), err)
	}
	if text, err := os.ReadFile(log); err != nil || string(text) != "hello\n" {
		t.Errorf("log = %q, %v", text, err)
	}
}

// plan lists what takes have to want, in an order in which each service comes
// after those it waits for.
func plan(have Have, want Project, policy Policy) ([]Action, []error) {
	o, problems := newOrder(want.Services)
	var out []Action
	for _, name := range o.sorted() {
		out = append(out, decide(have, o.known[name], policy))
	}
	return out, problems
}
