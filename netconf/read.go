package netconf

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"rancheros/cloudconfig/network"
)

// alias marks links that we made.
const alias = "ros"

// Route protocols by which we know our own routes.
const (
	protoStatic = unix.RTPROT_STATIC
	protoDHCP   = unix.RTPROT_DHCP
)

// addrGenMode is how the kernel makes link-local addresses: 0 from the MAC, 1 not
// at all.
const addrGenMode = "ipv6/addr_gen_mode"

const acceptRA = "ipv6/accept_ra"

// defaultRouteMetric is the metric of the default route that a router advertises
// (Linux 5.12), usualMetric the kernel's own of all routes of IPv6.
const (
	defaultRouteMetric = "ipv6/ra_defrtr_metric"
	usualMetric        = 1024
)

// Read asks the kernel what there is. What the kernel keeps for itself is left
// out of Addresses and Routes: link-local and autoconfigured IPv6 addresses,
// routes that come with an address, routes of router advertisements and of other
// programs.
func Read() (State, error) {
	links, err := netlink.LinkList()
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
		return State{}, fmt.Errorf("list links: %w", err)
	}
	names := map[int]string{}
	for _, l := range links {
		names[l.Attrs().Index] = l.Attrs().Name
	}
	var s State
	at := map[int]int{}
	for _, l := range links {
		at[l.Attrs().Index] = len(s.Links)
		s.Links = append(s.Links, readLink(l, names))
	}
	if err := readAddresses(&s, at); err != nil {
		return State{}, err
	}
	if err := readRoutes(&s, at); err != nil {
		return State{}, err
	}
	s.Rules, err = readRules()
	return s, err
}

func readLink(l netlink.Link, names map[int]string) Link {
	a := l.Attrs()
	out := Link{
		Name: a.Name, Index: a.Index, MTU: a.MTU, MAC: a.HardwareAddr.String(),
		Up:      a.Flags&net.FlagUp != 0,
		Carrier: a.RawFlags&unix.IFF_LOWER_UP != 0,
		Master:  names[a.MasterIndex],
		Ours:    a.Alias == alias,
		Kind:    l.Type(),
	}
	if len(a.PermHWAddr) > 0 {
		out.PermanentMAC = a.PermHWAddr.String()
	} else if s, ok := a.Slave.(*netlink.BondSlave); ok {
		out.PermanentMAC = s.PermHardwareAddr.String()
	}
	switch v := l.(type) {
	case *netlink.Vlan:
		out.Parent, out.VLANID = names[a.ParentIndex], v.VlanId
	case *netlink.Device:
		out.Kind = network.Physical
		if a.Flags&net.FlagLoopback != 0 {
			out.Kind = network.Loopback
		}
	}
	if t, err := os.Readlink(filepath.Join(sysNet, a.Name, "device/driver")); err == nil {
		out.Driver = filepath.Base(t)
	}
	switch out.Kind {
	case network.Bond:
		out.Options = readOptions(a.Name, "bonding", bondOptions())
	case network.Bridge:
		out.Options = readOptions(a.Name, "bridge", bridgeOptions())
	}
	if out.Master != "" {
		out.PortOptions = readOptions(a.Name, "brport", []string{"path_cost", "priority"})
	}
	for _, k := range []string{acceptRA, "ipv6/autoconf", "ipv6/disable_ipv6", "ipv6/use_tempaddr", addrGenMode, defaultRouteMetric} {
		family, key, _ := strings.Cut(k, "/")
		if b, err := os.ReadFile(filepath.Join(procNet, family, "conf", a.Name, key)); err == nil {
			out.Sysctls = append(out.Sysctls, Option{k, strings.TrimSpace(string(b))})
		}
	}
	return out
}

// readOptions reads a folder of sysfs, where "802.3ad 4" is a word and its number.
func readOptions(link, dir string, names []string) []Option {
	var out []Option
	for _, n := range names {
		b, err := os.ReadFile(filepath.Join(sysNet, link, dir, n))
		if err != nil {
			continue
		}
		v := strings.TrimSpace(string(b))
		if n == arpTargets {
			v = strings.Join(strings.Fields(v), ",")
		}
		out = append(out, Option{n, v})
	}
	return out
}

func readAddresses(s *State, at map[int]int) error {
	addrs, err := netlink.AddrList(nil, netlink.FAMILY_ALL)
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
		return fmt.Errorf("list addresses: %w", err)
	}
	for _, a := range addrs {
		i, ok := at[a.LinkIndex]
		if !ok || a.IPNet == nil {
			continue
		}
		p, ok := prefixOf(a.IPNet)
		if !ok {
			continue
		}
		if p.Addr().Is6() && p.Addr().IsLinkLocalUnicast() && a.Flags&unix.IFA_F_PERMANENT != 0 {
			s.Links[i].LinkLocal = append(s.Links[i].LinkLocal, p)
			continue
		}
		if advertised(a, p) {
			ra := &s.Links[i].Advertised
			ra.Addresses = append(ra.Addresses, p.Addr())
			continue
		}
		out := Addr{Prefix: p}
		if a.Flags&unix.IFA_F_PERMANENT == 0 {
			out.Valid, out.Preferred = time.Duration(a.ValidLft)*time.Second, time.Duration(a.PreferedLft)*time.Second
			out.Lease = true
		}
		s.Links[i].Addresses = append(s.Links[i].Addresses, out)
	}
	return nil
}

// advertised says that the kernel took the address from a router's
// advertisement. What DHCPv6 gave has a lifetime as well, but we add that
// without a prefix route.
func advertised(a netlink.Addr, p netip.Prefix) bool {
	return p.Addr().Is6() && a.Flags&unix.IFA_F_PERMANENT == 0 && a.Flags&unix.IFA_F_NOPREFIXROUTE == 0
}

func readRoutes(s *State, at map[int]int) error {
	// Table 0 with this mask means every table.
	filter := &netlink.Route{Table: unix.RT_TABLE_UNSPEC}
	routes, err := netlink.RouteListFiltered(netlink.FAMILY_ALL, filter, netlink.RT_FILTER_TABLE)
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
		return fmt.Errorf("list routes: %w", err)
	}
	for _, r := range routes {
		if i, ok := at[r.LinkIndex]; ok && ofTheKernel6(r) {
			s.Links[i].Advertised.add(r)
		}
		if r.Table == unix.RT_TABLE_LOCAL || r.Protocol != protoStatic && r.Protocol != protoDHCP {
			continue
		}
		out, ok := readRoute(r)
		i, known := at[r.LinkIndex]
		switch {
		case ok && linkless(out.Route):
			s.Routes = append(s.Routes, out)
		case ok && known:
			s.Links[i].Routes = append(s.Links[i].Routes, out)
		}
	}
	return nil
}

// ofTheKernel6 are the main table's routes of IPv6 that nobody set: those that
// routers advertise, and those that come with an address.
func ofTheKernel6(r netlink.Route) bool {
	return r.Family == netlink.FAMILY_V6 && r.Table == unix.RT_TABLE_MAIN && r.Type == unix.RTN_UNICAST &&
		(r.Protocol == unix.RTPROT_RA || r.Protocol == unix.RTPROT_KERNEL) &&
		(r.Dst == nil || !r.Dst.IP.IsLinkLocalUnicast() && !r.Dst.IP.IsMulticast())
}

func (ra *Advertised) add(r netlink.Route) {
	route, ok := readRoute(r)
	switch {
	case !ok:
	case route.Via.IsValid():
		if route.To.Bits() == 0 && !ra.Router.IsValid() {
			ra.Router = route.Via
		}
	case route.To.Bits() < 128:
		ra.Networks = append(ra.Networks, route.To)
	}
}

// linkless routes lead nowhere, so they belong to no link.
func linkless(r network.Route) bool {
	switch r.Type {
	case "blackhole", "unreachable", "prohibit", "throw":
		return true
	}
	return false
}

func readRoute(r netlink.Route) (Route, bool) {
	out := Route{Lease: r.Protocol == protoDHCP}
	out.Metric, out.Table, out.MTU = r.Priority, r.Table, r.MTU
	if out.Table == unix.RT_TABLE_MAIN {
		out.Table = 0
	}
	out.OnLink = r.Flags&int(netlink.FLAG_ONLINK) != 0
	out.Via, _ = addrOf(r.Gw)
	if v, ok := r.Via.(*netlink.Via); ok && v != nil {
		out.Via, _ = addrOf(v.Addr)
	}
	out.From, _ = addrOf(r.Src)
	out.Type = routeTypes()[r.Type]
	if out.Type == "unicast" {
		out.Type = ""
	}
	if r.Scope == netlink.SCOPE_LINK && r.Family == netlink.FAMILY_V4 {
		out.Scope = "link"
	}
	if r.Dst == nil {
		out.To = netip.PrefixFrom(netip.IPv4Unspecified(), 0)
		if r.Family == netlink.FAMILY_V6 {
			out.To = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
		}
		return out, true
	}
	var ok bool
	out.To, ok = prefixOf(r.Dst)
	return out, ok
}

// routeTypes are the names of what the kernel numbers.
func routeTypes() map[int]string {
	return map[int]string{
		unix.RTN_UNICAST: "unicast", unix.RTN_LOCAL: "local", unix.RTN_BROADCAST: "broadcast",
		unix.RTN_ANYCAST: "anycast", unix.RTN_MULTICAST: "multicast", unix.RTN_BLACKHOLE: "blackhole",
		unix.RTN_UNREACHABLE: "unreachable", unix.RTN_PROHIBIT: "prohibit", unix.RTN_THROW: "throw",
		unix.RTN_NAT: "nat", unix.RTN_XRESOLVE: "xresolve",
	}
}

// readRules lists the rules that we added: those with our protocol.
func readRules() ([]network.Rule, error) {
	var out []network.Rule
	for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
		rules, err := netlink.RuleList(family)
		if errors.Is(err, unix.EAFNOSUPPORT) || errors.Is(err, unix.EOPNOTSUPP) {
			continue // A kernel without policy routing, or without IPv6.
		}
		if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
			return nil, fmt.Errorf("list routing rules: %w", err)
		}
		for _, r := range rules {
			if r.Protocol != protoStatic {
				continue
			}
			rule := network.Rule{Table: r.Table, Priority: max(r.Priority, 0), Mark: int(r.Mark), Specific: r.SuppressPrefixlen == 0}
			if r.Src != nil {
				rule.From, _ = prefixOf(r.Src)
			}
			if r.Dst != nil {
				rule.To, _ = prefixOf(r.Dst)
			}
			out = append(out, rule)
		}
	}
	return slices.Clip(out), nil
}

func addrOf(ip net.IP) (netip.Addr, bool) {
	a, ok := netip.AddrFromSlice(ip)
	return a.Unmap(), ok
}

func prefixOf(n *net.IPNet) (netip.Prefix, bool) {
	a, ok := addrOf(n.IP)
	ones, bits := n.Mask.Size()
	if !ok || bits == 0 {
		return netip.Prefix{}, false
	}
	if a.Is4() && bits == 128 {
		ones -= 96
	}
	return netip.PrefixFrom(a, ones), true
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}
