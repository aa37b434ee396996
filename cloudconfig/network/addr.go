package network

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// parsePrefix reads 10.0.0.1/24, or an address with a mask beside it:
// 255.255.255.0, 24, ffff:ffff:: or nothing, which means the address alone
// (for IPv6, whole is the length to use instead).
func parsePrefix(address, mask string, whole int) (netip.Prefix, error) {
	addr, length, slash := strings.Cut(strings.TrimSpace(address), "/")
	a, err := netip.ParseAddr(addr)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q is no IP address", address)
	}
	a = a.WithZone("").Unmap()
	if slash {
		mask = length
	}
	bits, err := maskBits(a, mask)
	if err != nil {
		return netip.Prefix{}, err
	}
	if bits < 0 {
		bits = a.BitLen()
		if a.Is6() && whole > 0 {
			bits = whole
		}
	}
	return netip.PrefixFrom(a, bits), nil
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

// prefix reads an address with its length; a bare one stands for itself.
func (v value) prefix(mask value, whole int) (netip.Prefix, bool) {
	s := v.text()
	if s == "" {
		return netip.Prefix{}, false
	}
	p, err := parsePrefix(s, mask.text(), whole)
	if err != nil {
		v.errorf("%s", err)
		return netip.Prefix{}, false
	}
	return p, true
}

// destination of a route: "default", a network, or an address with a mask.
func destination(to, mask, via value) (netip.Prefix, bool) {
	s := to.text()
	if s == "" || strings.EqualFold(s, "default") {
		if s == "" && !to.there() {
			to.errorf("a route needs a destination")
			return netip.Prefix{}, false
		}
		return defaultRoute(strings.Contains(via.text(), ":")), true
	}
	p, ok := to.prefix(mask, 0)
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

// reaches says whether a gateway is on one of the link's networks.
func (l *Link) reaches(via netip.Addr) bool {
	if via.Is6() && via.IsLinkLocalUnicast() {
		return true
	}
	for _, p := range l.Addresses {
		if p.Masked().Contains(via) {
			return true
		}
	}
	return false
}

// markOnLink marks the default routes that came from a gateway key and whose
// gateway is on none of the link's networks: what the writer means is that the
// gateway is reached directly.
func (l *Link) markOnLink(gateways map[int]bool) {
	for i := range l.Routes {
		if gateways[i] && !l.reaches(l.Routes[i].Via) {
			l.Routes[i].OnLink = true
		}
	}
}
