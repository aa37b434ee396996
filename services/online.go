package services

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"rancheros/paths"
)

// onlineTimeout is how long services wait for the network; RancherOS' value.
const onlineTimeout = 20 * time.Second

// Online waits for a default route of either family: for at most 20 seconds,
// and no longer than the network service has something to wait for.
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
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		settled := networkSettled(paths.NetworkState) // before the routes: it may become so in between
		routes, err := netlink.RouteList(nil, netlink.FAMILY_ALL)
		if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
			return fmt.Errorf("list routes: %w", err)
		}
		for _, r := range routes {
			if isDefault(r) {
				return nil
			}
		}
		if settled {
			return errors.New("the network is set up, and there is no default route")
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("no default route after %s", onlineTimeout)
		case <-updates:
		case <-tick.C:
		}
	}
}

// networkSettled says whether the network service has done all that it waited
// for. See netconf.Status.
func networkSettled(file string) bool {
	text, err := os.ReadFile(file)
	if err != nil {
		return false
	}
	var status struct {
		Ready bool `json:"ready"`
	}
	return json.Unmarshal(text, &status) == nil && status.Ready
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
