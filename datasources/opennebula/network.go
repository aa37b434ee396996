package opennebula

import (
	"cmp"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"rancheros/cloudconfig/network"
	"rancheros/datasources"
	"rancheros/datasources/internal/wire"
)

// ethVariable names a link and what it says of it. Contexts before 4.14 have no
// hardware addresses: their ETH0 is the machine's eth0.
var ethVariable = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^(ETH[0-9]+)_(MAC|METHOD|IP.*)$`) })

// networkOf makes a config of the ETHn_* variables. It is nil when they give no
// address and no method, which leaves links to DHCP.
func networkOf(h *datasources.Host, vars map[string]string) (*network.Config, error) {
	var names []string
	said := false
	for k := range vars {
		m := ethVariable().FindStringSubmatch(k)
		if m == nil {
			continue
		}
		said = said || m[2] != "MAC"
		if !slices.Contains(names, m[1]) {
			names = append(names, m[1])
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b))
	})
	if !said {
		return nil, nil
	}
	// DNS without a link is everyone's.
	c := &network.Config{DNS: network.DNS{Nameservers: fields(vars["DNS"])}}
	for _, name := range names {
		e := eth{vars, name}
		l, err := e.link(h)
		if err != nil {
			return nil, err
		}
		c.Links = append(c.Links, l)
	}
	return c, nil
}

// An eth is the variables of one link.
type eth struct {
	vars map[string]string
	name string
}

func (e eth) get(key string) string { return strings.TrimSpace(e.vars[e.name+"_"+key]) }

// mac is the link's hardware address, "" when nobody knows it.
func (e eth) mac(h *datasources.Host) string {
	if mac := e.get("MAC"); mac != "" {
		return mac
	}
	for _, l := range h.Links {
		if l.Name == strings.ToLower(e.name) {
			return l.MAC
		}
	}
	return ""
}

func (e eth) link(h *datasources.Host) (network.Link, error) {
	l := wire.Link(h, e.mac(h), strings.ToLower(e.name))
	switch e.get("METHOD") {
	case "dhcp":
		l.DHCP4 = true
	case "skip":
		l.Manual = true
		return l, nil
	}
	if err := e.address4(&l); err != nil {
		return l, err
	}
	if err := e.address6(&l); err != nil {
		return l, err
	}
	for _, gw := range []string{e.get("GATEWAY"), e.get("IP6_GATEWAY"), e.get("GATEWAY6")} {
		r, ok := wire.DefaultRoute(gw)
		if ok && !slices.ContainsFunc(l.Routes, func(have network.Route) bool { return have.Via == r.Via }) {
			r.Metric = number(e.get("METRIC"))
			l.Routes = append(l.Routes, r)
		}
	}
	if err := e.routes(&l); err != nil {
		return l, err
	}
	l.MTU = number(e.get("MTU"))
	l.DNS.Nameservers = fields(e.get("DNS"))
	l.DNS.Search = fields(e.get("SEARCH_DOMAIN"))
	return l, nil
}

func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

func (e eth) fail(key string, err error) error { return fmt.Errorf("%s_%s: %w", e.name, key, err) }

// address4: a link without an address has it in its hardware address, which
// OpenNebula makes as 02:00 and the four bytes.
func (e eth) address4(l *network.Link) error {
	ip := e.get("IP")
	if ip == "" && !l.DHCP4 {
		ip = fromMAC(l.Match.MAC)
	}
	if ip == "" {
		return nil
	}
	mask := e.get("MASK")
	if mask == "" {
		mask = "255.255.255.0"
	}
	p, err := wire.Prefix(ip, mask)
	if err != nil {
		return e.fail("IP", err)
	}
	l.Addresses = append(l.Addresses, p)
	return nil
}

func fromMAC(mac string) string {
	parts := strings.Split(mac, ":")
	if len(parts) != 6 {
		return ""
	}
	var b [4]byte
	for i, p := range parts[2:] {
		n, err := strconv.ParseUint(p, 16, 8)
		if err != nil {
			return ""
		}
		b[i] = byte(n)
	}
	return netip.AddrFrom4(b).String()
}

func (e eth) address6(l *network.Link) error {
	bits := e.get("IP6_PREFIX_LENGTH")
	if bits == "" {
		bits = "64"
	}
	for _, key := range []string{"IP6", "IPV6", "IP6_ULA"} {
		ip := e.get(key)
		if ip == "" {
			continue
		}
		p, err := wire.Prefix(ip, bits)
		if err != nil {
			return e.fail(key, err)
		}
		if !slices.Contains(l.Addresses, p) {
			l.Addresses = append(l.Addresses, p)
		}
	}
	return nil
}

// routes reads "10.0.0.0/8 via 192.0.2.1, ...".
func (e eth) routes(l *network.Link) error {
	for _, s := range strings.Split(e.get("ROUTES"), ",") {
		f := strings.Fields(s)
		if len(f) == 0 {
			continue
		}
		if len(f) != 3 || f[1] != "via" {
			return e.fail("ROUTES", fmt.Errorf("%q is not NETWORK via GATEWAY", strings.TrimSpace(s)))
		}
		to, err := wire.Prefix(f[0], "")
		if err != nil {
			return e.fail("ROUTES", err)
		}
		r, ok := wire.DefaultRoute(f[2])
		if !ok {
			return e.fail("ROUTES", fmt.Errorf("%q is no address", f[2]))
		}
		r.To = to.Masked()
		l.Routes = append(l.Routes, r)
	}
	return nil
}

// fields is strings.Fields with nil for none.
func fields(s string) []string {
	if f := strings.Fields(s); len(f) > 0 {
		return f
	}
	return nil
}
