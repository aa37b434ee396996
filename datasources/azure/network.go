package azure

import (
	"fmt"
	"slices"

	"rancheros/cloudconfig/network"
	"rancheros/datasources"
	"rancheros/datasources/internal/wire"
)

// networkOf makes a config of what IMDS says of the machine's links: DHCP gives
// the first address of each, further ones are static. Nil means that IMDS said
// nothing of use.
func networkOf(h *datasources.Host, nics []nic) (*network.Config, error) {
	c := &network.Config{}
	for i, n := range nics {
		if len(n.IPv4.IPAddress) == 0 && len(n.IPv6.IPAddress) == 0 {
			continue
		}
		l, err := link(h, i, n)
		if err != nil {
			return nil, err
		}
		c.Links = append(c.Links, l)
	}
	if len(c.Links) == 0 {
		return nil, nil
	}
	return c, nil
}

func link(h *datasources.Host, i int, n nic) (network.Link, error) {
	name := fmt.Sprintf("eth%d", i)
	metric := (i + 1) * 100
	over := network.Overrides{RouteMetric: &metric}
	if i > 0 {
		// The name server of a secondary link does not answer.
		no := false
		over.UseDNS = &no
	}
	l := network.Link{
		ID: name, Name: name, Kind: network.Physical,
		Match:          network.Match{MAC: wire.MAC(n.MAC)},
		DHCP4:          true,
		DHCP4Overrides: over,
	}
	if d := driver(h, l.Match.MAC); d != "" {
		l.Match.Driver = []string{d}
	}
	if len(n.IPv6.IPAddress) > 0 {
		l.DHCP6, l.DHCP6Overrides = true, over
	}
	for _, a := range []struct {
		nicAddress
		mask string
	}{{n.IPv4, "24"}, {n.IPv6, "128"}} {
		if len(a.IPAddress) < 2 {
			continue
		}
		mask := a.mask
		if len(a.Subnet) > 0 && a.Subnet[0].Prefix != "" {
			mask = a.Subnet[0].Prefix
		}
		for _, more := range a.IPAddress[1:] {
			p, err := wire.Prefix(more.Private, mask)
			if err != nil {
				return l, fmt.Errorf("IMDS network.interface %d: %w", i, err)
			}
			l.Addresses = append(l.Addresses, p)
		}
	}
	return l, nil
}

// driver tells the synthetic device from the accelerated one below it, which
// has the same hardware address and must be left alone.
func driver(h *datasources.Host, mac string) string {
	var drivers []string
	for _, l := range h.Links {
		if wire.MAC(l.MAC) == mac && !slices.Contains([]string{"mlx4_core", "mlx5_core", "mana"}, l.Driver) {
			drivers = append(drivers, l.Driver)
		}
	}
	if slices.Contains(drivers, "hv_netvsc") {
		return "hv_netvsc"
	}
	if len(drivers) == 1 {
		return drivers[0]
	}
	return ""
}
