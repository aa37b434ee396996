package netconf

import (
	"context"
	"encoding/json"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"rancheros/cloudconfig/network"
)

// A running is a service at work in a test.
type running struct {
	dir      string
	settings *Settings
	stop     func()
}

func (r *running) file(name string) string {
	b, _ := os.ReadFile(filepath.Join(r.dir, name))
	return string(b)
}

func (r *running) status(t *testing.T) *Status {
	t.Helper()
	var s Status
	if err := json.Unmarshal([]byte(r.file("network.json")), &s); err != nil {
		return &Status{}
	}
	return &s
}

// serve runs the service until the test ends or stop is called.
func serve(t *testing.T, s Settings, leases string) *running {
	t.Helper()
	dir := t.TempDir()
	if leases == "" {
		leases = filepath.Join(dir, "leases")
	}
	ctx, cancel := context.WithCancel(t.Context())
	ready, ended := make(chan struct{}), make(chan error, 1)
	r := &running{dir: dir, settings: &s}
	svc := Service{
		Load: func() (Settings, error) { return s, nil }, Log: testOptions(t).Log,
		ResolvConf: filepath.Join(dir, "resolv.conf"), Hosts: filepath.Join(dir, "hosts"),
		State: filepath.Join(dir, "network.json"), Socket: filepath.Join(dir, "socket"), Leases: leases, Ready: func() { close(ready) },
	}
	go func() { ended <- svc.Run(ctx) }()
	stopped := false
	r.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; err != nil {
			t.Error("Run():", err)
		}
	}
	t.Cleanup(r.stop)
	select {
	case <-ready:
	case <-time.After(15 * time.Second):
		t.Fatal("the network was not ready within 15 seconds")
	}
	return r
}

func TestTheServiceRenewsItsLease(t *testing.T) {
	w := newWire(t, "eth0", "10.1.0.1/24")
	w.dnsmasq(t, "--dhcp-range=10.1.0.50,10.1.0.60,2m", "--dhcp-option=option:router,10.1.0.1", "--dhcp-option=option:dns-server,10.1.0.53")
	o := testOptions(t)
	res, err := Up(t.Context(), nil, o)
	if err != nil {
		t.Fatal(err)
	}
	// dnsmasq gives no shorter lease, so this one is made older.
	old := *res.Leases["eth0"]
	old.Got = old.Got.Add(-old.Renew)
	if err := saveLease(o.LeaseDir, &old); err != nil {
		t.Fatal(err)
	}
	r := serve(t, Settings{Network: dhcpOn("eth0"), KeepHostname: true}, o.LeaseDir)
	if c := r.file("resolv.conf"); !strings.Contains(c, "nameserver 10.1.0.53") {
		t.Errorf("resolv.conf = %q", c)
	}
	await(t, "renewal", func() bool {
		l := leaseOn(r.status(t).Links, "eth0")
		return l != nil && l.Got.After(old.Got.Add(time.Second)) && l.Address == old.Address
	})
	r.stop()
	if a := ip(t, "-4", "addr", "show", "eth0"); !strings.Contains(a, old.Address.String()) {
		t.Errorf("after the service ended: %q, want the address kept", a)
	}
}

func TestALeaseOfAnotherServerIsRebound(t *testing.T) {
	w := newWire(t, "eth0", "10.1.0.1/24")
	w.dnsmasq(t, "--dhcp-range=10.1.0.50,10.1.0.60,2m", "--dhcp-option=option:router,10.1.0.1")
	o := testOptions(t)
	res, err := Up(t.Context(), nil, o)
	if err != nil {
		t.Fatal(err)
	}
	// The server that gave it is gone, and it is time to ask all.
	old := *res.Leases["eth0"]
	old.Got, old.Server = old.Got.Add(-old.Rebind), netip.MustParseAddr("10.1.0.9")
	if err := saveLease(o.LeaseDir, &old); err != nil {
		t.Fatal(err)
	}
	r := serve(t, Settings{Network: dhcpOn("eth0"), KeepHostname: true}, o.LeaseDir)
	await(t, "rebinding", func() bool {
		l := leaseOn(r.status(t).Links, "eth0")
		return l != nil && l.Got.After(old.Got.Add(time.Second)) && l.Server == netip.MustParseAddr("10.1.0.1")
	})
}

func leaseOn(links []StatusLink, name string) *StatusLease {
	for _, l := range links {
		if l.Name == name {
			return l.Lease
		}
	}
	return nil
}

func TestTheServiceTakesOverWhatUpDid(t *testing.T) {
	w := newWire(t, "eth0", "10.1.0.1/24")
	w.dnsmasq(t, "--dhcp-range=10.1.0.50,10.1.0.60,1h", "--dhcp-option=option:router,10.1.0.1")
	o := testOptions(t)
	res, err := Up(t.Context(), nil, o)
	if err != nil {
		t.Fatal(err)
	}
	// From here on nobody answers.
	ip(t, "-n", w.ns, "link", "set", "far", "arp", "off")
	changes := watch(t, "eth0")
	r := serve(t, Settings{Network: dhcpOn("eth0"), KeepHostname: true}, o.LeaseDir)
	l := leaseOn(r.status(t).Links, "eth0")
	if l == nil || l.Address != res.Leases["eth0"].Address {
		t.Errorf("lease = %+v, want the one of Up, %v", l, res.Leases["eth0"].Address)
	}
	for _, c := range changes() {
		if strings.HasPrefix(c, "Deleted") {
			t.Errorf("taken away for a moment: %s", c)
		}
	}
}

// watch collects what `ip monitor` says of IPv4 addresses and routes.
func watch(t *testing.T, link string) func() []string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "monitor")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command("ip", "-4", "monitor", "address", "route")
	c.Stdout = f
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	return func() []string {
		c.Process.Kill()
		c.Wait()
		f.Close()
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Split(strings.TrimSpace(string(b)), "\n")
	}
}

func TestACardPluggedInLaterIsConfigured(t *testing.T) {
	newWire(t, "eth0", "10.1.0.1/24")
	cfg := links(
		network.Link{ID: "eth0", Kind: network.Physical, Addresses: prefixes("10.1.0.5/24"), PostUp: []string{"ip link set $iface alias up-$iface"}},
		network.Link{ID: "late*", Kind: network.Physical, Addresses: prefixes("10.2.0.5/24"), Optional: true},
	)
	r := serve(t, Settings{Network: cfg, KeepHostname: true}, "")
	if got := ip(t, "link", "show", "eth0"); !strings.Contains(got, "alias up-eth0") {
		t.Errorf("post_up did not run: %s", got)
	}
	newWire(t, "late0", "10.2.0.1/24")
	await(t, "address of the new card", func() bool {
		out, _ := exec.Command("ip", "-4", "addr", "show", "late0").Output()
		return strings.Contains(string(out), "10.2.0.5/24")
	})
	r.stop()
}

func TestALinkThatWasDownHasItsRoutesAgain(t *testing.T) {
	newWire(t, "eth0")
	r := serve(t, Settings{Network: links(network.Link{
		ID: "eth0", Kind: network.Physical, Addresses: prefixes("10.1.0.2/24"), Routes: []network.Route{route("0.0.0.0/0", "10.1.0.1")},
	}), KeepHostname: true}, "")
	// Only what is done now shall count, not the look at the links at the start.
	newWire(t, "late0")
	await(t, "the service to have looked at its links", func() bool {
		return slices.ContainsFunc(r.status(t).Links, func(l StatusLink) bool { return l.Name == "late0" })
	})
	ip(t, "link", "set", "eth0", "down")
	ip(t, "link", "set", "eth0", "up")
	await(t, "the default route", func() bool { return has(t, "route", "default via 10.1.0.1") })
}

func TestOneOfEightCardsIsEnough(t *testing.T) {
	for _, n := range []string{"eth0", "eth1", "eth2", "eth3", "eth4", "eth6", "eth7"} {
		newWire(t, n)
	}
	w := newWire(t, "eth5", "10.1.0.1/24")
	w.dnsmasq(t, "--dhcp-range=10.1.0.50,10.1.0.60,1h", "--dhcp-option=option:router,10.1.0.1")
	res, err := Up(t.Context(), nil, testOptions(t))
	if err != nil {
		t.Fatal(err)
	}
	if res.First != "eth5" || res.Took > 1500*time.Millisecond {
		t.Errorf("Up() = %s after %s, want eth5 within 1.5s", res.First, res.Took)
	}
	t.Logf("eight cards: %s", res.Took)
}

func TestNobodyWaitsForOptionalLinks(t *testing.T) {
	newWire(t, "dead0")
	w := newWire(t, "eth0", "10.1.0.1/24")
	w.dnsmasq(t, "--dhcp-range=10.1.0.50,10.1.0.60,1h", "--dhcp-option=option:router,10.1.0.1")
	cfg := dhcpOn("eth0", "dead0")
	cfg.Links[1].Optional = true
	o := testOptions(t)
	o.All = true
	res, err := Up(t.Context(), cfg, o)
	if err != nil || res.First != "eth0" || res.Took > 2*time.Second {
		t.Errorf("Up() = %+v, %v, want eth0 without waiting for dead0", res, err)
	}
}

func TestAStepThatFailsElsewhereDoesNotSpoilALease(t *testing.T) {
	w := newWire(t, "eth0", "10.1.0.1/24")
	w.dnsmasq(t, "--dhcp-range=10.1.0.50,10.1.0.60,1h", "--dhcp-option=option:router,10.1.0.1")
	cfg := dhcpOn("eth0")
	// This machine's kernel refuses an MTU of 17.
	newWire(t, "bad0")
	cfg.Links = append(cfg.Links, network.Link{ID: "bad0", Kind: network.Physical, MTU: 17, Addresses: prefixes("10.3.0.5/24"), Optional: true})
	if res, err := Up(t.Context(), cfg, testOptions(t)); err != nil || !strings.HasPrefix(ip(t, "route", "show", "default"), "default via 10.1.0.1") {
		t.Errorf("Up() = %+v, %v", res, err)
	}
}

func TestUpSaysWhoDidNotAnswer(t *testing.T) {
	newWire(t, "eth0")
	o := testOptions(t)
	o.Timeout = 700 * time.Millisecond
	res, err := Up(t.Context(), nil, o)
	if err == nil || !strings.Contains(err.Error(), "eth0") || res.First != "" {
		t.Errorf("Up() = %+v, %v, want an error that names eth0", res, err)
	}
}

func TestClasslessRoutesReplaceTheRouter(t *testing.T) {
	w := newWire(t, "eth0", "10.1.0.1/24")
	w.dnsmasq(t, "--dhcp-range=10.1.0.50,10.1.0.60,1h", "--dhcp-option=option:router,10.1.0.99",
		"--dhcp-option=option:classless-static-route,0.0.0.0/0,10.1.0.1,192.168.7.0/24,10.1.0.2")
	if _, err := Up(t.Context(), dhcpOn("eth0"), testOptions(t)); err != nil {
		t.Fatal(err)
	}
	got := ip(t, "route")
	for _, want := range []string{"default via 10.1.0.1 ", "192.168.7.0/24 via 10.1.0.2 "} {
		if !strings.Contains(got, want) {
			t.Errorf("routes = %q, want %q", got, want)
		}
	}
	if strings.Contains(got, "10.1.0.99") {
		t.Errorf("routes = %q: the router option was used as well", got)
	}
}

func TestLinkUpTakesAFreeLinkLocalAddress(t *testing.T) {
	newWire(t, "eth0", "169.254.169.254/16")
	res, err := LinkUp(t.Context(), testOptions(t))
	if err != nil {
		t.Fatal(err)
	}
	a := res.Links[0].Addresses[0]
	if res.First != "eth0" || !netip.MustParsePrefix("169.254.0.0/16").Contains(a.Addr()) {
		t.Errorf("LinkUp() = %+v", res)
	}
	if out, err := exec.Command("ping", "-c1", "-W1", "169.254.169.254").CombinedOutput(); err != nil {
		if _, missing := exec.LookPath("ping"); missing == nil {
			t.Errorf("metadata server not reached: %s", out)
		}
	}
}
