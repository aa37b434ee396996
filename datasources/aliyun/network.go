package aliyun

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"rancheros/cloudconfig/network"
	"rancheros/datasources"
	"rancheros/datasources/internal/wire"
)

// networkOf: DHCP gives each link its first address; further private addresses
// are static, and have a routing table where they are those of a further link.
func networkOf(h *datasources.Host, md wire.Doc) (*network.Config, error) {
	macs := md.Doc("network.interfaces.macs")
	if len(macs) == 0 {
		return nil, nil
	}
	names := make([]string, 0, len(macs))
	for mac := range macs {
		names = append(names, mac)
	}
	names = slices.DeleteFunc(names, func(mac string) bool { return len(h.Links) > 0 && wire.LinkName(h, mac) == "" })
	// By device, and where that is not known the primary first.
	primary := wire.MAC(md.Str("mac"))
	slices.SortFunc(names, func(a, b string) int {
		if pa, pb := wire.MAC(a) == primary, wire.MAC(b) == primary; pa != pb && len(h.Links) == 0 {
			if pa {
				return -1
			}
			return 1
		}
		return cmp.Or(natural(wire.LinkName(h, a), wire.LinkName(h, b)), strings.Compare(a, b))
	})
	c := &network.Config{DNS: network.DNS{Nameservers: list(md.Get("dns-conf.nameservers"))}}
	for i, mac := range names {
		l, rules, err := link(h, i, mac, wire.AsDoc(macs[mac]), len(names) > 1)
		if err != nil {
			return nil, fmt.Errorf("network/interfaces/macs/%s: %w", mac, err)
		}
		c.Links = append(c.Links, l)
		c.Rules = append(c.Rules, rules...)
	}
	return c, nil
}

// natural compares names as people count: eth2 comes before eth10.
func natural(a, b string) int {
	if len(a) != len(b) && strings.TrimRight(a, "0123456789") == strings.TrimRight(b, "0123456789") {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}

func link(h *datasources.Host, i int, mac string, n wire.Doc, several bool) (network.Link, []network.Rule, error) {
	l := wire.Link(h, mac, fmt.Sprintf("eth%d", i))
	l.DHCP4 = true
	l.DHCP6 = len(list(n.Get("ipv6s"))) > 0
	if several {
		metric := (i + 1) * 100
		l.DHCP4Overrides.RouteMetric = &metric
		if l.DHCP6 {
			l.DHCP6Overrides.RouteMetric = &metric
		}
	}
	first := n.Str("primary-ip-address")
	addrs := list(n.Get("private-ipv4s"))
	if first == "" && len(addrs) > 0 {
		first = addrs[0]
	}
	for _, a := range addrs {
		if a == first {
			continue
		}
		p, err := wire.Prefix(a, n.Str("netmask"))
		if err != nil {
			return l, nil, err
		}
		l.Addresses = append(l.Addresses, p)
	}
	if i == 0 || len(l.Addresses) == 0 {
		return l, nil, nil // who has leases sees to it that answers leave where the question came in
	}
	rules := policy(&l, 100+i, n.Str("gateway"), append([]string{first}, addrs...))
	return l, rules, nil
}

// policy sends what comes from addrs out by the link's own router.
func policy(l *network.Link, table int, gateway string, addrs []string) []network.Rule {
	r, ok := wire.DefaultRoute(gateway)
	if !ok {
		return nil
	}
	r.Table, r.OnLink = table, true
	l.Routes = append(l.Routes, r)
	var rules []network.Rule
	for _, s := range addrs {
		a, err := netip.ParseAddr(s)
		if err != nil {
			continue
		}
		rule := network.Rule{From: netip.PrefixFrom(a, a.BitLen()), Table: table, Priority: table}
		if !slices.Contains(rules, rule) {
			rules = append(rules, rule)
		}
	}
	return rules
}

// list reads what the service gives as several lines or as JSON in a text.
func list(v any) []string {
	if s, ok := v.(string); ok && strings.HasPrefix(strings.TrimSpace(s), "[") {
		var out []string
		if json.Unmarshal([]byte(s), &out) == nil {
			return out
		}
	}
	if s, ok := v.(string); ok {
		return strings.FieldsFunc(s, func(r rune) bool { return r == '\n' || r == ',' || r == ' ' })
	}
	return wire.Strings(v)
}
