// Package netconf gives the machine its network: it works out from a
// network.Config what links, addresses, routes and names there should be,
// compares that with what the kernel has, and takes the steps between the two.
//
// Want and Plan are pure; Read and Apply talk netlink. Leases are a layer of
// the wanted State, below what the config says itself.
package netconf

import (
	"net/netip"
	"time"

	"rancheros/cloudconfig/network"
)

// A State is the network of a machine, as it is or as it should be.
type State struct {
	Links []Link `json:"links"`
	// Routes are those that belong to no link: blackhole and its like.
	Routes []Route `json:"routes,omitempty"`
	// Rules are policy routing rules, without the kernel's own three.
	Rules []network.Rule `json:"rules,omitempty"`
}

// A Link is one network device, as it is or as it should be. In a wanted link
// a zero field means: leave it as it is.
type Link struct {
	Name string `json:"name"`
	// From is the name the device has now, if that is another.
	From string `json:"from,omitempty"`
	// Kind is one of network.Physical, Bond, Bridge, VLAN, Loopback, Dummy; or
	// what the kernel calls it: veth, tun, ...
	Kind   string `json:"kind"`
	Index  int    `json:"index,omitempty"`
	MAC    string `json:"mac,omitempty"`
	MTU    int    `json:"mtu,omitempty"`
	Up     bool   `json:"up"`
	Master string `json:"master,omitempty"`
	Parent string `json:"parent,omitempty"`
	VLANID int    `json:"vlan_id,omitempty"`
	// Options of a bond or bridge, and of a bridge's port, as sysfs has them.
	Options     []Option `json:"options,omitempty"`
	PortOptions []Option `json:"port_options,omitempty"`
	// Sysctls below net/ipv6/conf/NAME or net/ipv4/conf/NAME: "ipv6/accept_ra".
	Sysctls   []Option `json:"sysctls,omitempty"`
	Addresses []Addr   `json:"addresses,omitempty"`
	Routes    []Route  `json:"routes,omitempty"`
	// WakeOnLAN asks the device to wake the machine by a magic packet.
	WakeOnLAN bool `json:"wake_on_lan,omitempty"`
	// Keep: addresses and routes that are not wanted are kept all the same.
	Keep bool `json:"-"`

	// What only Read fills in.

	PermanentMAC string `json:"permanent_mac,omitempty"`
	Driver       string `json:"driver,omitempty"`
	Carrier      bool   `json:"carrier,omitempty"`
	// Ours: we made the link, so we may remove it.
	Ours bool `json:"ours,omitempty"`
	// LinkLocal are the IPv6 addresses that the kernel gave the link itself.
	LinkLocal []netip.Prefix `json:"link_local,omitempty"`
	// Advertised is what the kernel took from routers.
	Advertised Advertised `json:"advertised,omitzero"`
}

// An Advertised is what IPv6 routers said of a link's network.
type Advertised struct {
	// Router is one that leads everywhere.
	Router netip.Addr `json:"router,omitzero"`
	// Networks are reached without a router.
	Networks  []netip.Prefix `json:"networks,omitempty"`
	Addresses []netip.Addr   `json:"addresses,omitempty"`
}

// An Option is a name and a value. Order matters to the kernel, so these are
// no map.
type Option struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// An Addr is an address of a link.
type Addr struct {
	Prefix netip.Prefix `json:"prefix"`
	// Valid and Preferred are lifetimes; zero is for ever.
	Valid     time.Duration `json:"valid,omitempty"`
	Preferred time.Duration `json:"preferred,omitempty"`
	// Lease: it came from DHCP.
	Lease bool `json:"lease,omitempty"`
}

// A Route is a route over a link.
type Route struct {
	network.Route
	// Lease: it came from DHCP.
	Lease bool `json:"lease,omitempty"`
}

// link returns the link of that name, or nil.
func (s *State) link(name string) *Link {
	for i := range s.Links {
		if s.Links[i].Name == name {
			return &s.Links[i]
		}
	}
	return nil
}

// physical says whether the link is a network card, as opposed to something
// that software made.
func (l *Link) physical() bool { return l.Kind == network.Physical }
