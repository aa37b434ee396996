package network

import (
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// A Rancher is the rancher.network object, reduced to what makes links.
type Rancher struct {
	PreCommands  []string
	PostCommands []string
	DHCPTimeout  int
	DNS          DNS
	Interfaces   map[string]RancherInterface
}

// A RancherInterface is one of rancher.network.interfaces.
type RancherInterface struct {
	Match       string // mac=52:54:*, or a name
	DHCP        *bool
	Address     string
	Addresses   []string
	IPv4LL      bool
	Gateway     string
	GatewayIPv6 string
	MTU         int
	// Bridge is "true" for a bridge, else the bridge that the link is in.
	Bridge string
	Bond   string
	// BondOpts are files of sysfs: mode, miimon.
	BondOpts    map[string]string
	PreUp       []string
	PostUp      []string
	VLANs       string // 100,200:name
	WifiNetwork string
}

// FromRancher reads the rancher.network keys. Paths in the problems are below
// rancher.network.
func FromRancher(in Rancher) (*Config, []Problem) {
	r := &rancher{cfg: &Config{
		PreCommands: in.PreCommands, PostCommands: in.PostCommands, DHCPTimeout: in.DHCPTimeout, DNS: in.DNS,
	}}
	names := make([]string, 0, len(in.Interfaces))
	for name := range in.Interfaces {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		r.link(name, in.Interfaces[name], in.Interfaces)
	}
	for _, name := range names {
		r.below(name, in.Interfaces[name])
	}
	return r.cfg, r.problems
}

type rancher struct {
	cfg      *Config
	problems []Problem
}

func (r *rancher) errorf(path, format string, args ...any) {
	r.problems = append(r.problems, Problem{Path: "interfaces." + path, Message: fmt.Sprintf(format, args...), Severity: Error})
}

func (r *rancher) link(name string, in RancherInterface, all map[string]RancherInterface) {
	l := Link{
		ID: name, Kind: Physical, MTU: in.MTU, IPv4LL: in.IPv4LL, DHCP4: in.DHCP != nil && *in.DHCP,
		PreUp: in.PreUp, PostUp: in.PostUp, WifiNetwork: in.WifiNetwork,
	}
	switch {
	case in.Bridge == "true":
		l.Kind = Bridge
	case len(in.BondOpts) > 0 || isMaster(name, all):
		l.Kind, l.Parameters = Bond, bondParameters(in.BondOpts)
	case name == "lo":
		l.Kind = Loopback
	case in.Match != "":
		r.match(name, in.Match, &l)
	}
	list := in.Addresses
	if in.Address != "" {
		list = append([]string{in.Address}, list...)
	}
	for _, a := range list {
		p, err := parsePrefix(a, "", false)
		if err != nil {
			r.errorf(name+".address", "%s; write it as 10.0.0.5/24", err)
			continue
		}
		l.Addresses = appendNew(l.Addresses, p)
	}
	r.gateway(name+".gateway", in.Gateway, false, &l)
	r.gateway(name+".gateway_ipv6", in.GatewayIPv6, true, &l)
	r.cfg.Links = append(r.cfg.Links, l)
}

// isMaster says whether another link is in the bond of that name.
func isMaster(name string, all map[string]RancherInterface) bool {
	for _, i := range all {
		if i.Bond == name {
			return true
		}
	}
	return false
}

// match reads mac=52:54:*, mac:52:54:*, name=eth* or a bare name.
func (r *rancher) match(name, s string, l *Link) {
	for _, prefix := range []string{"mac=", "mac:"} {
		if mac, ok := strings.CutPrefix(s, prefix); ok {
			l.Match.MAC = strings.ToLower(strings.TrimSpace(mac))
			return
		}
	}
	if driver, ok := strings.CutPrefix(s, "driver="); ok {
		l.Match.Driver = []string{driver}
		return
	}
	l.Match.Name = strings.TrimPrefix(s, "name=")
	if strings.ContainsAny(l.Match.Name, "=: ") {
		r.errorf(name+".match", "%q is not understood; write mac=52:54:00:12:34:56 or a name like eth*", s)
	}
}

func (r *rancher) gateway(path, s string, v6 bool, l *Link) {
	if s == "" {
		return
	}
	via, err := parseAddr(s)
	if err != nil || via.Is6() != v6 {
		r.errorf(path, "%q is no address of a router here", s)
		return
	}
	l.Routes = append(l.Routes, Route{To: defaultRoute(v6), Via: via, OnLink: len(l.Addresses) > 0 && !l.reaches(via)})
}

// bondParameters turns the kernel's names into those of version 2. What has no
// such name stays as it is.
func bondParameters(opts map[string]string) map[string]string {
	keys := bondKeys()
	out := map[string]string{}
	for k, v := range opts {
		bare := strings.TrimPrefix(strings.ReplaceAll(k, "_", "-"), "bond-")
		if key, ok := keys[bare]; ok {
			out[key] = v
		} else {
			out[bare] = v
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// below makes the bonds, bridges and VLANs that an interface names.
func (r *rancher) below(name string, in RancherInterface) {
	if in.Bond != "" {
		r.member(in.Bond, Bond, name)
	}
	if in.Bridge != "" && in.Bridge != "true" && in.Bridge != "false" {
		r.member(in.Bridge, Bridge, name)
	}
	for _, v := range strings.FieldsFunc(in.VLANs, func(c rune) bool { return c == ',' || c == ' ' }) {
		id, vlan, named := strings.Cut(v, ":")
		n, err := strconv.Atoi(id)
		if err != nil || n < 1 || n > 4094 {
			r.errorf(name+".vlans", "%q is no VLAN number; write 100,200:name", id)
			continue
		}
		if !named || vlan == "" {
			vlan = name + "." + id
		}
		r.vlan(vlan, name, n)
	}
}

func (r *rancher) member(master, kind, name string) {
	i := slices.IndexFunc(r.cfg.Links, func(l Link) bool { return l.ID == master })
	if i < 0 {
		r.cfg.Links = append(r.cfg.Links, Link{ID: master, Kind: kind})
		i = len(r.cfg.Links) - 1
	}
	if r.cfg.Links[i].Kind != kind {
		r.errorf(name+"."+kind, "%q is no %s", master, kind)
		return
	}
	r.cfg.Links[i].Members = append(r.cfg.Links[i].Members, name)
}

// vlan makes a VLAN, or completes the entry that describes it.
func (r *rancher) vlan(name, parent string, id int) {
	i := slices.IndexFunc(r.cfg.Links, func(l Link) bool { return l.ID == name })
	if i < 0 {
		r.cfg.Links = append(r.cfg.Links, Link{ID: name})
		i = len(r.cfg.Links) - 1
	}
	l := &r.cfg.Links[i]
	l.Kind, l.Parent, l.VLANID = VLAN, parent, id
}
