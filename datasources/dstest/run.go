package dstest

import (
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v4"

	"rancheros/cloudconfig/userdata/document"
	"rancheros/datasources"
)

var update = flag.Bool("update", false, "write what was seen to want.yaml")

// Update says that the test was run with -update.
func Update() bool { return *update }

// A Want is want.yaml.
type Want struct {
	// Detect is yes (the default), maybe or no.
	Detect string `yaml:"detect,omitempty"`
	// Evidence that Detect gives; empty: any.
	Evidence string `yaml:"evidence,omitempty"`
	// Arg is what the user wrote after the colon.
	Arg string `yaml:"arg,omitempty"`
	// Error is a part of Fetch's error. Empty: none.
	Error string `yaml:"error,omitempty"`
	// Requests is how many requests Fetch may make; 0: any number.
	Requests int `yaml:"requests,omitempty"`
	// NoFetch: only Detect is tested here. Fetch needs what no folder can be, a
	// serial port or a TFTP server; machines in QEMU have one and are held to
	// Instance.
	NoFetch bool `yaml:"no_fetch,omitempty"`
	// Instance is what Fetch says: see View.
	Instance map[string]any `yaml:"instance,omitempty"`
}

// Run tests a datasource with every case below testdata, and if it talks to a
// server, with servers that fail.
func Run(t *testing.T, kind datasources.Kind) {
	t.Helper()
	cases, err := filepath.Glob("testdata/*/want.yaml")
	if err != nil || len(cases) == 0 {
		t.Fatalf("%s has no testdata/CASE/want.yaml", kind.Name)
	}
	failing := false
	for _, name := range cases {
		dir := filepath.Dir(name)
		t.Run(filepath.Base(dir), func(t *testing.T) { runCase(t, kind, dir) })
		_, err := os.Stat(dir + "/http")
		if want := ReadWant(t, dir); err == nil && !failing && want.Error == "" && !want.NoFetch {
			failing = true
			t.Run("failing server", func(t *testing.T) { runFaults(t, kind, dir) })
		}
	}
}

func runCase(t *testing.T, kind datasources.Kind, dir string) {
	want := ReadWant(t, dir)
	host, err := datasources.RecordedHost(dir)
	if err != nil {
		t.Fatal(err)
	}
	got := Want{Arg: want.Arg, NoFetch: want.NoFetch}
	if want.NoFetch {
		got.Instance = want.Instance
	}
	finding := kind.Detect(host)
	got.Detect, got.Evidence = MatchName(finding.Match), finding.Evidence
	if finding.Match != datasources.No && finding.Evidence == "" {
		t.Error("Detect gives no evidence")
	}
	if !want.NoFetch {
		synctest.Test(t, func(t *testing.T) {
			inside := insideOf(t, dir)
			in, err := kind.Fetch(t.Context(), Env(host, want.Arg, inside))
			if err != nil {
				got.Error = err.Error()
			} else {
				got.Instance = View(in)
			}
			got.Requests = int(inside.requests.Load())
			if needs := (datasources.Candidate{Kind: kind}).NeedsHere(host); needs == datasources.Local && inside.network.Load() {
				t.Error("Fetch asks a server, but the datasource says that it needs no network: see Kind.NeedsOn")
			}
		})
	}
	if *update {
		writeWant(t, dir, got)
		return
	}
	if want.Evidence == "" {
		got.Evidence = ""
	}
	if want.Detect == "" {
		want.Detect = "yes"
	}
	if got.Requests <= want.Requests || want.Requests == 0 {
		got.Requests = want.Requests
	}
	if want.Error != "" && strings.Contains(got.Error, want.Error) {
		got.Error = want.Error
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
}

// Env is what a datasource's Fetch gets in a test.
func Env(h *datasources.Host, arg string, rt http.RoundTripper) datasources.Env {
	return datasources.Env{
		Host: h, Arg: arg, Version: "test",
		HTTP: &http.Client{Transport: rt},
		Log:  slog.New(slog.DiscardHandler),
	}
}

// MatchName is yes, maybe or no.
func MatchName(m datasources.Match) string {
	switch m {
	case datasources.Yes:
		return "yes"
	case datasources.Maybe:
		return "maybe"
	}
	return "no"
}

// View is an instance as plain data: user-data and vendor-data as text, of
// secrets only that they are there. Metadata is left out, because it repeats
// the recording.
func View(in *datasources.Instance) map[string]any {
	shown := *in
	shown.Metadata, shown.UserData, shown.VendorData, shown.VendorData2 = nil, nil, nil, nil
	b, err := json.Marshal(shown)
	if err != nil {
		return map[string]any{"error": err.Error()}
	}
	var v map[string]any
	if err := json.Unmarshal(b, &v); err != nil {
		return map[string]any{"error": err.Error()}
	}
	for key, data := range map[string][]byte{"user_data": in.UserData, "vendor_data": in.VendorData, "vendor_data2": in.VendorData2} {
		if data != nil {
			v[key] = asText(data)
		}
	}
	if in.Password != "" {
		v["password"] = "set"
	}
	if len(in.RandomSeed) > 0 {
		v["random_seed"] = fmt.Sprintf("%d bytes", len(in.RandomSeed))
	}
	if len(in.Files) > 0 {
		files := map[string]any{}
		for path, content := range in.Files {
			files[path] = asText(content)
		}
		v["files"] = files
	}
	if v["datasource"] == "" {
		delete(v, "datasource")
	}
	return v
}

func asText(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	return fmt.Sprintf("%d bytes, not text", len(b))
}

// ReadWant reads want.yaml of a case.
func ReadWant(t *testing.T, dir string) Want {
	t.Helper()
	b, err := os.ReadFile(dir + "/want.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var w Want
	if err := yaml.Unmarshal(b, &w); err != nil {
		t.Fatalf("%s/want.yaml: %v", dir, err)
	}
	// Numbers as JSON has them, so that both sides compare.
	j, err := json.Marshal(w.Instance)
	if err != nil {
		t.Fatal(err)
	}
	w.Instance = nil
	if err := json.Unmarshal(j, &w.Instance); err != nil {
		t.Fatal(err)
	}
	return w
}

func writeWant(t *testing.T, dir string, w Want) {
	t.Helper()
	b, err := document.Encode(w)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir+"/want.yaml", b, 0o644); err != nil {
		t.Fatal(err)
	}
}

// inside is a transport that calls the recorded service without a socket, so
// that a test's clock can run as fast as it likes.
type inside struct {
	handler  http.Handler
	requests atomic.Int32
	// network: a server was asked that is on a network, and not at a socket
	// whose host is a mere word.
	network atomic.Bool
}

func insideOf(t *testing.T, dir string) *inside {
	t.Helper()
	h, err := Handler(dir + "/http")
	if os.IsNotExist(err) {
		h = http.NotFoundHandler()
	} else if err != nil {
		t.Fatal(err)
	}
	return &inside{handler: h}
}

func (i *inside) RoundTrip(r *http.Request) (*http.Response, error) {
	i.requests.Add(1)
	if strings.ContainsAny(r.URL.Hostname(), ".:") {
		i.network.Store(true)
	}
	w := httptest.NewRecorder()
	done := make(chan struct{})
	go func() { defer close(done); i.handler.ServeHTTP(w, r) }()
	select {
	case <-done:
		res := w.Result()
		res.Request = r
		return res, nil
	case <-r.Context().Done():
		<-done
		return nil, r.Context().Err()
	}
}
