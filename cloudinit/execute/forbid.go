package execute

import (
	"errors"
	"fmt"
	"net"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// metadata are the addresses at which clouds answer questions of a machine.
// Azure's wire server is not among them: it is that cloud's DNS and DHCP too.
// Neither is Scaleway's, which must hear at the end that we are done, and tells
// user-data to root alone.
var metadata = [...]string{
	"169.254.169.254",    // most
	"fd00:ec2::254",      // EC2
	"fd20:ce::254",       // Google
	"fd00:c1::a9fe:a9fe", // Oracle
	"fd00:a9fe:a9fe::1",  // Akamai
	"100.100.100.200",    // Alibaba
	"169.254.0.23",       // Tencent
}

// ForbidMetadata adds routes that refuse every connection to them.
func (linux) ForbidMetadata() error {
	var errs []error
	for _, a := range metadata {
		ip := net.ParseIP(a)
		bits := 128
		if ip.To4() != nil {
			ip, bits = ip.To4(), 32
		}
		r := &netlink.Route{Dst: &net.IPNet{IP: ip, Mask: net.CIDRMask(bits, bits)}, Type: unix.RTN_PROHIBIT}
		err := netlink.RouteReplace(r)
		// A kernel without IPv6 needs no route to be safe from it.
		if err != nil && !(bits == 128 && (errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EAFNOSUPPORT))) {
			errs = append(errs, fmt.Errorf("forbid %s: %w", a, err))
		}
	}
	return errors.Join(errs...)
}

// MetadataForbidden says whether ForbidMetadata has been done since the start
// of the machine.
func (linux) MetadataForbidden() bool {
	_, dst, err := net.ParseCIDR(metadata[0] + "/32")
	if err != nil {
		return false
	}
	routes, err := netlink.RouteListFiltered(netlink.FAMILY_V4, &netlink.Route{Dst: dst, Type: unix.RTN_PROHIBIT},
		netlink.RT_FILTER_DST|netlink.RT_FILTER_TYPE)
	return err == nil && len(routes) > 0
}
