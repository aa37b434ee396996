package services

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// onlineTimeout is how long services wait for the network; RancherOS' value.
const onlineTimeout = 20 * time.Second

// Online waits for a default route of either family, for at most 20 seconds.
func Online(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, onlineTimeout)
	defer cancel()
	// Subscribe first: a route that comes between looking and waiting would be
	// missed.
	updates := make(chan netlink.RouteUpdate, 16)
	stop := make(chan struct{})
	defer func() {
		close(stop)
		go func() { // the sender must not hang on a full channel
			for range updates {
			}
		}()
	}()
	if err := netlink.RouteSubscribe(updates, stop); err != nil {
		return fmt.Errorf("watch routes: %w", err)
	}
	for {
		routes, err := netlink.RouteList(nil, netlink.FAMILY_ALL)
		if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
			return fmt.Errorf("list routes: %w", err)
		}
		for _, r := range routes {
			if isDefault(r) {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("no default route after %s", onlineTimeout)
		case <-updates:
		}
	}
}

// isDefault is false for the "unreachable" default that IPv6 has by itself.
func isDefault(r netlink.Route) bool {
	if r.Type != unix.RTN_UNICAST {
		return false
	}
	if r.Dst == nil {
		return true
	}
	ones, _ := r.Dst.Mask.Size()
	return ones == 0 && r.Dst.IP.IsUnspecified()
}
