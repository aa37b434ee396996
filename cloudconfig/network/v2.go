package network

import (
	"cmp"
	"net/netip"
	"slices"

	"go.yaml.in/yaml/v4"

	"rancheros/cloudconfig/shape"
)

// A v2 reads network-config version 2, which is a part of netplan's language.
type v2 struct {
	*reader
	cfg *Config
}

func (r *v2) read(v value) {
	v.warnUnknown("version", "renderer", "ethernets", "bonds", "bridges", "vlans")
	v.get("renderer").oneOf(renderers()...)
	for _, section := range []struct{ key, kind string }{
		{"ethernets", Physical}, {"bonds", Bond}, {"bridges", Bridge}, {"vlans", VLAN},
	} {
		for _, p := range v.get(section.key).pairs() {
			r.link(p, section.kind)
		}
	}
	r.references(v)
}

// renderers are those that a document may ask for. We are another.
func renderers() []string { return []string{"networkd", "NetworkManager", "sriov"} }

// references checks that links that are named exist; a bond or bridge may take
// devices that have no entry.
func (r *v2) references(v value) {
	for _, p := range v.get("vlans").pairs() {
		below := p.get("link")
		if below.there() && !slices.ContainsFunc(r.cfg.Links, func(l Link) bool { return l.ID == below.text() }) {
			below.warnf("there is no entry for the link %q; the device of that name is meant", below.text())
		}
	}
}

// commonKeys are those of every link.
func commonKeys() []string {
	return []string{
		"renderer", "dhcp4", "dhcp6", "dhcp4-overrides", "dhcp6-overrides", "addresses", "gateway4", "gateway6", "mtu",
		"optional", "nameservers", "routes", "routing-policy", "accept-ra", "macaddress", "link-local", "activation-mode",
		"dhcp4domain", "dhcp6domain",
	}
}

// foreignKeys are netplan's that we have no use for.
func foreignKeys() []string {
	return []string{
		"critical", "dhcp-identifier", "ignore-carrier", "ipv6-address-generation", "ipv6-address-token", "ipv6-mtu",
		"ipv6-privacy", "openvswitch", "optional-addresses", "neigh-suppress", "auth", "emit-lldp", "infiniband-mode",
		"receive-checksum-offload", "transmit-checksum-offload", "tcp-segmentation-offload", "tcp6-segmentation-offload",
		"generic-segmentation-offload", "generic-receive-offload", "large-receive-offload", "sr-iov", "virtual-function-count",
		"embedded-switch-mode", "delay-virtual-functions-rebind", "networkmanager", "regulatory-domain", "hairpin", "port-mac-learning", "ra-overrides",
	}
}

func (r *v2) link(p pair, kind string) {
	v := p.value
	if v.n.Tag == "!!null" {
		v.n = &yaml.Node{Kind: yaml.MappingNode, Line: p.at.n.Line, Column: p.at.n.Column}
	}
	if !v.is(yaml.MappingNode) {
		v.errorf("should be a mapping of the link's keys")
		return
	}
	if i := slices.IndexFunc(r.cfg.Links, func(l Link) bool { return l.ID == p.key }); i >= 0 {
		p.at.errorf("the link %q is there twice, as a %s as well", p.key, r.cfg.Links[i].Kind)
		return
	}
	if len(r.cfg.Links) >= maxLinks {
		p.at.errorf("more than %d links", maxLinks)
		return
	}
	if kind != Physical && !validName(p.key) {
		p.at.errorf("%q is no name for a link: 15 letters at most, without blanks and slashes", p.key)
		return
	}
	l := Link{ID: p.key, Kind: kind}
	known := commonKeys()
	switch kind {
	case Physical:
		known = append(known, "match", "set-name", "wakeonlan")
		r.ethernet(v, &l)
	case Bond, Bridge:
		known = append(known, "interfaces", "parameters")
		l.Members = v.get("interfaces").words()
		l.Parameters = v.get("parameters").params(kind)
	case VLAN:
		known = append(known, "id", "link")
		r.vlan(v, &l)
	}
	// Keys of other kinds of links do no harm.
	v.unknown(known, append(foreignKeys(), "match", "set-name", "wakeonlan", "interfaces", "parameters", "id", "link"))
	r.common(v, &l)
	r.cfg.Links = append(r.cfg.Links, l)
}

func (r *v2) ethernet(v value, l *Link) {
	m := v.get("match")
	if m.there() {
		m.unknown([]string{"name", "macaddress", "driver"}, []string{"path", "original-name"})
		l.Match = Match{MAC: m.get("macaddress").mac(), Name: m.get("name").text(), Driver: m.get("driver").words()}
	}
	l.Name = v.get("set-name").name()
	if l.Name != "" && !m.there() {
		v.get("set-name").warnf("there is no match, so the device called %s gets the name", l.ID)
	}
	l.WakeOnLAN = v.get("wakeonlan").isTrue()
	// netplan has no section for it.
	if cmp.Or(l.Match.Name, l.ID) == "lo" {
		l.Kind = Loopback
	}
}

func (r *v2) vlan(v value, l *Link) {
	l.Parent, l.VLANID = v.get("link").text(), v.get("id").number(0, 4094)
	if l.Parent == "" {
		v.errorf("the key link is missing: the link below this VLAN")
	}
	if !v.get("id").there() {
		v.errorf("the key id is missing")
	}
}

func (r *v2) common(v value, l *Link) {
	v.get("renderer").oneOf(renderers()...)
	l.DHCP4, l.DHCP6 = v.get("dhcp4").isTrue(), v.get("dhcp6").isTrue()
	l.DHCP4Overrides = v.get("dhcp4-overrides").overrides()
	l.DHCP6Overrides = v.get("dhcp6-overrides").overrides()
	v.get("dhcp4domain").domains(&l.DHCP4Overrides)
	v.get("dhcp6domain").domains(&l.DHCP6Overrides)
	l.MAC, l.MTU = v.get("macaddress").mac(), v.get("mtu").number(0, maxMTU)
	l.AcceptRA, l.Optional = v.get("accept-ra").yes(), v.get("optional").isTrue()
	mode := v.get("activation-mode").text()
	l.Manual = mode == "manual" || mode == "off"
	v.get("link-local").linkLocal(l)
	for _, a := range v.get("addresses").items() {
		// An address may have options: {10.0.0.1/24: {label: x}}.
		if a.is(yaml.MappingNode) && len(a.n.Content) > 0 {
			a = value{a.r, a.n.Content[0], a.path}
		}
		if p, ok := a.prefix(value{r: v.r}, true); ok {
			l.Addresses = appendNew(l.Addresses, p)
		}
	}
	dns := v.get("nameservers")
	dns.unknown([]string{"addresses", "search"}, nil)
	add(&l.DNS, DNS{dns.get("addresses").servers(), dns.get("search").words()})
	r.routes(v, l)
	for _, item := range v.get("routing-policy").list() {
		r.rule(item)
	}
}

// linkLocal reads which families take addresses that hold on the link only. It
// is the IPv6 one that a link has unless the list leaves it out.
func (v value) linkLocal(l *Link) {
	if !v.there() {
		return
	}
	six := false
	for _, item := range v.items() {
		switch item.oneOf("ipv4", "ipv6") {
		case "ipv4":
			l.IPv4LL = true
		case "ipv6":
			six = true
		default: // A mistake; it costs nobody an address.
			return
		}
	}
	l.IPv6LL = &six
	if !six && l.DHCP6 {
		v.warnf("dhcp6 asks from an address of fe80::/10: add ipv6 here, or it gets no answer")
	}
}

func (r *v2) routes(v value, l *Link) {
	for _, key := range []string{"gateway4", "gateway6"} {
		g := v.get(key)
		via, ok := g.addr()
		if !ok {
			continue
		}
		if via.Is6() != (key == "gateway6") {
			g.errorf("%s is of the other address family", via)
			continue
		}
		// It stands beside the first address of its family.
		i := slices.IndexFunc(l.Addresses, func(p netip.Prefix) bool { return p.Addr().Is6() == via.Is6() })
		on := i < 0 && !l.reaches(via) || i >= 0 && foreign(via, l.Addresses[i])
		l.Routes = append(l.Routes, Route{To: defaultRoute(via.Is6()), Via: via, OnLink: on})
	}
	for _, item := range v.get("routes").list() {
		if route, ok := v2route(item); ok {
			l.Routes = append(l.Routes, route)
		}
	}
}

func v2route(v value) (Route, bool) {
	if !v.is(yaml.MappingNode) {
		v.errorf("should be a mapping with the keys to and via")
		return Route{}, false
	}
	v.unknown([]string{"to", "via", "from", "metric", "table", "mtu", "on-link", "type", "scope"},
		[]string{"congestion-window", "advertised-receive-window", "advertised-mss"})
	via := v.get("via")
	to, ok := destination(v.get("to"), value{r: v.r}, via, false)
	if !ok {
		return Route{}, false
	}
	r := Route{
		To: to, Metric: v.get("metric").number(0, maxMetric), Table: v.get("table").number(0, maxMetric),
		MTU: v.get("mtu").number(0, maxMTU), OnLink: v.get("on-link").isTrue(),
		Type: v.get("type").oneOf("unicast", "anycast", "blackhole", "broadcast", "local", "multicast", "nat", "prohibit", "throw", "unreachable", "xresolve"), Scope: v.get("scope").oneOf("global", "link", "host"),
	}
	if from := v.get("from"); from.there() {
		if r.From, ok = from.addr(); !ok {
			return r, false
		}
	}
	if via.there() {
		r.Via, ok = via.addr()
	}
	return r, ok && sameFamily(r, via)
}

// oneOf reads one of a few words.
func (v value) oneOf(words ...string) string {
	s := v.text()
	if s != "" && !slices.Contains(words, s) {
		v.r.report(v, Error, shape.Nearest(s, words), "%q is not known here", s)
		return ""
	}
	return s
}

func (r *v2) rule(v value) {
	v.unknown([]string{"from", "to", "table", "priority", "mark"}, []string{"type-of-service"})
	rule := Rule{
		Table: v.get("table").number(0, maxMetric), Priority: v.get("priority").number(0, maxMetric),
		Mark: v.get("mark").number(0, maxMetric),
	}
	for key, end := range map[string]*netip.Prefix{"from": &rule.From, "to": &rule.To} {
		item := v.get(key)
		if !item.there() {
			continue
		}
		p, ok := item.prefix(value{r: v.r}, false)
		if !ok {
			return
		}
		*end = p.Masked()
	}
	if !rule.From.IsValid() && !rule.To.IsValid() && rule.Mark == 0 {
		v.errorf("a rule needs from, to or mark")
		return
	}
	if rule.Table == 0 {
		rule.Table = 254 // main
	}
	r.cfg.Rules = append(r.cfg.Rules, rule)
}

func (v value) overrides() Overrides {
	v.unknown([]string{
		"hostname", "route-metric", "send-hostname", "use-dns", "use-domains", "use-hostname", "use-mtu", "use-ntp", "use-routes",
	}, []string{"send-release", "use-captive-portal", "use-6rd", "use-sip"})
	o := Overrides{
		Hostname: v.get("hostname").text(), SendHostname: v.get("send-hostname").yes(), UseDNS: v.get("use-dns").yes(),
		UseHostname: v.get("use-hostname").yes(), UseMTU: v.get("use-mtu").yes(), UseNTP: v.get("use-ntp").yes(),
		UseRoutes: v.get("use-routes").yes(),
	}
	v.get("use-domains").domains(&o)
	if m := v.get("route-metric"); m.there() {
		n := m.number(0, maxMetric)
		o.RouteMetric = &n
	}
	return o
}

// domains reads use-domains, or dhcp4domain, VMware's word for the same.
func (v value) domains(o *Overrides) {
	if !v.there() {
		return
	}
	if o.UseDomains != "" {
		v.errorf("there is use-domains as well; one of them has to go")
		return
	}
	b, ok := boolOf(v.text())
	switch {
	case ok && b:
		o.UseDomains = "true"
	case ok:
		o.UseDomains = "false"
	case v.text() == "route":
		o.UseDomains = "route"
	default:
		v.errorf("should be true, false or route, not %q", v.text())
	}
}
