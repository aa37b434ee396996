package netconf

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/mdlayher/packet"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"rancheros/cloudconfig/network"
)

// Times of RFC 3927, shortened: a boot waits for them.
const (
	probes    = 3
	probeWait = 150 * time.Millisecond
	llTries   = 10
)

// linkLocal takes a free address of 169.254/16 for the link.
func (m *machine) linkLocal(ctx context.Context, t Target) LinkRecord {
	r := LinkRecord{Method: "ipv4ll"}
	err := waitCarrier(ctx, t.Name)
	var p netip.Prefix
	if err == nil {
		p, err = freeLinkLocal(ctx, t.Name)
	}
	if err == nil {
		err = m.change(t, func(l *Lease) { l.LinkLocal = p })
	}
	if err != nil {
		r.Err = err.Error()
		return r
	}
	r.Addresses = []netip.Prefix{p}
	return r
}

// freeLinkLocal picks addresses at random until nobody else has one.
func freeLinkLocal(ctx context.Context, link string) (netip.Prefix, error) {
	for range llTries {
		a := randomLinkLocal()
		_, found, err := askARP(ctx, link, netip.IPv4Unspecified(), a, probes)
		if err != nil {
			return netip.Prefix{}, fmt.Errorf("link-local address for %s: %w", link, err)
		}
		if !found {
			return netip.PrefixFrom(a, 16), nil
		}
	}
	return netip.Prefix{}, fmt.Errorf("link-local address for %s: %d tries, all were in use", link, llTries)
}

// randomLinkLocal is between 169.254.1.0 and 169.254.254.255 (RFC 3927, 2.1),
// and no address that a cloud uses itself.
func randomLinkLocal() netip.Addr {
	for {
		var b [2]byte
		rand.Read(b[:])
		switch b[0] {
		case 0, 255: // Reserved.
		case 169, 170: // Metadata, and AWS' time and name servers.
		default:
			return netip.AddrFrom4([4]byte{169, 254, b[0], b[1]})
		}
	}
}

// askARP asks who has an address and returns the MAC address of the one who
// answers. From is the asker's own address, or unspecified for a probe.
func askARP(ctx context.Context, link string, from, who netip.Addr, tries int) (net.HardwareAddr, bool, error) {
	ifi, err := net.InterfaceByName(link)
	if err != nil {
		return nil, false, err
	}
	if len(ifi.HardwareAddr) != 6 {
		return nil, false, fmt.Errorf("%s is no Ethernet link", link)
	}
	c, err := packet.Listen(ifi, packet.Datagram, unix.ETH_P_ARP, nil)
	if err != nil {
		return nil, false, fmt.Errorf("listen for ARP on %s: %w", link, err)
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { c.SetDeadline(time.Now()) })
	defer stop()
	for range tries {
		if ctx.Err() != nil {
			return nil, false, ctx.Err()
		}
		if _, err := c.WriteTo(arpRequest(ifi.HardwareAddr, from, who), &packet.Addr{HardwareAddr: net.HardwareAddr{255, 255, 255, 255, 255, 255}}); err != nil {
			return nil, false, fmt.Errorf("ARP on %s: %w", link, err)
		}
		if mac, ok := hearARP(c, ifi.HardwareAddr, who); ok {
			return mac, true, nil
		}
	}
	return nil, false, nil
}

// hearARP listens for one probe's time.
func hearARP(c *packet.Conn, own net.HardwareAddr, who netip.Addr) (net.HardwareAddr, bool) {
	if err := c.SetReadDeadline(time.Now().Add(probeWait)); err != nil {
		return nil, false
	}
	b := make([]byte, 128)
	for {
		n, _, err := c.ReadFrom(b)
		if err != nil {
			return nil, false
		}
		if n < 28 {
			continue
		}
		sender := net.HardwareAddr(bytes.Clone(b[8:14]))
		ip := netip.AddrFrom4([4]byte(b[14:18]))
		if ip == who && !bytes.Equal(sender, own) {
			return sender, true
		}
	}
}

// arpRequest is the packet of RFC 826 that asks who has an address.
func arpRequest(mac net.HardwareAddr, from, who netip.Addr) []byte {
	b := make([]byte, 28)
	binary.BigEndian.PutUint16(b[0:], 1)      // Ethernet
	binary.BigEndian.PutUint16(b[2:], 0x0800) // IPv4
	b[4], b[5] = 6, 4
	binary.BigEndian.PutUint16(b[6:], 1) // request
	copy(b[8:], mac)
	copy(b[14:], from.AsSlice())
	copy(b[24:], who.AsSlice())
	return b
}

// LinkUp brings every network card up, without an address from anybody, and
// gives the first that has a carrier an address of 169.254/16. It is for
// metadata servers that are reached by link-local addresses. The address goes
// away when the network is configured.
func LinkUp(ctx context.Context, o Options) (*Result, error) {
	start := time.Now()
	have, err := Read()
	if err != nil {
		return nil, err
	}
	m := newMachine(&network.Config{}, o)
	if o.Timeout == 0 {
		o.Timeout = defaultTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	cfg := Default(have)
	for _, l := range cfg.Links {
		if d := have.link(l.ID); !d.Up {
			if err := apply(Op{Verb: SetUp, Dev: l.ID}); err != nil {
				m.log.Warn("link not up", "link", l.ID, "err", err)
			}
		}
	}
	name, err := firstCarrier(ctx, cfg)
	if err != nil {
		return nil, err
	}
	p, err := ensureLinkLocal(ctx, name)
	if err != nil {
		return nil, err
	}
	return &Result{
		First: name, Took: time.Since(start),
		Links: []LinkRecord{{Name: name, Method: "ipv4ll", Addresses: []netip.Prefix{p}, Took: time.Since(start)}},
	}, nil
}

// firstCarrier is the first link of the config, in its order, that has a
// carrier when the first one comes.
func firstCarrier(ctx context.Context, cfg *network.Config) (string, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	found := make(chan error, len(cfg.Links))
	for _, l := range cfg.Links {
		go func() { found <- waitCarrier(ctx, l.ID) }()
	}
	var last error = fmt.Errorf("there is no network card")
	for range cfg.Links {
		if last = <-found; last == nil {
			break
		}
	}
	if last != nil {
		return "", fmt.Errorf("no link is up: %w", last)
	}
	for _, l := range cfg.Links {
		if d, err := netlink.LinkByName(l.ID); err == nil && d.Attrs().RawFlags&unix.IFF_LOWER_UP != 0 {
			return l.ID, nil
		}
	}
	return "", fmt.Errorf("no link is up: the carrier went away")
}

// ensureLinkLocal keeps the link-local address that the link has, or adds one.
func ensureLinkLocal(ctx context.Context, link string) (netip.Prefix, error) {
	l, err := netlink.LinkByName(link)
	if err != nil {
		return netip.Prefix{}, err
	}
	have, err := netlink.AddrList(l, netlink.FAMILY_V4)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("addresses of %s: %w", link, err)
	}
	for _, a := range have {
		if p, ok := prefixOf(a.IPNet); ok && p.Addr().IsLinkLocalUnicast() {
			return p, nil
		}
	}
	p, err := freeLinkLocal(ctx, link)
	if err != nil {
		return p, err
	}
	return p, apply(Op{Verb: AddrAdd, Dev: link, Addr: Addr{Prefix: p}})
}
