package netconf

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"rancheros/cloudconfig/network"
)

// A Lease is what DHCP servers gave a link.
type Lease struct {
	// Link is the final name of the link, MAC its address.
	Link string `json:"link"`
	MAC  string `json:"mac"`
	// Address is the leased IPv4 address.
	Address netip.Prefix `json:"address,omitzero"`
	// Server is the DHCP server's own address.
	Server    netip.Addr      `json:"server,omitzero"`
	Routers   []netip.Addr    `json:"routers,omitempty"`
	Classless []network.Route `json:"classless_routes,omitempty"`
	DNS       []netip.Addr    `json:"dns,omitempty"`
	Search    []string        `json:"search,omitempty"`
	NTP       []netip.Addr    `json:"ntp,omitempty"`
	Hostname  string          `json:"hostname,omitempty"`
	MTU       int             `json:"mtu,omitempty"`
	// Private options that a cloud's datasource may ask for, by number:
	// 245 is Azure's wire server.
	Options map[uint8][]byte `json:"options,omitempty"`
	// Got is when the lease began; the others count from there. Duration 0 is
	// for ever.
	Got      time.Time     `json:"got"`
	Duration time.Duration `json:"duration"`
	Renew    time.Duration `json:"renew"`
	Rebind   time.Duration `json:"rebind"`
	// ACK is the server's whole answer, which renewals are made from.
	ACK []byte `json:"ack,omitempty"`
	// V6 is what DHCPv6 gave.
	V6 *Lease6 `json:"v6,omitempty"`
	// LinkLocal is an IPv4 link-local address that we took.
	LinkLocal netip.Prefix `json:"link_local,omitzero"`

	// lost: there was an address, and the server took it back.
	lost bool
}

// A Lease6 is what a DHCPv6 server gave.
type Lease6 struct {
	Addresses []Addr6       `json:"addresses,omitempty"`
	DNS       []netip.Addr  `json:"dns,omitempty"`
	Search    []string      `json:"search,omitempty"`
	Got       time.Time     `json:"got"`
	Renew     time.Duration `json:"renew"`
	Rebind    time.Duration `json:"rebind"`
	Reply     []byte        `json:"reply,omitempty"`
}

// An Addr6 is one leased IPv6 address.
type Addr6 struct {
	Address   netip.Addr    `json:"address"`
	Valid     time.Duration `json:"valid"`
	Preferred time.Duration `json:"preferred"`
}

// expired says whether the IPv4 lease is over.
func (l *Lease) expired(now time.Time) bool {
	return l.Address.IsValid() && l.Duration > 0 && now.After(l.Got.Add(l.Duration))
}

// asked is what of the lease the config still asks for; nil if nothing. A link
// that was leased and is static now keeps its lease, for the case that the
// config comes back.
func (l *Lease) asked(c network.Link) *Lease {
	if l == nil || !c.DHCP4 && !c.IPv4LL && !c.DHCP6 && c.IPv6Mode != "dhcp-stateless" {
		return nil
	}
	out := *l
	if !c.DHCP4 {
		out = Lease{Link: l.Link, MAC: l.MAC, Got: l.Got, V6: l.V6, LinkLocal: l.LinkLocal}
	}
	if !c.DHCP6 && c.IPv6Mode != "dhcp-stateless" {
		out.V6 = nil
	}
	if !c.IPv4LL {
		out.LinkLocal = netip.Prefix{}
	}
	return &out
}

// waiting says whether something that the config asks for is still to come.
func (l *Lease) waiting(c network.Link) bool {
	if l == nil {
		return c.DHCP4 || c.DHCP6 || c.IPv4LL
	}
	return c.DHCP4 && !l.Address.IsValid() && !l.lost
}

// gateways of the default route. Classless routes, where there are any, replace
// the router option (RFC 3442).
func (l *Lease) gateways() []netip.Addr {
	if len(l.Classless) == 0 {
		return l.Routers
	}
	var out []netip.Addr
	for _, r := range l.Classless {
		if r.To.Bits() == 0 && r.Via.IsValid() {
			out = append(out, r.Via)
		}
	}
	return out
}

// addTo puts the lease below what the config says of the link.
func (l *Lease) addTo(to *Link, c network.Link, metric int) {
	l.addAddresses(to)
	if l.Address.IsValid() && to.MTU == 0 && l.MTU >= 576 && !off(c.DHCP4Overrides.UseMTU) {
		to.MTU = l.MTU
	}
	if off(c.DHCP4Overrides.UseRoutes) || !l.Address.IsValid() {
		return
	}
	if m := c.DHCP4Overrides.RouteMetric; m != nil {
		metric = *m
	}
	if len(l.Classless) > 0 {
		for _, r := range l.Classless {
			r.Metric = metric
			to.Routes = append(to.Routes, Route{r, true})
		}
		return
	}
	if len(l.Routers) > 0 {
		to.Routes = append(to.Routes, Route{network.Route{
			To: netip.PrefixFrom(netip.IPv4Unspecified(), 0), Via: l.Routers[0], Metric: metric,
		}, true})
	}
}

func (l *Lease) addAddresses(to *Link) {
	has := func(a netip.Addr) bool {
		return slices.ContainsFunc(to.Addresses, func(x Addr) bool { return x.Prefix.Addr() == a })
	}
	if l.Address.IsValid() && !has(l.Address.Addr()) {
		left := l.Duration
		if left > 0 {
			left = max(time.Until(l.Got.Add(l.Duration)), time.Second)
		}
		to.Addresses = append(to.Addresses, Addr{l.Address, left, left, true})
	}
	if l.LinkLocal.IsValid() && !has(l.LinkLocal.Addr()) {
		to.Addresses = append(to.Addresses, Addr{Prefix: l.LinkLocal})
	}
	if l.V6 == nil {
		return
	}
	for _, a := range l.V6.Addresses {
		if !has(a.Address) {
			age := time.Since(l.V6.Got)
			to.Addresses = append(to.Addresses, Addr{
				netip.PrefixFrom(a.Address, 128), max(a.Valid-age, time.Second), max(a.Preferred-age, 0), true,
			})
		}
	}
}

// A savedLease says when it began by the clock that nobody sets: the time of
// day may jump by years when the first time server answers.
type savedLease struct {
	Lease
	GotAfterBoot  time.Duration `json:"got_after_boot"`
	Got6AfterBoot time.Duration `json:"got6_after_boot,omitempty"`
}

// sinceBoot is how long the machine runs, with the time that it slept.
func sinceBoot() time.Duration {
	var t unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &t) != nil {
		return 0
	}
	return time.Duration(t.Nano())
}

// saveLease keeps the lease for whoever takes over from us in this boot.
func saveLease(dir string, l *Lease) error {
	s := savedLease{Lease: *l, GotAfterBoot: sinceBoot() - time.Since(l.Got)}
	if l.V6 != nil {
		s.Got6AfterBoot = sinceBoot() - time.Since(l.V6.Got)
	}
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("encode lease of %s: %w", l.Link, err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("keep lease of %s: %w", l.Link, err)
	}
	return writeFile(leasePath(dir, l.Link), append(b, '\n'), 0o644)
}

func leasePath(dir, link string) string {
	return filepath.Join(dir, strings.ReplaceAll(link, "/", "_")+".json")
}

// loadLease reads what saveLease wrote for the card of that address; the link
// may have had another name then. Nil when there is none, or when it is over.
func loadLease(dir, link, mac string) (*Lease, error) {
	l, err := readLease(leasePath(dir, link), mac)
	if l != nil || err != nil {
		return l, err
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return nil, fmt.Errorf("read lease of %s: %w", link, err)
	}
	for _, f := range files {
		if l, err := readLease(f, mac); err == nil && l != nil {
			l.Link = link
			return l, nil
		}
	}
	return nil, nil
}

func readLease(file, mac string) (*Lease, error) {
	b, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read lease: %w", err)
	}
	var s savedLease
	if err := json.Unmarshal(b, &s); err != nil {
		return nil, fmt.Errorf("read lease from %s: %w", file, err)
	}
	now := time.Now()
	s.Got = now.Add(s.GotAfterBoot - sinceBoot())
	if s.V6 != nil {
		s.V6.Got = now.Add(s.Got6AfterBoot - sinceBoot())
	}
	if mac == "" || s.MAC != mac || s.expired(now) {
		return nil, nil
	}
	return &s.Lease, nil
}
