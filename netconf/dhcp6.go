package netconf

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv6"
	"github.com/insomniacslk/dhcp/dhcpv6/nclient6"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// A dhcp6 asks for the IPv6 lease of one link. Routes come from router
// advertisements, never from DHCPv6.
type dhcp6 struct {
	link string
	mac  net.HardwareAddr
	// stateless asks for names only, not for addresses.
	stateless bool
}

// acquire asks until there is an answer or ctx ends.
func (d dhcp6) acquire(ctx context.Context) (*Lease6, error) {
	if err := waitLinkLocal6(ctx, d.link); err != nil {
		return nil, fmt.Errorf("dhcpv6 on %s: %w", d.link, err)
	}
	c, err := d.client(firstTry)
	if err != nil {
		return nil, fmt.Errorf("dhcpv6 on %s: %w", d.link, err)
	}
	defer c.Close()
	reply, err := d.ask(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("dhcpv6 on %s: %w", d.link, err)
	}
	return lease6Of(reply, d.stateless)
}

// client listens on the link's own address. The zone is the link's number: Go
// remembers the number of a name for a minute, and links come, go and change
// their names here.
func (d dhcp6) client(wait time.Duration) (*nclient6.Client, error) {
	l, err := netlink.LinkByName(d.link)
	if err != nil {
		return nil, err
	}
	have, err := netlink.AddrList(l, netlink.FAMILY_V6)
	if err != nil {
		return nil, err
	}
	for _, a := range have {
		p, ok := prefixOf(a.IPNet)
		if !ok || !p.Addr().IsLinkLocalUnicast() || a.Flags&unix.IFA_F_TENTATIVE != 0 {
			continue
		}
		zone := strconv.Itoa(l.Attrs().Index)
		c, err := net.ListenUDP("udp6", &net.UDPAddr{IP: a.IP, Port: dhcpv6.DefaultClientPort, Zone: zone})
		if err != nil {
			return nil, err
		}
		return nclient6.NewWithConn(c, d.mac, nclient6.WithTimeout(wait), nclient6.WithRetry(-1))
	}
	return nil, errors.New("the link has no IPv6 address of its own")
}

func (d dhcp6) ask(ctx context.Context, c *nclient6.Client) (*dhcpv6.Message, error) {
	want := dhcpv6.WithRequestedOptions(dhcpv6.OptionDNSRecursiveNameServer, dhcpv6.OptionDomainSearchList)
	if d.stateless {
		m, err := dhcpv6.NewMessage(want, dhcpv6.WithClientID(d.duid()))
		if err != nil {
			return nil, err
		}
		m.MessageType = dhcpv6.MessageTypeInformationRequest
		return c.SendAndRead(ctx, nclient6.AllDHCPRelayAgentsAndServers, m, nclient6.IsMessageType(dhcpv6.MessageTypeReply))
	}
	ad, err := c.Solicit(ctx, want, dhcpv6.WithClientID(d.duid()))
	if err != nil {
		return nil, err
	}
	return c.Request(ctx, ad, want)
}

func (d dhcp6) duid() dhcpv6.DUID {
	return &dhcpv6.DUIDLL{HWType: 1, LinkLayerAddr: d.mac}
}

// renew asks to keep the addresses; rebind asks any server.
func (d dhcp6) renew(ctx context.Context, old *Lease6, rebind bool) (*Lease6, error) {
	last, err := dhcpv6.MessageFromBytes(old.Reply)
	if err != nil {
		return nil, fmt.Errorf("renew IPv6 lease of %s: %w", d.link, err)
	}
	m, err := dhcpv6.NewMessage(dhcpv6.WithClientID(d.duid()),
		dhcpv6.WithRequestedOptions(dhcpv6.OptionDNSRecursiveNameServer, dhcpv6.OptionDomainSearchList))
	if err != nil {
		return nil, fmt.Errorf("renew IPv6 lease of %s: %w", d.link, err)
	}
	m.MessageType = dhcpv6.MessageTypeRebind
	if !rebind {
		m.MessageType = dhcpv6.MessageTypeRenew
		m.AddOption(dhcpv6.OptServerID(last.Options.ServerID()))
	}
	if ia := last.Options.OneIANA(); ia != nil {
		m.AddOption(ia)
	}
	c, err := d.client(4 * firstTry)
	if err != nil {
		return nil, fmt.Errorf("renew IPv6 lease of %s: %w", d.link, err)
	}
	defer c.Close()
	reply, err := c.SendAndRead(ctx, nclient6.AllDHCPRelayAgentsAndServers, m, nclient6.IsMessageType(dhcpv6.MessageTypeReply))
	if err != nil {
		return nil, fmt.Errorf("renew IPv6 lease of %s: %w", d.link, err)
	}
	return lease6Of(reply, false)
}

// soonest is when an IPv6 lease is renewed at the earliest: a server that takes
// its network out of use gives addresses that are preferred for no time at all.
const soonest = 10 * time.Second

// lease6Of reads an answer. One of nobody cannot be renewed.
func lease6Of(reply *dhcpv6.Message, stateless bool) (*Lease6, error) {
	if reply.Options.ServerID() == nil {
		return nil, errors.New("the answer names no server")
	}
	l := &Lease6{Got: time.Now(), DNS: addrs(reply.Options.DNS()), Reply: reply.ToBytes()}
	if s := reply.Options.DomainSearchList(); s != nil {
		for _, n := range s.Labels {
			if n = cleanName(n); n != "" && len(l.Search) < 32 {
				l.Search = append(l.Search, n)
			}
		}
	}
	if stateless {
		return l, nil
	}
	ia := reply.Options.OneIANA()
	if ia == nil {
		return nil, errors.New("the server gave no address")
	}
	l.Renew, l.Rebind = ia.T1, ia.T2
	shortest := time.Duration(0)
	for _, a := range ia.Options.Addresses() {
		addr, ok := addrOf(a.IPv6Addr)
		if !ok || !addr.Is6() || a.ValidLifetime <= 0 || len(l.Addresses) >= 16 {
			continue
		}
		l.Addresses = append(l.Addresses, Addr6{addr, a.ValidLifetime, a.PreferredLifetime})
		if shortest == 0 || a.PreferredLifetime < shortest {
			shortest = a.PreferredLifetime
		}
	}
	if len(l.Addresses) == 0 {
		return nil, errors.New("the server gave no address")
	}
	if l.Renew <= 0 {
		l.Renew = shortest / 2
	}
	l.Renew = max(l.Renew, soonest)
	if l.Rebind <= l.Renew {
		l.Rebind = max(shortest*4/5, l.Renew)
	}
	return l, nil
}

// first6 gets the first IPv6 lease of a link.
func (m *machine) first6(ctx context.Context, t Target) LinkRecord {
	r := LinkRecord{Method: "dhcp6"}
	l := m.lease(t.Name)
	if l == nil || l.V6 == nil {
		if err := waitCarrier(ctx, t.Name); err != nil {
			r.Err = err.Error()
			return r
		}
		got, err := m.client6(t).acquire(ctx)
		if err == nil {
			err = m.took6(got, t)
		}
		if err != nil {
			r.Err = err.Error()
			return r
		}
		l = &Lease{V6: got}
	}
	for _, a := range l.V6.Addresses {
		r.Addresses = append(r.Addresses, netip.PrefixFrom(a.Address, 128))
	}
	return r
}

func (m *machine) client6(t Target) dhcp6 {
	return dhcp6{link: t.Name, mac: macOf(t.Name), stateless: !t.Config.DHCP6}
}

// waitLinkLocal6 returns when the link's own IPv6 address is ready for use:
// without it nothing can be asked.
func waitLinkLocal6(ctx context.Context, link string) error {
	updates := make(chan netlink.AddrUpdate, 16)
	done := make(chan struct{})
	defer close(done)
	if err := netlink.AddrSubscribe(updates, done); err != nil {
		return fmt.Errorf("watch addresses: %w", err)
	}
	l, err := netlink.LinkByName(link)
	if err != nil {
		return err
	}
	ready := func(ip *net.IPNet, flags int) bool {
		p, ok := prefixOf(ip)
		return ok && p.Addr().Is6() && p.Addr().IsLinkLocalUnicast() && flags&unix.IFA_F_TENTATIVE == 0
	}
	existing, _ := netlink.AddrList(l, netlink.FAMILY_V6)
	for _, a := range existing {
		if ready(a.IPNet, a.Flags) {
			return nil
		}
	}
	for {
		select {
		case <-ctx.Done():
			return errors.New("the link has no IPv6 address of its own")
		case u, ok := <-updates:
			if !ok {
				return errors.New("watch addresses: the kernel ended the subscription")
			}
			if u.NewAddr && u.LinkIndex == l.Attrs().Index && ready(&u.LinkAddress, u.Flags) {
				return nil
			}
		}
	}
}
