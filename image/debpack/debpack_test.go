package debpack

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

func write(t *testing.T) []byte {
	t.Helper()
	ros := filepath.Join(t.TempDir(), "ros")
	if err := os.WriteFile(ros, []byte("program"), 0o755); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	err := Write(&out, Options{Ros: ros, Units: fstest.MapFS{"cloud-final.service": {Data: []byte("[Unit]\n\n[Install]\nWantedBy=x\n")}, "cloud-config.target": {Data: []byte("[Unit]\n")}}, Version: "v0.1.0", Arch: "amd64",
		Time: time.Unix(1700000000, 0), Maintainer: "ros <ros@example.org>"})
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestTheSameInputsGiveTheSameBytes(t *testing.T) {
	if !bytes.Equal(write(t), write(t)) {
		t.Error("two packages of the same inputs differ")
	}
}

func TestDpkgReadsThePackage(t *testing.T) {
	file := filepath.Join(t.TempDir(), "p.deb")
	if err := os.WriteFile(file, write(t), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ arg, want string }{
		{"-I", "Provides: cloud-init"},
		{"-I", "Version: 0.1.0"},
		{"-c", "./usr/bin/cloud-init -> ros"},
		{"-c", "./usr/lib/systemd/system/cloud-final.service"},
		{"-c", "./usr/lib/systemd/system/cloud-config.target"},
		{"-I", "postrm"},
		{"-I", "Suggests: netplan.io"}, // or "apt autoremove" would take the network away
	} {
		out, err := exec.Command("dpkg-deb", test.arg, file).CombinedOutput()
		if err != nil || !strings.Contains(string(out), test.want) {
			t.Errorf("dpkg-deb %s: %v, want %q in\n%s", test.arg, err, test.want, out)
		}
	}
}
