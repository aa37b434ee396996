package vm

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The cards of networkMachine, by what they are for. All but the first are on
// wires inside QEMU.
const (
	macWAN    = "52:54:00:12:34:56" // QEMU's own for the first card
	macBondA  = "52:54:00:00:01:01"
	macBondB  = "52:54:00:00:01:02"
	macLACPA  = "52:54:00:00:02:01"
	macLACPB  = "52:54:00:00:02:02"
	macBridge = "52:54:00:00:04:01"
	macPlug   = "52:54:00:00:05:01"
)

// everything is a network-config with one of each.
const everything = `version: 2
ethernets:
  wan:
    match: {macaddress: "` + macWAN + `"}
    set-name: wan0
    mtu: 1480
    addresses: [10.0.2.15/24, "fd00:2::15/64"]
    accept-ra: false
    routes:
      - {to: default, via: 10.0.2.2, metric: 10}
      - {to: 203.0.113.0/24, via: 10.99.0.1, on-link: true, metric: 7}
      - {to: 203.0.113.0/24, via: 10.0.2.2, table: 101, mtu: 1300}
      - {to: "2001:db8:9::/48", via: "fd00:2::2"}
      - {to: 192.0.2.0/24, type: blackhole}
    routing-policy:
      - {from: 10.0.2.15/32, to: 203.0.113.0/24, table: 101, priority: 200}
      - {to: "2001:db8:8::/48", table: 102, priority: 201}
      - {from: 10.1.0.0/24, mark: 5, table: 103, priority: 202}
    nameservers: {addresses: [10.0.2.3], search: [one.example, two.example]}
  bonda: {match: {macaddress: "` + macBondA + `"}}
  bondb: {match: {macaddress: "` + macBondB + `"}}
  lacpa: {match: {macaddress: "` + macLACPA + `"}}
  lacpb: {match: {macaddress: "` + macLACPB + `"}}
  # What the test puts into a network of its own; nobody waits for it.
  peers: {match: {name: "eth[5-7]"}, optional: true}
  inbridge: {match: {macaddress: "` + macBridge + `"}}
  plug: {match: {macaddress: "` + macPlug + `"}, set-name: plug0, dhcp4: true, optional: true}
bonds:
  bond0:
    interfaces: [bonda, bondb]
    addresses: [10.1.0.5/24]
    mtu: 1450
    parameters: {mode: active-backup, primary: bonda, mii-monitor-interval: 100, fail-over-mac-policy: active, gratuitous-arp: 2}
  bond1:
    interfaces: [lacpa, lacpb]
    addresses: [10.77.0.5/24]
    parameters: {mode: 802.3ad, mii-monitor-interval: 100, lacp-rate: fast, transmit-hash-policy: layer3+4, min-links: 1, ad-select: bandwidth, up-delay: 0, down-delay: 0}
bridges:
  br0:
    interfaces: [inbridge]
    dhcp4: true
    dhcp4-overrides: {route-metric: 500, use-dns: false}
    parameters: {stp: false, forward-delay: 4, priority: 4096, path-cost: {inbridge: 44}}
vlans:
  office: {id: 100, link: bond0, addresses: [10.100.0.5/24], mtu: 1400}
`

// networkMachine is a machine with a cable for everything, and a socket for one
// card more.
func networkMachine(t *testing.T) Machine {
	return Machine{
		NetworkConfig: everything, Monitor: NewMonitor(t),
		Args: append(WiresArgs([]int{1, 4}, []NIC{
			{1, macBondA}, {1, macBondB}, {2, macLACPA}, {3, macLACPB},
			{2, "52:54:00:00:06:01"}, {3, "52:54:00:00:06:02"}, // eth5 and eth6, the other ends of bond1
			{1, "52:54:00:00:06:03"}, // eth7, the other end of the VLAN
			{4, macBridge},
		}), "-device", "pcie-root-port,id=socket,slot=7,chassis=7", "-netdev", "user,id=plugged,net=10.5.0.0/24,ipv6=off,restrict=on"),
	}
}

// TestNetworkOfEveryKind brings up links of every kind on the image's kernel and
// then changes them under our own feet.
func TestNetworkOfEveryKind(t *testing.T) {
	m := networkMachine(t)
	v := Boot(t, m)
	v.Eventually("sudo ros network status --output json", `"ready": true`, bootTime)
	linksAreMade(v)
	routesAreMade(v)
	peersAnswer(v)
	bondFailsOver(v, m.Monitor)
	nothingIsDoneTwice(v)
	cardsComeAndGo(v, m.Monitor)
	changesAreSafe(v)
}

// get reads what a command prints as JSON.
func get[T any](v *VM, command string) T {
	v.t.Helper()
	var out T
	text := v.Run(command)
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		v.t.Fatalf("%s: %v\n%s", command, err, text)
	}
	return out
}

// A link is what `ip -j -d link` says of one.
type link struct {
	Ifname, Address, Operstate, Link, Master string
	MTU                                      int
	Linkinfo                                 struct {
		Kind      string         `json:"info_kind"`
		Data      map[string]any `json:"info_data"`
		SlaveData map[string]any `json:"info_slave_data"`
	}
}

func (v *VM) link(name string) link {
	v.t.Helper()
	return get[[]link](v, "ip -j -d link show dev "+name)[0]
}

func (v *VM) want(what string, got, want any) {
	v.t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		v.t.Errorf("%s = %v, want %v", what, got, want)
	}
}

func linksAreMade(v *VM) {
	wan := v.link("wan0")
	v.want("the renamed card", []any{wan.Address, wan.MTU}, []any{macWAN, 1480})
	for name, options := range map[string]map[string]any{
		"bond0":  {"mode": "active-backup", "miimon": 100, "fail_over_mac": "active", "num_peer_notif": 2, "primary": "eth1", "active_slave": "eth1"},
		"bond1":  {"mode": "802.3ad", "ad_lacp_rate": "fast", "xmit_hash_policy": "layer3+4", "min_links": 1, "ad_select": "bandwidth"},
		"br0":    {"forward_delay": 400, "stp_state": 0, "priority": 4096},
		"office": {"id": 100, "protocol": "802.1Q"},
	} {
		l := v.link(name)
		for key, want := range options {
			v.want(name+"'s "+key, l.Linkinfo.Data[key], want)
		}
	}
	for member, master := range map[string]string{"eth1": "bond0", "eth2": "bond0", "eth3": "bond1", "eth4": "bond1", "eth8": "br0"} {
		v.want(member+"'s master", v.link(member).Master, master)
	}
	v.want("the port's cost", v.link("eth8").Linkinfo.SlaveData["cost"], 44)
	bond, office := v.link("bond0"), v.link("office")
	v.want("MTU of bond, VLAN and member, and what is below the VLAN",
		[]any{bond.MTU, office.MTU, v.link("eth2").MTU, office.Link}, []any{1450, 1400, 1450, "bond0"})
}

func routesAreMade(v *VM) {
	for _, line := range []struct{ command, want string }{
		{"ip addr show wan0", "inet 10.0.2.15/24"}, {"ip addr show wan0", "inet6 fd00:2::15/64"}, {"ip addr show bond0", "inet 10.1.0.5/24"},
		{"ip addr show br0", "inet 10.4.0.15/24"}, {"ip addr show office", "inet 10.100.0.5/24"},
		{"ip route", "default via 10.0.2.2 dev wan0 proto static metric 10"},
		{"ip route", "203.0.113.0/24 via 10.99.0.1 dev wan0 proto static metric 7 onlink"}, {"ip route", "blackhole 192.0.2.0/24"},
		{"ip route show table 101", "203.0.113.0/24 via 10.0.2.2 dev wan0 proto static mtu 1300"},
		{"ip -6 route", "2001:db8:9::/48 via fd00:2::2 dev wan0"},
		{"ip rule", "200:\tfrom 10.0.2.15 to 203.0.113.0/24 lookup 101"}, {"ip rule", "202:\tfrom 10.1.0.0/24 fwmark 0x5 lookup 103"},
		{"ip -6 rule", "201:\tfrom all to 2001:db8:8::/48 lookup 102"},
		{"ip route get 203.0.113.9 from 10.0.2.15", "via 10.0.2.2"}, {"ip route get 203.0.113.9", "via 10.99.0.1"},
		{"cat /etc/resolv.conf", "search one.example two.example\nnameserver 10.0.2.3"},
	} {
		v.Says(line.command, line.want)
	}
	status := get[struct {
		Links []struct {
			Name, Config string
			Addresses    []string
			Lease        *struct{ Server string }
		}
		Problems []string
	}](v, "sudo ros network status --output json")
	v.want("problems", status.Problems, "[]")
	for _, l := range status.Links {
		if l.Name == "br0" && (l.Config != "br0" || l.Lease == nil || l.Lease.Server != "10.4.0.2") {
			v.t.Errorf("status of br0 = %+v, want its lease", l)
		}
	}
}

// peersAnswer puts the other ends into a network of their own: an aggregate by
// 802.3ad needs somebody to talk to, and so does a VLAN.
func peersAnswer(v *VM) {
	v.Run(`sudo sh -ec 'ip netns add far; for l in eth5 eth6 eth7; do ip link set $l netns far; done
ip -n far link add name peer type bond mode 802.3ad miimon 100 lacp_rate fast
for l in eth5 eth6; do ip -n far link set $l down; ip -n far link set $l master peer; done
ip -n far addr add 10.77.0.1/24 dev peer; ip -n far link set peer up; ip -n far link set eth7 up
ip -n far link add link eth7 name tagged type vlan id 100; ip -n far addr add 10.100.0.1/24 dev tagged; ip -n far link set tagged up'`)
	v.Run("ping -c1 -w10 10.100.0.1")
	v.Run("ping -c1 -w30 10.77.0.1")
	v.Eventually("ip -j -d link show bond1", `"num_ports":2`, time.Minute)
	v.Eventually("sudo ros network status --output json | grep -c '\"name\": \"eth[567]\"' || true", "0", time.Minute)
}

// bondFailsOver takes the cable out of the active member and puts it in again.
func bondFailsOver(v *VM, monitor string) {
	for _, up := range []bool{false, true} {
		Monitor(v.t, monitor, Execute("set_link", map[string]any{"name": "card1", "up": up}))
		v.Eventually("cat /sys/class/net/bond0/bonding/active_slave", map[bool]string{true: "eth1", false: "eth2"}[up], time.Minute)
		v.Run("ping -c1 -w10 10.1.0.2")
	}
}

// steps is how many steps the network service has taken.
func (v *VM) steps() string { return v.Run("sudo system-docker logs network 2>&1 | grep -c step=") }

func nothingIsDoneTwice(v *VM) {
	before := v.steps()
	v.Run("sudo ros network apply")
	v.want("steps after the same config was applied again", v.steps(), before)
	links := v.Run("ip -j link | tr ',' '\n' | grep ifindex | xargs")
	v.Run("sudo system-docker restart -t 5 network")
	v.Eventually("sudo system-docker logs network 2>&1 | grep -c 'network is up'", "3", time.Minute)
	v.want("steps after the service was started again", v.steps(), before)
	v.want("links after the service was started again", v.Run("ip -j link | tr ',' '\n' | grep ifindex | xargs"), links)
}

func cardsComeAndGo(v *VM, monitor string) {
	Monitor(v.t, monitor, Execute("device_add", map[string]any{"driver": "virtio-net-pci", "netdev": "plugged", "bus": "socket", "id": "plug", "mac": macPlug}))
	v.Eventually("ip addr show plug0", "inet 10.5.0.15/24", time.Minute)
	v.Run("ping -c1 -w10 10.5.0.2")
	Monitor(v.t, monitor, Execute("device_del", map[string]any{"id": "plug"}))
	v.Eventually("ls /run/ros/leases/plug0.json 2>&1; ip link show plug0 2>&1 || true", "does not exist", time.Minute)
	v.Eventually("ls /run/ros/leases/plug0.json 2>&1 || true", "No such file", time.Minute)
}

// changed is the config with another address, no VLAN, and a bond that must go
// down for a moment.
func changed() string {
	before, _, _ := strings.Cut(everything, "vlans:\n")
	return strings.NewReplacer("10.1.0.5/24", "10.1.0.6/24", "lacp-rate: fast", "lacp-rate: slow", "mtu: 1480", "mtu: 1470").Replace(before)
}

func (v *VM) sendText(text, file string) {
	v.t.Helper()
	local := filepath.Join(v.t.TempDir(), "text")
	if err := os.WriteFile(local, []byte(text), 0o600); err != nil {
		v.t.Fatal(err)
	}
	v.Send(local, "cat > "+file)
}

func changesAreSafe(v *VM) {
	v.sendText(changed(), "changed.yml")
	v.sendText(strings.ReplaceAll(everything, "via: 10.0.2.2", "via: 10.0.2.77"), "bad.yml")
	isOld := func() {
		v.t.Helper()
		v.Says("ip addr show bond0", "inet 10.1.0.5/24")
		v.Says("ip route", "default via 10.0.2.2 dev wan0")
		v.Says("ip addr show office", "10.100.0.5/24")
		v.want("lacp_rate", v.link("bond1").Linkinfo.Data["ad_lacp_rate"], "fast")
	}

	out, err := v.Try("sudo ros network apply --config bad.yml --confirm 60s")
	if err == nil || !strings.Contains(out, "10.0.2.77 does not answer") {
		v.t.Errorf("a config without a gateway: %v, want an error that names the gateway\n%s", err, out)
	}
	isOld()

	v.Run("sudo ros network apply --config changed.yml --confirm 5s")
	v.Eventually("sudo system-docker logs network 2>&1", "nobody confirmed it", time.Minute)
	v.Eventually("ip addr show office 2>&1 || true", "10.100.0.5/24", time.Minute)
	isOld()

	v.Run("sudo ros network apply --config changed.yml --confirm 60s && sudo ros network confirm")
	v.Says("ip -br addr", "10.1.0.6/24")
	v.want("lacp_rate", v.link("bond1").Linkinfo.Data["ad_lacp_rate"], "slow")
	v.want("MTU", v.link("wan0").MTU, 1470)
	if out := v.Run("ip -br addr"); strings.Contains(out, "10.1.0.5/24") || strings.Contains(out, "office") {
		v.t.Errorf("what was taken away is still there:\n%s", out)
	}
	log := v.Run("sudo system-docker logs network 2>&1 | grep step= | tail -30")
	add, del := strings.LastIndex(log, "addr add 10.1.0.6/24"), strings.LastIndex(log, "addr del 10.1.0.5/24")
	if add < 0 || del < add {
		v.t.Errorf("the old address was removed before the new one was there:\n%s", log)
	}
}
