package ec2

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"

	"rancheros/cloudconfig/network"
	"rancheros/datasources"
	"rancheros/datasources/internal/wire"
)

// nic is a network interface as metadata describes it.
type nic struct {
	mac          string
	card, device int
	wire.Doc
}

// networkConfig makes the config of all interfaces that the machine has. DHCP
// gives each its first address; further ones are said here only.
func networkConfig(h *datasources.Host, md wire.Doc) *network.Config {
	nics := interfaces(h, md)
	if len(nics) == 0 {
		return nil
	}
	var c network.Config
	for i, n := range nics {
		c.Links = append(c.Links, n.link(h, i, len(nics) > 1))
		if i > 0 {
			n.policy(&c, i)
		}
	}
	return &c
}

// interfaces are those that metadata and machine both have, the primary first.
func interfaces(h *datasources.Host, md wire.Doc) []nic {
	var nics []nic
	for mac, v := range md.Doc("network").Doc("interfaces").Doc("macs") {
		d := wire.AsDoc(v)
		if d == nil || len(h.Links) > 0 && wire.LinkName(h, mac) == "" {
			continue
		}
		n := nic{mac: wire.MAC(mac), Doc: d}
		n.card, _ = strconv.Atoi(d.Str("network-card"))
		n.device, _ = strconv.Atoi(d.Str("device-number"))
		nics = append(nics, n)
	}
	slices.SortFunc(nics, func(a, b nic) int {
		return cmp.Or(cmp.Compare(a.card, b.card), cmp.Compare(a.device, b.device), cmp.Compare(a.mac, b.mac))
	})
	return nics
}

func (n nic) link(h *datasources.Host, i int, several bool) network.Link {
	l := wire.Link(h, n.mac, "eth"+strconv.Itoa(i))
	l.DHCP4 = true
	l.DHCP6 = len(n.Strings("ipv6s")) > 0
	if several {
		metric := 100 * (i + 1)
		l.DHCP4Overrides.RouteMetric = &metric
		if l.DHCP6 {
			l.DHCP6Overrides.RouteMetric = &metric
		}
	}
	l.Addresses = append(n.further("local-ipv4s", "subnet-ipv4-cidr-block", 24),
		n.further("ipv6s", "subnet-ipv6-cidr-blocks", 128)...)
	return l
}

// further are the addresses behind the first, which DHCP gives.
func (n nic) further(list, subnet string, bits int) []netip.Prefix {
	if blocks := n.Strings(subnet); len(blocks) > 0 {
		if p, err := netip.ParsePrefix(blocks[0]); err == nil {
			bits = p.Bits()
		}
	}
	var found []netip.Prefix
	for i, s := range n.Strings(list) {
		if a, err := netip.ParseAddr(s); err == nil && i > 0 {
			found = append(found, netip.PrefixFrom(a, bits))
		}
	}
	return found
}

// policy lets answers leave by the interface that was asked: each secondary one
// has a routing table of its own.
func (n nic) policy(c *network.Config, i int) {
	subnet, err := netip.ParsePrefix(n.Str("subnet-ipv4-cidr-block"))
	addrs := n.Strings("local-ipv4s")
	if err != nil || len(addrs) == 0 {
		return
	}
	subnet = subnet.Masked()
	table := 100 + i
	l := &c.Links[len(c.Links)-1]
	l.Routes = append(l.Routes,
		network.Route{To: netip.PrefixFrom(netip.IPv4Unspecified(), 0), Via: subnet.Addr().Next(), Table: table},
		network.Route{To: subnet, Scope: "link", Table: table},
	)
	for _, s := range addrs {
		if a, err := netip.ParseAddr(s); err == nil {
			c.Rules = append(c.Rules, network.Rule{From: netip.PrefixFrom(a, 32), Table: table})
		}
	}
}
