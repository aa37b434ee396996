package udev

import (
	"os"
	"path/filepath"
	"testing"
)

func TestOnlyDevicesThatRulesAreAboutAreAnnounced(t *testing.T) {
	sys := t.TempDir()
	device := func(path, subsystem string) string {
		dir := filepath.Join(sys, "devices", path)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink("../../class/"+subsystem, filepath.Join(dir, "subsystem")); err != nil {
			t.Fatal(err)
		}
		uevent := filepath.Join(dir, "uevent")
		if err := os.WriteFile(uevent, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		return uevent
	}
	disk, part := device("pci0/virtio0/block/vda", "block"), device("pci0/virtio0/block/vda/vda1", "block")
	bus, tty := device("pci0", "pci"), device("virtual/tty/tty1", "tty")
	if err := trigger(sys); err != nil {
		t.Fatal(err)
	}
	for uevent, want := range map[string]string{disk: "add\n", part: "add\n", bus: "", tty: ""} {
		if got, err := os.ReadFile(uevent); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v; want %q", uevent, got, err, want)
		}
	}
}

func TestMainRefusesAWrongCommandLine(t *testing.T) {
	for _, args := range [][]string{{"--run"}, {"extra"}, {"--no-such"}} {
		if code := Main(t.Context(), args); code != 2 {
			t.Errorf("Main(%q) = %d, want 2", args, code)
		}
	}
}
