package netconf

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"rancheros/cloudconfig/network"
)

const (
	sysNet  = "/sys/class/net"
	procNet = "/proc/sys/net"
)

// Apply takes the steps in order. A step that fails is named in the error and
// the others are taken all the same: half a network is better than none.
func Apply(ops []Op, log *slog.Logger) error {
	var errs []error
	for _, o := range ops {
		err := apply(o)
		if errors.Is(err, unix.EEXIST) && o.Verb != LinkAdd || gone(o, err) {
			err = nil
		}
		if o.Verb == Sysctl && errors.Is(err, fs.ErrNotExist) {
			// A kernel without IPv6 has nothing to set.
			log.Debug("no such setting", "op", o.String())
			continue
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", o, err))
			continue
		}
		log.Debug("applied", "op", o.String())
	}
	return errors.Join(errs...)
}

// gone says that what was to be removed is not there any more: the kernel
// removes routes with the address or the link below them.
func gone(o Op, err error) bool {
	switch o.Verb {
	case RouteDel, AddrDel, RuleDel, LinkDel:
		var notFound netlink.LinkNotFoundError
		return errors.Is(err, unix.ESRCH) || errors.Is(err, unix.EADDRNOTAVAIL) ||
			errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENODEV) || errors.As(err, &notFound)
	}
	return false
}

func apply(o Op) error {
	switch o.Verb {
	case LinkAdd:
		return addLink(o.Link)
	case LinkOption:
		dir := map[string]string{network.Bond: "bonding", network.Bridge: "bridge"}[o.Link.Kind]
		return setOption(filepath.Join(sysNet, o.Dev, dir, o.Option), o)
	case PortOption:
		return setOption(filepath.Join(sysNet, o.Dev, "brport", o.Option), o)
	case Sysctl:
		family, key, _ := strings.Cut(o.Option, "/")
		return setOption(filepath.Join(procNet, family, "conf", o.Dev, key), o)
	case LinkWake:
		return wakeOnLAN(o.Dev)
	case RuleAdd, RuleDel:
		return applyRule(o)
	}
	var l netlink.Link // None for routes that belong to no link.
	if o.Dev != "" {
		var err error
		if l, err = netlink.LinkByName(o.Dev); err != nil {
			return err
		}
	}
	switch o.Verb {
	case LinkDown:
		return netlink.LinkSetDown(l)
	case SetUp:
		return netlink.LinkSetUp(l)
	case LinkRename:
		return netlink.LinkSetName(l, o.Arg)
	case LinkMTU:
		return netlink.LinkSetMTU(l, o.MTU)
	case LinkMAC:
		mac, err := net.ParseMAC(o.Arg)
		if err != nil {
			return err
		}
		return netlink.LinkSetHardwareAddr(l, mac)
	case LinkMaster:
		return setMaster(l, o.Arg)
	case LinkNoMaster:
		return netlink.LinkSetNoMaster(l)
	case LinkDel:
		return netlink.LinkDel(l)
	case AddrAdd:
		return netlink.AddrReplace(l, kernelAddr(o.Addr))
	case AddrDel:
		return netlink.AddrDel(l, &netlink.Addr{IPNet: ipNet(o.Addr.Prefix)})
	case RouteAdd:
		return netlink.RouteReplace(kernelRoute(l, o.Route))
	case RouteDel:
		return netlink.RouteDel(kernelRoute(l, o.Route))
	}
	return errors.New("no such step")
}

func addLink(l Link) error {
	attrs := netlink.NewLinkAttrs()
	attrs.Name = l.Name
	var link netlink.Link
	switch l.Kind {
	case network.Bond:
		link = netlink.NewLinkBond(attrs)
	case network.Bridge:
		link = &netlink.Bridge{LinkAttrs: attrs}
	case network.Dummy:
		link = &netlink.Dummy{LinkAttrs: attrs}
	case network.VLAN:
		parent, err := netlink.LinkByName(l.Parent)
		if err != nil {
			return fmt.Errorf("link %s below it: %w", l.Parent, err)
		}
		attrs.ParentIndex = parent.Attrs().Index
		link = &netlink.Vlan{LinkAttrs: attrs, VlanId: l.VLANID, VlanProtocol: netlink.VLAN_PROTOCOL_8021Q}
	default:
		return fmt.Errorf("no link of kind %q can be made", l.Kind)
	}
	err := netlink.LinkAdd(link)
	if err != nil && !errors.Is(err, unix.EEXIST) {
		return err
	}
	made, lerr := netlink.LinkByName(l.Name)
	if lerr != nil {
		return lerr
	}
	// The module that makes bonds makes bond0 when it is loaded, which LinkAdd
	// does: that one will do.
	if err != nil && (made.Type() != l.Kind || l.Kind == network.VLAN) {
		return err
	}
	// The alias is how a later run knows that it may remove the link.
	return netlink.LinkSetAlias(made, alias)
}

func setMaster(l netlink.Link, name string) error {
	m, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	return netlink.LinkSetMaster(l, m)
}

// setOption writes a file of sysfs or /proc/sys. A list takes one write for each
// change.
func setOption(path string, o Op) error {
	values := []string{o.Arg}
	if o.Option == arpTargets {
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		values = listChanges(strings.Fields(string(b)), strings.Split(o.Arg, ","))
	}
	for _, v := range values {
		if err := os.WriteFile(path, []byte(v), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// listChanges are the writes that make a list of sysfs the wanted one.
func listChanges(have, want []string) []string {
	var out []string
	for _, w := range want {
		if !slices.Contains(have, w) {
			out = append(out, "+"+w)
		}
	}
	for _, h := range have {
		if !slices.Contains(want, h) {
			out = append(out, "-"+h)
		}
	}
	return out
}

func kernelAddr(a Addr) *netlink.Addr {
	out := &netlink.Addr{
		IPNet:    ipNet(a.Prefix),
		ValidLft: int(a.Valid.Seconds()), PreferedLft: int(a.Preferred.Seconds()),
	}
	if a.Prefix.Addr().Is6() {
		if a.Lease {
			out.Flags |= unix.IFA_F_NOPREFIXROUTE
		}
		return out
	}
	if a.Prefix.Addr().IsLinkLocalUnicast() {
		out.Scope = int(netlink.SCOPE_LINK)
	}
	if a.Prefix.Bits() < 31 {
		out.Broadcast = broadcast(a.Prefix)
	}
	return out
}

func broadcast(p netip.Prefix) net.IP {
	ip, mask := p.Addr().As4(), net.CIDRMask(p.Bits(), 32)
	for i := range ip {
		ip[i] |= ^mask[i]
	}
	return ip[:]
}

func kernelRoute(l netlink.Link, r Route) *netlink.Route {
	out := &netlink.Route{
		Dst: ipNet(r.To.Masked()), Priority: r.Metric, Table: r.Table, MTU: r.MTU,
		Protocol: protoStatic, Family: netlink.FAMILY_V4,
	}
	if r.To.Addr().Is6() {
		out.Family = netlink.FAMILY_V6
	}
	if l != nil {
		out.LinkIndex = l.Attrs().Index
	}
	if r.Lease {
		out.Protocol = protoDHCP
	}
	switch {
	case r.Via.IsValid() && r.Via.Is6() != r.To.Addr().Is6():
		// IPv4 by way of a router that has only an IPv6 address.
		out.Via = &netlink.Via{AddrFamily: unix.AF_INET6, Addr: r.Via.AsSlice()}
	case r.Via.IsValid():
		out.Gw = r.Via.AsSlice()
	case out.Family == netlink.FAMILY_V4 && l != nil:
		out.Scope = netlink.SCOPE_LINK
	}
	if r.From.IsValid() {
		out.Src = r.From.AsSlice()
	}
	if r.OnLink {
		out.Flags |= int(netlink.FLAG_ONLINK)
	}
	for number, name := range routeTypes() {
		if name == r.Type {
			out.Type = number
		}
	}
	switch r.Scope {
	case "link":
		out.Scope = netlink.SCOPE_LINK
	case "host":
		out.Scope = netlink.SCOPE_HOST
	}
	return out
}

func applyRule(o Op) error {
	r := netlink.NewRule()
	r.Table, r.Mark, r.Protocol = o.Rule.Table, uint32(o.Rule.Mark), protoStatic
	if o.Rule.Priority != 0 {
		r.Priority = o.Rule.Priority
	}
	r.Family = netlink.FAMILY_V4
	if o.Rule.Specific {
		r.SuppressPrefixlen = 0
	}
	if o.Rule.From.IsValid() {
		r.Src = ipNet(o.Rule.From.Masked())
	}
	if o.Rule.To.IsValid() {
		r.Dst = ipNet(o.Rule.To.Masked())
	}
	if o.Rule.From.Addr().Is6() || o.Rule.To.Addr().Is6() {
		r.Family = netlink.FAMILY_V6
	}
	if o.Verb == RuleDel {
		return netlink.RuleDel(r)
	}
	return netlink.RuleAdd(r)
}
