package datasources

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestVirtIsTheContainerFirstThenTheHypervisor(t *testing.T) {
	tests := []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"bare metal", map[string]string{"sys/class/dmi/id/sys_vendor": "Dell Inc."}, "none"},
		{"kvm by firmware", map[string]string{"sys/class/dmi/id/product_name": "KVM"}, "kvm"},
		{"qemu", map[string]string{"sys/class/dmi/id/sys_vendor": "QEMU"}, "qemu"},
		{"amazon", map[string]string{"sys/class/dmi/id/sys_vendor": "Amazon EC2"}, "amazon"},
		{"google", map[string]string{"sys/class/dmi/id/product_name": "Google Compute Engine"}, "google"},
		{"vmware", map[string]string{"sys/class/dmi/id/sys_vendor": "VMware, Inc."}, "vmware"},
		{"xen", map[string]string{"sys/hypervisor/type": "xen"}, "xen"},
		{"unknown hypervisor", map[string]string{"proc/cpuinfo": "flags\t: fpu hypervisor sse\n"}, "vm-other"},
		{"lxc on kvm", map[string]string{"proc/1/environ": "PATH=/bin\x00container=lxc\x00", "sys/class/dmi/id/sys_vendor": "QEMU"}, "lxc"},
		{"docker", map[string]string{".dockerenv": ""}, "docker"},
		{"podman", map[string]string{"run/.containerenv": ""}, "podman"},
		{"nspawn", map[string]string{"run/systemd/container": "systemd-nspawn\n"}, "systemd-nspawn"},
		{"wsl", map[string]string{"proc/sys/kernel/osrelease": "5.15.0-microsoft-standard-WSL2"}, "wsl"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := virt(host(tt.files)); got != tt.want {
				t.Errorf("virt() = %q, want %q", got, tt.want)
			}
		})
	}
}

func TestAPlainRootShowsItsFacts(t *testing.T) {
	root := t.TempDir()
	file := func(name, content string) {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	file("sys/class/net/eth0/device/vendor", "")
	file("sys/class/net/eth0/address", "02:AA:00:00:00:01\n")
	file("sys/class/net/eth0/operstate", "up\n")
	file("sys/class/net/lo/address", "00:00:00:00:00:00\n")
	file("sys/class/net/br0/address", "02:aa:00:00:00:01\n")
	file("proc/1/environ", "VMX_GUESTINFO=1\x00HOME=/\x00")
	h, err := RecordedHost(root)
	if err != nil {
		t.Fatal(err)
	}
	want := Facts{
		Virt: "none", Env: map[string]string{"VMX_GUESTINFO": "1"},
		Links: []HostLink{{Name: "eth0", MAC: "02:aa:00:00:00:01", Up: true}},
	}
	h.Links[0].Driver = ""
	if diff := cmp.Diff(want, h.Facts); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
}

func TestARecordingThatPointsOutOfItselfShowsNothing(t *testing.T) {
	root := t.TempDir()
	if err := os.Symlink("/etc/passwd", filepath.Join(root, "passwd")); err != nil {
		t.Fatal(err)
	}
	h, err := RecordedHost(root)
	if err != nil {
		t.Fatal(err)
	}
	if h.Exists("passwd") {
		t.Error("a link out of the recording was followed")
	}
}

func TestSharedFoldersAreDrives(t *testing.T) {
	h := host(map[string]string{"sys/bus/virtio/drivers/9pnet_virtio/virtio3/mount_tag": "config-2\x00"})
	want := []Block{{Name: "config-2", Label: "config-2", FSType: FS9P}}
	if diff := cmp.Diff(want, shares(h)); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
	h.Blocks = shares(h)
	if !HasConfigDrive(h) {
		t.Error("a shared folder with the tag config-2 is no config drive")
	}
}
