package ec2

import (
	"cmp"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"

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
			n.policy(h, &c, i)
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
		n.card, n.device = number(d, "network-card"), number(d, "device-number")
		nics = append(nics, n)
	}
	slices.SortFunc(nics, func(a, b nic) int {
		return cmp.Or(cmp.Compare(a.card, b.card), cmp.Compare(a.device, b.device), cmp.Compare(a.mac, b.mac))
	})
	return nics
}

// number reads a number that old services do not know: who has none comes last.
func number(d wire.Doc, key string) int {
	n, err := strconv.Atoi(d.Str(key))
	if err != nil {
		return math.MaxInt
	}
	return n
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
	bits := 24
	if subnets := n.subnets("subnet-ipv4-cidr-block"); len(subnets) > 0 {
		bits = subnets[0].Bits()
	}
	l.Addresses = append(further(n.addrs("local-ipv4s"), bits), further(n.addrs("ipv6s"), 128)...)
	return l
}

// further are the addresses behind the first, which DHCP gives.
func further(addrs []netip.Addr, bits int) []netip.Prefix {
	var found []netip.Prefix
	for i, a := range addrs {
		if i > 0 {
			found = append(found, netip.PrefixFrom(a, bits))
		}
	}
	return found
}

func (n nic) addrs(list string) []netip.Addr {
	var found []netip.Addr
	for _, s := range n.Strings(list) {
		s, _, _ = strings.Cut(s, "/")
		if a, err := netip.ParseAddr(s); err == nil {
			found = append(found, a)
		}
	}
	return found
}

// subnets are the networks of a list.
func (n nic) subnets(list string) []netip.Prefix {
	var found []netip.Prefix
	for _, s := range n.Strings(list) {
		if p, err := netip.ParsePrefix(s); err == nil {
			found = append(found, p.Masked())
		}
	}
	return found
}

// policy lets answers leave by the interface that was asked: each secondary one
// has a routing table of its own. The router of IPv4 is the one that the
// interface's lease names, else the first address of the subnet; that of IPv6
// tells of itself, and netconf knows it.
func (n nic) policy(h *datasources.Host, c *network.Config, i int) {
	table := 100 + i
	l := &c.Links[len(c.Links)-1]
	for _, family := range []struct{ subnets, addrs string }{
		{"subnet-ipv4-cidr-block", "local-ipv4s"}, {"subnet-ipv6-cidr-blocks", "ipv6s"},
	} {
		subnets, addrs := n.subnets(family.subnets), n.addrs(family.addrs)
		if len(subnets) == 0 || len(addrs) == 0 {
			continue
		}
		if subnets[0].Addr().Is4() {
			via := wire.Router(h, n.mac)
			if !via.IsValid() {
				via = subnets[0].Addr().Next()
			}
			l.Routes = append(l.Routes, network.Route{To: netip.PrefixFrom(netip.IPv4Unspecified(), 0), Via: via, Table: table})
		}
		for _, s := range subnets {
			l.Routes = append(l.Routes, network.Route{To: s, Table: table})
		}
		for _, a := range addrs {
			c.Rules = append(c.Rules, network.Rule{From: netip.PrefixFrom(a, a.BitLen()), Table: table})
		}
	}
}
