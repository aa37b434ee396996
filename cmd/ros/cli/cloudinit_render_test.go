package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func runRender(t *testing.T, stdin string, args ...string) (code int, out, stderr string) {
	t.Helper()
	var o, e bytes.Buffer
	code = Main(context.Background(), append([]string{"cloud-init", "render"}, args...), strings.NewReader(stdin), &o, &e)
	return code, o.String(), e.String()
}

func TestRenderPrintsOneCloudConfig(t *testing.T) {
	vendor := filepath.Join(t.TempDir(), "vendor-data")
	if err := os.WriteFile(vendor, []byte("#cloud-config\na: vendor\nb: vendor\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, stderr := runRender(t, "#cloud-config\na: yes\n", "-", "--vendor-data", vendor)
	if want := "#cloud-config\na: true\nb: vendor\n"; code != 0 || out != want {
		t.Errorf("code %d, printed %q, want %q; %s", code, out, want, stderr)
	}
}

func TestRenderPrintsWhatIsGoodAndFailsForTheRest(t *testing.T) {
	in := "#cloud-config-archive\n- \"#cloud-config\\na: 1\"\n- \"#part-handler\"\n- \"#!/bin/sh\\n\"\n"
	code, out, stderr := runRender(t, in, "-", "--output", "json")
	if code != 1 || !strings.Contains(stderr, "Python") {
		t.Errorf("code %d, stderr %q, want 1 and the reason", code, stderr)
	}
	var got struct {
		Version int
		Config  map[string]int
		Scripts []struct{ Name, Mode, Content, Frequency string }
		Parts   []struct{ Handled bool }
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatal(err)
	}
	if got.Version != 1 || got.Config["a"] != 1 || len(got.Parts) != 4 || len(got.Scripts) != 1 ||
		got.Scripts[0].Mode != "0700" || got.Scripts[0].Frequency != "per-instance" {
		t.Errorf("printed %s", out)
	}
}

func TestRenderKnowsWrongUsage(t *testing.T) {
	for _, args := range [][]string{{}, {"-", "--output", "xml"}, {"-", "--nonsense"}} {
		if code, _, _ := runRender(t, "", args...); code != 2 {
			t.Errorf("%v: code %d, want 2", args, code)
		}
	}
	if code, _, _ := runRender(t, "", "/does/not/exist"); code != 1 {
		t.Errorf("a file that is not there: code %d, want 1", code)
	}
}
