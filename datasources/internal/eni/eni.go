// Package eni reads /etc/network/interfaces of Debian's ifupdown, in which old
// versions of OpenStack and old seeds describe a machine's network.
//
// https://manpages.debian.org/stable/ifupdown/interfaces.5.en.html
package eni

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"rancheros/cloudconfig/network"
	"rancheros/datasources"
	"rancheros/datasources/internal/wire"
)

// maxStanzas is how many stanzas are read: a real file has a few.
const maxStanzas = 256

// Parse reads a file. Stanzas of the same interface are one link; what is not
// understood is left out, and an error says what it was. The links that were
// understood are good all the same. Nil: none were.
func Parse(h *datasources.Host, text string) (*network.Config, error) {
	p := &parser{host: h}
	stanzas := 0
	for n, line := range join(text) {
		words := strings.Fields(line)
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		if words[0] == "iface" || words[0] == "auto" {
			if stanzas++; stanzas > maxStanzas {
				return nil, fmt.Errorf("interfaces file has more than %d stanzas", maxStanzas)
			}
		}
		if err := p.line(words); err != nil && p.err == nil {
			p.err = fmt.Errorf("interfaces file, line %d: %w", n+1, err)
		}
	}
	p.end()
	if len(p.config.Links) == 0 {
		return nil, p.err
	}
	return &p.config, p.err
}

// Set reads a file for in; what is wrong in it is left out and is a problem.
func Set(h *datasources.Host, in *datasources.Instance, text string) {
	c, err := Parse(h, text)
	if err != nil {
		in.Problems = append(in.Problems, err.Error())
	}
	in.Network = c
}

// join puts lines together that end in a backslash. Each keeps its number.
func join(text string) []string {
	var lines []string
	open := -1
	for line := range strings.SplitSeq(text, "\n") {
		line = strings.TrimSpace(line)
		head, more := strings.CutSuffix(line, `\`)
		if open >= 0 {
			lines[open] += " " + head
			lines = append(lines, "")
		} else {
			lines = append(lines, head)
		}
		switch {
		case !more:
			open = -1
		case open < 0:
			open = len(lines) - 1
		}
	}
	return lines
}

type parser struct {
	host   *datasources.Host
	config network.Config
	err    error
	// The stanza that is being read.
	link                   *network.Link
	method                 string
	address, mask, gateway string
	metric                 int
}

// line reads one line: the start of a stanza, or an option of the open one.
func (p *parser) line(words []string) error {
	switch words[0] {
	case "auto", "source", "source-directory", "mapping", "no-auto-down", "no-scripts", "rename":
		p.end()
		return nil
	case "iface":
		p.end()
		return p.begin(words[1:])
	}
	if strings.HasPrefix(words[0], "allow-") {
		p.end()
		return nil
	}
	if p.link == nil {
		return nil
	}
	return p.option(words[0], words[1:])
}

func (p *parser) begin(words []string) error {
	if len(words) < 3 {
		return fmt.Errorf("iface %s: want a name, a family and a method", strings.Join(words, " "))
	}
	name, family, method := words[0], words[1], words[2]
	if method == "loopback" || name == "lo" {
		return nil
	}
	name, _, _ = strings.Cut(name, ":") // an alias is an address more
	i := slices.IndexFunc(p.config.Links, func(l network.Link) bool { return l.ID == name })
	if i < 0 {
		p.config.Links = append(p.config.Links, network.Link{ID: name, Kind: network.Physical})
		i = len(p.config.Links) - 1
	}
	p.link, p.method = &p.config.Links[i], method
	if parent, id, ok := strings.Cut(name, "."); ok {
		if n, err := strconv.Atoi(id); err == nil && n > 0 && n < 4095 {
			p.link.Kind, p.link.Parent, p.link.VLANID = network.VLAN, parent, n
		}
	}
	switch {
	case family == "inet" && method == "dhcp":
		p.link.DHCP4 = true
	case family == "inet6" && method == "dhcp":
		p.link.DHCP6 = true
	case family == "inet6" && method == "auto":
		yes := true
		p.link.AcceptRA = &yes
	case method == "static", method == "manual":
	default:
		return fmt.Errorf("iface %s: method %s %s is not known", name, family, method)
	}
	return nil
}

func (p *parser) option(key string, values []string) error {
	if len(values) == 0 {
		return nil
	}
	l, first := p.link, values[0]
	switch strings.ReplaceAll(key, "_", "-") {
	case "address":
		p.address = first
	case "netmask":
		p.mask = first
	case "gateway":
		p.gateway = first
	case "metric":
		p.metric, _ = strconv.Atoi(first)
	case "mtu":
		l.MTU, _ = strconv.Atoi(first)
	case "hwaddress":
		mac := values[len(values)-1] // `hwaddress ether 02:…` and `hwaddress 02:…`
		if _, err := net.ParseMAC(mac); err != nil {
			return fmt.Errorf("hwaddress: %q is no hardware address", mac)
		}
		if wire.LinkName(p.host, mac) != "" {
			l.Match.MAC = wire.MAC(mac)
		} else {
			l.MAC = wire.MAC(mac)
		}
	case "dns-nameservers", "dns-nameserver":
		l.DNS.Nameservers = append(l.DNS.Nameservers, values...)
	case "dns-search", "dns-domain":
		l.DNS.Search = append(l.DNS.Search, values...)
	case "vlan-raw-device":
		l.Kind, l.Parent = network.VLAN, first
	case "vlan-id":
		l.Kind = network.VLAN
		l.VLANID, _ = strconv.Atoi(first)
	case "bond-slaves":
		l.Kind = network.Bond
		if first != "none" {
			l.Members = append(l.Members, values...)
		}
	case "bond-master":
		p.join(first, l.ID)
	case "bond-mode", "bond-miimon", "bond-lacp-rate", "bond-xmit-hash-policy":
		p.parameter(network.Bond, map[string]string{"bond-mode": "mode", "bond-miimon": "mii-monitor-interval",
			"bond-lacp-rate": "lacp-rate", "bond-xmit-hash-policy": "transmit-hash-policy"}[strings.ReplaceAll(key, "_", "-")], first)
	case "bridge-ports":
		l.Kind = network.Bridge
		if first != "none" {
			l.Members = append(l.Members, values...)
		}
	case "up", "post-up":
		return p.route(values)
	}
	return nil
}

func (p *parser) parameter(kind, key, value string) {
	p.link.Kind = kind
	if p.link.Parameters == nil {
		p.link.Parameters = map[string]string{}
	}
	p.link.Parameters[key] = value
}

// join makes a link a member of a bond that has a stanza of its own, perhaps
// later.
func (p *parser) join(bond, member string) {
	i := slices.IndexFunc(p.config.Links, func(l network.Link) bool { return l.ID == bond })
	id := p.link.ID
	if i < 0 {
		p.config.Links = append(p.config.Links, network.Link{ID: bond, Kind: network.Bond})
		i = len(p.config.Links) - 1
	}
	if b := &p.config.Links[i]; !slices.Contains(b.Members, member) {
		b.Kind, b.Members = network.Bond, append(b.Members, member)
	}
	// The slice may have moved.
	p.link = &p.config.Links[slices.IndexFunc(p.config.Links, func(l network.Link) bool { return l.ID == id })]
}

// route understands the commands that clouds write to add a route. No command
// is ever run.
func (p *parser) route(words []string) error {
	text := strings.Join(words, " ")
	if !strings.HasPrefix(text, "route add ") && !strings.HasPrefix(text, "ip route add ") {
		return fmt.Errorf("command %q is not run", text)
	}
	to, mask, via := "", "", ""
	for i := 2; i < len(words); i++ {
		next := ""
		if i+1 < len(words) {
			next = words[i+1]
		}
		switch words[i] {
		case "-net", "-host":
			to = next
		case "default":
			to = "default"
		case "netmask":
			mask = next
		case "gw", "via":
			via = next
		default:
			if to == "" && words[0] == "ip" && strings.ContainsAny(words[i], ".:") {
				to = words[i]
			}
		}
	}
	if to == "default" || to == "0.0.0.0" {
		if r, ok := wire.DefaultRoute(via); ok {
			p.link.Routes = append(p.link.Routes, r)
		}
		return nil
	}
	dest, err := wire.Prefix(to, mask)
	if err != nil {
		return fmt.Errorf("route %q: %w", text, err)
	}
	r := network.Route{To: dest.Masked()}
	if a, err := netip.ParseAddr(via); err == nil {
		r.Via = a
	}
	p.link.Routes = append(p.link.Routes, r)
	return nil
}

// end takes over the address of the stanza that was read.
func (p *parser) end() {
	defer func() { p.link, p.address, p.mask, p.gateway, p.metric = nil, "", "", "", 0 }()
	if p.link == nil || p.method != "static" && p.address == "" {
		return
	}
	fail := func(err error) {
		if p.err == nil {
			p.err = fmt.Errorf("interfaces file, iface %s: %w", p.link.ID, err)
		}
	}
	if p.address == "" {
		fail(errors.New("static, but without an address"))
		return
	}
	if p.mask == "" && !strings.Contains(p.address, "/") {
		p.mask = "24"
		if strings.Contains(p.address, ":") {
			p.mask = "64"
		}
		fail(fmt.Errorf("%s has no netmask; it is taken for one of a /%s", p.address, p.mask))
	}
	a, err := wire.Prefix(p.address, p.mask)
	if err != nil {
		fail(err)
		return
	}
	p.link.Addresses = append(p.link.Addresses, a)
	if r, ok := wire.DefaultRoute(p.gateway); ok {
		r.Metric = p.metric
		p.link.Routes = append(p.link.Routes, r)
	}
}
