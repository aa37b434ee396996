package netconf

import (
	"net/netip"
	"os"
	"strings"
	"testing"

	"rancheros/cloudconfig/network"
)

func TestUpTakesAnIPv6Lease(t *testing.T) {
	w := newWire(t, "eth0", "2001:db8:1::1/64")
	w.dnsmasq(t, "--enable-ra", "--dhcp-range=2001:db8:1::50,2001:db8:1::60,64,1h",
		"--dhcp-option=option6:dns-server,[2001:db8:1::53]", "--dhcp-option=option6:domain-search,six.example")
	cfg := links(network.Link{ID: "eth0", Kind: network.Physical, DHCP6: true})
	o := testOptions(t)
	o.All = true
	res, err := Up(t.Context(), cfg, o)
	if err != nil {
		t.Fatalf("%v: %+v", err, res.Links)
	}
	v6 := res.Leases["eth0"].V6
	if v6 == nil || len(v6.Addresses) != 1 || !netip.MustParsePrefix("2001:db8:1::/64").Contains(v6.Addresses[0].Address) {
		t.Fatalf("lease = %+v", v6)
	}
	if got := strings.Join(append(res.DNS.Nameservers, res.DNS.Search...), " "); got != "2001:db8:1::53 six.example" {
		t.Errorf("names = %q", got)
	}
	if got := ip(t, "-6", "addr", "show", "eth0"); !strings.Contains(got, v6.Addresses[0].Address.String()+"/128") {
		t.Errorf("addresses = %s", got)
	}
	await(t, "the advertised default route", func() bool { return has(t, "-6", "route", "default via fe80::") })
}

func TestALinkWithoutIPv6IsOnOnlyTheOther(t *testing.T) {
	newWire(t, "eth0", "2001:db8:6::1/64")
	local := func() bool { return has(t, "-6", "addr", "show", "eth0", "fe80::") }
	ip(t, "link", "set", "eth0", "up")
	await(t, "an address of fe80::/10", local)
	no := false
	settle(t, links(network.Link{ID: "eth0", Kind: network.Physical, IPv6LL: &no, Addresses: prefixes("10.6.0.2/24")}))
	if local() {
		t.Errorf("addresses = %s", ip(t, "-6", "addr", "show", "eth0"))
	}
	// Nor does it come back with the carrier.
	ip(t, "link", "set", "eth0", "down")
	ip(t, "link", "set", "eth0", "up")
	if local() {
		t.Errorf("addresses after the link was down = %s", ip(t, "-6", "addr", "show", "eth0"))
	}
	settle(t, links(network.Link{ID: "eth0", Kind: network.Physical, Addresses: prefixes("10.6.0.2/24")}))
	await(t, "an address of fe80::/10", local)
}

func TestAStatelessServerGivesNamesOnly(t *testing.T) {
	w := newWire(t, "eth0", "2001:db8:2::1/64")
	w.dnsmasq(t, "--enable-ra", "--dhcp-range=2001:db8:2::,ra-stateless", "--dhcp-option=option6:dns-server,[2001:db8:2::53]")
	o := testOptions(t)
	o.All = true
	res, err := Up(t.Context(), links(network.Link{ID: "eth0", Kind: network.Physical, IPv6Mode: "dhcp-stateless"}), o)
	if err != nil {
		t.Fatalf("%v: %+v", err, res)
	}
	if got := strings.Join(res.DNS.Nameservers, " "); got != "2001:db8:2::53" || len(res.Leases["eth0"].V6.Addresses) != 0 {
		t.Errorf("names = %q, lease = %+v", got, res.Leases["eth0"].V6)
	}
}

func TestAMachineThatWasToldNothingUsesAnAdvertisedNetwork(t *testing.T) {
	w := newWire(t, "eth0", "2001:db8:3::1/64")
	w.dnsmasq(t, "--enable-ra", "--dhcp-range=2001:db8:3::,ra-only")
	res, err := Up(t.Context(), nil, testOptions(t))
	if err != nil {
		t.Fatal(err)
	}
	if len(res.Links) == 0 || res.Links[0].Method != "slaac" || !res.Links[0].Gateway.IsValid() {
		t.Errorf("Up() = %+v, want an advertised address with a gateway", res.Links)
	}
	t.Logf("slaac after %s", res.Took)
	// What the kernel made is not ours to take away.
	r := serve(t, Settings{Network: links(network.Link{ID: "eth0", Kind: network.Physical, Addresses: prefixes("2001:db8:3::9/64")}), KeepHostname: true}, "")
	r.stop()
	if a := res.Links[0].Addresses[0].Addr().String(); !has(t, "-6", "addr", "show", "eth0", a) {
		t.Errorf("the advertised address %s is gone", a)
	}
}

func TestAdvertisementsAreHeardWhileTheMachineForwards(t *testing.T) {
	w := newWire(t, "eth0", "2001:db8:4::1/64")
	w.dnsmasq(t, "--enable-ra", "--dhcp-range=2001:db8:4::,ra-only")
	if _, err := Up(t.Context(), nil, testOptions(t)); err != nil {
		t.Fatal(err)
	}
	const forwarding = "/proc/sys/net/ipv6/conf/all/forwarding"
	if err := os.WriteFile(forwarding, []byte("1"), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.WriteFile(forwarding, []byte("0"), 0o644) })
	// The kernel of a deaf link forgets its routers in this moment.
	if !has(t, "-6", "route", "default via fe80::") {
		t.Errorf("the advertised route is gone: %s", ip(t, "-6", "route"))
	}
}

func TestAdvertisedRoutesAreRankedByTheMetricOfTheirLink(t *testing.T) {
	cfg := &network.Config{}
	for i, metric := range []int{300, 200} {
		link := []string{"eth0", "eth1"}[i]
		n := string(rune('1' + i))
		w := newWire(t, link, "2001:db8:6"+n+"::1/64")
		w.dnsmasq(t, "--enable-ra", "--dhcp-range=2001:db8:6"+n+"::,ra-only")
		cfg.Links = append(cfg.Links, network.Link{ID: link, Kind: network.Physical, IPv6Mode: "slaac", DHCP6Overrides: network.Overrides{RouteMetric: &metric}})
	}
	settle(t, cfg)
	ranked := func(link, metric string) bool {
		return strings.Contains(ip(t, "-6", "route", "show", "default", "dev", link), " metric "+metric+" ")
	}
	await(t, "both default routes", func() bool { return ranked("eth0", "300") && ranked("eth1", "200") })
	if got := ip(t, "route", "get", "2001:db8:ff::1"); !strings.Contains(got, "dev eth1") {
		t.Errorf("the way out is %s, want it by eth1", got)
	}
}
