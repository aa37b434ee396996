package services

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v4"

	"rancheros/cloudconfig"
)

func TestTheBundledCatalogueIsWhole(t *testing.T) {
	const root = "../templates/services"
	c := &Catalogue{Roots: []string{root}}
	index, err := c.Index(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(root + "/*/*.yml")
	if err != nil || len(files) != len(index.Services) {
		t.Errorf("%d definitions, %d in the index (%v)", len(files), len(index.Services), err)
	}
	for _, name := range index.Services {
		defs, err := c.Definition(t.Context(), name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for service, node := range defs {
			if _, problems := Parse(service, &node, Env{"REGISTRY_DOMAIN": "reg", "ECS_CLUSTER": "c"}); len(problems) > 0 {
				t.Errorf("%s: %v", name, errors.Join(problems...))
			}
		}
	}
}

func TestDefinitionsAreFetchedOnceAndKept(t *testing.T) {
	requests := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests++
		switch r.URL.Path {
		case "/m/mine.yml":
			_, _ = w.Write([]byte("mine: {image: base}"))
		case "/big.yml":
			_, _ = w.Write([]byte(strings.Repeat("#", maxFile+2)))
		default:
			http.NotFound(w, r)
		}
	}))
	defer server.Close()
	c := &Catalogue{Roots: []string{t.TempDir(), server.URL}, Cache: t.TempDir()}
	if _, err := c.Definition(t.Context(), "mine"); err == nil || !strings.Contains(err.Error(), "no network yet") {
		t.Errorf("before the network: %v, want an error that says so", err)
	}
	c.Online = true
	for range 2 {
		defs, err := c.Definition(t.Context(), "mine")
		if err != nil || len(defs) != 1 {
			t.Fatalf("Definition(mine) = %v, %v", defs, err)
		}
	}
	if requests != 1 {
		t.Errorf("%d requests, want 1", requests)
	}
	if _, err := c.Definition(t.Context(), "other"); !errors.Is(err, ErrUnknown) {
		t.Errorf("Definition(other) error = %v, want ErrUnknown", err)
	}
	if _, err := c.Definition(t.Context(), server.URL+"/big.yml"); err == nil {
		t.Error("a definition of more than a megabyte was taken")
	}
	for _, name := range []string{"/etc/passwd", "/var/lib/rancher/conf/../../../../etc/passwd", "../x", ""} {
		if _, err := c.Definition(t.Context(), name); err == nil {
			t.Errorf("Definition(%q) was taken", name)
		}
	}
}

func TestLoadGoesOnWithoutWhatItCannotFind(t *testing.T) {
	var c cloudconfig.Config
	if err := yaml.Unmarshal([]byte(`
rancher:
  environment: {TAG: "7"}
  services:
    zz: {image: "base:${TAG}"}
    console: {image: base}
    broken: {privileged: true}
    absent: {image: base, labels: {io.rancher.os.when: /no/such/*}}
  services_include: {none-such: true, off: false}
  registry_auths: {reg: {username: u, password: p}}
`), &c); err != nil {
		t.Fatal(err)
	}
	p, problems := Load(t.Context(), &c, false)
	var got []string
	for _, s := range p.Services {
		got = append(got, s.Name+" "+s.Image())
	}
	if diff := cmp.Diff([]string{"console base", "zz base:7"}, got); diff != "" {
		t.Errorf("services (-want +got):\n%s", diff)
	}
	if text := errors.Join(problems...).Error(); !strings.Contains(text, "none-such") || !strings.Contains(text, "broken") || strings.Contains(text, "off") {
		t.Errorf("problems: %s", text)
	}
	if p.Auths["reg"].Password != "p" {
		t.Error("the credentials are not there")
	}
}

func TestAServerThatDoesNotAnswerHoldsNobodyUp(t *testing.T) {
	asked := make(chan struct{}, 10)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		<-r.Context().Done()
	}))
	defer server.Close()
	var c cloudconfig.Config
	url := strings.Replace(server.URL, "http://", "http://me:s3cret@", 1) + "/far.yml"
	text := "rancher: {services: {near: {image: base, odd: key}}, services_include: {'" + url + "': true}}"
	if err := yaml.Unmarshal([]byte(text), &c); err != nil {
		t.Fatal(err)
	}
	waited := 0
	wait := func(context.Context) error { waited++; return errors.New("no route") }
	p, problems := LoadOnline(t.Context(), &c, wait, 50*time.Millisecond)
	if len(p.Services) != 1 || p.Services[0].Name != "near" || len(asked) == 0 || waited != 1 {
		t.Errorf("services = %v, %d requests, waited %d times; want near, after one wait and a request", p.Services, len(asked), waited)
	}
	said := fmt.Sprint(problems)
	if !strings.Contains(said, "/far.yml") || !strings.Contains(said, `"odd"`) || strings.Contains(said, "s3cret") {
		t.Errorf("problems = %v; want the server and the key named, and no password", problems)
	}
	// With nothing to fetch nothing is waited for, whatever else is wrong.
	c.Rancher.ServicesInclude = nil
	if _, problems := LoadOnline(t.Context(), &c, wait, time.Hour); len(problems) != 1 || waited != 1 {
		t.Errorf("problems = %v after %d waits, want one, and no wait more", problems, waited)
	}
}

func TestControlNamesWhatIsNotThere(t *testing.T) {
	f := newFake("base")
	c := &Control{Project: project(t, small), System: f, User: func(context.Context) (Docker, error) { return nil, errors.New("no") }}
	if err := c.Stop(t.Context(), -1, "consol"); err == nil || !strings.Contains(err.Error(), "consol") {
		t.Errorf("Stop(consol) error = %v", err)
	}
	if err := c.Start(t.Context(), "console"); !errors.Is(err, ErrAbsent) {
		t.Errorf("Start(console) error = %v, want ErrAbsent", err)
	}
	if err := c.Start(t.Context()); err != nil {
		t.Errorf("Start() of all error = %v, want none: what is not there is not meant", err)
	}
	f.exits["udev-cold"] = 0
	if _, err := Up(t.Context(), c.Project, Options{System: f, Online: noWait}); err != nil {
		t.Fatal(err)
	}
	f.log = nil
	if err := c.Stop(t.Context(), -1, "network", "console"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"stop console", "stop network"}, f.log); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

func TestTheMachinesServicesAreShownWithoutUserDocker(t *testing.T) {
	f := newFake("base")
	tried := 0
	c := &Control{
		Project: project(t, "sys: {image: base, labels: {io.rancher.os.scope: system}}\nweb: {image: base}\napp: {image: base}"),
		System:  f, User: func(context.Context) (Docker, error) { tried++; return nil, errors.New("it is down") },
	}
	states, err := c.Ps(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, s := range states {
		got[s.Name] = s.State
	}
	if diff := cmp.Diff(map[string]string{"sys": "absent", "web": "unknown", "app": "unknown"}, got); diff != "" {
		t.Errorf("Ps() (-want +got):\n%s", diff)
	}
	if _, err := c.Ps(t.Context(), "web"); err == nil || !strings.Contains(err.Error(), "it is down") {
		t.Errorf("Ps(web) error = %v, want one that says why", err)
	}
	if err := c.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "web runs in user docker: it is down") {
		t.Errorf("Start() error = %v, want one that names web", err)
	}
	f.remote["base"] = "new"
	tried = 0
	if err := c.Pull(t.Context(), func(string, string) {}); err == nil || f.images["base"] != "new" || tried > 2 {
		t.Errorf("Pull() error = %v, image %q, user docker tried %d times; want the system's image and one try", err, f.images["base"], tried)
	}
}

func TestLinesOfServicesCarryTheirName(t *testing.T) {
	var (
		out strings.Builder
		mu  sync.Mutex
	)
	a, b := &lineWriter{to: &out, mu: &mu, prefix: "a | "}, &lineWriter{to: &out, mu: &mu, prefix: "b | "}
	for _, w := range []struct {
		to   *lineWriter
		text string
	}{{a, "one\ntw"}, {b, "three\n"}, {a, "o\n"}, {b, "end"}} {
		if _, err := w.to.Write([]byte(w.text)); err != nil {
			t.Fatal(err)
		}
	}
	b.flush()
	if want := "a | one\nb | three\na | two\nb | end\n"; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}
