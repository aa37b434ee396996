package console

import (
	"os"
	"path/filepath"
	"testing"
)

func TestAHomeThatAPowerCutLeftHalfIsMadeWhole(t *testing.T) {
	home := filepath.Join(t.TempDir(), "rancher")
	half := filepath.Join(filepath.Dir(home), ".rancher.new")
	if err := os.MkdirAll(filepath.Join(half, "left-over"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := makeHome(home, os.Getuid()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(home, "left-over")); err == nil {
		t.Error("the home has what a half one had")
	}
	if _, err := os.Stat(half); err == nil {
		t.Error("the half home is still there")
	}
	if err := os.WriteFile(filepath.Join(home, "mine"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := makeHome(home, os.Getuid()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(home, "mine")); err != nil {
		t.Error("what the user did is lost:", err)
	}
}
