package netconf

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"

	"rancheros/cloudconfig/network"
)

// Where the rules and tables begin that we number ourselves.
const (
	firstRule = 10000
	// A link of its own answers has two tables: one of its networks, one of what
	// is behind its router.
	networkTable, routerTable = 1000, 2000
	// mainTable is the number of the table that there always is.
	mainTable = 254
	// dhcpMetric is the metric of the first leased link's routes; each further
	// link has as much more.
	dhcpMetric = 100
)

// Want works out the State that the targets mean. Leases, by the link's final
// name, are a layer below what the config says. Links that wait for a lease
// keep the addresses they have.
func Want(cfg *network.Config, targets []Target, have State, leases map[string]*Lease) (State, []string) {
	w := wanter{cfg: cfg, have: have, names: namesOf(targets)}
	targets = w.possible(targets)
	w.loopback(have)
	for _, t := range targets {
		w.link(t, have, leases)
	}
	w.members(targets)
	w.looseRoutes()
	w.secondaries(targets, leases)
	w.advertised(targets)
	uncollide(w.want.Links)
	w.rules()
	return w.want, w.problems
}

type wanter struct {
	cfg      *network.Config
	have     State
	want     State
	names    idNames
	leased   int
	problems []string
}

// possible leaves out VLANs on links that are not there, and what lies on them
// in turn. They are made when the card is plugged in.
func (w *wanter) possible(targets []Target) []Target {
	for {
		there := map[string]bool{}
		for _, l := range w.have.Links {
			there[l.Name] = true
		}
		for _, t := range targets {
			there[t.Name] = true
		}
		left := slices.DeleteFunc(slices.Clone(targets), func(t Target) bool {
			lost := t.Config.Kind == network.VLAN && !there[w.name(t.Config.Parent)]
			if lost {
				w.problems = append(w.problems, fmt.Sprintf("link %q is not made: %q, which it lies on, is not there", t.Name, w.name(t.Config.Parent)))
			}
			return lost
		})
		if len(left) == len(targets) {
			return left
		}
		targets = left
	}
}

// loopback is always up, with what it has.
func (w *wanter) loopback(have State) {
	lo := Link{Name: "lo", Kind: network.Loopback, Up: true, Keep: true}
	if have.link("lo") != nil {
		w.want.Links = append(w.want.Links, lo)
	}
}

func (w *wanter) link(t Target, have State, leases map[string]*Lease) {
	c := t.Config
	l := Link{
		Name: t.Name, Kind: c.Kind, MAC: c.MAC, MTU: c.MTU, Up: !c.Manual, Keep: c.Manual,
		VLANID: c.VLANID, WakeOnLAN: c.WakeOnLAN,
	}
	if t.Device != "" && t.Device != t.Name {
		l.From = t.Device
	}
	if c.Parent != "" {
		l.Parent = w.name(c.Parent)
	}
	if c.Kind == network.Bond || c.Kind == network.Bridge {
		l.Options = options(c, w.name)
	}
	l.Sysctls = sysctls(c, have.link(t.Device))
	for _, a := range c.Addresses {
		l.Addresses = append(l.Addresses, Addr{Prefix: a})
	}
	for _, r := range c.Routes {
		if linkless(r) {
			w.want.Routes = append(w.want.Routes, Route{Route: r})
			continue
		}
		l.Routes = append(l.Routes, Route{Route: r})
	}
	lease := leases[t.Name].asked(c)
	if lease != nil {
		w.leased++
		lease.addTo(&l, c, dhcpMetric*w.leased)
	}
	l.Keep = l.Keep || lease.waiting(c)
	onLink(&l)
	if i := slices.IndexFunc(w.want.Links, func(o Link) bool { return o.Name == l.Name }); i >= 0 {
		l.Keep = l.Keep || w.want.Links[i].Keep
		w.want.Links[i] = l
		return
	}
	w.want.Links = append(w.want.Links, l)
}

func (w *wanter) name(id string) string { return w.names.of(id)[0] }

// idNames are the names of links by their IDs. A glob has several.
type idNames map[string][]string

func namesOf(targets []Target) idNames {
	n := idNames{}
	for _, t := range targets {
		n[t.Config.ID] = append(n[t.Config.ID], t.Name)
	}
	return n
}

// of is the ID itself where no link has it.
func (n idNames) of(id string) []string {
	if names := n[id]; len(names) > 0 {
		return names
	}
	return []string{id}
}

// sysctls say whether the link hears routers' advertisements, how far their
// default route comes behind others, and whether it has an address of fe80::/10.
// Now is the device as it is, if there is one.
func sysctls(c network.Link, now *Link) []Option {
	var out []Option
	has := func(o Option) bool { return now != nil && slices.Contains(now.Sysctls, o) }
	// It was told to do without link-local addresses, and is not any more.
	back := has(Option{addrGenMode, "1"}) && !off(c.IPv6LL)
	switch {
	// 2 also accepts while the machine forwards, which Docker makes it do. A link
	// that hears them now shall not become deaf then.
	case c.AcceptRA != nil && *c.AcceptRA, c.AcceptRA == nil && (c.DHCP6 || c.IPv6Mode != ""):
		out = append(out, Option{acceptRA, "2"})
	case c.AcceptRA != nil || off(c.IPv6LL):
		out = append(out, Option{acceptRA, "0"})
	case c.DHCP4 && has(Option{acceptRA, "1"}):
		out = append(out, Option{acceptRA, "2"})
	case back && has(Option{acceptRA, "0"}):
		out = append(out, Option{acceptRA, "1"})
	}
	out = append(out, advertisedMetric(c.DHCP6Overrides.RouteMetric, now)...)
	if off(c.IPv6LL) {
		out = append(out, Option{addrGenMode, "1"})
	} else if back {
		out = append(out, Option{addrGenMode, "0"})
	}
	return out
}

// advertisedMetric is the metric of the default route that routers advertise: it
// is they who give IPv6 its routes, not DHCPv6. It counts from their next word
// on.
func advertisedMetric(metric *int, now *Link) []Option {
	if metric != nil {
		// The kernel has none that is 0.
		return []Option{{defaultRouteMetric, strconv.Itoa(max(*metric, 1))}}
	}
	usual := Option{defaultRouteMetric, strconv.Itoa(usualMetric)}
	// The config said one before, and does not any more.
	if now != nil && slices.ContainsFunc(now.Sysctls, func(o Option) bool { return o.Name == usual.Name && o != usual }) {
		return []Option{usual}
	}
	return nil
}

// members puts the links below a bond or bridge into it.
func (w *wanter) members(targets []Target) {
	for _, t := range targets {
		for _, id := range t.Config.Members {
			for _, name := range w.names.of(id) {
				w.member(t, id, name)
			}
		}
	}
}

func (w *wanter) member(master Target, id, name string) {
	m := w.want.link(name)
	if m == nil && w.have.link(name) == nil {
		return // Not plugged in.
	}
	if m == nil {
		w.want.Links = append(w.want.Links, Link{Name: name, Kind: network.Physical, Up: true})
		m = &w.want.Links[len(w.want.Links)-1]
	}
	m.Master, m.Up = master.Name, true
	if master.Config.Kind == network.Bridge {
		m.PortOptions = portOptions(master.Config, id)
	}
}

// looseRoutes gives each route that names no link the one that its gateway is
// on.
func (w *wanter) looseRoutes() {
	for _, r := range w.cfg.Routes {
		if linkless(r) {
			w.want.Routes = append(w.want.Routes, Route{Route: r})
			continue
		}
		i := slices.IndexFunc(w.want.Links, func(l Link) bool { return l.Kind != network.Loopback && covers(&l, r.Via) })
		if i < 0 {
			w.problems = append(w.problems, fmt.Sprintf("route %s: no link has the gateway on its network", RouteString(r)))
			continue
		}
		w.want.Links[i].Routes = append(w.want.Links[i].Routes, Route{Route: r})
	}
}

func covers(l *Link, a netip.Addr) bool {
	if !a.IsValid() {
		return false
	}
	if a.IsLinkLocalUnicast() && a.Is6() {
		return true
	}
	return slices.ContainsFunc(l.Addresses, func(x Addr) bool { return x.Prefix.Masked().Contains(a) }) ||
		slices.ContainsFunc(l.Routes, func(r Route) bool { return !r.Via.IsValid() && r.To.Contains(a) })
}

// onLink marks routes whose gateway no address of the link covers: the kernel
// refuses them otherwise, and clouds with /32 addresses give such gateways.
func onLink(l *Link) {
	if len(l.Addresses) == 0 {
		return
	}
	for i := range l.Routes {
		if r := &l.Routes[i]; r.Via.IsValid() && !covers(l, r.Via) {
			r.OnLink = true
		}
	}
}

// secondaries make answers leave by the link that the question came in: each
// leased link but the first has a table of its own.
func (w *wanter) secondaries(targets []Target, leases map[string]*Lease) {
	n := 0
	for _, t := range targets {
		lease := leases[t.Name].asked(t.Config)
		if lease == nil || !lease.Address.IsValid() || len(lease.gateways()) == 0 || off(t.Config.DHCP4Overrides.UseRoutes) {
			continue
		}
		n++
		if n == 1 {
			continue
		}
		l := w.want.link(t.Name)
		l.Routes = append(l.Routes,
			Route{network.Route{To: netip.PrefixFrom(netip.IPv4Unspecified(), 0), Via: lease.gateways()[0], Table: routerTable + n, OnLink: !covers(l, lease.gateways()[0])}, true},
			Route{network.Route{To: lease.Address.Masked(), Table: networkTable + n, Scope: "link"}, true})
		w.answersBy(lease.Address.Addr(), n)
	}
}

// answersBy sends what an address says to the networks of its link, the n-th;
// else to others that the machine is on, as those of containers; else to the
// link's router.
func (w *wanter) answersBy(a netip.Addr, n int) {
	from := netip.PrefixFrom(a, a.BitLen())
	w.want.Rules = append(w.want.Rules,
		network.Rule{From: from, Table: networkTable + n},
		network.Rule{From: from, Table: mainTable, Specific: true},
		network.Rule{From: from, Table: routerTable + n})
}

// advertised does the same for IPv6. The kernel puts what routers advertise into
// the main table, in no order of links: each has a table of its own then, the
// first one as well.
func (w *wanter) advertised(targets []Target) {
	var routed []Target
	for _, t := range targets {
		d, l := w.have.link(t.Device), w.want.link(t.Name)
		if d != nil && d.Advertised.Router.IsValid() && l != nil && l.Master == "" &&
			!off(t.Config.DHCP6Overrides.UseRoutes) && !off(t.Config.AcceptRA) && !off(t.Config.IPv6LL) {
			routed = append(routed, t)
		}
	}
	if len(routed) < 2 {
		return
	}
	for i, t := range routed {
		l, ra, n := w.want.link(t.Name), w.have.link(t.Device).Advertised, i+1
		add := func(r network.Route) {
			if !slices.ContainsFunc(l.Routes, func(have Route) bool { return keyOf(have.Route) == keyOf(r) }) {
				l.Routes = append(l.Routes, Route{Route: r})
			}
		}
		rule := func(a netip.Addr) {
			if a.Is6() && !a.IsLinkLocalUnicast() {
				w.answersBy(a, n)
			}
		}
		add(network.Route{To: netip.PrefixFrom(netip.IPv6Unspecified(), 0), Via: ra.Router, Table: routerTable + n})
		for _, p := range ra.Networks {
			add(network.Route{To: p, Table: networkTable + n})
		}
		for _, a := range l.Addresses {
			rule(a.Prefix.Addr())
		}
		for _, a := range ra.Addresses {
			rule(a)
		}
	}
}

// uncollide gives routes with equal destination, table and metric on different
// links different metrics; the kernel would keep only the last.
func uncollide(links []Link) {
	taken := map[routeKey]bool{}
	for i := range links {
		for j := range links[i].Routes {
			r := &links[i].Routes[j]
			for taken[keyOf(r.Route)] {
				if r.Metric == 0 && r.To.Addr().Is6() {
					r.Metric = usualMetric
				}
				r.Metric++
			}
			taken[keyOf(r.Route)] = true
		}
	}
}

// rules numbers those that have no number, so that they can be found again.
func (w *wanter) rules() {
	w.want.Rules = append(slices.Clone(w.cfg.Rules), w.want.Rules...)
	for i := range w.want.Rules {
		r := &w.want.Rules[i]
		r.From, r.To = r.From.Masked(), r.To.Masked()
		if r.Priority == 0 {
			r.Priority = firstRule + i
		}
	}
}

func off(b *bool) bool { return b != nil && !*b }
