package netconf

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"rancheros/cloudconfig/network"
)

// Plan lists the steps from have to want: additions first, so that a machine
// never loses its last address on the way to a new one. Links that want does
// not name are left alone, unless we made them.
func Plan(have, want State) []Op {
	p := planner{have: have, want: want}
	// A VLAN names the link below it by its new name.
	p.rename()
	for _, l := range byDependency(want.Links) {
		p.make(l)
	}
	for _, l := range byDependency(want.Links) {
		p.settings(l)
	}
	for _, l := range want.Links {
		p.up(l)
	}
	for _, l := range want.Links {
		p.addAddresses(l)
	}
	for _, l := range want.Links {
		p.addRoutes(l)
	}
	for _, r := range want.Routes {
		if !slices.ContainsFunc(have.Routes, func(h Route) bool { return sameRoute(h, r) }) {
			p.add(Op{Verb: RouteAdd, Route: r})
		}
	}
	p.addRules()
	p.removals()
	return p.ops
}

type planner struct {
	have, want State
	ops        []Op
	// down are links that a step before has set down.
	down map[string]bool
}

func (p *planner) add(o Op) { p.ops = append(p.ops, o) }

// current is the device that shall become l, as it is; nil if it is to be made.
func (p *planner) current(l Link) *Link {
	if l.From != "" {
		return p.have.link(l.From)
	}
	return p.have.link(l.Name)
}

// setDown sets a link down once.
func (p *planner) setDown(name string) {
	if p.down == nil {
		p.down = map[string]bool{}
	}
	if !p.down[name] {
		p.down[name] = true
		p.add(Op{Verb: LinkDown, Dev: name})
	}
}

func (p *planner) make(l Link) {
	if !virtual(l.Kind) {
		return
	}
	cur := p.current(l)
	if cur != nil && !mustBeMadeAnew(*cur, l) {
		return
	}
	if cur != nil {
		p.add(Op{Verb: LinkDel, Dev: cur.Name})
		p.forget(cur.Name)
	}
	p.add(Op{Verb: LinkAdd, Dev: l.Name, Link: l})
}

// mustBeMadeAnew says that the kernel cannot turn the one into the other: a VLAN
// keeps its number, and a bond with members its mode.
func mustBeMadeAnew(cur, l Link) bool {
	switch l.Kind {
	case network.VLAN:
		return cur.VLANID != l.VLANID || cur.Parent != l.Parent
	case network.Bond:
		return slices.ContainsFunc(missing(cur.Options, l.Options), func(o Option) bool { return slices.Contains(onlyWhileEmpty, o.Name) })
	}
	return false
}

// forget takes a link out of have: it was removed. The kernel removes the VLANs
// on it, and sets the members of a bond down.
func (p *planner) forget(name string) {
	var on []string
	links := slices.DeleteFunc(slices.Clone(p.have.Links), func(l Link) bool { return l.Name == name })
	for i := range links {
		if links[i].Master == name {
			links[i].Master, links[i].Up = "", false
		}
		if links[i].Parent == name && links[i].Kind == network.VLAN {
			on = append(on, links[i].Name)
		}
	}
	p.have.Links = links
	for _, n := range on {
		p.forget(n)
	}
}

// rename gives devices their names. A name that another device still has is
// freed first, by way of a name that nobody uses.
func (p *planner) rename() {
	var todo []Link
	for _, l := range p.want.Links {
		if l.From != "" && l.From != l.Name && p.have.link(l.From) != nil {
			todo = append(todo, l)
		}
	}
	taken, up := map[string]bool{}, map[string]bool{}
	for _, l := range p.have.Links {
		taken[l.Name], up[l.Name] = true, l.Up
	}
	step := func(from, to string) {
		if up[from] {
			p.add(Op{Verb: LinkDown, Dev: from})
		}
		p.add(Op{Verb: LinkRename, Dev: from, Arg: to})
		delete(taken, from)
		taken[to], up[to] = true, false
	}
	for len(todo) > 0 {
		i := slices.IndexFunc(todo, func(l Link) bool { return !taken[l.Name] })
		if i >= 0 {
			step(todo[i].From, todo[i].Name)
			p.renamed(todo[i].Name)
			todo = slices.Delete(todo, i, i+1)
			continue
		}
		// A circle, or a stranger has the name.
		holder := todo[0].Name
		aside := "ren" + strings.TrimPrefix(holder, "ren")
		if taken[aside] {
			aside = "x" + aside
		}
		step(holder, aside)
		for j := range todo {
			if todo[j].From == holder {
				todo[j].From = aside
			}
		}
	}
}

func (p *planner) renamed(name string) {
	if p.down == nil {
		p.down = map[string]bool{}
	}
	p.down[name] = true
}

func (p *planner) settings(l Link) {
	cur := Link{}
	if c := p.current(l); c != nil {
		cur = *c
	}
	if l.MAC != "" && !strings.EqualFold(l.MAC, cur.MAC) {
		if cur.Up && cur.Kind != network.Bridge {
			p.setDown(l.Name)
		}
		p.add(Op{Verb: LinkMAC, Dev: l.Name, Arg: l.MAC})
	}
	for _, o := range missing(cur.Options, l.Options) {
		if l.Kind == network.Bond && cur.Up && slices.Contains(onlyWhileDown, o.Name) {
			p.setDown(l.Name)
		}
		p.add(Op{Verb: LinkOption, Dev: l.Name, Option: o.Name, Arg: o.Value, Link: Link{Kind: l.Kind}})
	}
	for _, o := range missing(cur.Sysctls, l.Sysctls) {
		p.add(Op{Verb: Sysctl, Dev: l.Name, Option: o.Name, Arg: o.Value})
	}
	if l.MTU != 0 && l.MTU != cur.MTU {
		p.add(Op{Verb: LinkMTU, Dev: l.Name, MTU: l.MTU})
	}
	if l.WakeOnLAN && !cur.WakeOnLAN {
		p.add(Op{Verb: LinkWake, Dev: l.Name})
	}
	p.master(l, cur)
}

func (p *planner) master(l, cur Link) {
	switch {
	case l.Master == cur.Master:
	case l.Master == "":
		// Only what we put into a master ourselves is taken out again.
		if m := p.have.link(cur.Master); m != nil && m.Ours {
			p.add(Op{Verb: LinkNoMaster, Dev: l.Name})
		}
		return
	default:
		// A bond takes only links that are down.
		if m := p.want.link(l.Master); cur.Up && m != nil && m.Kind == network.Bond {
			p.setDown(l.Name)
		}
		p.add(Op{Verb: LinkMaster, Dev: l.Name, Arg: l.Master})
	}
	for _, o := range missing(cur.PortOptions, l.PortOptions) {
		p.add(Op{Verb: PortOption, Dev: l.Name, Option: o.Name, Arg: o.Value})
	}
}

// missing are the options of want that have does not have.
func missing(have, want []Option) []Option {
	var out []Option
	for _, o := range want {
		if !slices.ContainsFunc(have, func(h Option) bool { return h.Name == o.Name && h.holds(o.Value) }) {
			out = append(out, o)
		}
	}
	return out
}

func (p *planner) up(l Link) {
	cur := p.current(l)
	if l.Up && (cur == nil || !cur.Up || p.down[l.Name]) {
		p.add(Op{Verb: SetUp, Dev: l.Name})
	}
}

func (p *planner) addAddresses(l Link) {
	have := map[string]Addr{}
	// A link that was down has lost its IPv6 addresses.
	if cur := p.current(l); cur != nil {
		for _, a := range cur.Addresses {
			if !(p.down[l.Name] && a.Prefix.Addr().Is6()) {
				have[a.Prefix.String()] = a
			}
		}
	}
	for _, a := range l.Addresses {
		if cur := p.current(l); cur != nil && !p.down[l.Name] && slices.Contains(cur.LinkLocal, a.Prefix) {
			continue
		}
		old, ok := have[a.Prefix.String()]
		// Lifetimes are renewed; what was leased and is static now is made so.
		if !ok || otherLifetime(old, a) {
			p.add(Op{Verb: AddrAdd, Dev: l.Name, Addr: a})
		}
	}
}

// otherLifetime says whether the kernel must be told: clocks need not agree to
// the second.
func otherLifetime(old, a Addr) bool {
	return (old.Valid == 0) != (a.Valid == 0) || (old.Valid-a.Valid).Abs() > 3*time.Second
}

// A routeKey is what the kernel tells routes apart by.
type routeKey struct {
	to            string
	metric, table int
}

func keyOf(r network.Route) routeKey {
	k := routeKey{to: r.To.Masked().String(), metric: r.Metric, table: r.Table}
	if k.table == 254 {
		k.table = 0
	}
	if k.metric == 0 && r.To.Addr().Is6() {
		k.metric = usualMetric
	}
	return k
}

func (p *planner) addRoutes(l Link) {
	cur := p.current(l)
	if !l.Up && (cur == nil || !cur.Up) {
		return // The kernel takes none until somebody sets the link up.
	}
	for _, r := range l.Routes {
		// A link that was down has lost its routes.
		if cur != nil && !p.down[l.Name] && slices.ContainsFunc(cur.Routes, func(h Route) bool { return sameRoute(h, r) }) {
			continue
		}
		p.add(Op{Verb: RouteAdd, Dev: l.Name, Route: r})
	}
}

func sameRoute(a, b Route) bool {
	return keyOf(a.Route) == keyOf(b.Route) && a.Via == b.Via && (a.From == b.From || !b.From.IsValid()) &&
		a.MTU == b.MTU && (a.Type == b.Type || cmp.Or(a.Type, "unicast") == cmp.Or(b.Type, "unicast"))
}

func (p *planner) addRules() {
	for _, r := range p.want.Rules {
		if !slices.Contains(p.have.Rules, r) {
			p.add(Op{Verb: RuleAdd, Rule: r})
		}
	}
}

// removals takes away what is not wanted, in the opposite order.
func (p *planner) removals() {
	for _, r := range p.have.Rules {
		if !slices.Contains(p.want.Rules, r) {
			p.add(Op{Verb: RuleDel, Rule: r})
		}
	}
	wanted := map[routeKey]bool{}
	for _, l := range p.want.Links {
		for _, r := range l.Routes {
			wanted[keyOf(r.Route)] = true
		}
	}
	for _, l := range p.want.Links {
		cur := p.current(l)
		if cur == nil || l.Keep || p.down[l.Name] {
			continue
		}
		for _, r := range cur.Routes {
			// One with the same key has been replaced already.
			if !wanted[keyOf(r.Route)] {
				p.add(Op{Verb: RouteDel, Dev: l.Name, Route: r})
			}
		}
	}
	for _, r := range p.have.Routes {
		if !slices.ContainsFunc(p.want.Routes, func(w Route) bool { return sameRoute(r, w) }) {
			p.add(Op{Verb: RouteDel, Route: r})
		}
	}
	for _, l := range p.want.Links {
		p.removeAddresses(l)
	}
	for _, l := range p.have.Links {
		if l.Ours && p.want.link(l.Name) == nil {
			p.add(Op{Verb: LinkDel, Dev: l.Name})
		}
	}
}

func (p *planner) removeAddresses(l Link) {
	cur := p.current(l)
	if cur == nil {
		return
	}
	// The kernel makes none any more, and keeps those that it has made.
	if slices.Contains(l.Sysctls, Option{addrGenMode, "1"}) && !p.down[l.Name] {
		for _, a := range cur.LinkLocal {
			if !slices.ContainsFunc(l.Addresses, func(w Addr) bool { return w.Prefix == a }) {
				p.add(Op{Verb: AddrDel, Dev: l.Name, Addr: Addr{Prefix: a}})
			}
		}
	}
	if l.Keep {
		return
	}
	for _, a := range cur.Addresses {
		if p.down[l.Name] && a.Prefix.Addr().Is6() {
			continue
		}
		if slices.ContainsFunc(l.Addresses, func(w Addr) bool { return w.Prefix == a.Prefix }) {
			continue
		}
		// The kernel would remove the others of the same network as well, which
		// are secondary to this one.
		if a.Prefix.Addr().Is4() && slices.ContainsFunc(l.Addresses, func(w Addr) bool { return w.Prefix.Masked() == a.Prefix.Masked() }) {
			p.add(Op{Verb: Sysctl, Dev: l.Name, Option: "ipv4/promote_secondaries", Arg: "1"})
		}
		p.add(Op{Verb: AddrDel, Dev: l.Name, Addr: a})
	}
}

// virtual kinds are those that we can make.
func virtual(kind string) bool {
	switch kind {
	case network.Bond, network.Bridge, network.VLAN, network.Dummy:
		return true
	}
	return false
}

// byDependency puts a link after its parent and after its master, and leaves
// the order alone otherwise.
func byDependency(links []Link) []Link {
	byName := map[string]Link{}
	for _, l := range links {
		byName[l.Name] = l
	}
	var out []Link
	seen := map[string]bool{}
	var visit func(l Link)
	visit = func(l Link) {
		if seen[l.Name] {
			return
		}
		seen[l.Name] = true
		for _, below := range []string{l.Parent, l.Master} {
			if b, ok := byName[below]; ok {
				visit(b)
			}
		}
		out = append(out, l)
	}
	for _, l := range links {
		visit(l)
	}
	return out
}
