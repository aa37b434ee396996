package network

import (
	"fmt"
	"slices"
	"strings"

	"rancheros/cloudconfig/shape"
)

// FromOpenStack reads network_data.json. Macs gives the devices of this machine
// by MAC address in lower case, as far as they are known; a link whose address
// is not among them is matched by its address and keeps the device's name.
//
// https://docs.openstack.org/nova/latest/user/metadata.html
func FromOpenStack(doc []byte, macs map[string]string) (*Config, []Problem) {
	r := &openstack{reader: &reader{}, cfg: &Config{}, macs: macs, names: map[string]string{}}
	v, ok := r.parse(doc)
	if !ok {
		return r.cfg, r.problems
	}
	v.warnUnknown("links", "networks", "services")
	links := v.get("links").list()
	for _, l := range links {
		r.name(l)
	}
	// A VLAN is called after the link below it, which may come later.
	for range vlanDepth {
		for _, l := range links {
			r.nameVLAN(l)
		}
	}
	for _, l := range links {
		r.link(l)
	}
	for _, n := range v.get("networks").list() {
		r.network(n)
	}
	for _, s := range v.get("services").list() {
		add(&r.cfg.DNS, service(s))
	}
	return r.cfg, r.problems
}

// vlanDepth is how many VLANs may lie in each other: the kernel's own limit.
const vlanDepth = 8

type openstack struct {
	*reader
	cfg   *Config
	macs  map[string]string
	names map[string]string // by id
	bonds int
}

// name settles what a link that is no VLAN is called.
func (r *openstack) name(v value) {
	id, kind := v.get("id").text(), v.get("type").text()
	if id == "" {
		v.errorf("the key id is missing")
		return
	}
	name := v.get("name").text()
	if kind == "bond" {
		// The id is some number of the host's: bonds are counted.
		r.names[id] = fmt.Sprintf("bond%d", r.bonds)
		r.bonds++
	} else if device := r.macs[strings.ToLower(v.get("ethernet_mac_address").text())]; device != "" {
		r.names[id] = device
	} else {
		r.names[id] = id
	}
	if validName(name) {
		r.names[id] = name
	}
	if kind == "vlan" {
		delete(r.names, id) // It takes the name of the link below it.
	}
}

func (r *openstack) nameVLAN(v value) {
	if v.get("type").text() != "vlan" {
		return
	}
	id, parent := v.get("id").text(), r.names[v.get("vlan_link").text()]
	if parent != "" && id != "" {
		name := parent + "." + v.get("vlan_id").text()
		if !validName(name) { // The link below is called by its long id.
			name = "vlan" + v.get("vlan_id").text()
		}
		r.names[id] = name
	}
}

func (r *openstack) link(v value) {
	id := v.get("id").text()
	name, ok := r.names[id]
	if !ok {
		if id != "" {
			v.get("vlan_link").errorf("there is no link %q", v.get("vlan_link").text())
		}
		return
	}
	if slices.ContainsFunc(r.cfg.Links, func(l Link) bool { return l.ID == name }) {
		v.get("id").errorf("the link %q is there twice", id)
		return
	}
	l := Link{ID: name, MTU: v.get("mtu").number(0, maxMTU)}
	mac := v.get("ethernet_mac_address")
	switch v.get("type").text() {
	case "bond":
		l.Kind, l.MAC = Bond, mac.mac()
		r.bond(v, &l)
	case "vlan":
		l.Kind, l.MAC = VLAN, v.get("vlan_mac_address", "ethernet_mac_address").mac()
		l.VLANID, l.Parent = v.get("vlan_id").number(0, 4094), r.names[v.get("vlan_link").text()]
	default:
		l.Kind, l.Match.MAC = Physical, mac.mac()
		named := v.get("name").text() == name
		if l.Match.MAC == "" && !named {
			v.errorf("the key ethernet_mac_address is missing")
			return
		}
		if device := r.macs[l.Match.MAC]; named && l.Match.MAC != "" {
			l.Name = name
		} else if device != "" {
			l.Name = device
		}
	}
	r.cfg.Links = append(r.cfg.Links, l)
}

func (r *openstack) bond(v value, l *Link) {
	for _, m := range v.get("bond_links").items() {
		name, ok := r.names[m.text()]
		if !ok {
			m.errorf("there is no link %q", m.text())
			continue
		}
		l.Members = append(l.Members, name)
	}
	keys := bondKeys()
	for _, p := range v.pairs() {
		bare, ok := strings.CutPrefix(p.key, "bond_")
		if key := keys[strings.ReplaceAll(bare, "_", "-")]; ok && key != "" && p.there() {
			if l.Parameters == nil {
				l.Parameters = map[string]string{}
			}
			l.Parameters[key] = p.param(key)
		}
	}
}

// network gives a link one way to an address.
func (r *openstack) network(v value) {
	id := v.get("link")
	name := r.names[id.text()]
	i := slices.IndexFunc(r.cfg.Links, func(l Link) bool { return name != "" && l.ID == name })
	if i < 0 {
		id.warnf("there is no link %q", id.text())
		return
	}
	l := &r.cfg.Links[i]
	yes, no := true, false
	switch kind := v.get("type"); kind.text() {
	case "ipv4_dhcp", "dhcp4", "dhcp", "ipv4_dhcpv4":
		l.DHCP4 = true
	case "ipv6_dhcp", "dhcp6":
		l.DHCP6, l.AcceptRA = true, &yes
	case "ipv6_dhcpv6-stateful":
		l.DHCP6, l.IPv6Mode, l.AcceptRA = true, "dhcp-stateful", &yes
	case "ipv6_dhcpv6-stateless":
		l.IPv6Mode = "dhcp-stateless"
	case "ipv6_slaac":
		l.IPv6Mode = "slaac"
	case "ipv6", "static6":
		l.AcceptRA = &no
		r.static(v, l)
	case "ipv4", "static":
		r.static(v, l)
	default:
		r.report(kind, Error, shape.Nearest(kind.text(), []string{"ipv4", "ipv6", "ipv4_dhcp", "ipv6_dhcp", "ipv6_slaac"}), "%q is no type of a network", kind.text())
		return
	}
	add(&l.DNS, DNS{v.get("dns_nameservers").servers(), v.get("dns_search").words()})
	for _, s := range v.get("services").list() {
		add(&l.DNS, service(s))
	}
	for _, item := range v.get("routes").list() {
		r.route(item, l)
	}
}

func (r *openstack) static(v value, l *Link) {
	p, ok := v.get("ip_address").prefix(v.get("netmask"), true)
	if ok {
		l.Addresses = appendNew(l.Addresses, p)
	} else if !v.get("ip_address").there() {
		v.errorf("the key ip_address is missing")
	}
	if via, there := v.get("gateway").addr(); there {
		route := Route{To: defaultRoute(via.Is6()), Via: via, OnLink: ok && foreign(via, p), Metric: v.get("metric").number(0, maxMetric)}
		if !slices.Contains(l.Routes, route) {
			l.Routes = append(l.Routes, route)
		}
	}
}

// route adds a route, unless it is there: several networks of a link may name
// the same gateway.
func (r *openstack) route(v value, l *Link) {
	for _, s := range v.get("services").list() {
		add(&l.DNS, service(s))
	}
	route, ok := readRoute(v)
	if ok && !slices.Contains(l.Routes, route) {
		l.Routes = append(l.Routes, route)
	}
}

func service(v value) DNS {
	if v.get("type").text() != "dns" {
		return DNS{}
	}
	return DNS{v.get("address").servers(), v.get("search").words()}
}
