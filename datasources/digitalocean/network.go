package digitalocean

import (
	"strconv"
	"strings"

	"rancheros/cloudconfig/network"
	"rancheros/datasources"
	"rancheros/datasources/internal/wire"
)

// networkConfig makes the config of all interfaces. Only public ones lead to
// everywhere: the gateway of a private network does not.
func networkConfig(h *datasources.Host, d wire.Doc) *network.Config {
	c := &network.Config{DNS: network.DNS{Nameservers: d.Doc("dns").Strings("nameservers")}}
	for _, kind := range []string{"public", "private"} {
		for _, n := range d.Doc("interfaces").List(kind) {
			l := wire.Link(h, n.Str("mac"), "eth"+strconv.Itoa(len(c.Links)))
			for _, family := range []string{"ipv4", "ipv6", "anchor_ipv4", "anchor_ipv6"} {
				a := n.Doc(family)
				p, err := wire.Prefix(a.Str("ip_address"), a.Str("netmask", "cidr"))
				if err != nil {
					continue // absent, or nothing to make an address of
				}
				l.Addresses = append(l.Addresses, p)
				if r, ok := wire.DefaultRoute(a.Str("gateway")); ok && kind == "public" && !strings.HasPrefix(family, "anchor_") {
					l.Routes = append(l.Routes, r)
				}
			}
			c.Links = append(c.Links, l)
		}
	}
	if len(c.Links) == 0 {
		return nil
	}
	return c
}
