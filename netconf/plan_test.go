package netconf

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rancheros/cloudconfig/network"
)

// text is the plan, one step per line.
func text(ops []Op) string {
	var lines []string
	for _, o := range ops {
		lines = append(lines, o.String())
	}
	return strings.Join(lines, "\n")
}

func prefixes(list ...string) []netip.Prefix {
	var out []netip.Prefix
	for _, s := range list {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

func route(to, via string) network.Route {
	r := network.Route{To: netip.MustParsePrefix(to)}
	if via != "" {
		r.Via = netip.MustParseAddr(via)
	}
	return r
}

// card is a network card that is up, with addresses.
func card(name, mac string, addresses ...string) Link {
	l := Link{Name: name, Kind: network.Physical, MAC: mac, MTU: 1500, Up: true, Carrier: true}
	for _, p := range prefixes(addresses...) {
		l.Addresses = append(l.Addresses, Addr{Prefix: p})
	}
	return l
}

func lo() Link { return Link{Name: "lo", Kind: network.Loopback, Up: true} }

// want is the whole way from a config to the steps.
func steps(cfg *network.Config, have State, leases map[string]*Lease) (string, []string) {
	targets, _, problems := Match(cfg, have)
	w, more := Want(cfg, targets, have, leases)
	return text(Plan(have, w)), append(problems, more...)
}

func links(l ...network.Link) *network.Config { return &network.Config{Links: l} }

func TestPlan(t *testing.T) {
	old := card("eth0", "52:54:00:00:00:01", "10.0.0.5/24")
	no := false
	local := card("eth0", "52:54:00:00:00:01")
	local.LinkLocal = prefixes("fe80::1/64")
	mute := local
	mute.Sysctls = []Option{{acceptRA, "0"}, {addrGenMode, "1"}}
	metric := 200
	ranked := local
	ranked.Sysctls = []Option{{defaultRouteMetric, "200"}}
	usual := local
	usual.Sysctls = []Option{{defaultRouteMetric, "1024"}}
	old.Routes = []Route{{Route: route("0.0.0.0/0", "10.0.0.1")}}
	bond := network.Link{ID: "bond0", Kind: network.Bond, Members: []string{"eth0", "eth1"}, Parameters: map[string]string{"mode": "802.3ad", "lacp-rate": "fast", "mii-monitor-interval": "100"}, Addresses: prefixes("10.0.0.6/24")}
	made := Link{Name: "vlan7", Kind: network.VLAN, Parent: "eth0", VLANID: 7, Ours: true, Up: true}
	for _, tt := range []struct {
		name string
		have []Link
		cfg  *network.Config
		want string
	}{
		{"NothingToDo", []Link{lo(), old},
			links(network.Link{ID: "eth0", Kind: network.Physical, Addresses: prefixes("10.0.0.5/24"), Routes: []network.Route{route("0.0.0.0/0", "10.0.0.1")}}), ``},
		{"AddsBeforeItRemoves", []Link{lo(), old},
			links(network.Link{ID: "eth0", Kind: network.Physical, Addresses: prefixes("10.0.1.6/24"), Routes: []network.Route{route("0.0.0.0/0", "10.0.1.1"), route("10.9.0.0/16", "10.0.1.2")}}), `
addr add 10.0.1.6/24 dev eth0
route replace default via 10.0.1.1 dev eth0
route replace 10.9.0.0/16 via 10.0.1.2 dev eth0
addr del 10.0.0.5/24 dev eth0`},
		{"ASecondAddressOfTheNetworkSurvivesTheFirst", []Link{lo(), old},
			links(network.Link{ID: "eth0", Kind: network.Physical, Addresses: prefixes("10.0.0.6/24"), Routes: []network.Route{route("0.0.0.0/0", "10.0.0.1")}}), `
addr add 10.0.0.6/24 dev eth0
sysctl net/ipv4/conf/eth0/promote_secondaries=1
addr del 10.0.0.5/24 dev eth0`},
		{"AMachineWaitingForItsLeaseKeepsItsAddress", []Link{lo(), old},
			links(network.Link{ID: "eth0", Kind: network.Physical, DHCP4: true}), ``},
		{"AGatewayOutsideTheNetworkIsOnLink", []Link{lo(), card("eth0", "52:54:00:00:00:01")},
			links(network.Link{ID: "eth0", Kind: network.Physical, Addresses: prefixes("192.0.2.9/32"), Routes: []network.Route{route("0.0.0.0/0", "172.31.1.1")}}), `
addr add 192.0.2.9/32 dev eth0
route replace default via 172.31.1.1 onlink dev eth0`},
		{"TwoDefaultRoutesGetDifferentMetrics", []Link{lo(), card("eth0", "52:54:00:00:00:01", "10.0.0.5/24"), card("eth1", "52:54:00:00:00:02", "10.1.0.5/24")},
			links(network.Link{ID: "eth0", Kind: network.Physical, Addresses: prefixes("10.0.0.5/24"), Routes: []network.Route{route("0.0.0.0/0", "10.0.0.1")}},
				network.Link{ID: "eth1", Kind: network.Physical, Addresses: prefixes("10.1.0.5/24"), Routes: []network.Route{route("0.0.0.0/0", "10.1.0.1")}}), `
route replace default via 10.0.0.1 dev eth0
route replace default via 10.1.0.1 metric 1 dev eth1`},
		{"ABondIsMadeAndGetsItsMembersDown", []Link{lo(), card("eth0", "52:54:00:00:00:01", "10.0.0.5/24"), card("eth1", "52:54:00:00:00:02")},
			links(bond, network.Link{ID: "eth0", Kind: network.Physical}), `
link add bond0 type bond
link set bond0 type bond mode 802.3ad
link set bond0 type bond miimon 100
link set bond0 type bond lacp_rate fast
link set eth0 down
link set eth0 master bond0
link set eth1 down
link set eth1 master bond0
link set bond0 up
link set eth0 up
link set eth1 up
addr add 10.0.0.6/24 dev bond0
addr del 10.0.0.5/24 dev eth0`},
		{"AVLANOnABondInABridgeIsMadeInOrder", []Link{lo(), card("eth0", "52:54:00:00:00:01")},
			links(network.Link{ID: "br0", Kind: network.Bridge, Members: []string{"v9"}, Parameters: map[string]string{"forward-delay": "4", "stp": "true", "path-cost": "v9=30"}, MTU: 9000},
				network.Link{ID: "v9", Kind: network.VLAN, Parent: "bond0", VLANID: 9},
				network.Link{ID: "bond0", Kind: network.Bond, Members: []string{"eth0"}}), `
link add br0 type bridge
link add bond0 type bond
link add link bond0 name v9 type vlan id 9
link set br0 type bridge forward_delay 400
link set br0 type bridge stp_state 1
link set br0 mtu 9000
link set v9 master br0
link set v9 type bridge_slave path_cost 30
link set eth0 down
link set eth0 master bond0
link set br0 up
link set v9 up
link set bond0 up
link set eth0 up`},
		{"OnlyOurOwnLinksAreRemoved", []Link{lo(), card("eth0", "52:54:00:00:00:01"), made, {Name: "docker0", Kind: "bridge", Up: true}},
			links(network.Link{ID: "eth0", Kind: network.Physical}), `
link del vlan7`},
		{"NamesAreSwapped", []Link{lo(), card("eth0", "52:54:00:00:00:01"), card("eth1", "52:54:00:00:00:02")},
			links(network.Link{ID: "a", Kind: network.Physical, Name: "eth1", Match: network.Match{MAC: "52:54:00:00:00:01"}},
				network.Link{ID: "b", Kind: network.Physical, Name: "eth0", Match: network.Match{MAC: "52:54:00:00:00:02"}}), `
link set eth1 down
link set eth1 name reneth1
link set eth0 down
link set eth0 name eth1
link set reneth1 name eth0
link set eth1 up
link set eth0 up`},
		{"AVLANIsMadeWhenTheCardBelowItHasItsName", []Link{lo(), card("eth0", "52:54:00:00:00:01")},
			links(network.Link{ID: "lan0", Kind: network.Physical, Name: "lan0", Match: network.Match{MAC: "52:54:00:00:00:01"}},
				network.Link{ID: "lan0.5", Kind: network.VLAN, Parent: "lan0", VLANID: 5}), `
link set eth0 down
link set eth0 name lan0
link add link lan0 name lan0.5 type vlan id 5
link set lan0 up
link set lan0.5 up`},
		{"AManualLinkThatIsDownHasNoRoutesYet", []Link{lo(), {Name: "eth0", Kind: network.Physical}},
			links(network.Link{ID: "eth0", Kind: network.Physical, Manual: true, Addresses: prefixes("10.0.0.5/24"), Routes: []network.Route{route("0.0.0.0/0", "10.0.0.1")}}), `
addr add 10.0.0.5/24 dev eth0`},
		{"AManualLinkThatSomebodySetUpHasThem", []Link{lo(), card("eth0", "52:54:00:00:00:01", "10.0.0.5/24")},
			links(network.Link{ID: "eth0", Kind: network.Physical, Manual: true, Addresses: prefixes("10.0.0.5/24"), Routes: []network.Route{route("0.0.0.0/0", "10.0.0.1")}}), `
route replace default via 10.0.0.1 dev eth0`},
		{"ALinkWithoutLinkLocalAddressesLosesTheOneItHas", []Link{lo(), local},
			links(network.Link{ID: "eth0", Kind: network.Physical, DHCP4: true, IPv6LL: &no}), `
sysctl net/ipv6/conf/eth0/accept_ra=0
sysctl net/ipv6/conf/eth0/addr_gen_mode=1
addr del fe80::1/64 dev eth0`},
		{"ALinkThatMayHaveThemAgainHearsRoutersAgain", []Link{lo(), mute},
			links(network.Link{ID: "eth0", Kind: network.Physical, Addresses: prefixes("fe80::1/64")}), `
sysctl net/ipv6/conf/eth0/accept_ra=1
sysctl net/ipv6/conf/eth0/addr_gen_mode=0`},
		{"TheMetricOfIPv6IsThatOfTheAdvertisedRoute", []Link{lo(), usual},
			links(network.Link{ID: "eth0", Kind: network.Physical, DHCP6Overrides: network.Overrides{RouteMetric: &metric}}), `
sysctl net/ipv6/conf/eth0/ra_defrtr_metric=200`},
		{"AMetricThatIsThereIsNotSetAgain", []Link{lo(), ranked},
			links(network.Link{ID: "eth0", Kind: network.Physical, DHCP6Overrides: network.Overrides{RouteMetric: &metric}}), ``},
		{"AMetricThatLeavesTheConfigGoes", []Link{lo(), ranked}, links(network.Link{ID: "eth0", Kind: network.Physical}), `
sysctl net/ipv6/conf/eth0/ra_defrtr_metric=1024`},
		{"ARouteOfNoLinkIsNotTheLoopbacks", []Link{lo(), card("eth0", "52:54:00:00:00:01")},
			&network.Config{Links: []network.Link{{ID: "eth0", Kind: network.Physical}}, Routes: []network.Route{route("2001:db8::/32", "fe80::1")}}, `
route replace 2001:db8::/32 via fe80::1 dev eth0`},
		{"ARuleIsNumbered", []Link{lo()}, &network.Config{Rules: []network.Rule{{From: netip.MustParsePrefix("10.0.0.7/24"), Table: 7}}}, `
rule add from 10.0.0.0/24 priority 10000 table 7`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, problems := steps(tt.cfg, State{Links: tt.have}, nil)
			if diff := cmp.Diff(strings.TrimPrefix(tt.want, "\n"), got); diff != "" {
				t.Errorf("Plan() (-want +got):\n%s", diff)
			}
			if len(problems) > 0 {
				t.Errorf("problems = %q", problems)
			}
		})
	}
}

func TestALinkOnACardThatIsNotThereIsLeftOut(t *testing.T) {
	cfg := links(
		network.Link{ID: "v7", Kind: network.VLAN, Parent: "eth9", VLANID: 7},
		network.Link{ID: "v8", Kind: network.VLAN, Parent: "v7", VLANID: 8},
		network.Link{ID: "br0", Kind: network.Bridge, Members: []string{"eth9"}},
	)
	got, problems := steps(cfg, State{Links: []Link{lo()}}, nil)
	if want := "link add br0 type bridge\nlink set br0 up"; got != want {
		t.Errorf("Plan() = %q, want %q", got, want)
	}
	if len(problems) != 2 || !strings.Contains(problems[0], `"eth9", which it lies on, is not there`) {
		t.Errorf("problems = %q", problems)
	}
}

func TestASecondLeaseAnswersByItsOwnLink(t *testing.T) {
	lease := func(link, addr, gw string) *Lease {
		return &Lease{Link: link, Address: netip.MustParsePrefix(addr), Routers: []netip.Addr{netip.MustParseAddr(gw)}, Got: time.Now()}
	}
	have := State{Links: []Link{lo(), card("eth0", "52:54:00:00:00:01"), card("eth1", "52:54:00:00:00:02")}}
	got, _ := steps(dhcpOn("eth0", "eth1"), have, map[string]*Lease{"eth0": lease("eth0", "10.0.0.5/24", "10.0.0.1"), "eth1": lease("eth1", "10.1.0.5/24", "10.1.0.1")})
	want := `addr add 10.0.0.5/24 dev eth0
addr add 10.1.0.5/24 dev eth1
route replace default via 10.0.0.1 metric 100 dev eth0
route replace default via 10.1.0.1 metric 200 dev eth1
route replace default via 10.1.0.1 table 2002 dev eth1
route replace 10.1.0.0/24 table 1002 scope link dev eth1
rule add from 10.1.0.5/32 priority 10000 table 1002
rule add from 10.1.0.5/32 priority 10001 table 254 suppress_prefixlength 0
rule add from 10.1.0.5/32 priority 10002 table 2002`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Plan() (-want +got):\n%s", diff)
	}
}

func TestTwoAdvertisedNetworksAnswerByTheirOwnLinks(t *testing.T) {
	yes, no := true, false
	with := func(name, mac, network, router, addr string) Link {
		l := card(name, mac)
		l.Sysctls = []Option{{acceptRA, "2"}}
		l.Advertised = Advertised{Router: netip.MustParseAddr(router), Networks: prefixes(network), Addresses: []netip.Addr{netip.MustParseAddr(addr)}}
		return l
	}
	have := State{Links: []Link{lo(), with("eth0", "52:54:00:00:00:01", "2001:db8:1::/64", "fe80::1", "2001:db8:1::a"), with("eth1", "52:54:00:00:00:02", "2001:db8:2::/64", "fe80::2", "2001:db8:2::a")}}
	cfg := links(network.Link{ID: "eth0", Kind: network.Physical, AcceptRA: &yes},
		network.Link{ID: "eth1", Kind: network.Physical, AcceptRA: &yes, Addresses: prefixes("2001:db8:2::7/128"), Routes: []network.Route{{To: prefixes("2001:db8:2::/64")[0], Table: 101}}})
	cfg.Rules = []network.Rule{{From: prefixes("2001:db8:2::7/128")[0], Table: 101}}
	got, _ := steps(cfg, have, nil)
	want := `addr add 2001:db8:2::7/128 dev eth1
route replace ::/0 via fe80::1 table 2001 dev eth0
route replace 2001:db8:1::/64 table 1001 dev eth0
route replace 2001:db8:2::/64 table 101 dev eth1
route replace ::/0 via fe80::2 table 2002 dev eth1
route replace 2001:db8:2::/64 table 1002 dev eth1
rule add from 2001:db8:2::7/128 priority 10000 table 101
rule add from 2001:db8:1::a/128 priority 10001 table 1001
rule add from 2001:db8:1::a/128 priority 10002 table 254 suppress_prefixlength 0
rule add from 2001:db8:1::a/128 priority 10003 table 2001
rule add from 2001:db8:2::7/128 priority 10004 table 1002
rule add from 2001:db8:2::7/128 priority 10005 table 254 suppress_prefixlength 0
rule add from 2001:db8:2::7/128 priority 10006 table 2002
rule add from 2001:db8:2::a/128 priority 10007 table 1002
rule add from 2001:db8:2::a/128 priority 10008 table 254 suppress_prefixlength 0
rule add from 2001:db8:2::a/128 priority 10009 table 2002`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Plan() (-want +got):\n%s", diff)
	}
	// One network is the main table's business.
	cfg.Links[0].DHCP6Overrides.UseRoutes = &no
	if got, _ := steps(cfg, have, nil); strings.Contains(got, "table 100") {
		t.Errorf("Plan() = %s", got)
	}
}

func TestMatchPrefersMACThenNameThenDriverThenGlob(t *testing.T) {
	have := State{Links: []Link{card("eth0", "52:54:00:00:00:01"), card("eth1", "52:54:00:00:00:02"), card("eth2", "52:54:00:00:00:03"), card("eth10", "52:54:00:00:00:04")}}
	have.Links[2].Driver = "virtio_net"
	cfg := links(
		network.Link{ID: "star", Kind: network.Physical, Match: network.Match{Name: "eth*"}},
		network.Link{ID: "longer", Kind: network.Physical, Match: network.Match{Name: "eth1*"}},
		network.Link{ID: "virtio", Kind: network.Physical, Match: network.Match{Driver: []string{"virtio*"}}},
		network.Link{ID: "eth0", Kind: network.Physical},
		network.Link{ID: "eth1", Kind: network.Physical},
		network.Link{ID: "mac", Kind: network.Physical, Match: network.Match{MAC: "52:54:00:00:00:02"}},
	)
	targets, missing, problems := Match(cfg, have)
	got := map[string]string{}
	for _, x := range targets {
		got[x.Device] = x.Config.ID
	}
	want := map[string]string{"eth0": "eth0", "eth1": "mac", "eth2": "virtio", "eth10": "longer"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Match() (-want +got):\n%s", diff)
	}
	if len(missing) != 2 || len(problems) != 0 {
		t.Errorf("missing = %v, problems = %v", missing, problems)
	}
}

func TestACardThatAnotherHasTakenIsNotConfigured(t *testing.T) {
	const mac = "00:15:5d:00:00:01"
	have := State{Links: []Link{lo(), card("enP1", mac), card("eth0", mac)}}
	have.Links[1].Master = "eth0"
	for _, cfg := range []*network.Config{
		links(network.Link{ID: "lan0", Kind: network.Physical, Name: "lan0", Match: network.Match{MAC: mac}}),
		Default(have),
	} {
		targets, missing, problems := Match(cfg, have)
		if len(targets) != 1 || targets[0].Device != "eth0" || len(missing) != 0 || len(problems) != 0 {
			t.Errorf("Match() = %+v, missing %v, problems %q; want eth0 alone", targets, missing, problems)
		}
	}
}

func TestEqualClaimsAreAProblem(t *testing.T) {
	_, _, problems := Match(links(
		network.Link{ID: "b", Kind: network.Physical, Match: network.Match{Name: "e*0"}},
		network.Link{ID: "a", Kind: network.Physical, Match: network.Match{Name: "et*"}},
	), State{Links: []Link{card("eth0", "52:54:00:00:00:01")}})
	if len(problems) != 1 || !strings.Contains(problems[0], `"a" and "b" equally`) {
		t.Errorf("problems = %q", problems)
	}
}
