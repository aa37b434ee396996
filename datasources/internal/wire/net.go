package wire

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"rancheros/cloudconfig/network"
	"rancheros/datasources"
)

// Link is a physical link found by its hardware address. Its ID is the name
// that the machine's link of that address has, or the given one.
func Link(h *datasources.Host, mac, id string) network.Link {
	mac = MAC(mac)
	if name := LinkName(h, mac); name != "" {
		id = name
	}
	return network.Link{ID: id, Kind: network.Physical, Match: network.Match{MAC: mac}}
}

// LinkName is the name of the machine's link with that hardware address, or "".
func LinkName(h *datasources.Host, mac string) string {
	if h == nil {
		return ""
	}
	for _, l := range h.Links {
		if mac != "" && MAC(l.MAC) == MAC(mac) {
			return l.Name
		}
	}
	return ""
}

// FirstLink is the name of the link that a machine with one link has, or of the
// first that is up; "eth0" when nothing is known.
func FirstLink(h *datasources.Host) string {
	if h == nil || len(h.Links) == 0 {
		return "eth0"
	}
	for _, l := range h.Links {
		if l.Up {
			return l.Name
		}
	}
	return h.Links[0].Name
}

// Prefix is an address with the length of its network. The mask may be a
// length, with or without slash, or 255.255.255.0; when it is empty, addr must
// have a length of its own or is taken alone.
func Prefix(addr, mask string) (netip.Prefix, error) {
	addr = strings.TrimSpace(addr)
	if head, tail, ok := strings.Cut(addr, "/"); ok {
		addr = head
		if mask == "" {
			mask = tail
		}
	}
	a, err := netip.ParseAddr(addr)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("read address: %w", err)
	}
	bits, err := maskBits(a, strings.TrimPrefix(strings.TrimSpace(mask), "/"))
	if err != nil {
		return netip.Prefix{}, err
	}
	p := netip.PrefixFrom(a.WithZone(""), bits)
	if !p.IsValid() {
		return netip.Prefix{}, fmt.Errorf("read address %s: a network of %d bits cannot be", addr, bits)
	}
	return p, nil
}

func maskBits(a netip.Addr, mask string) (int, error) {
	if mask == "" {
		return a.BitLen(), nil
	}
	if n, err := strconv.Atoi(mask); err == nil {
		return n, nil
	}
	m, err := netip.ParseAddr(mask)
	if err != nil || m.BitLen() != a.BitLen() {
		return 0, fmt.Errorf("read netmask %q of %s: neither a length nor a mask", mask, a)
	}
	bits, ended := 0, false
	for _, b := range m.AsSlice() {
		for i := 7; i >= 0; i-- {
			one := b>>i&1 == 1
			if one && ended {
				return 0, fmt.Errorf("read netmask %q of %s: it has holes", mask, a)
			}
			if one {
				bits++
			} else {
				ended = true
			}
		}
	}
	return bits, nil
}

// DefaultRoute is the route to everywhere by way of a router; false if via is
// no address.
func DefaultRoute(via string) (network.Route, bool) {
	a, err := netip.ParseAddr(strings.TrimSpace(via))
	if err != nil {
		return network.Route{}, false
	}
	zero := netip.IPv4Unspecified()
	if a.Is6() {
		zero = netip.IPv6Unspecified()
	}
	return network.Route{To: netip.PrefixFrom(zero, 0), Via: a.WithZone("")}, true
}

// Hostname is the name that a cloud gives, as a machine can bear it: the first
// word (some give the DHCP list of domains after it), no dot at the end; an
// IPv4 address becomes ip-192-0-2-1.
func Hostname(s string) string {
	words := strings.Fields(s)
	if len(words) == 0 {
		return ""
	}
	name := strings.TrimRight(words[0], ".")
	if a, err := netip.ParseAddr(name); err == nil && a.Is4() {
		return "ip-" + strings.ReplaceAll(name, ".", "-")
	}
	return name
}

// SortIPs puts addresses where an Instance has room for them: the first of each
// family and scope. What is no address is ignored.
func SortIPs(in *datasources.Instance, addrs ...string) {
	for _, s := range addrs {
		head, _, _ := strings.Cut(strings.TrimSpace(s), "/")
		a, err := netip.ParseAddr(head)
		if err != nil || a.IsLinkLocalUnicast() || a.IsLoopback() || a.IsUnspecified() {
			continue
		}
		at := &in.PublicIPv4
		switch private := a.IsPrivate() || netip.MustParsePrefix("100.64.0.0/10").Contains(a); {
		case a.Is4() && private:
			at = &in.PrivateIPv4
		case a.Is6() && private:
			at = &in.PrivateIPv6
		case a.Is6():
			at = &in.PublicIPv6
		}
		if *at == "" {
			*at = a.WithZone("").String()
		}
	}
}
