package network

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"rancheros/cloudconfig/userdata/document"
)

// ToV2 writes a Config as network-config version 2. The same Config gives the
// same bytes. What version 2 cannot say for the whole machine (name servers,
// rules, routes without a link) is written to the links that it concerns;
// commands are left out.
func ToV2(c *Config) []byte {
	doc := map[string]any{"version": 2}
	sections := map[string]string{Physical: "ethernets", Loopback: "ethernets", Bond: "bonds", Bridge: "bridges", VLAN: "vlans"}
	rules, routes := c.Rules, c.Routes
	last := -1
	for i, l := range c.Links {
		if sections[l.Kind] != "" && l.Kind != Loopback {
			last = i
		}
	}
	for i, l := range c.Links {
		section := sections[l.Kind]
		if section == "" {
			continue
		}
		entry := l.entry()
		var mine []Rule
		all := l.Routes
		// What is the machine's is not written to its loopback.
		if l.Kind != Loopback {
			add(&l.DNS, c.DNS)
			mine, rules = l.takeRules(rules, i == last)
			var loose []Route
			loose, routes = l.takeRoutes(routes, i == last)
			all = append(slices.Clone(l.Routes), loose...)
		}
		if len(l.DNS.Nameservers) > 0 || len(l.DNS.Search) > 0 {
			if !c.isMember(l.ID) {
				entry["nameservers"] = dnsEntry(l.DNS)
			}
		}
		if len(mine) > 0 {
			entry["routing-policy"] = ruleEntries(mine)
		}
		if len(all) > 0 {
			entry["routes"] = routeEntries(all)
		}
		if l.Kind == Loopback && len(entry) == 0 {
			continue // It is as it always is.
		}
		if doc[section] == nil {
			doc[section] = map[string]any{}
		}
		doc[section].(map[string]any)[l.ID] = entry
	}
	out, err := document.Encode(map[string]any{"network": doc})
	if err != nil { // maps of strings, numbers and lists: it cannot fail
		return nil
	}
	return out
}

func (c *Config) isMember(id string) bool {
	return slices.ContainsFunc(c.Links, func(l Link) bool { return slices.Contains(l.Members, id) })
}

// entry is the link without names, rules and routes.
func (l *Link) entry() map[string]any {
	e := map[string]any{}
	set := func(key string, v any, when bool) {
		if when {
			e[key] = v
		}
	}
	set("dhcp4", true, l.DHCP4)
	set("dhcp6", true, l.DHCP6 || l.IPv6Mode == "dhcp-stateless")
	set("dhcp4-overrides", l.DHCP4Overrides.entry(), l.DHCP4Overrides != Overrides{})
	set("dhcp6-overrides", l.DHCP6Overrides.entry(), l.DHCP6Overrides != Overrides{})
	set("macaddress", l.MAC, l.MAC != "")
	set("mtu", l.MTU, l.MTU != 0)
	set("optional", true, l.Optional)
	set("wakeonlan", true, l.WakeOnLAN)
	set("activation-mode", "manual", l.Manual)
	set("link-local", l.linkLocal(), l.IPv4LL || l.IPv6LL != nil)
	if l.AcceptRA != nil {
		e["accept-ra"] = *l.AcceptRA
	} else {
		set("accept-ra", true, l.IPv6Mode != "")
	}
	match := map[string]any{}
	if l.Match.MAC != "" {
		match["macaddress"] = l.Match.MAC
	}
	if l.Match.Name != "" {
		match["name"] = l.Match.Name
	}
	if len(l.Match.Driver) == 1 {
		match["driver"] = l.Match.Driver[0]
	} else if len(l.Match.Driver) > 1 {
		match["driver"] = l.Match.Driver
	}
	if len(match) == 0 && l.Name != "" && l.Name != l.ID {
		match["name"] = l.ID // netplan renames only what it matches.
	}
	set("match", match, len(match) > 0)
	set("set-name", l.Name, l.Name != "" && len(match) > 0)
	set("interfaces", l.Members, l.Kind == Bond || l.Kind == Bridge)
	set("parameters", TypedParameters(l.Parameters), len(l.Parameters) > 0)
	set("id", l.VLANID, l.Kind == VLAN)
	set("link", l.Parent, l.Kind == VLAN)
	var addresses []string
	for _, a := range l.Addresses {
		addresses = append(addresses, a.String())
	}
	set("addresses", addresses, len(addresses) > 0)
	return e
}

func (l *Link) linkLocal() []string {
	out := []string{}
	if l.IPv4LL {
		out = append(out, "ipv4")
	}
	if l.IPv6LL == nil || *l.IPv6LL {
		out = append(out, "ipv6")
	}
	return out
}

// TypedParameters gives the parameters of a bond or bridge the types that
// version 2 writes them in: numbers, bools, lists, and costs by port.
func TypedParameters(p map[string]string) map[string]any {
	out := map[string]any{}
	for k, v := range p {
		switch k {
		case "path-cost", "port-priority":
			ports := map[string]any{}
			for _, pair := range strings.Split(v, ",") {
				if name, cost, ok := strings.Cut(pair, "="); ok {
					ports[name] = typed(cost)
				}
			}
			out[k] = ports
		case "arp-ip-targets":
			out[k] = strings.Split(v, ",")
		case "mode", "primary", "xmit-hash-policy", "ad-actor-system":
			out[k] = v
		default:
			out[k] = typed(v)
		}
	}
	return out
}

func typed(v string) any {
	if n, err := strconv.Atoi(v); err == nil && strconv.Itoa(n) == v {
		return n
	}
	switch v {
	case "true":
		return true
	case "false":
		return false
	}
	return v
}

func (o Overrides) entry() map[string]any {
	e := map[string]any{}
	for key, b := range map[string]*bool{
		"send-hostname": o.SendHostname, "use-dns": o.UseDNS, "use-hostname": o.UseHostname, "use-mtu": o.UseMTU,
		"use-ntp": o.UseNTP, "use-routes": o.UseRoutes,
	} {
		if b != nil {
			e[key] = *b
		}
	}
	if o.Hostname != "" {
		e["hostname"] = o.Hostname
	}
	if o.UseDomains != "" {
		e["use-domains"] = typed(o.UseDomains)
	}
	if o.RouteMetric != nil {
		e["route-metric"] = *o.RouteMetric
	}
	return e
}

func dnsEntry(d DNS) map[string]any {
	e := map[string]any{}
	if len(d.Nameservers) > 0 {
		e["addresses"] = d.Nameservers
	}
	if len(d.Search) > 0 {
		e["search"] = d.Search
	}
	return e
}

// takeRules takes the rules that are about the link's addresses, or all that
// are left.
func (l *Link) takeRules(rules []Rule, all bool) (mine, rest []Rule) {
	for _, r := range rules {
		about := slices.ContainsFunc(l.Addresses, func(p netip.Prefix) bool { return r.From.IsValid() && r.From.Overlaps(p.Masked()) })
		if all || about {
			mine = append(mine, r)
		} else {
			rest = append(rest, r)
		}
	}
	return mine, rest
}

func (l *Link) takeRoutes(routes []Route, all bool) (mine, rest []Route) {
	for _, r := range routes {
		if all || r.Via.IsValid() && l.reaches(r.Via) {
			mine = append(mine, r)
		} else {
			rest = append(rest, r)
		}
	}
	return mine, rest
}

func ruleEntries(rules []Rule) []map[string]any {
	var out []map[string]any
	for _, r := range rules {
		e := map[string]any{}
		if r.From.IsValid() {
			e["from"] = r.From.String()
		}
		if r.To.IsValid() {
			e["to"] = r.To.String()
		}
		for key, n := range map[string]int{"table": r.Table, "priority": r.Priority, "mark": r.Mark} {
			if n != 0 {
				e[key] = n
			}
		}
		out = append(out, e)
	}
	return out
}

func routeEntries(routes []Route) []map[string]any {
	var out []map[string]any
	for _, r := range routes {
		e := map[string]any{"to": r.To.String()}
		if r.Via.IsValid() {
			e["via"] = r.Via.String()
		}
		if r.From.IsValid() {
			e["from"] = r.From.String()
		}
		for key, n := range map[string]int{"metric": r.Metric, "table": r.Table, "mtu": r.MTU} {
			if n != 0 {
				e[key] = n
			}
		}
		if r.OnLink {
			e["on-link"] = true
		}
		if r.Type != "" {
			e["type"] = r.Type
		}
		if r.Scope != "" {
			e["scope"] = r.Scope
		}
		out = append(out, e)
	}
	return out
}
