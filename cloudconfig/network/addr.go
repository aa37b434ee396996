package network

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// parsePrefix reads 10.0.0.1/24, or an address with a mask beside it:
// 255.255.255.0, 24, ffff:ffff:: or nothing, which means the address alone, or
// usual: the network that cloud-init takes it for, /24 and /64.
func parsePrefix(address, mask string, usual bool) (netip.Prefix, error) {
	addr, length, slash := strings.Cut(strings.TrimSpace(address), "/")
	a, err := parseAddr(addr)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q is no IP address", address)
	}
	if slash {
		mask = length
	}
	bits, err := maskBits(a, mask)
	if err != nil {
		return netip.Prefix{}, err
	}
	if bits < 0 {
		switch bits = a.BitLen(); {
		case usual && a.Is6():
			bits = 64
		case usual:
			bits = 24
		}
	}
	return netip.PrefixFrom(a, bits), nil
}

// parseAddr reads an address. The link that it holds on (fe80::1%eth0) is the one
// that it is written for.
func parseAddr(s string) (netip.Addr, error) {
	a, err := netip.ParseAddr(s)
	return a.WithZone("").Unmap(), err
}

// maskBits is the length that a mask means; -1 when there is none.
func maskBits(a netip.Addr, mask string) (int, error) {
	mask = strings.TrimSpace(mask)
	if mask == "" {
		return -1, nil
	}
	if n, err := strconv.Atoi(mask); err == nil {
		if n < 0 || n > a.BitLen() {
			return 0, fmt.Errorf("/%d is no prefix length of %s", n, a)
		}
		return n, nil
	}
	m, err := netip.ParseAddr(mask)
	if err != nil || m.BitLen() != a.BitLen() {
		return 0, fmt.Errorf("%q is no network mask of %s", mask, a)
	}
	ones, size := net.IPMask(m.AsSlice()).Size()
	if size == 0 {
		return 0, fmt.Errorf("%q is no network mask: its ones are not in front", mask)
	}
	return ones, nil
}

// prefix reads an address with its length, perhaps in mask. See parsePrefix.
func (v value) prefix(mask value, usual bool) (netip.Prefix, bool) {
	s := v.text()
	if s == "" {
		return netip.Prefix{}, false
	}
	p, err := parsePrefix(s, mask.text(), usual)
	if err != nil {
		v.errorf("%s", err)
		return netip.Prefix{}, false
	}
	return p, true
}

// destination of a route: "default", a network, or an address with a mask.
func destination(to, mask, via value, usual bool) (netip.Prefix, bool) {
	s := to.text()
	if s == "" || strings.EqualFold(s, "default") {
		if s == "" && !to.there() {
			to.errorf("a route needs a destination")
			return netip.Prefix{}, false
		}
		return defaultRoute(strings.Contains(via.text(), ":")), true
	}
	p, ok := to.prefix(mask, usual)
	if !ok {
		return p, false
	}
	// 0.0.0.0 without a mask means every destination.
	if p.Addr().IsUnspecified() && !mask.there() && !strings.Contains(s, "/") {
		return defaultRoute(p.Addr().Is6()), true
	}
	return p.Masked(), true
}

func defaultRoute(v6 bool) netip.Prefix {
	if v6 {
		return netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	}
	return netip.PrefixFrom(netip.IPv4Unspecified(), 0)
}

// reaches says whether a gateway is on one of the link's networks, of which
// every link has that of link-local addresses.
func (l *Link) reaches(via netip.Addr) bool {
	return via.Is6() && via.IsLinkLocalUnicast() || l.contains(via)
}

// contains says whether a gateway is on the network of one of the addresses.
func (l *Link) contains(via netip.Addr) bool {
	return slices.ContainsFunc(l.Addresses, func(p netip.Prefix) bool { return !foreign(via, p) })
}

// foreign says whether a gateway that stands beside an address is not on its
// network: what the writer means is that it is reached directly.
func foreign(via netip.Addr, beside netip.Prefix) bool { return !beside.Masked().Contains(via) }
