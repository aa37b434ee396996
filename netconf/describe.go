package netconf

import (
	"net/netip"
	"slices"

	"rancheros/cloudconfig/network"
)

// A Document is a config as we understand it: what `ros network plan --output
// json` prints. Its shape is documented in docs/network.md; a key may be added
// in a version, never removed or given another meaning.
type Document struct {
	Version int `json:"version"`
	// Format is what the config was read as: see network.Formats.
	Format string    `json:"format"`
	Links  []DocLink `json:"links"`
	// DNS holds for the whole machine.
	DNS    network.DNS     `json:"dns"`
	Rules  []network.Rule  `json:"rules"`
	Routes []network.Route `json:"routes"`
	// Steps are the commands that lead from what is to what should be.
	Steps    []string          `json:"steps,omitempty"`
	Problems []network.Problem `json:"problems"`
}

// A DocLink is one link. Fields that are not set mean: not said.
type DocLink struct {
	ID string `json:"id"`
	// Name is what the link is or will be called.
	Name string `json:"name"`
	// Device is the name that the device has now; empty when it is not there.
	Device string `json:"device,omitempty"`
	Kind   string `json:"kind"`
	// Match says how the device is found.
	Match network.Match `json:"match,omitzero"`
	// SetName: the device is renamed to Name.
	SetName bool `json:"set_name,omitempty"`
	// MAC is the address that will be set.
	MAC            string            `json:"mac,omitempty"`
	MTU            int               `json:"mtu,omitempty"`
	DHCP4          bool              `json:"dhcp4"`
	DHCP6          bool              `json:"dhcp6"`
	DHCP4Overrides network.Overrides `json:"dhcp4_overrides,omitzero"`
	DHCP6Overrides network.Overrides `json:"dhcp6_overrides,omitzero"`
	IPv6Mode       string            `json:"ipv6_mode,omitempty"`
	AcceptRA       *bool             `json:"accept_ra,omitempty"`
	IPv4LL         bool              `json:"ipv4ll,omitempty"`
	IPv6LL         *bool             `json:"ipv6ll,omitempty"`
	Optional       bool              `json:"optional,omitempty"`
	WakeOnLAN      bool              `json:"wake_on_lan,omitempty"`
	Manual         bool              `json:"manual,omitempty"`
	Addresses      []netip.Prefix    `json:"addresses"`
	Routes         []network.Route   `json:"routes"`
	DNS            network.DNS       `json:"dns"`
	// Members of a bond or bridge, and their parameters as network-config
	// version 2 spells and types them.
	Members    []string       `json:"members,omitempty"`
	Parameters map[string]any `json:"parameters,omitempty"`
	// Parent is the link below a VLAN.
	Parent string `json:"parent,omitempty"`
	VLANID int    `json:"vlan_id,omitempty"`
	// Master is the bond or bridge that the link is in.
	Master string   `json:"master,omitempty"`
	PreUp  []string `json:"pre_up,omitempty"`
	PostUp []string `json:"post_up,omitempty"`
}

// Describe says what a config means on a machine with these links.
func Describe(cfg *network.Config, have State) Document {
	targets, missing, problems := Match(cfg, have)
	want, more := Want(cfg, targets, have, nil)
	doc := Document{
		Version: 1, DNS: cfg.DNS, Rules: notNil(cfg.Rules), Routes: notNil(cfg.Routes), Problems: []network.Problem{},
	}
	for _, text := range append(problems, more...) {
		doc.Problems = append(doc.Problems, network.Problem{Message: text, Severity: network.Warning})
	}
	for _, l := range missing {
		targets = append(targets, Target{Config: l, Name: linkName(l)})
	}
	order(cfg, targets)
	names := namesOf(targets)
	for _, t := range targets {
		doc.Links = append(doc.Links, docLink(t, names))
	}
	for i := range doc.Links {
		l := &doc.Links[i]
		for _, m := range doc.Links {
			if slices.Contains(m.Members, l.Name) {
				l.Master = m.Name
			}
		}
	}
	doc.Links = notNil(doc.Links)
	for _, o := range Plan(have, want) {
		doc.Steps = append(doc.Steps, o.String())
	}
	return doc
}

func docLink(t Target, names idNames) DocLink {
	c := t.Config
	l := DocLink{
		ID: c.ID, Name: t.Name, Device: t.Device, Kind: c.Kind, Match: c.Match, SetName: c.Name != "", MAC: c.MAC, MTU: c.MTU,
		DHCP4: c.DHCP4, DHCP6: c.DHCP6, DHCP4Overrides: c.DHCP4Overrides, DHCP6Overrides: c.DHCP6Overrides,
		IPv6Mode: c.IPv6Mode, AcceptRA: c.AcceptRA, IPv4LL: c.IPv4LL, IPv6LL: c.IPv6LL, Optional: c.Optional, WakeOnLAN: c.WakeOnLAN,
		Manual: c.Manual, Addresses: notNil(c.Addresses), Routes: notNil(c.Routes), DNS: c.DNS,
		VLANID: c.VLANID, PreUp: c.PreUp, PostUp: c.PostUp,
	}
	if c.Parent != "" {
		l.Parent = names.of(c.Parent)[0]
	}
	for _, m := range c.Members {
		l.Members = append(l.Members, names.of(m)...)
	}
	if len(c.Parameters) > 0 {
		l.Parameters = network.TypedParameters(c.Parameters)
	}
	return l
}

func notNil[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
