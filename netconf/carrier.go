package netconf

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// A carrier is whether a link is set up and has one, and how many times it got it.
// The kernel may tell of one that went and came in a single message.
type carrier struct {
	up    bool
	on    bool
	times int
}

func carrierOf(link string, flags uint32) carrier {
	c := carrier{up: flags&unix.IFF_UP != 0, on: flags&unix.IFF_LOWER_UP != 0}
	if b, err := os.ReadFile(filepath.Join(sysNet, link, "carrier_up_count")); err == nil {
		c.times, _ = strconv.Atoi(strings.TrimSpace(string(b))) // the kernel writes numbers
	}
	return c
}

// link looks at a change of a link. It says true when a card came or went, or was
// set up: the kernel has forgotten its routes while it was down.
func (r *run) link(u netlink.LinkUpdate) bool {
	if u.Link == nil {
		return false
	}
	index := u.Attrs().Index
	if u.Header.Type == unix.RTM_DELLINK {
		known := r.indices[index]
		delete(r.indices, index)
		delete(r.carriers, index)
		return known
	}
	now := carrierOf(u.Attrs().Name, u.Attrs().RawFlags)
	was, seen := r.carriers[index], r.indices[index]
	r.indices[index], r.carriers[index] = true, now
	if seen && now.on && (!was.on || now.times > was.times) {
		if w := r.workers[u.Attrs().Name]; w != nil {
			select {
			case w.carrier <- struct{}{}:
			default:
			}
		}
	}
	return !seen || now.up && !was.up
}

// waitCarrier returns when the link has a carrier, or ctx ends.
func waitCarrier(ctx context.Context, link string) error {
	updates := make(chan netlink.LinkUpdate, 16)
	done := make(chan struct{})
	defer close(done)
	if err := netlink.LinkSubscribe(updates, done); err != nil {
		return fmt.Errorf("watch link %s: %w", link, err)
	}
	// Asked after the subscription, so that no change is missed.
	l, err := netlink.LinkByName(link)
	if err != nil {
		return fmt.Errorf("link %s: %w", link, err)
	}
	if l.Attrs().RawFlags&unix.IFF_LOWER_UP != 0 {
		return nil
	}
	index := l.Attrs().Index
	for {
		select {
		case <-ctx.Done():
			return fmt.Errorf("link %s has no carrier: is the cable in?", link)
		case u, ok := <-updates:
			if !ok {
				return fmt.Errorf("watch link %s: the kernel ended the subscription", link)
			}
			if u.Link == nil || u.Attrs().Index != index {
				continue
			}
			if u.Header.Type == unix.RTM_DELLINK {
				return fmt.Errorf("link %s was removed", link)
			}
			if u.Attrs().RawFlags&unix.IFF_LOWER_UP != 0 {
				return nil
			}
		}
	}
}

// autoconf returns when a router has given the link a global IPv6 address.
func autoconf(ctx context.Context, link string) LinkRecord {
	r := LinkRecord{Method: "slaac"}
	updates := make(chan netlink.AddrUpdate, 16)
	done := make(chan struct{})
	defer close(done)
	if err := netlink.AddrSubscribe(updates, done); err != nil {
		r.Err = err.Error()
		return r
	}
	l, err := netlink.LinkByName(link)
	if err != nil {
		r.Err = err.Error()
		return r
	}
	existing, _ := netlink.AddrList(l, netlink.FAMILY_V6)
	for _, a := range existing {
		if p, ok := usable6(a.Flags, netlink.AddrUpdate{LinkAddress: *a.IPNet}); ok {
			return gateway6(r, l, p)
		}
	}
	for {
		select {
		case <-ctx.Done():
			r.Err = "no router advertised a network"
			return r
		case u, ok := <-updates:
			if !ok {
				r.Err = "watch addresses: the kernel ended the subscription"
				return r
			}
			if p, ok := usable6(u.Flags, u); ok && u.NewAddr && u.LinkIndex == l.Attrs().Index {
				return gateway6(r, l, p)
			}
		}
	}
}

// usable6 takes a global IPv6 address that is ready for use.
func usable6(flags int, u netlink.AddrUpdate) (netip.Prefix, bool) {
	p, ok := prefixOf(&u.LinkAddress)
	return p, ok && p.Addr().Is6() && p.Addr().IsGlobalUnicast() && flags&(unix.IFA_F_TENTATIVE|unix.IFA_F_DADFAILED) == 0
}

// gateway6 adds the default route that the router advertised, if it did.
func gateway6(r LinkRecord, l netlink.Link, p netip.Prefix) LinkRecord {
	r.Addresses = []netip.Prefix{p}
	routes, _ := netlink.RouteList(l, netlink.FAMILY_V6)
	for _, route := range routes {
		if p, ok := readRoute(route); ok && p.To.Bits() == 0 && p.Via.IsValid() {
			r.Gateway = p.Via
		}
	}
	return r
}
