package netconf

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/dhcpv4/nclient4"
	"golang.org/x/sys/unix"

	"rancheros/cloudconfig/network"
)

// firstTry is how long the first question waits for an answer; each further
// one waits twice as long.
const firstTry = 300 * time.Millisecond

// maxOption bounds what is kept of one private option.
const maxOption = 1024

// A dhcp4 asks for the lease of one link.
type dhcp4 struct {
	link string
	mac  net.HardwareAddr
	// hostname is sent, if set.
	hostname string
}

// acquire asks until there is a lease or ctx ends.
func (d dhcp4) acquire(ctx context.Context) (*Lease, error) {
	c, err := nclient4.New(d.link, nclient4.WithTimeout(firstTry), nclient4.WithRetry(-1))
	if err != nil {
		return nil, fmt.Errorf("dhcp on %s: %w", d.link, err)
	}
	defer c.Close()
	for {
		got, err := c.Request(ctx, d.modifiers()...)
		if err == nil {
			return leaseOf(d.link, d.mac, got.ACK)
		}
		var nak *nclient4.ErrNak
		if !errors.As(err, &nak) || ctx.Err() != nil {
			return nil, fmt.Errorf("dhcp on %s: %w", d.link, err)
		}
		// The server offered what it does not give: ask anew.
		if err := pause(ctx, time.Second); err != nil {
			return nil, fmt.Errorf("dhcp on %s: %w (last answer: %v)", d.link, err, nak)
		}
	}
}

func (d dhcp4) modifiers() []dhcpv4.Modifier {
	m := []dhcpv4.Modifier{dhcpv4.WithRequestedOptions(
		dhcpv4.OptionSubnetMask, dhcpv4.OptionClasslessStaticRoute, dhcpv4.OptionRouter,
		dhcpv4.OptionDomainNameServer, dhcpv4.OptionHostName, dhcpv4.OptionDomainName,
		dhcpv4.OptionInterfaceMTU, dhcpv4.OptionNTPServers, dhcpv4.OptionDNSDomainSearchList,
		dhcpv4.GenericOptionCode(azureServer),
	)}
	if d.hostname != "" {
		m = append(m, dhcpv4.WithOption(dhcpv4.OptHostName(d.hostname)))
	}
	return m
}

// azureServer is the option that names Azure's wire server.
const azureServer = 245

// renew asks the server that gave the lease; rebind asks all.
func (d dhcp4) renew(ctx context.Context, old *Lease, rebind bool) (*Lease, error) {
	ack, err := dhcpv4.FromBytes(old.ACK)
	if err != nil {
		return nil, fmt.Errorf("renew lease of %s: %w", d.link, err)
	}
	req, err := dhcpv4.NewRenewFromAck(ack, append(d.modifiers(), dhcpv4.WithOption(dhcpv4.OptMaxMessageSize(nclient4.MaxMessageSize)))...)
	if err != nil {
		return nil, fmt.Errorf("renew lease of %s: %w", d.link, err)
	}
	req.ClientHWAddr = d.mac
	dest := &net.UDPAddr{IP: net.IPv4bcast, Port: nclient4.ServerPort}
	conn, err := d.socket(ctx, old.Address.Addr(), rebind)
	if err != nil {
		return nil, fmt.Errorf("renew lease of %s: %w", d.link, err)
	}
	if !rebind && old.Server.IsValid() {
		dest.IP = old.Server.AsSlice()
	}
	c, err := nclient4.NewWithConn(conn, d.mac, nclient4.WithTimeout(4*firstTry), nclient4.WithRetry(-1))
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("renew lease of %s: %w", d.link, err)
	}
	defer c.Close()
	res, err := c.SendAndRead(ctx, dest, req, nclient4.IsMessageType(dhcpv4.MessageTypeAck, dhcpv4.MessageTypeNak))
	if err != nil {
		return nil, fmt.Errorf("renew lease of %s: %w", d.link, err)
	}
	if res.MessageType() == dhcpv4.MessageTypeNak {
		return nil, fmt.Errorf("renew lease of %s: %w", d.link, errNak)
	}
	return leaseOf(d.link, d.mac, res)
}

// errNak: the server does not want us to keep the address.
var errNak = errors.New("the server takes the address back")

// socket for a renewal: an ordinary one, so that answers come by unicast and
// ARP works; a raw one to ask all.
func (d dhcp4) socket(ctx context.Context, addr netip.Addr, rebind bool) (net.PacketConn, error) {
	if rebind {
		return nclient4.NewRawUDPConn(d.link, nclient4.ClientPort)
	}
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var serr error
		err := c.Control(func(fd uintptr) {
			serr = errors.Join(
				unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1),
				unix.BindToDevice(int(fd), d.link))
		})
		return errors.Join(err, serr)
	}}
	return lc.ListenPacket(ctx, "udp4", netip.AddrPortFrom(addr, nclient4.ClientPort).String())
}

// leaseOf reads an answer. It trusts nothing in it.
func leaseOf(link string, mac net.HardwareAddr, ack *dhcpv4.DHCPv4) (*Lease, error) {
	addr, ok := addrOf(ack.YourIPAddr)
	if !ok || !addr.Is4() || addr.IsUnspecified() || addr.IsMulticast() || addr.IsLoopback() {
		return nil, fmt.Errorf("dhcp on %s: the server gave no usable address (%s)", link, ack.YourIPAddr)
	}
	bits := 32
	if m := ack.SubnetMask(); m != nil {
		if ones, size := m.Size(); size == 32 {
			bits = ones
		}
	}
	l := &Lease{
		Link: link, MAC: mac.String(), Address: netip.PrefixFrom(addr, bits),
		Routers: addrs(ack.Router()), DNS: addrs(ack.DNS()), NTP: addrs(ack.NTPServers()),
		Hostname: cleanName(ack.HostName()), Got: time.Now(), ACK: ack.ToBytes(),
	}
	l.Server, _ = addrOf(ack.ServerIdentifier())
	l.times(ack)
	if b := ack.Options.Get(dhcpv4.OptionInterfaceMTU); len(b) == 2 {
		l.MTU = int(b[0])<<8 | int(b[1])
	}
	for _, r := range ack.ClasslessStaticRoute() {
		if r == nil || r.Dest == nil {
			continue
		}
		to, ok := prefixOf(r.Dest)
		if !ok {
			continue
		}
		route := network.Route{To: to.Masked()}
		if via, ok := addrOf(r.Router); ok && !via.IsUnspecified() {
			route.Via = via
		} else {
			route.Scope = "link"
		}
		l.Classless = append(l.Classless, route)
	}
	l.Search = searchList(ack)
	if b := ack.Options.Get(dhcpv4.GenericOptionCode(azureServer)); len(b) > 0 && len(b) <= maxOption {
		l.Options = map[uint8][]byte{azureServer: bytes.Clone(b)}
	}
	return l, nil
}

func (l *Lease) times(ack *dhcpv4.DHCPv4) {
	l.Duration = ack.IPAddressLeaseTime(0)
	if l.Duration >= 0xffffffff*time.Second { // For ever.
		l.Duration = 0
		return
	}
	l.Renew = ack.IPAddressRenewalTime(l.Duration / 2)
	l.Rebind = ack.IPAddressRebindingTime(l.Duration * 7 / 8)
	if l.Renew <= 0 || l.Renew >= l.Duration {
		l.Renew = l.Duration / 2
	}
	if l.Rebind <= l.Renew || l.Rebind >= l.Duration {
		l.Rebind = l.Renew + (l.Duration-l.Renew)*3/4
	}
}

func searchList(ack *dhcpv4.DHCPv4) []string {
	var out []string
	if s := ack.DomainSearch(); s != nil {
		out = append(out, s.Labels...)
	}
	if len(out) == 0 {
		// Some servers put several names here.
		out = strings.Fields(ack.DomainName())
	}
	var clean []string
	for _, n := range out {
		if n = cleanName(n); n != "" && len(clean) < 32 {
			clean = append(clean, n)
		}
	}
	return clean
}

// cleanName is the name, or nothing if it is not one: what a server says is
// written into files.
func cleanName(s string) string {
	s = strings.TrimRight(strings.TrimSpace(s), ".\x00")
	if len(s) > 253 {
		return ""
	}
	for _, r := range s {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '.', r == '_':
		default:
			return ""
		}
	}
	return s
}

func addrs(ips []net.IP) []netip.Addr {
	var out []netip.Addr
	for _, ip := range ips {
		if a, ok := addrOf(ip); ok && !a.IsUnspecified() && len(out) < 16 {
			out = append(out, a)
		}
	}
	return out
}

// pause waits, or returns ctx's error.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
