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

func networkFile(c *network.Config, l network.Link) string {
	var b strings.Builder
	line := func(key string, v any) { fmt.Fprintf(&b, "%s=%v\n", key, v) }
	b.WriteString("[Match]\n")
	switch {
	case l.Match.MAC != "" && l.Kind == network.Physical:
		line("PermanentMACAddress", l.Match.MAC)
	case l.Match.Name != "":
		line("Name", l.Match.Name)
	default:
		line("Name", name(l))
	}
	if l.MTU > 0 || l.Optional || l.MAC != "" {
		b.WriteString("\n[Link]\n")
		if l.MTU > 0 {
			line("MTUBytes", l.MTU)
		}
		if l.Optional {
			line("RequiredForOnline", "no")
		}
		if l.MAC != "" && l.Kind == network.Physical {
			line("MACAddress", l.MAC)
		}
	}
	b.WriteString("\n[Network]\n")
	line("DHCP", dhcp(l))
	if l.AcceptRA != nil {
		line("IPv6AcceptRA", *l.AcceptRA)
	}
	if l.IPv4LL {
		line("LinkLocalAddressing", "yes")
	}
	for _, a := range l.Addresses {
		line("Address", a)
	}
	for _, s := range append(slices.Clone(l.DNS.Nameservers), c.DNS.Nameservers...) {
		line("DNS", s)
	}
	if search := append(slices.Clone(l.DNS.Search), c.DNS.Search...); len(search) > 0 {
		line("Domains", strings.Join(search, " "))
	}
	for _, o := range c.Links {
		switch {
		case o.Kind == network.VLAN && o.Parent == l.ID:
			line("VLAN", name(o))
		case slices.Contains(o.Members, l.ID) && o.Kind == network.Bridge:
			line("Bridge", name(o))
		case slices.Contains(o.Members, l.ID) && o.Kind == network.Bond:
			line("Bond", name(o))
		}
	}
	overrides(&b, "DHCPv4", l.DHCP4Overrides)
	overrides(&b, "DHCPv6", l.DHCP6Overrides)
	for _, r := range l.Routes {
		b.WriteString("\n[Route]\n")
		if r.To.IsValid() {
			line("Destination", r.To)
		}
		if r.Via.IsValid() {
			line("Gateway", r.Via)
		}
		if r.From.IsValid() {
			line("PreferredSource", r.From)
		}
		if r.Metric > 0 {
			line("Metric", r.Metric)
		}
		if r.Table > 0 {
			line("Table", r.Table)
		}
		if r.OnLink {
			line("GatewayOnLink", "yes")
		}
	}
	return b.String()
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

func overrides(b *strings.Builder, section string, o network.Overrides) {
	if (o == network.Overrides{}) {
		return
	}
	fmt.Fprintf(b, "\n[%s]\n", section)
	for _, f := range []struct {
		key string
		v   *bool
	}{{"UseDNS", o.UseDNS}, {"UseHostname", o.UseHostname}, {"UseMTU", o.UseMTU}, {"UseNTP", o.UseNTP}, {"UseRoutes", o.UseRoutes}, {"SendHostname", o.SendHostname}} {
		if f.v != nil {
			fmt.Fprintf(b, "%s=%v\n", f.key, *f.v)
		}
	}
	if o.RouteMetric != nil {
		fmt.Fprintf(b, "RouteMetric=%d\n", *o.RouteMetric)
	}
	if o.Hostname != "" {
		fmt.Fprintf(b, "Hostname=%s\n", o.Hostname)
	}
}
