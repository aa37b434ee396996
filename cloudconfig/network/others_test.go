package network

import (
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestOpenStack(t *testing.T) {
	in := `{"links": [
 {"id": "v", "type": "vlan", "vlan_link": "b", "vlan_id": 12, "vlan_mac_address": "02:00:00:00:00:03"},
 {"id": "t1", "type": "ovs", "ethernet_mac_address": "02:00:00:00:00:01", "mtu": null},
 {"id": "t2", "type": "phy", "ethernet_mac_address": "02:00:00:00:00:02", "mtu": 9000},
 {"id": "b", "name": "team", "type": "bond", "bond_links": ["t1", "t2"], "bond_mode": "802.3ad", "bond_miimon": 100, "ethernet_mac_address": "02:00:00:00:00:01"}],
 "networks": [
 {"id": "n0", "link": "v", "type": "ipv4", "ip_address": "192.0.2.5", "netmask": "255.255.255.0", "routes": [{"network": "0.0.0.0", "netmask": "0.0.0.0", "gateway": "192.0.2.1"}], "services": [{"type": "dns", "address": "192.0.2.53"}]},
 {"id": "n1", "link": "v", "type": "ipv4", "ip_address": "192.0.2.6", "netmask": "255.255.255.0", "routes": [{"network": "0.0.0.0", "netmask": "0.0.0.0", "gateway": "192.0.2.1"}]},
 {"id": "n2", "link": "v", "type": "ipv6_dhcpv6-stateful"}],
 "services": [{"type": "dns", "address": "198.51.100.53"}]}`
	cfg, problems := FromOpenStack([]byte(in), map[string]string{"02:00:00:00:00:01": "ens3"})
	if len(problems) > 0 {
		t.Errorf("problems = %v", problems)
	}
	want := `
bonds:
  team:
    interfaces:
      - ens3
      - t2
    macaddress: 02:00:00:00:00:01
    nameservers:
      addresses:
        - 198.51.100.53
    parameters:
      mii-monitor-interval: 100
      mode: 802.3ad
ethernets:
  ens3:
    match:
      macaddress: 02:00:00:00:00:01
    set-name: ens3
  t2:
    match:
      macaddress: 02:00:00:00:00:02
    mtu: 9000
version: 2
vlans:
  team.12:
    accept-ra: true
    addresses:
      - 192.0.2.5/24
      - 192.0.2.6/24
    dhcp6: true
    id: 12
    link: team
    macaddress: 02:00:00:00:00:03
    nameservers:
      addresses:
        - 192.0.2.53
        - 198.51.100.53
    routes:
      - to: 0.0.0.0/0
        via: 192.0.2.1`
	if diff := cmp.Diff(strings.TrimSpace(want), body(cfg)); diff != "" {
		t.Errorf("FromOpenStack() (-want +got):\n%s", diff)
	}
}

func TestOpenStackCountsBondsAndKeepsNamesThatAreGiven(t *testing.T) {
	in := `{"links": [
 {"id": "p", "name": "front0", "type": "phy", "ethernet_mac_address": "02:00:00:00:00:0A"},
 {"id": "q", "type": "odd", "ethernet_mac_address": "02:00:00:00:00:0B"},
 {"id": "long-number-of-the-hosts-own", "type": "bond", "bond_links": ["q"], "bond_mode": "active-backup"},
 {"id": "w", "type": "vlan", "vlan_link": "long-number-of-the-hosts-own", "vlan_id": 3, "vlan_mac_address": "02:00:00:00:00:0C"}],
 "networks": [
 {"link": "p", "type": "ipv6", "ip_address": "2001:db8::5", "gateway": "fe80::1"},
 {"link": "w", "type": "ipv4", "ip_address": "192.0.2.5", "gateway": "192.0.2.1"}]}`
	cfg, problems := FromOpenStack([]byte(in), map[string]string{"02:00:00:00:00:0a": "ens3", "02:00:00:00:00:0b": "ens4"})
	if len(problems) > 0 {
		t.Errorf("problems = %v", problems)
	}
	want := `
bonds:
  bond0:
    interfaces:
      - ens4
    parameters:
      mode: active-backup
ethernets:
  ens4:
    match:
      macaddress: 02:00:00:00:00:0b
    set-name: ens4
  front0:
    accept-ra: false
    addresses:
      - 2001:db8::5/64
    match:
      macaddress: 02:00:00:00:00:0a
    routes:
      - on-link: true
        to: ::/0
        via: fe80::1
    set-name: front0
version: 2
vlans:
  bond0.3:
    addresses:
      - 192.0.2.5/24
    id: 3
    link: bond0
    macaddress: 02:00:00:00:00:0c
    routes:
      - to: 0.0.0.0/0
        via: 192.0.2.1`
	if diff := cmp.Diff(strings.TrimSpace(want), body(cfg)); diff != "" {
		t.Errorf("FromOpenStack() (-want +got):\n%s", diff)
	}
}

func TestOpenStackNamesLinksThatAreNotThere(t *testing.T) {
	_, problems := FromOpenStack([]byte(`{"links": [{"id": "b", "type": "bond", "bond_links": ["x"]}], "networks": [{"link": "y", "type": "ipv4_dhcp"}]}`), nil)
	if len(problems) != 2 || !strings.Contains(problems[0].Message, `no link "x"`) || !strings.Contains(problems[1].Message, `no link "y"`) {
		t.Errorf("problems = %v", problems)
	}
}

func TestKernelCommandLine(t *testing.T) {
	for _, tt := range []struct{ name, line, want string }{
		{"Nothing", "root=/dev/vda quiet", ""},
		{"InsideQuotes", `opt="more ip=dhcp"`, ""},
		{"Off", "ip=off", ""},
		{"DHCP", "ip=dhcp", "e*: dhcp4"},
		{"DHCPOnOneDevice", "ip=ens3:dhcp", "ens3: dhcp4"},
		{"DHCPInTheLongForm", "ip=::::box:ens3:dhcp", "ens3: dhcp4"},
		{"Static", "ip=192.0.2.5::192.0.2.1:255.255.255.0:box:ens3:off:192.0.2.53", "ens3: 192.0.2.5/24 via 192.0.2.1 dns 192.0.2.53"},
		{"StaticIPv6", "ip=[2001:db8::5]::[2001:db8::1]:64::ens3:off", "ens3: 2001:db8::5/64 via 2001:db8::1"},
		{"BothFamilies", "ip=ens3:dhcp ip6=ens3:dhcp", "ens3: dhcp4 dhcp6"},
		{"AnMTUOfDracut", "ip=ens3:dhcp:1400", "ens3: dhcp4 mtu 1400"},
		{"AnMTUAndAnAddressOfDracut", "ip=192.0.2.5::192.0.2.1:24::ens3:none:1400:02:00:00:00:00:0A", "ens3: 192.0.2.5/24 via 192.0.2.1 mtu 1400 mac 02:00:00:00:00:0a"},
		{"AnAddressOfDracutAlone", "ip=ens3:either6::02:00:00:00:00:0a", "ens3: dhcp6 mac 02:00:00:00:00:0a"},
		{"Base64", "network-config=dmVyc2lvbjogMgpldGhlcm5ldHM6IHthOiB7ZGhjcDQ6IHRydWV9fQo=", "a: dhcp4"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg, problems := FromKernel(Initramfs{Cmdline: tt.line})
			if len(problems) > 0 {
				t.Errorf("problems = %v", problems)
			}
			if got := brief(cfg); got != tt.want {
				t.Errorf("FromKernel() = %q, want %q", got, tt.want)
			}
		})
	}
}

// brief is a config in one line per link.
func brief(c *Config) string {
	if c == nil {
		return ""
	}
	var lines []string
	for _, l := range c.Links {
		s := l.ID + ":"
		if l.Manual {
			s += " manual"
		}
		if l.DHCP4 {
			s += " dhcp4"
		}
		if l.DHCP6 {
			s += " dhcp6"
		}
		for _, a := range l.Addresses {
			s += " " + a.String()
		}
		for _, r := range l.Routes {
			s += " via " + r.Via.String()
		}
		if len(l.DNS.Nameservers) > 0 {
			s += " dns " + strings.Join(l.DNS.Nameservers, ",")
		}
		if l.MTU > 0 {
			s += " mtu " + strconv.Itoa(l.MTU)
		}
		if l.MAC != "" {
			s += " mac " + l.MAC
		}
		lines = append(lines, s)
	}
	return strings.Join(lines, "\n")
}

func TestAWordThatIsNotUnderstoodLeavesTheNetworkAlone(t *testing.T) {
	for _, line := range []string{"ip=192.0.2.300::192.0.2.1:24::ens3:none", "ip=ens3:dhpc", "ip=what:ever:1400"} {
		cfg, problems := FromKernel(Initramfs{Cmdline: line})
		if cfg != nil || len(problems) != 1 {
			t.Errorf("FromKernel(%s) = %q, %v; want no config and a problem", line, brief(cfg), problems)
		}
	}
}

func TestWhatAnInitramfsConfiguredIsLeftAlone(t *testing.T) {
	cfg, problems := FromKernel(Initramfs{
		Cmdline: "ip=dhcp",
		Files: map[string][]byte{
			"net-ens3.conf":  []byte("DEVICE='ens3'\nPROTO='dhcp'\nIPV4ADDR='192.0.2.5'\nIPV4DNS0='192.0.2.53'\nIPV4DNS1='0.0.0.0'\n"),
			"net6-ens3.conf": []byte("DEVICE6=ens3\nIPV6PROTO=dhcp6\nIPV6ADDR=2001:db8::5\n"),
			"net-ens4.conf":  []byte("DEVICE='ens4'\nPROTO='none'\nIPV4ADDR='198.51.100.5'\nIPV4NETMASK='255.255.255.0'\nIPV4GATEWAY='198.51.100.1'\n"),
		},
		MACs: map[string]string{"ens3": "02:00:00:00:00:01"},
	})
	want := "ens3: manual dhcp4 dhcp6 dns 192.0.2.53\nens4: manual 198.51.100.5/24 via 198.51.100.1"
	if got := brief(cfg); got != want || len(problems) > 0 || cfg.Links[0].Match.MAC != "02:00:00:00:00:01" {
		t.Errorf("FromKernel() = %q, %v, want %q", got, problems, want)
	}
}

func TestAnInitramfsThatKnowsOneFamilyOnly(t *testing.T) {
	cfg, problems := FromKernel(Initramfs{
		Cmdline: "ip6=dhcp",
		Files: map[string][]byte{
			"net-ens3.conf":  []byte("DEVICE='ens3'\nPROTO='none'\n"),
			"net6-ens4.conf": []byte("DEVICE6=ens4\nIPV6PROTO=none\nIPV6ADDR=2001:db8::5\nIPV6NETMASK=64\nIPV6GATEWAY=fe80::1\nIPV6DNS0=2001:db8::53\nDOMAINSEARCH=a.example,b.example\n"),
		},
	})
	want := "ens3: manual\nens4: manual 2001:db8::5/64 via fe80::1 dns 2001:db8::53"
	if got := brief(cfg); got != want || len(problems) > 0 {
		t.Fatalf("FromKernel() = %q, %v, want %q", got, problems, want)
	}
	if got := cfg.Links[1]; len(got.DNS.Search) != 2 || !got.Routes[0].OnLink {
		t.Errorf("ens4 = %+v", got)
	}
}

func TestRancherKeys(t *testing.T) {
	yes := true
	cfg, problems := FromRancher(Rancher{
		DNS: DNS{Nameservers: []string{"192.0.2.53"}}, DHCPTimeout: 7, PreCommands: []string{"true"},
		Interfaces: map[string]RancherInterface{
			"eth*":  {DHCP: &yes},
			"up":    {Match: "mac=52:54:00:*", Address: "192.0.2.5/24", Gateway: "192.0.2.1", GatewayIPv6: "2001:db8::1", MTU: 1400},
			"eth1":  {Bond: "bond0"},
			"bond0": {BondOpts: map[string]string{"mode": "1", "miimon": "100", "weird": "x"}, VLANs: "100,200:foo"},
			"foo":   {Addresses: []string{"198.51.100.5/24"}},
			"br0":   {Bridge: "true"},
			"eth2":  {Bridge: "br0"},
		},
	})
	if len(problems) > 0 {
		t.Errorf("problems = %v", problems)
	}
	var got []string
	for _, l := range cfg.Links {
		got = append(got, strings.TrimSpace(strings.Join([]string{l.ID, l.Kind, l.Match.MAC, strings.Join(l.Members, "+"), l.Parent}, " ")))
	}
	want := []string{"bond0 bond  eth1", "br0 bridge  eth2", "eth* physical", "eth1 physical", "eth2 physical", "foo vlan   bond0", "up physical 52:54:00:*", "bond0.100 vlan   bond0"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("FromRancher() (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"mode": "1", "mii-monitor-interval": "100", "weird": "x"}, cfg.Links[0].Parameters); diff != "" {
		t.Errorf("bond (-want +got):\n%s", diff)
	}
}

func TestRancherMistakesAreNamed(t *testing.T) {
	_, problems := FromRancher(Rancher{Interfaces: map[string]RancherInterface{
		"a": {Address: "192.0.2.5.1/24"}, "b": {VLANs: "9999"}, "c": {Gateway: "2001:db8::1"}, "d": {Match: "serial: 7"},
	}})
	var got []string
	for _, p := range problems {
		got = append(got, p.Path)
	}
	if diff := cmp.Diff([]string{"interfaces.a.address", "interfaces.c.gateway", "interfaces.d.match", "interfaces.b.vlans"}, got); diff != "" {
		t.Errorf("paths (-want +got):\n%s", diff)
	}
}
