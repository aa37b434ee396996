package netconf

import (
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rancheros/cloudconfig/network"
)

// replug takes the cable of a wire out and puts it in again.
func (w wire) replug(t *testing.T) {
	ip(t, "-n", w.ns, "link", "set", "far", "down")
	ip(t, "-n", w.ns, "link", "set", "far", "up")
}

func TestAnotherServerAfterTheCableMovedGivesAnotherAddress(t *testing.T) {
	t.Run("Authoritative", func(t *testing.T) { moveToAnotherServer(t, false) })
	t.Run("Meek", func(t *testing.T) { moveToAnotherServer(t, true) })
}

func moveToAnotherServer(t *testing.T, meek bool) {
	w := newWire(t, "eth0", "10.1.0.1/24")
	w.meek = meek
	stop := w.dnsmasq(t, "--dhcp-range=10.1.0.50,10.1.0.60,1h", "--dhcp-option=option:router,10.1.0.1", "--dhcp-option=option:dns-server,10.1.0.53",
		"--dhcp-option=option:mtu,1400")
	r := serve(t, Settings{Network: dhcpOn("eth0"), KeepHostname: true}, "")
	if !has(t, "link", "show", "eth0", "mtu 1400") {
		t.Errorf("link = %s, want the MTU of the lease", ip(t, "link", "show", "eth0"))
	}
	stop()
	ip(t, "-n", w.ns, "addr", "replace", "10.2.0.1/24", "dev", "far")
	ip(t, "-n", w.ns, "addr", "del", "10.1.0.1/24", "dev", "far")
	w.dnsmasq(t, "--dhcp-range=10.2.0.50,10.2.0.60,1h", "--dhcp-option=option:router,10.2.0.1", "--dhcp-option=option:dns-server,10.2.0.53")
	w.replug(t)
	await(t, "a lease of the other server", func() bool {
		l := leaseOn(r.status(t).Links, "eth0")
		return l != nil && netip.MustParsePrefix("10.2.0.0/24").Contains(l.Address.Addr())
	})
	if has(t, "addr", "show", "eth0", "inet 10.1.0.") || has(t, "route", "via 10.1.0.1") || !has(t, "route", "default via 10.2.0.1") {
		t.Errorf("the old lease is still there: %s\n%s", ip(t, "addr", "show", "eth0"), ip(t, "route"))
	}
	if c := r.file("resolv.conf"); !strings.Contains(c, "10.2.0.53") || strings.Contains(c, "10.1.0.53") {
		t.Errorf("resolv.conf = %q", c)
	}
}

func TestACableThatComesBackKeepsItsLease(t *testing.T) {
	w := newWire(t, "eth0", "10.1.0.1/24")
	w.dnsmasq(t, "--dhcp-range=10.1.0.50,10.1.0.60,1h", "--dhcp-option=option:router,10.1.0.1")
	r := serve(t, Settings{Network: dhcpOn("eth0"), KeepHostname: true}, "")
	before := leaseOn(r.status(t).Links, "eth0")
	changes := watch(t, "eth0")
	w.replug(t)
	await(t, "the server to be asked again", func() bool {
		l := leaseOn(r.status(t).Links, "eth0")
		return l != nil && l.Got.After(before.Got)
	})
	if l := leaseOn(r.status(t).Links, "eth0"); l.Address != before.Address {
		t.Errorf("address = %v, want %v as before", l.Address, before.Address)
	}
	for _, c := range changes() {
		if strings.HasPrefix(c, "Deleted") {
			t.Errorf("taken away for a moment: %s", c)
		}
	}
}

func TestDHCPNamesAMachineThatNobodyNamed(t *testing.T) {
	w := newWire(t, "eth0", "10.1.0.1/24")
	w.dnsmasq(t, "--dhcp-range=10.1.0.50,10.1.0.60,1h", "--dhcp-option=option:router,10.1.0.1", "--dhcp-option-force=12,leased.example")
	for _, tt := range []struct {
		name     string
		settings Settings
		want     string
	}{
		{"Nobody", Settings{DefaultHostname: "fallback"}, "leased.example"},
		{"Config", Settings{DefaultHostname: "fallback", Hostname: "chosen"}, "before"},
		{"Overridden", Settings{DefaultHostname: "fallback", Network: func() *network.Config {
			cfg := dhcpOn("eth0")
			no := false
			cfg.Links[0].DHCP4Overrides.UseHostname = &no
			return cfg
		}()}, "fallback"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := SetHostname("before", filepath.Join(t.TempDir(), "hosts")); err != nil {
				t.Fatal(err)
			}
			if tt.settings.Network == nil {
				tt.settings.Network = dhcpOn("eth0")
			}
			r := serve(t, tt.settings, "")
			if name, err := os.Hostname(); err != nil || name != tt.want {
				t.Errorf("host name = %q, %v, want %q", name, err, tt.want)
			}
			if h := r.file("hosts"); tt.settings.Hostname == "" && !strings.Contains(h, "127.0.1.1\t"+tt.want) {
				t.Errorf("hosts = %q", h)
			}
			r.stop()
		})
	}
}

func TestANameGivenByHandStaysUntilOursChanges(t *testing.T) {
	w := newWire(t, "eth0", "10.1.0.1/24")
	w.dnsmasq(t, "--dhcp-range=10.1.0.50,10.1.0.60,1h", "--dhcp-option-force=12,leased")
	r := serve(t, Settings{Network: dhcpOn("eth0"), DefaultHostname: "fallback"}, "")
	before := leaseOn(r.status(t).Links, "eth0")
	if name, err := os.Hostname(); err != nil || name != "leased" {
		t.Fatalf("host name = %q, %v, want leased", name, err)
	}
	// As docker-machine does.
	if err := SetHostname("byhand", filepath.Join(t.TempDir(), "hosts")); err != nil {
		t.Fatal(err)
	}
	w.replug(t)
	await(t, "the server to be asked again", func() bool {
		l := leaseOn(r.status(t).Links, "eth0")
		return l != nil && l.Got.After(before.Got)
	})
	r.stop()
	if name, err := os.Hostname(); err != nil || name != "byhand" {
		t.Errorf("host name = %q, %v, want the one given by hand", name, err)
	}
}

// TestAnswersLeaveByTheLinkThatTheQuestionCameIn asks from networks that only the
// router of the link in question knows.
func TestAnswersLeaveByTheLinkThatTheQuestionCameIn(t *testing.T) {
	for i, link := range []string{"eth0", "eth1", "eth2"} {
		n := string(rune('1' + i))
		w := newWire(t, link, "10."+n+".0.1/24")
		ip(t, "-n", w.ns, "addr", "add", "198.51.100."+n+"/32", "dev", "lo")
		w.dnsmasq(t, "--dhcp-range=10."+n+".0.50,10."+n+".0.60,1h", "--dhcp-option=option:router,10."+n+".0.1")
	}
	r := serve(t, Settings{Network: dhcpOn("eth0", "eth1", "eth2"), KeepHostname: true}, "")
	for i, link := range []string{"eth0", "eth1", "eth2"} {
		own := leaseOn(r.status(t).Links, link).Address.Addr().String()
		from := "198.51.100." + string(rune('1'+i))
		if out, err := exec.Command("ip", "netns", "exec", "ns-"+link, "ping", "-c1", "-W2", "-I", from, own).CombinedOutput(); err != nil {
			t.Errorf("ping from %s to %s: %s\nrules: %s", from, own, out, ip(t, "rule"))
		}
	}
	// What the machine has beside, as a network of containers, is answered there.
	newWire(t, "box0")
	ip(t, "addr", "add", "10.9.0.1/24", "dev", "box0")
	ip(t, "link", "set", "box0", "up")
	own := leaseOn(r.status(t).Links, "eth2").Address.Addr().String()
	if got := ip(t, "route", "get", "10.9.0.7", "from", own); !strings.Contains(got, "dev box0") {
		t.Errorf("from %s to a container: %s", own, got)
	}
	// A card that goes takes its rules and its table along.
	ip(t, "link", "del", "eth1")
	await(t, "the link to be forgotten", func() bool {
		return !slices.ContainsFunc(r.status(t).Links, func(l StatusLink) bool { return l.Name == "eth1" }) && strings.Count(ip(t, "rule"), "lookup 100") == 1
	})
}

// TestAnswersOfIPv6LeaveByTheLinkThatTheQuestionCameIn is the same with routers
// that advertise, which a machine hears at any time.
func TestAnswersOfIPv6LeaveByTheLinkThatTheQuestionCameIn(t *testing.T) {
	cfg := &network.Config{}
	names := []string{"eth0", "eth1", "eth2"}
	for i, link := range names {
		n := string(rune('1' + i))
		w := newWire(t, link, "2001:db8:5"+n+"::1/64")
		ip(t, "-n", w.ns, "addr", "add", "2001:db8:ff:"+n+"::1/128", "dev", "lo")
		// Who says later that it is no router is forgotten as one.
		ip(t, "netns", "exec", w.ns, "sysctl", "-qw", "net.ipv6.conf.all.forwarding=1")
		w.dnsmasq(t, "--enable-ra", "--dhcp-range=2001:db8:5"+n+"::,ra-only")
		cfg.Links = append(cfg.Links, network.Link{ID: link, Kind: network.Physical, IPv6Mode: "slaac"})
	}
	serve(t, Settings{Network: cfg, KeepHostname: true}, "")
	rules := func() int { return strings.Count(ip(t, "-6", "rule"), "lookup 100") }
	await(t, "rules for each link", func() bool { return rules() == len(names) })
	for i, link := range names {
		n := string(rune('1' + i))
		own := strings.Fields(ip(t, "-6", "rule", "show", "table", "100"+n))[2]
		if !netip.MustParsePrefix("2001:db8:5" + n + "::/64").Contains(netip.MustParseAddr(own)) {
			t.Fatalf("rules of %s: %s", link, ip(t, "-6", "rule"))
		}
		from := "2001:db8:ff:" + n + "::1"
		await(t, "an answer from "+own+" to "+from, func() bool {
			return exec.Command("ip", "netns", "exec", "ns-"+link, "ping", "-c1", "-W1", "-I", from, own).Run() == nil
		})
	}
	ip(t, "link", "del", "eth1")
	await(t, "the rule to go with its link", func() bool { return rules() == len(names)-1 })
}

func TestACardThatIsUnpluggedLeavesNothingBehind(t *testing.T) {
	first := newWire(t, "eth0", "10.1.0.1/24")
	first.dnsmasq(t, "--dhcp-range=10.1.0.50,10.1.0.60,1h", "--dhcp-option=option:router,10.1.0.1", "--dhcp-option=option:dns-server,10.1.0.53")
	plugged := newWire(t, "late0", "10.2.0.1/24")
	stop := plugged.dnsmasq(t, "--dhcp-range=10.2.0.50,10.2.0.60,1h", "--dhcp-option=option:router,10.2.0.1", "--dhcp-option=option:dns-server,10.2.0.53")
	leases := filepath.Join(t.TempDir(), "leases")
	r := serve(t, Settings{Network: dhcpOn("eth0", "late0"), KeepHostname: true}, leases)
	if c := r.file("resolv.conf"); !strings.Contains(c, "10.2.0.53") {
		t.Fatalf("resolv.conf = %q", c)
	}
	stop()
	ip(t, "netns", "del", plugged.ns)
	await(t, "resolv.conf without the servers of the card", func() bool { return !strings.Contains(r.file("resolv.conf"), "10.2.0.53") })
	await(t, "status without the card", func() bool { return leaseOn(r.status(t).Links, "late0") == nil && len(r.status(t).Links) > 0 })
	if _, err := os.Stat(leasePath(leases, "late0")); err == nil {
		t.Error("the lease of the card is still kept")
	}
	// Another card takes its name, in another network.
	other := newWire(t, "late0", "10.3.0.1/24")
	other.dnsmasq(t, "--dhcp-range=10.3.0.50,10.3.0.60,1h", "--dhcp-option=option:router,10.3.0.1")
	await(t, "a lease for the other card", func() bool { return has(t, "addr", "show", "late0", "inet 10.3.0.") })
	if has(t, "addr", "show", "late0", "inet 10.2.0.") {
		t.Errorf("the other card has the old lease: %s", ip(t, "addr", "show", "late0"))
	}
}

func TestTheServiceRenewsItsIPv6Lease(t *testing.T) {
	w := newWire(t, "eth0", "2001:db8:1::1/64")
	w.dnsmasq(t, "--enable-ra", "--dhcp-range=2001:db8:1::50,2001:db8:1::60,64,1h")
	cfg := links(network.Link{ID: "eth0", Kind: network.Physical, DHCP6: true})
	o := testOptions(t)
	o.All = true
	res, err := Up(t.Context(), cfg, o)
	if err != nil {
		t.Fatal(err)
	}
	old := *res.Leases["eth0"]
	v6 := *old.V6
	v6.Got = v6.Got.Add(-v6.Renew)
	old.V6 = &v6
	if err := saveLease(o.LeaseDir, &old); err != nil {
		t.Fatal(err)
	}
	r := serve(t, Settings{Network: cfg, KeepHostname: true}, o.LeaseDir)
	await(t, "renewal", func() bool {
		b, err := readLease(leasePath(o.LeaseDir, "eth0"), old.MAC)
		return err == nil && b != nil && b.V6 != nil && b.V6.Got.After(v6.Got.Add(b.V6.Renew/2))
	})
	if a := v6.Addresses[0].Address.String(); !has(t, "-6", "addr", "show", "eth0", a+"/128") {
		t.Errorf("the leased address %s is gone", a)
	}
	r.stop()
}

func TestALinkThatIsSlowerThanTheFirstGoesOnAsking(t *testing.T) {
	first := newWire(t, "eth0", "10.1.0.1/24")
	first.dnsmasq(t, "--dhcp-range=10.1.0.50,10.1.0.60,1h", "--dhcp-option=option:router,10.1.0.1")
	slow := newWire(t, "eth1", "10.2.0.1/24")
	o := testOptions(t)
	o.Linger = true
	res, err := Up(t.Context(), dhcpOn("eth0", "eth1"), o)
	if err != nil || res.First != "eth0" {
		t.Fatalf("Up() = %+v, %v", res, err)
	}
	slow.dnsmasq(t, "--dhcp-range=10.2.0.50,10.2.0.60,1h", "--dhcp-option=option:router,10.2.0.1")
	await(t, "a lease of the slower link", func() bool { return has(t, "addr", "show", "eth1", "inet 10.2.0.") })
	res.Stop()
	// Whoever comes next finds both.
	for _, link := range []string{"eth0", "eth1"} {
		if _, err := os.Stat(leasePath(o.LeaseDir, link)); err != nil {
			t.Errorf("lease of %s: %v", link, err)
		}
	}
}
