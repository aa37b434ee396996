package execute

import (
	"errors"
	"fmt"
	"net"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// metadata are the addresses at which clouds answer questions of a machine.
var metadata = [...]string{"169.254.169.254", "fd00:ec2::254"}

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
