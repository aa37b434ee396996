package netconf

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"rancheros/cloudconfig/network"
)

// A Verb is what an Op does.
type Verb int

// The verbs, in the order in which Plan uses them.
const (
	LinkDown Verb = iota
	LinkRename
	LinkAdd
	LinkMAC
	LinkOption
	PortOption
	Sysctl
	LinkMTU
	LinkMaster
	LinkNoMaster
	LinkWake
	SetUp
	AddrAdd
	RouteAdd
	RuleAdd
	RuleDel
	RouteDel
	AddrDel
	LinkDel
)

// An Op is one step. It reads as the `ip` command that does the same.
type Op struct {
	Verb Verb
	// Dev is the link it is about, by its name at that moment.
	Dev string
	// Arg is a name, a MAC address, or the value of Option.
	Arg    string
	Option string
	Link   Link
	MTU    int
	Addr   Addr
	Route  Route
	Rule   network.Rule
}

// String is the op as an `ip` (or sysctl, ethtool) command without the word ip.
func (o Op) String() string {
	switch o.Verb {
	case LinkAdd:
		return linkAdd(o.Link)
	case LinkDown:
		return "link set " + o.Dev + " down"
	case LinkRename:
		return "link set " + o.Dev + " name " + o.Arg
	case LinkMAC:
		return "link set " + o.Dev + " address " + o.Arg
	case LinkOption:
		return fmt.Sprintf("link set %s type %s %s %s", o.Dev, o.Link.Kind, o.Option, o.Arg)
	case PortOption:
		return fmt.Sprintf("link set %s type bridge_slave %s %s", o.Dev, o.Option, o.Arg)
	case Sysctl:
		return "sysctl " + sysctlKey(o.Dev, o.Option) + "=" + o.Arg
	case LinkMTU:
		return "link set " + o.Dev + " mtu " + strconv.Itoa(o.MTU)
	case LinkMaster:
		return "link set " + o.Dev + " master " + o.Arg
	case LinkNoMaster:
		return "link set " + o.Dev + " nomaster"
	case LinkWake:
		return "ethtool -s " + o.Dev + " wol g"
	case SetUp:
		return "link set " + o.Dev + " up"
	case LinkDel:
		return "link del " + o.Dev
	case AddrAdd:
		return "addr add " + addrString(o.Addr) + " dev " + o.Dev
	case AddrDel:
		return "addr del " + o.Addr.Prefix.String() + " dev " + o.Dev
	case RouteAdd:
		return "route replace " + RouteString(o.Route.Route) + dev(o.Dev)
	case RouteDel:
		return "route del " + RouteString(o.Route.Route) + dev(o.Dev)
	case RuleAdd:
		return "rule add " + RuleString(o.Rule)
	case RuleDel:
		return "rule del " + RuleString(o.Rule)
	}
	return "unknown step " + strconv.Itoa(int(o.Verb))
}

func dev(name string) string {
	if name == "" {
		return ""
	}
	return " dev " + name
}

func linkAdd(l Link) string {
	if l.Kind == network.VLAN {
		return fmt.Sprintf("link add link %s name %s type vlan id %d", l.Parent, l.Name, l.VLANID)
	}
	return "link add " + l.Name + " type " + l.Kind
}

// sysctlKey turns "ipv6/accept_ra" into net/ipv6/conf/eth0/accept_ra.
func sysctlKey(dev, option string) string {
	family, key, _ := strings.Cut(option, "/")
	return "net/" + family + "/conf/" + dev + "/" + key
}

func addrString(a Addr) string {
	s := a.Prefix.String()
	if a.Valid > 0 {
		s += fmt.Sprintf(" valid_lft %d preferred_lft %d", int(a.Valid.Seconds()), int(a.Preferred.Seconds()))
	}
	return s
}

// RouteString is a route as `ip route` takes it, without the device.
func RouteString(r network.Route) string {
	var b strings.Builder
	if r.Type != "" && r.Type != "unicast" {
		b.WriteString(r.Type + " ")
	}
	if r.To.Bits() == 0 {
		if r.To.Addr().Is6() {
			b.WriteString("::/0")
		} else {
			b.WriteString("default")
		}
	} else {
		b.WriteString(r.To.String())
	}
	if r.Via.IsValid() {
		b.WriteString(" via " + r.Via.String())
	}
	if r.From.IsValid() {
		b.WriteString(" src " + r.From.String())
	}
	for _, n := range []struct {
		key   string
		value int
	}{{"metric", r.Metric}, {"table", r.Table}, {"mtu", r.MTU}} {
		if n.value != 0 {
			fmt.Fprintf(&b, " %s %d", n.key, n.value)
		}
	}
	if r.Scope != "" && r.Scope != "global" {
		b.WriteString(" scope " + r.Scope)
	}
	if r.OnLink {
		b.WriteString(" onlink")
	}
	return b.String()
}

// RuleString is a rule as `ip rule` takes it.
func RuleString(r network.Rule) string {
	var parts []string
	add := func(key string, value any) { parts = append(parts, fmt.Sprintf("%s %v", key, value)) }
	if r.From != (netip.Prefix{}) {
		add("from", r.From)
	}
	if r.To != (netip.Prefix{}) {
		add("to", r.To)
	}
	if r.Mark != 0 {
		add("fwmark", r.Mark)
	}
	if r.Priority != 0 {
		add("priority", r.Priority)
	}
	add("table", r.Table)
	if r.Specific {
		add("suppress_prefixlength", 0)
	}
	return strings.Join(parts, " ")
}
