package distro

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rancheros/cloudconfig/network"
	"rancheros/cloudinit/tree"
	"rancheros/datasources"
)

func machine(t *testing.T, files ...string) *tree.Tree {
	t.Helper()
	dir := t.TempDir()
	for _, f := range files {
		p := filepath.Join(dir, f)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, nil, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	tr, err := tree.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tr.Close() })
	return tr
}

var no = false

// two is a machine with a static card, a VLAN on it, and one with DHCP.
var two = &network.Config{
	DNS: network.DNS{Nameservers: []string{"192.0.2.53"}},
	Links: []network.Link{
		{ID: "eth0", Kind: network.Physical, Name: "eth0", Match: network.Match{MAC: "02:00:00:00:00:01"}, MTU: 9000, IPv6LL: &no,
			Addresses: []netip.Prefix{netip.MustParsePrefix("192.0.2.7/24"), netip.MustParsePrefix("2001:db8::7/64")},
			Routes:    []network.Route{{To: netip.MustParsePrefix("0.0.0.0/0"), Via: netip.MustParseAddr("192.0.2.1"), Metric: 100}}},
		{ID: "eth1", Kind: network.Physical, DHCP4: true, Optional: true},
		{ID: "v7", Kind: network.VLAN, Name: "eth0.7", Parent: "eth0", VLANID: 7, DHCP4: true},
	},
}

func TestEachSystemGetsItsOwnWords(t *testing.T) {
	for _, test := range []struct {
		name  string
		there []string
		file  string
		want  []string
	}{
		{"netplan", []string{"usr/sbin/netplan", "etc/network/x", "sbin/ifup"}, "/etc/netplan/50-cloud-init.yaml", []string{"ethernets:", "192.0.2.7/24", "vlans:"}},
		{"systemd-networkd", []string{"etc/systemd/system/multi-user.target.wants/systemd-networkd.service"}, "/etc/systemd/network/10-cloud-init-eth0.network",
			[]string{"PermanentMACAddress=02:00:00:00:00:01", "Address=192.0.2.7/24", "Gateway=192.0.2.1", "VLAN=eth0.7", "DNS=192.0.2.53", "MTUBytes=9000", "DHCP=no", "LinkLocalAddressing=no"}},
		{"ifupdown", []string{"etc/network/x", "sbin/ifup"}, "/etc/network/interfaces.d/50-cloud-init",
			[]string{"auto eth0\niface eth0 inet static\n    address 192.0.2.7/24\n", "iface eth0 inet6 static", "ip route add 0.0.0.0/0 via 192.0.2.1 dev eth0 metric 100",
				"allow-hotplug eth1\niface eth1 inet dhcp\n", "vlan-raw-device eth0"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			tr := machine(t, test.there...)
			name, changed, err := Write(tr, two)
			if err != nil || name != test.name || !changed {
				t.Fatalf("Write() = %s, %v, %v", name, changed, err)
			}
			b, err := tr.ReadFile(test.file)
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range test.want {
				if !strings.Contains(string(b), want) {
					t.Errorf("want %q in\n%s", want, b)
				}
			}
			if _, changed, err := Write(tr, two); changed || err != nil {
				t.Errorf("written twice: changed %v, %v", changed, err)
			}
		})
	}
}

func TestFilesOfEarlierConfigsGo(t *testing.T) {
	tr := machine(t, "etc/systemd/system/multi-user.target.wants/systemd-networkd.service", "etc/systemd/network/20-mine.network")
	if _, _, err := Write(tr, two); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Write(tr, Fallback([]datasources.HostLink{{Name: "ens3", MAC: "02:00:00:00:00:09"}})); err != nil {
		t.Fatal(err)
	}
	names, _ := tr.List("/etc/systemd/network")
	if got := strings.Join(names, " "); got != "10-cloud-init-ens3.link 10-cloud-init-ens3.network 20-mine.network" {
		t.Errorf("there are %s", got)
	}
	if !Configured(tr) {
		t.Error("20-mine.network is somebody's, and was not seen")
	}
}

func TestAMachineWithoutAnyOfThemIsLeftAlone(t *testing.T) {
	tr := machine(t, "etc/x")
	if _, _, err := Write(tr, two); !errors.Is(err, ErrNoRenderer) {
		t.Errorf("Write() = %v", err)
	}
	if Configured(tr) {
		t.Error("nobody has configured anything")
	}
}
