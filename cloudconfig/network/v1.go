package network

import (
	"net/netip"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"rancheros/cloudconfig/shape"
)

// FromV1V2 reads a network-config document, version 1 or 2, as YAML or JSON,
// with or without `network:` around it. What is wrong is in the problems; what
// is good is in the Config all the same. `config: disabled` is an empty Config
// and a nil error.
//
// https://docs.cloud-init.io/en/latest/reference/network-config.html
func FromV1V2(doc []byte) (*Config, []Problem) {
	r := &reader{}
	cfg := &Config{}
	v, ok := r.parse(doc)
	if !ok {
		return cfg, r.problems
	}
	if inner := v.get("network"); inner.there() {
		v = inner
	}
	if !v.is(yaml.MappingNode) {
		v.errorf("should be a mapping with the key version")
		return cfg, r.problems
	}
	version := v.get("version")
	switch version.text() {
	case "1":
		(&v1{reader: r, cfg: cfg}).read(v)
	case "2":
		(&v2{reader: r, cfg: cfg}).read(v)
	case "":
		if v.get("config").text() != "disabled" {
			v.errorf("the key version is missing: 1 and 2 are known")
		}
	default:
		version.errorf("version %s is not known: 1 and 2 are", version.text())
	}
	return cfg, r.problems
}

type v1 struct {
	*reader
	cfg *Config
	// servers are name servers for one link, read before the link is known.
	servers []pendingServers
}

type pendingServers struct {
	at  value
	dns DNS
}

func (r *v1) read(v value) {
	v.warnUnknown("version", "config")
	config := v.get("config")
	if !config.there() {
		config.errorf("the key config is missing")
		return
	}
	if config.is(yaml.ScalarNode) {
		if config.text() != "disabled" {
			config.errorf("should be a list, or the word disabled")
		}
		return
	}
	for _, item := range config.list() {
		r.item(item)
	}
	for _, s := range r.servers {
		i := slices.IndexFunc(r.cfg.Links, func(l Link) bool { return l.ID == s.at.text() })
		if i < 0 {
			s.at.errorf("there is no interface %q", s.at.text())
			continue
		}
		add(&r.cfg.Links[i].DNS, s.dns)
	}
}

// warnUnknown is for a document's top: newer keys there do no harm.
func (v value) warnUnknown(known ...string) {
	for _, p := range v.pairs() {
		if !slices.Contains(known, p.key) {
			v.r.report(p.at, Warning, shape.Nearest(p.key, known), "unknown key, ignored")
		}
	}
}

func (r *v1) item(v value) {
	if !v.is(yaml.MappingNode) {
		v.errorf("should be a mapping with the key type")
		return
	}
	kind := v.get("type")
	common := []string{"type", "name", "id", "mac_address", "mtu", "accept-ra", "keep_configuration", "subnets", "wakeonlan", "optional", "config_id"}
	known := map[string][]string{
		"physical": common, "infiniband": common, "loopback": common,
		"bond":       append(slices.Clone(common), "bond_interfaces", "params"),
		"bridge":     append(slices.Clone(common), "bridge_interfaces", "params"),
		"vlan":       append(slices.Clone(common), "vlan_link", "vlan_id"),
		"nameserver": {"type", "address", "search", "interface"},
		"route":      routeKeys(),
	}
	// Keys of other types do no harm, nor do those of curtin, who shares the
	// format.
	elsewhere := []string{"driver", "domain", "ipv4_conf", "ipv6_conf", "parent"}
	for _, keys := range known {
		elsewhere = append(elsewhere, keys...)
	}
	if keys, ok := known[kind.text()]; ok {
		v.unknown(keys, elsewhere)
	}
	switch kind.text() {
	case "physical", "infiniband":
		r.link(v, Physical)
	case "loopback":
		r.link(v, Loopback)
	case "bond":
		r.bond(v)
	case "bridge":
		r.bridge(v)
	case "vlan":
		r.vlan(v)
	case "nameserver":
		r.nameserver(v)
	case "route":
		if route, ok := readRoute(v); ok {
			r.cfg.Routes = append(r.cfg.Routes, route)
		}
	case "":
		v.errorf("the key type is missing")
	default:
		r.report(kind, Error, shape.Nearest(kind.text(), []string{"physical", "bond", "bridge", "vlan", "nameserver", "route", "loopback", "infiniband"}), "%q is no type", kind.text())
	}
}

// link reads what all kinds of links have. Nil: it has no name.
func (r *v1) link(v value, kind string) *Link {
	name := v.get("name").name()
	if name == "" {
		if v.get("name").text() == "" {
			v.errorf("the key name is missing")
		}
		return nil
	}
	if len(r.cfg.Links) >= maxLinks {
		v.errorf("more than %d interfaces", maxLinks)
		return nil
	}
	if i := slices.IndexFunc(r.cfg.Links, func(l Link) bool { return l.ID == name }); i >= 0 {
		v.get("name").warnf("the interface %q is there twice; the last one is used", name)
		r.cfg.Links = slices.Delete(r.cfg.Links, i, i+1)
	}
	l := Link{ID: name, Kind: kind, MTU: v.get("mtu").number(0, maxMTU), AcceptRA: v.get("accept-ra").yes()}
	l.WakeOnLAN, l.Optional = v.get("wakeonlan").isTrue(), v.get("optional").isTrue()
	if mac := v.get("mac_address").mac(); mac != "" {
		if kind == Physical {
			l.Match.MAC, l.Name = mac, name
		} else {
			l.MAC = mac
		}
	}
	manual := 0
	subnets := v.get("subnets").list()
	for _, s := range subnets {
		r.subnet(s, &l)
		if s.get("control").text() == "manual" {
			manual++
		}
	}
	l.Manual = manual > 0 && manual == len(subnets)
	r.cfg.Links = append(r.cfg.Links, l)
	return &r.cfg.Links[len(r.cfg.Links)-1]
}

// maxMTU is the largest that the kernel takes of any device.
const maxMTU = 1 << 20

func (r *v1) bond(v value) {
	if l := r.link(v, Bond); l != nil {
		l.Members = v.get("bond_interfaces").words()
		l.Parameters = v.get("params").params(Bond)
	}
}

func (r *v1) bridge(v value) {
	l := r.link(v, Bridge)
	if l == nil {
		return
	}
	l.Members = v.get("bridge_interfaces").words()
	params := v.get("params")
	l.Parameters = params.params(Bridge)
	if hw := params.get("bridge_hw", "bridge-hw", "hw"); hw.there() && l.MAC == "" {
		l.MAC = strings.ToLower(strings.TrimSpace(strings.TrimPrefix(strings.ToUpper(hw.text()), "MAC")))
	}
}

func (r *v1) vlan(v value) {
	l := r.link(v, VLAN)
	if l == nil {
		return
	}
	l.Parent, l.VLANID = v.get("vlan_link").text(), v.get("vlan_id").number(0, 4094)
	if l.Parent == "" {
		v.errorf("the key vlan_link is missing: the interface below this VLAN")
	}
	if !v.get("vlan_id").there() {
		v.errorf("the key vlan_id is missing")
	}
}

func (r *v1) nameserver(v value) {
	dns := DNS{Nameservers: v.get("address").servers(), Search: v.get("search").words()}
	if len(v.get("address").items()) == 0 && len(dns.Search) == 0 {
		v.errorf("the key address is missing")
	}
	if at := v.get("interface"); at.there() {
		r.servers = append(r.servers, pendingServers{at, dns})
		return
	}
	add(&r.cfg.DNS, dns)
}

// add adds what is new, in bounds: a resolv.conf takes three and 32.
func add(to *DNS, from DNS) {
	for _, l := range []struct {
		to   *[]string
		from []string
	}{{&to.Nameservers, from.Nameservers}, {&to.Search, from.Search}} {
		for _, n := range l.from {
			if len(*l.to) < maxItems && !slices.Contains(*l.to, n) {
				*l.to = append(*l.to, n)
			}
		}
	}
}

// subnet reads one way of giving a link addresses.
func (r *v1) subnet(v value, l *Link) {
	if !v.is(yaml.MappingNode) {
		v.errorf("should be a mapping with the key type")
		return
	}
	v.unknown([]string{
		"type", "control", "address", "netmask", "prefix", "broadcast", "gateway", "metric", "dns_nameservers", "dns_search",
		"routes", "mtu", "ipv4", "ipv6",
	}, []string{"scope", "pointopoint", "network", "hwaddress", "lease_time"})
	kind := v.get("type")
	metric := v.get("metric").number(0, maxMetric)
	static := false
	switch kind.text() {
	case "dhcp", "dhcp4":
		l.DHCP4 = true
		setMetric(&l.DHCP4Overrides, metric)
	case "dhcp6":
		l.DHCP6 = true
		setMetric(&l.DHCP6Overrides, metric)
	case "ipv6_dhcpv6-stateful":
		l.DHCP6, l.IPv6Mode = true, "dhcp-stateful"
		setMetric(&l.DHCP6Overrides, metric)
	case "ipv6_dhcpv6-stateless":
		l.IPv6Mode = "dhcp-stateless"
	case "ipv6_slaac":
		l.IPv6Mode = "slaac"
	case "static", "static4", "static6":
		static = true
	case "loopback": // Its addresses are there without anybody's doing.
	case "manual":
		static = v.get("address").there()
	default:
		r.report(kind, Error, shape.Nearest(kind.text(), []string{"dhcp", "dhcp4", "dhcp6", "static", "static6", "manual", "ipv6_slaac"}), "%q is no type of a subnet", kind.text())
	}
	mtu := v.get("mtu").number(0, maxMTU)
	if static {
		r.static(v, l, metric, mtu)
	} else if l.MTU == 0 {
		l.MTU = mtu
	}
	for _, item := range v.get("routes").list() {
		item.unknown(routeKeys(), nil)
		route, ok := readRoute(item)
		if !ok {
			continue
		}
		if static && !item.get("metric").there() {
			route.Metric = metric
		}
		l.Routes = append(l.Routes, route)
	}
	add(&l.DNS, DNS{v.get("dns_nameservers").servers(), v.get("dns_search").words()})
}

const maxMetric = 1<<31 - 1

func setMetric(o *Overrides, metric int) {
	if metric > 0 {
		o.RouteMetric = &metric
	}
}

// static reads an address. Its MTU goes before the link's own, but that of IPv6
// is one of IPv6 only.
func (r *v1) static(v value, l *Link, metric, mtu int) {
	p, ok := v.get("address").prefix(v.get("prefix", "netmask"), true)
	if ok {
		l.Addresses = appendNew(l.Addresses, p)
		if mtu > 0 && p.Addr().Is4() {
			l.MTU = mtu
		}
	} else if !v.get("address").there() {
		v.errorf("the key address is missing")
	}
	// 0.0.0.0 is an initramfs's word for none.
	if via, there := v.get("gateway").addr(); there && !via.IsUnspecified() {
		l.Routes = append(l.Routes, Route{To: defaultRoute(via.Is6()), Via: via, Metric: metric, OnLink: ok && foreign(via, p)})
	}
}

func appendNew(list []netip.Prefix, p netip.Prefix) []netip.Prefix {
	if slices.Contains(list, p) {
		return list
	}
	return append(list, p)
}

func routeKeys() []string {
	return []string{"type", "id", "destination", "network", "netmask", "gateway", "metric", "to", "via", "mtu", "table", "on-link", "prefix"}
}

// readRoute reads a route of version 1.
func readRoute(v value) (Route, bool) {
	if !v.is(yaml.MappingNode) {
		v.errorf("should be a mapping with the keys destination and gateway")
		return Route{}, false
	}
	via := v.get("gateway", "via")
	mask := v.get("netmask", "prefix")
	where := v.get("destination", "network", "to")
	if where.text() == "default" && !via.there() {
		where.errorf("a default route needs a gateway")
		return Route{}, false
	}
	to, ok := destination(where, mask, via, true)
	if !ok {
		return Route{}, false
	}
	r := Route{
		To: to, Metric: v.get("metric").number(0, maxMetric), MTU: v.get("mtu").number(0, maxMTU),
		Table: v.get("table").number(0, maxMetric), OnLink: v.get("on-link").isTrue(),
	}
	if !via.there() {
		return r, true
	}
	r.Via, ok = via.addr()
	return r, ok && sameFamily(r, via)
}

// sameFamily refuses IPv6 by way of an IPv4 router. The other way round works.
func sameFamily(r Route, via value) bool {
	if r.To.Addr().Is6() && r.Via.Is4() {
		via.errorf("%s is no way to %s: it is of the other address family", r.Via, r.To)
		return false
	}
	return true
}
