package distro

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"rancheros/cloudconfig/network"
)

func sorted(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }

// networkd writes a .network for each link, and a .link or .netdev where it has
// to be renamed or made.
//
// systemd.network(5), systemd.netdev(5), systemd.link(5)
func networkd(c *network.Config) (map[string]string, error) {
	files := map[string]string{}
	base := func(l network.Link) string { return "/etc/systemd/network/10-cloud-init-" + name(l) }
	for _, l := range c.Links {
		if l.Kind == network.Loopback || l.Manual {
			continue
		}
		files[base(l)+".network"] = networkFile(c, l)
		switch l.Kind {
		case network.Physical:
			if l.Name != "" && l.Match.MAC != "" {
				files[base(l)+".link"] = "[Match]\nPermanentMACAddress=" + l.Match.MAC + "\n\n[Link]\nName=" + l.Name + "\n"
			}
		case network.VLAN, network.Bridge, network.Bond, network.Dummy:
			files[base(l)+".netdev"] = netdevFile(l)
		default:
			return nil, fmt.Errorf("link %s: a %s is not known there", l.ID, l.Kind)
		}
	}
	return files, nil
}

// name is what a link is called.
func name(l network.Link) string {
	if l.Name != "" {
		return l.Name
	}
	return l.ID
}

func netdevFile(l network.Link) string {
	b := "[NetDev]\nName=" + name(l) + "\nKind=" + l.Kind + "\n"
	if l.MAC != "" {
		b += "MACAddress=" + l.MAC + "\n"
	}
	switch l.Kind {
	case network.VLAN:
		b += "\n[VLAN]\nId=" + strconv.Itoa(l.VLANID) + "\n"
	case network.Bond:
		b += "\n[Bond]\n"
		for _, k := range sorted(l.Parameters) {
			if key, ok := bondKeys[k]; ok {
				b += key + "=" + l.Parameters[k] + "\n"
			}
		}
	case network.Bridge:
		if stp, ok := l.Parameters["stp"]; ok {
			b += "\n[Bridge]\nSTP=" + stp + "\n"
		}
	}
	return b
}

// bondKeys are networkd's names of netplan's parameters.
var bondKeys = map[string]string{"mode": "Mode", "lacp-rate": "LACPTransmitRate", "mii-monitor-interval": "MIIMonitorSec",
	"transmit-hash-policy": "TransmitHashPolicy", "min-links": "MinLinks", "up-delay": "UpDelaySec", "down-delay": "DownDelaySec"}

// section writes one section of a file, if it has any lines.
type section struct {
	name  string
	lines []string
}

func (s *section) add(key string, v any, when bool) {
	if when {
		s.lines = append(s.lines, fmt.Sprintf("%s=%v", key, v))
	}
}

func join(all ...section) string {
	var out []string
	for _, s := range all {
		if len(s.lines) > 0 {
			out = append(out, "["+s.name+"]\n"+strings.Join(s.lines, "\n")+"\n")
		}
	}
	return strings.Join(out, "\n")
}

func networkFile(c *network.Config, l network.Link) string {
	match, link := section{name: "Match"}, section{name: "Link"}
	physical := l.Kind == network.Physical
	switch {
	case l.Match.MAC != "" && physical:
		match.add("PermanentMACAddress", l.Match.MAC, true)
	case l.Match.Name != "":
		match.add("Name", l.Match.Name, true)
	default:
		match.add("Name", name(l), true)
	}
	link.add("MTUBytes", l.MTU, l.MTU > 0)
	link.add("RequiredForOnline", "no", l.Optional)
	link.add("MACAddress", l.MAC, l.MAC != "" && physical)
	all := []section{match, link, networkSection(c, l), overrides("DHCPv4", l.DHCP4Overrides), overrides("DHCPv6", l.DHCP6Overrides)}
	for _, r := range l.Routes {
		all = append(all, routeSection(r))
	}
	return join(all...)
}

func networkSection(c *network.Config, l network.Link) section {
	n := section{name: "Network"}
	n.add("DHCP", dhcp(l), true)
	if l.AcceptRA != nil {
		n.add("IPv6AcceptRA", *l.AcceptRA, true)
	}
	n.add("LinkLocalAddressing", linkLocal(l), l.IPv4LL || l.IPv6LL != nil)
	for _, a := range l.Addresses {
		n.add("Address", a, true)
	}
	for _, s := range append(slices.Clone(l.DNS.Nameservers), c.DNS.Nameservers...) {
		n.add("DNS", s, true)
	}
	search := append(slices.Clone(l.DNS.Search), c.DNS.Search...)
	n.add("Domains", strings.Join(search, " "), len(search) > 0)
	for _, o := range c.Links {
		member := slices.Contains(o.Members, l.ID)
		n.add("VLAN", name(o), o.Kind == network.VLAN && o.Parent == l.ID)
		n.add("Bridge", name(o), o.Kind == network.Bridge && member)
		n.add("Bond", name(o), o.Kind == network.Bond && member)
	}
	return n
}

func linkLocal(l network.Link) string {
	six := l.IPv6LL == nil || *l.IPv6LL
	switch {
	case l.IPv4LL && six:
		return "yes"
	case l.IPv4LL:
		return "ipv4"
	case six:
		return "ipv6"
	}
	return "no"
}

func routeSection(r network.Route) section {
	s := section{name: "Route"}
	s.add("Destination", r.To, r.To.IsValid())
	s.add("Gateway", r.Via, r.Via.IsValid())
	s.add("PreferredSource", r.From, r.From.IsValid())
	s.add("Metric", r.Metric, r.Metric > 0)
	s.add("Table", r.Table, r.Table > 0)
	s.add("GatewayOnLink", "yes", r.OnLink)
	return s
}

func dhcp(l network.Link) string {
	switch {
	case l.DHCP4 && (l.DHCP6 || l.IPv6Mode != ""):
		return "yes"
	case l.DHCP4:
		return "ipv4"
	case l.DHCP6:
		return "ipv6"
	}
	return "no"
}

func overrides(title string, o network.Overrides) section {
	s := section{name: title}
	for _, f := range []struct {
		key string
		v   *bool
	}{{"UseDNS", o.UseDNS}, {"UseHostname", o.UseHostname}, {"UseMTU", o.UseMTU}, {"UseNTP", o.UseNTP}, {"UseRoutes", o.UseRoutes}, {"SendHostname", o.SendHostname}} {
		if f.v != nil {
			s.add(f.key, *f.v, true)
		}
	}
	if o.RouteMetric != nil {
		s.add("RouteMetric", *o.RouteMetric, true)
	}
	s.add("Hostname", o.Hostname, o.Hostname != "")
	return s
}
