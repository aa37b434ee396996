package vm

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// rancherNetwork is a cloud-config with rancher.network as RancherOS had it. The
// script arrives in the service's container before that starts.
const rancherNetwork = `#cloud-config
hostname: wired
ssh_authorized_keys: ["%s"]
write_files:
  - path: /test_hooks.sh
    container: network
    permissions: '0755'
    content: |
      #!/bin/sh
      echo "$@" >> /var/log/hooks
rancher:
  network:
    pre_cmds: [/test_hooks.sh pre_cmds]
    post_cmds: [[/test_hooks.sh, post_cmds]]
    dns: {nameservers: [10.0.2.3, 10.9.9.9], search: [mydomain.example, other.example]}
    interfaces:
      lo: {pre_up: [/test_hooks.sh pre_up lo]}
      eth0: {dhcp: true, pre_up: ["/test_hooks.sh pre_up $iface"], post_up: ["/test_hooks.sh post_up $iface"]}
      eth1:
        address: 10.1.0.100/24
        gateway: 10.1.0.9
        mtu: 1450
        vlans: "100,200:foobar"
        pre_up: ["/test_hooks.sh pre_up $iface"]
        post_up: ["/test_hooks.sh post_up $iface"]
      eth1.100: {address: 10.123.1.10/31}
      foobar: {addresses: [10.123.2.2/24, "fd00:123::2/64"], gateway_ipv6: "fd00:123::1"}
      eth2: {bridge: br0}
      eth3: {vlans: "300"}
      eth3.300: {bridge: br0}
      br0: {bridge: "true", dhcp: true, vlans: "100"}
      br0.100: {address: 10.123.3.5/24}
      "eth[45]": {bond: bond0}
      bond0: {bond_opts: {mode: "1", miimon: "100"}, address: 10.123.4.5/24}
      "mac6": {match: "mac=52:54:00:00:07:*", address: 10.123.5.5/24}
`

// TestRancherNetwork gives a machine its network by a cloud-config that it must
// fetch by that network: rancher.network and the kernel command line, which
// beats it.
func TestRancherNetwork(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "config"), fmt.Appendf(nil, rancherNetwork, PublicKey(t)), 0o600); err != nil {
		t.Fatal(err)
	}
	v := Boot(t, Machine{
		Metadata: Out(t, "ros-image") + " imds " + dir,
		Append: "rancher.cloud_init.datasources=[url:http://169.254.169.254/config] " +
			"rancher.network.interfaces.eth1.address=10.1.0.101/24 rancher.network.interfaces.eth1.gateway=10.1.0.2 rancher.network.interfaces.eth0.dhcp=true",
		Args: WiresArgs([]int{1, 2}, []NIC{
			{1, "52:54:00:00:06:01"}, {2, "52:54:00:00:06:02"}, {3, "52:54:00:00:06:03"},
			{4, "52:54:00:00:06:04"}, {4, "52:54:00:00:06:05"}, {5, "52:54:00:00:07:06"},
		}),
	})
	v.Eventually("sudo ros network status --output json", `"ready": true`, bootTime)
	v.Says("hostname", "wired")
	for _, line := range []struct{ command, want string }{
		// The command line beats the cloud-config, whose other keys stay.
		{"ip addr show eth1", "inet 10.1.0.101/24"}, {"ip addr show eth1", "mtu 1450"},
		{"ip route", "default via 10.1.0.2 dev eth1"},
		// A gateway on the second card does not take the first one's away.
		{"ip route", "default via 169.254.0.2 dev eth0"},
		{"ip -d link show eth1.100", "vlan protocol 802.1Q id 100"}, {"ip addr show eth1.100", "inet 10.123.1.10/31"},
		{"ip -d link show foobar", "vlan protocol 802.1Q id 200"}, {"ip addr show foobar", "inet 10.123.2.2/24"},
		{"ip -6 addr show foobar", "inet6 fd00:123::2/64"}, {"ip -6 route", "default via fd00:123::1 dev foobar"},
		{"ip link show eth2", "master br0"}, {"ip link show eth3.300", "master br0"}, {"ip addr show br0", "inet 10.2.0.15/24"},
		{"ip -d link show br0.100", "vlan protocol 802.1Q id 100"}, {"ip addr show br0.100", "inet 10.123.3.5/24"},
		{"cat /sys/class/net/bond0/bonding/mode", "active-backup"}, {"cat /sys/class/net/bond0/bonding/miimon", "100"},
		{"cat /sys/class/net/bond0/bonding/slaves", "eth4 eth5"}, {"ip addr show bond0", "inet 10.123.4.5/24"},
		{"ip addr show eth6", "inet 10.123.5.5/24"},
		{"cat /etc/resolv.conf", "search mydomain.example other.example\nnameserver 10.0.2.3\nnameserver 10.9.9.9"},
	} {
		v.Says(line.command, line.want)
	}
	if out := v.Run("ip addr show eth1"); strings.Contains(out, "10.1.0.100") {
		t.Errorf("the cloud-config's address is there beside that of the command line:\n%s", out)
	}
	v.Run("ping -c1 -w10 10.1.0.2")
	hooksRanInOrder(v)

	v.Run("sudo ros config set rancher.network.interfaces.foobar.addresses '[10.123.2.3/24]' && sudo ros service restart network")
	v.Eventually("ip -br addr show foobar", "10.123.2.3/24", time.Minute)
	v.Eventually("ip -br addr show foobar | grep -c 10.123.2.2/24 || true", "0", time.Minute)
	v.Says("ip addr show eth1", "inet 10.1.0.101/24")
}

func hooksRanInOrder(v *VM) {
	v.t.Helper()
	lines := strings.Split(v.Run("cat /var/log/hooks"), "\n")
	at := func(line string) int { return slices.Index(lines, line) }
	for _, pair := range [][2]string{
		{"pre_cmds", "pre_up eth0"}, {"pre_cmds", "pre_up eth1"}, {"pre_up eth0", "post_up eth0"}, {"pre_up eth1", "post_up eth1"},
		{"post_up eth0", "post_cmds"}, {"post_up eth1", "post_cmds"},
	} {
		if at(pair[0]) < 0 || at(pair[1]) <= at(pair[0]) {
			v.t.Errorf("%q does not come before %q: %q", pair[0], pair[1], lines)
		}
	}
	if n := len(lines); n != 6 {
		v.t.Errorf("%d commands ran, want 6, each once: %q", n, lines)
	}
}
