package module

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func open(t *testing.T) (*Set, *[]string) {
	t.Helper()
	dir := tree(t, map[string]string{
		"modules.dep": "kernel/virtio-net.ko: kernel/failover2.ko kernel/failover.ko\n" +
			"kernel/failover2.ko: kernel/failover.ko\nkernel/failover.ko:\nkernel/isofs.ko.xz:\n",
		"modules.builtin": "kernel/virtio_ring.ko\n",
		"modules.alias": "# comment\nalias virtio:d00000001v* virtio_net\nalias pci:v*d* other\nalias fs-iso9660 isofs\n" +
			"alias acpi*:VMBUS:* hv-vmbus\nalias acpi*:QEMU0002:* qemu_fw_cfg\nalias dmi*:svnMicrosoft*:pnVirtual* hv\n",
	})
	s, err := OpenDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	s.insert = func(path, params string) error {
		got = append(got, filepath.Base(path)+params)
		return nil
	}
	return s, &got
}

func TestLoadLoadsDependenciesFirstAndOnce(t *testing.T) {
	s, got := open(t)
	for range 2 {
		if err := s.Load("virtio_net", " napi=1"); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"failover.ko", "failover2.ko", "virtio-net.ko napi=1"}
	if d := cmp.Diff(want, *got); d != "" {
		t.Error(d)
	}
}

func TestBuiltInIsLoaded(t *testing.T) {
	s, got := open(t)
	if err := s.Load("virtio-ring", ""); err != nil || len(*got) != 0 {
		t.Errorf("Load = %v, inserted %v", err, *got)
	}
}

func TestDevicesMatchTheirDrivers(t *testing.T) {
	s, _ := open(t)
	for device, want := range map[string]string{
		"virtio:d00000001v00001AF4": "virtio_net",
		"acpi:VMBUS:":               "hv_vmbus",
		"acpi:QEMU0002:":            "qemu_fw_cfg",
		"dmi:bvnX:bd04/01/2014:svnMicrosoftCorporation:pnVirtualMachine:": "hv",
		"virtio:d00000002v00001AF4":                                       "",
		"acpi:PNP0501:":                                                   "",
	} {
		if got := strings.Join(s.Match(device), " "); got != want {
			t.Errorf("Match(%s) = %q, want %q", device, got, want)
		}
	}
}

func TestColdPlugLoadsWhatDevicesAskFor(t *testing.T) {
	s, got := open(t)
	sys := tree(t, map[string]string{
		"devices/pci0/0000:00:01.0/virtio0/modalias": "virtio:d00000001v00001AF4\n",
		"devices/pci0/0000:00:01.0/uevent":           "X=y\n",
	})
	names, err := s.ColdPlug(sys)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"virtio_net"}, names); d != "" {
		t.Error(d)
	}
	if len(*got) != 3 {
		t.Errorf("inserted %v", *got)
	}
}
