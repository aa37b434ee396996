// Package network is the one model of a machine's network configuration.
//
// Every format that can describe a network (the rancher.network keys,
// network-config version 1 and 2, OpenStack's network_data.json, a cloud's own
// metadata, the kernel's ip=) is read into a Config; netconf plans and applies
// a Config and nothing else.
package network

import "net/netip"

// A Config is what the machine's links should be.
type Config struct {
	Links []Link `json:"links,omitempty"`
	// DNS holds for the whole machine; links add theirs.
	DNS DNS `json:"dns,omitzero"`
	// Rules are policy routing rules.
	Rules []Rule `json:"rules,omitempty"`
	// Routes belong to no link in particular; the kernel finds it by Via.
	Routes []Route `json:"routes,omitempty"`
	// PreCommands and PostCommands run before and after everything else.
	PreCommands  []string `json:"pre_commands,omitempty"`
	PostCommands []string `json:"post_commands,omitempty"`
	// DHCPTimeout is how many seconds to wait for a lease; 0 means the default.
	DHCPTimeout int `json:"dhcp_timeout,omitempty"`
}

// A DNS says whom to ask for names.
type DNS struct {
	Nameservers []string `json:"nameservers,omitempty"`
	Search      []string `json:"search,omitempty"`
}

// Kinds of links.
const (
	Physical = "physical"
	Bond     = "bond"
	Bridge   = "bridge"
	VLAN     = "vlan"
	Loopback = "loopback"
	Dummy    = "dummy"
)

// A Link is one network interface: a device that is there, or one to make.
type Link struct {
	// ID is the key of the link in its config. Other links name it by ID.
	ID   string `json:"id"`
	Kind string `json:"kind"`
	// Match finds the device of a physical link; empty means by ID.
	Match Match `json:"match,omitzero"`
	// Name is what the link shall be called; empty means the ID, or for a
	// matched link the name it has.
	Name string `json:"name,omitempty"`
	// MAC is the address to set; empty leaves it alone.
	MAC string `json:"mac,omitempty"`
	MTU int    `json:"mtu,omitempty"`
	// Members are the IDs of a bond's or bridge's links.
	Members []string `json:"members,omitempty"`
	// Parent is the ID of the link below a VLAN.
	Parent string `json:"parent,omitempty"`
	VLANID int    `json:"vlan_id,omitempty"`
	// Parameters of a bond or bridge, as network-config version 2 spells them.
	Parameters map[string]string `json:"parameters,omitempty"`

	DHCP4 bool `json:"dhcp4,omitempty"`
	DHCP6 bool `json:"dhcp6,omitempty"`
	// DHCP4Overrides and DHCP6Overrides say what of a lease to use.
	DHCP4Overrides Overrides `json:"dhcp4_overrides,omitzero"`
	DHCP6Overrides Overrides `json:"dhcp6_overrides,omitzero"`
	// AcceptRA: nil leaves the kernel's own setting.
	AcceptRA *bool  `json:"accept_ra,omitempty"`
	IPv6Mode string `json:"ipv6_mode,omitempty"` // slaac, dhcp-stateless, dhcp-stateful
	IPv4LL   bool   `json:"ipv4ll,omitempty"`
	// IPv6LL: false is no address of fe80::/10; nil leaves it to the kernel.
	IPv6LL    *bool          `json:"ipv6ll,omitempty"`
	Addresses []netip.Prefix `json:"addresses,omitempty"`
	Routes    []Route        `json:"routes,omitempty"`
	DNS       DNS            `json:"dns,omitzero"`
	// Optional: boot does not wait for this link.
	Optional  bool `json:"optional,omitempty"`
	WakeOnLAN bool `json:"wake_on_lan,omitempty"`
	// Manual: the link is made but not brought up.
	Manual bool `json:"manual,omitempty"`

	PreUp  []string `json:"pre_up,omitempty"`
	PostUp []string `json:"post_up,omitempty"`
	// WifiNetwork names an entry of rancher.network.wifi_networks.
	WifiNetwork string `json:"wifi_network,omitempty"`
}

// A Match finds a device. All that is set must hold.
type Match struct {
	MAC string `json:"mac,omitempty"`
	// Name and Driver may be globs.
	Name   string   `json:"name,omitempty"`
	Driver []string `json:"driver,omitempty"`
}

// A Route says where packets to a destination go.
type Route struct {
	// To is the destination; the zero Prefix is no destination and not valid.
	// 0.0.0.0/0 and ::/0 are the default routes.
	To     netip.Prefix `json:"to"`
	Via    netip.Addr   `json:"via,omitzero"`
	From   netip.Addr   `json:"from,omitzero"`
	Metric int          `json:"metric,omitempty"`
	Table  int          `json:"table,omitempty"`
	MTU    int          `json:"mtu,omitempty"`
	OnLink bool         `json:"on_link,omitempty"`
	Type   string       `json:"type,omitempty"`
	Scope  string       `json:"scope,omitempty"`
}

// A Rule is one policy routing rule.
type Rule struct {
	From     netip.Prefix `json:"from,omitzero"`
	To       netip.Prefix `json:"to,omitzero"`
	Table    int          `json:"table,omitempty"`
	Priority int          `json:"priority,omitempty"`
	Mark     int          `json:"mark,omitempty"`
	// Specific: default routes of the table do not count.
	Specific bool `json:"specific,omitempty"`
}

// Overrides say what of a DHCP lease to use. Nil means the default: use it.
type Overrides struct {
	Hostname     string `json:"hostname,omitempty"`
	SendHostname *bool  `json:"send_hostname,omitempty"`
	UseDNS       *bool  `json:"use_dns,omitempty"`
	UseDomains   string `json:"use_domains,omitempty"`
	UseHostname  *bool  `json:"use_hostname,omitempty"`
	UseMTU       *bool  `json:"use_mtu,omitempty"`
	UseNTP       *bool  `json:"use_ntp,omitempty"`
	UseRoutes    *bool  `json:"use_routes,omitempty"`
	RouteMetric  *int   `json:"route_metric,omitempty"`
}
