package vultr

import (
	"fmt"

	"rancheros/cloudconfig/network"
	"rancheros/datasources"
	"rancheros/datasources/internal/wire"
)

// setNetwork reads cloud_interfaces, which is a network-config of version 1 but
// for the names of links, or makes a config of the older interfaces.
func setNetwork(h *datasources.Host, in *datasources.Instance, md wire.Doc) {
	if ci := md.Doc("cloud_interfaces"); len(ci) > 0 {
		wire.SetNetwork(h, in, ci)
		return
	}
	in.SetNetwork(networkOf(h, md))
}

// networkOf makes a config of interfaces.
func networkOf(h *datasources.Host, md wire.Doc) (*network.Config, error) {
	nics := md.List("interfaces")
	if len(nics) == 0 {
		return nil, nil
	}
	// Vultr's own resolvers; its DHCP names them as well, but links without
	// DHCP need them too.
	c := &network.Config{DNS: network.DNS{Nameservers: []string{"108.61.10.10", "2001:19f0:300:1704::6"}}}
	for i, n := range nics {
		l := wire.Link(h, n.Str("mac"), fmt.Sprintf("eth%d", i))
		var err error
		switch {
		case n.Str("network-type") == "public" || i == 0 && n.Str("network-type") == "":
			err = public(&l, n)
		case n.Str("unconfigured") == "true":
			continue // the user said that he would do it himself
		default:
			err = private(&l, n)
		}
		if err != nil {
			return nil, fmt.Errorf("interfaces: %s: %w", n.Str("mac"), err)
		}
		c.Links = append(c.Links, l)
	}
	return c, nil
}

func public(l *network.Link, n wire.Doc) error {
	l.DHCP4 = true
	if n.Str("ipv6.network") != "" {
		yes := true
		l.AcceptRA, l.IPv6Mode = &yes, "slaac"
	}
	return additional(l, n)
}

func private(l *network.Link, n wire.Doc) error {
	if a := n.Str("ipv4.address"); a != "" {
		p, err := wire.Prefix(a, n.Str("ipv4.netmask"))
		if err != nil {
			return err
		}
		l.Addresses = append(l.Addresses, p)
	}
	return additional(l, n)
}

// additional are the further addresses of a link; of IPv6 it is whole networks,
// of which the first address is taken.
func additional(l *network.Link, n wire.Doc) error {
	for _, a := range append(n.List("ipv4.additional"), n.List("ipv6.additional")...) {
		p, err := wire.Prefix(a.Str("address", "network"), a.Str("netmask", "prefix"))
		if err != nil {
			return err
		}
		l.Addresses = append(l.Addresses, p)
	}
	for _, r := range n.List("routes") {
		to, err := wire.Prefix(r.Str("network"), r.Str("netmask"))
		if err != nil {
			return err
		}
		via, ok := wire.DefaultRoute(r.Str("gateway"))
		if !ok {
			return fmt.Errorf("route to %s: gateway %q is no address", to, r.Str("gateway"))
		}
		via.To = to.Masked()
		l.Routes = append(l.Routes, via)
	}
	return nil
}
