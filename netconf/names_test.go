package netconf

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/dhcpv6"

	"rancheros/cloudconfig/network"
)

func TestNamesComeFromTheUserThenDHCPThenTheDefaults(t *testing.T) {
	no := false
	lease := map[string]*Lease{"eth0": {Link: "eth0", DNS: []netip.Addr{netip.MustParseAddr("192.0.2.1")}, Search: []string{"lease.example"}, Hostname: "leased", Got: time.Now()}}
	defaults := network.DNS{Nameservers: []string{"192.0.2.9"}, Search: []string{"default.example"}}
	for _, tt := range []struct {
		name   string
		cfg    network.Config
		leases map[string]*Lease
		want   string
	}{
		{"Defaults", network.Config{}, nil, "192.0.2.9 default.example"},
		{"DHCP", network.Config{}, lease, "192.0.2.1 lease.example"},
		{"User", network.Config{DNS: network.DNS{Nameservers: []string{"192.0.2.5"}}}, lease, "192.0.2.5 lease.example"},
		{"TheLinkOfTheUser", network.Config{Links: []network.Link{{ID: "eth0", DHCP4: true, DNS: network.DNS{Nameservers: []string{"192.0.2.6"}, Search: []string{"link.example"}}}}}, lease, "192.0.2.6 link.example"},
		{"NotAsked", network.Config{Links: []network.Link{{ID: "eth0", DHCP4: true, DHCP4Overrides: network.Overrides{UseDNS: &no}}}}, lease, "192.0.2.9 default.example"},
		{"NoDomains", network.Config{Links: []network.Link{{ID: "eth0", DHCP4: true, DHCP4Overrides: network.Overrides{UseDomains: "false"}}}}, lease, "192.0.2.1 default.example"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			target := Target{Name: "eth0", Config: network.Link{ID: "eth0", DHCP4: true}}
			if len(tt.cfg.Links) > 0 {
				target.Config = tt.cfg.Links[0]
			}
			d := DNS(&tt.cfg, []Target{target}, tt.leases, defaults)
			if got := strings.Join(append(d.Nameservers, d.Search...), " "); got != tt.want {
				t.Errorf("DNS() = %q, want %q", got, tt.want)
			}
		})
	}
	targets := []Target{{Name: "eth0", Config: network.Link{ID: "eth0", DHCP4: true}}}
	for _, tt := range []struct{ configured, want string }{{"chosen", "chosen"}, {"", "leased"}} {
		if got := Hostname(tt.configured, targets, lease, "fallback"); got != tt.want {
			t.Errorf("Hostname(%q) = %q, want %q", tt.configured, got, tt.want)
		}
	}
	if got := Hostname("", targets, nil, "fallback"); got != "fallback" {
		t.Errorf("Hostname() = %q, want the fallback", got)
	}
}

func TestHostsKeepsEveryOtherLine(t *testing.T) {
	for _, tt := range []struct{ name, in, host, want string }{
		{"Replaced", "127.0.0.1 localhost\n# mine\n127.0.1.1 old\n192.0.2.1 db\n", "new", "127.0.0.1 localhost\n# mine\n127.0.1.1\tnew\n192.0.2.1 db\n"},
		{"Added", "127.0.0.1 localhost\n", "a.example.org", "127.0.0.1 localhost\n127.0.1.1\ta.example.org a\n"},
		{"Made", "", "x", "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n127.0.1.1\tx\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, string(hostsWith([]byte(tt.in), tt.host))); diff != "" {
				t.Errorf("hostsWith() (-want +got):\n%s", diff)
			}
		})
	}
}

func TestResolvConfIsWrittenOnceAndInPlaceWhereItIsMounted(t *testing.T) {
	needKernel(t)
	dir := t.TempDir()
	file, mounted := filepath.Join(dir, "resolv.conf"), filepath.Join(dir, "mounted")
	for _, f := range []string{file, mounted} {
		if err := os.WriteFile(f, []byte("old\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mount(file, mounted, "", syscall.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Unmount(mounted, 0) })
	d := network.DNS{Nameservers: []string{"192.0.2.1", "10.0.0.2/24", "nonsense"}, Search: []string{"a.example"}}
	changed, err := WriteResolvConf(mounted, d)
	if err != nil || !changed {
		t.Fatalf("WriteResolvConf() = %v, %v", changed, err)
	}
	b, err := os.ReadFile(file)
	if want := "search a.example\nnameserver 192.0.2.1\nnameserver 10.0.0.2\n"; err != nil || !strings.HasSuffix(string(b), want) {
		t.Errorf("the file below the mount = %q, want %q", b, want)
	}
	if changed, err := WriteResolvConf(mounted, d); err != nil || changed {
		t.Errorf("WriteResolvConf() again = %v, %v, want no change", changed, err)
	}
}

func TestAnAnswerIsNotTrusted(t *testing.T) {
	ack := func(m ...dhcpv4.Modifier) *dhcpv4.DHCPv4 {
		a, err := dhcpv4.New(append([]dhcpv4.Modifier{
			dhcpv4.WithYourIP([]byte{192, 0, 2, 7}), dhcpv4.WithNetmask([]byte{255, 255, 255, 0}), dhcpv4.WithLeaseTime(600),
		}, m...)...)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	l, err := leaseOf("eth0", nil, ack(
		dhcpv4.WithOption(dhcpv4.OptHostName("bad\nname; reboot")),
		dhcpv4.WithOption(dhcpv4.OptDomainName("ok.example evil\nnameserver 6.6.6.6")),
		dhcpv4.WithOption(dhcpv4.OptRenewTimeValue(9999*time.Second)),
	))
	if err != nil {
		t.Fatal(err)
	}
	if l.Hostname != "" || l.Renew != 300*time.Second || l.Rebind <= l.Renew || l.Rebind >= l.Duration {
		t.Errorf("leaseOf() = %+v", l)
	}
	for _, s := range l.Search {
		if strings.ContainsAny(s, "\n ;") {
			t.Errorf("search = %q", l.Search)
		}
	}
	for _, ip := range [][]byte{{0, 0, 0, 0}, {127, 0, 0, 1}, {224, 0, 0, 1}} {
		if l, err := leaseOf("eth0", nil, ack(dhcpv4.WithYourIP(ip))); err == nil {
			t.Errorf("leaseOf(%v) = %+v, want an error", ip, l)
		}
	}
}

func TestAnIPv6AnswerIsNotTrusted(t *testing.T) {
	reply := func(m ...dhcpv6.Modifier) *dhcpv6.Message {
		r, err := dhcpv6.NewMessage(append(m, dhcpv6.WithIANA(dhcpv6.OptIAAddress{
			IPv6Addr: netip.MustParseAddr("2001:db8::7").AsSlice(), ValidLifetime: time.Hour,
		}))...)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	if l, err := lease6Of(reply(), false); err == nil {
		t.Errorf("lease6Of() of an answer without a server = %+v", l)
	}
	if l, err := lease6Of(reply(), true); err == nil {
		t.Errorf("lease6Of() of names without a server = %+v", l)
	}
	l, err := lease6Of(reply(dhcpv6.WithServerID(&dhcpv6.DUIDLL{HWType: 1, LinkLayerAddr: []byte{2, 0, 0, 0, 0, 1}})), false)
	if err != nil {
		t.Fatal(err)
	}
	if l.Renew < soonest || l.Rebind < l.Renew {
		t.Errorf("an address that is out of use is renewed after %s and %s", l.Renew, l.Rebind)
	}
}

func TestALeaseOfAnotherCardIsNotTakenOver(t *testing.T) {
	dir := t.TempDir()
	l := &Lease{Link: "eth0", MAC: "02:00:00:00:00:01", Address: netip.MustParsePrefix("192.0.2.7/24"), Got: time.Now(), Duration: time.Hour}
	if err := saveLease(dir, l); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		mac  string
		want bool
	}{{"02:00:00:00:00:01", true}, {"02:00:00:00:00:02", false}} {
		got, err := loadLease(dir, "eth0", tt.mac)
		if err != nil || (got != nil) != tt.want {
			t.Errorf("loadLease(%s) = %v, %v", tt.mac, got, err)
		}
	}
	l.Got = time.Now().Add(-2 * time.Hour)
	if err := saveLease(dir, l); err != nil {
		t.Fatal(err)
	}
	if got, _ := loadLease(dir, "eth0", l.MAC); got != nil {
		t.Errorf("loadLease() = %v, want none: it is over", got)
	}
}
