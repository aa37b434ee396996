package distro

import (
	"fmt"
	"strings"

	"rancheros/cloudconfig/network"
)

// ifupdown writes stanzas of interfaces(5). A link is known by its name there,
// so one that is matched by its address must have it already.
func ifupdown(c *network.Config) (map[string]string, error) {
	var b strings.Builder
	b.WriteString("# Written by cloud-init from what the datasource says.\n")
	for _, l := range c.Links {
		if l.Kind == network.Loopback {
			continue
		}
		if l.Kind != network.Physical && l.Kind != network.VLAN && l.Kind != network.Bond && l.Kind != network.Bridge {
			return nil, fmt.Errorf("link %s: a %s is not known there", l.ID, l.Kind)
		}
		stanzas(&b, c, l)
	}
	return map[string]string{"/etc/network/interfaces.d/50-cloud-init": b.String()}, nil
}

func stanzas(b *strings.Builder, c *network.Config, l network.Link) {
	first := true
	stanza := func(family, method string, lines ...string) {
		if first && !l.Manual {
			if l.Optional {
				fmt.Fprintf(b, "\nallow-hotplug %s\n", name(l))
			} else {
				fmt.Fprintf(b, "\nauto %s\n", name(l))
			}
		}
		fmt.Fprintf(b, "iface %s %s %s\n", name(l), family, method)
		if first {
			lines = append(lines, linkOptions(c, l)...)
		}
		for _, s := range lines {
			b.WriteString("    " + s + "\n")
		}
		first = false
	}
	if l.DHCP4 {
		stanza("inet", "dhcp")
	}
	if l.DHCP6 {
		stanza("inet6", "dhcp")
	} else if l.IPv6Mode != "" || l.AcceptRA != nil && *l.AcceptRA {
		stanza("inet6", "auto")
	}
	for _, a := range l.Addresses {
		family := "inet"
		if a.Addr().Is6() {
			family = "inet6"
		}
		stanza(family, "static", "address "+a.String())
	}
	if first {
		stanza("inet", "manual")
	}
}

// linkOptions are what holds for the link as a whole: they stand in its first
// stanza.
func linkOptions(c *network.Config, l network.Link) []string {
	var out []string
	if l.MTU > 0 {
		out = append(out, fmt.Sprintf("mtu %d", l.MTU))
	}
	if l.MAC != "" {
		out = append(out, "hwaddress "+l.MAC)
	}
	servers := append(append([]string(nil), l.DNS.Nameservers...), c.DNS.Nameservers...)
	if len(servers) > 0 {
		out = append(out, "dns-nameservers "+strings.Join(servers, " "))
	}
	if search := append(append([]string(nil), l.DNS.Search...), c.DNS.Search...); len(search) > 0 {
		out = append(out, "dns-search "+strings.Join(search, " "))
	}
	switch l.Kind {
	case network.VLAN:
		out = append(out, "vlan-raw-device "+nameOf(c, l.Parent), fmt.Sprintf("vlan_id %d", l.VLANID))
	case network.Bridge:
		out = append(out, "bridge_ports "+names(c, l.Members))
	case network.Bond:
		out = append(out, "bond-slaves "+names(c, l.Members))
		for _, k := range sorted(l.Parameters) {
			out = append(out, "bond-"+k+" "+l.Parameters[k])
		}
	}
	for _, r := range l.Routes {
		out = append(out, "post-up "+routeCommand("add", l, r)+" || true", "pre-down "+routeCommand("del", l, r)+" || true")
	}
	return out
}

func routeCommand(verb string, l network.Link, r network.Route) string {
	s := "ip route " + verb + " " + r.To.String()
	if r.To.Addr().Is6() {
		s = "ip -6 route " + verb + " " + r.To.String()
	}
	if r.Via.IsValid() {
		s += " via " + r.Via.String()
	}
	s += " dev " + name(l)
	if r.Metric > 0 {
		s += fmt.Sprintf(" metric %d", r.Metric)
	}
	if r.Table > 0 {
		s += fmt.Sprintf(" table %d", r.Table)
	}
	if r.OnLink {
		s += " onlink"
	}
	return s
}

// nameOf is the name of the link with that ID.
func nameOf(c *network.Config, id string) string {
	for _, l := range c.Links {
		if l.ID == id {
			return name(l)
		}
	}
	return id
}

func names(c *network.Config, ids []string) string {
	var all []string
	for _, id := range ids {
		all = append(all, nameOf(c, id))
	}
	return strings.Join(all, " ")
}
