// Package hetzner reads the metadata service of Hetzner Cloud.
//
// https://docs.hetzner.cloud/reference/cloud#server-metadata
package hetzner

import (
	"context"
	"fmt"
	"time"

	"rancheros/cloudconfig/network"
	"rancheros/datasources"
	"rancheros/datasources/internal/imds"
	"rancheros/datasources/internal/wire"
)

// Kind is the Hetzner Cloud datasource.
var Kind = datasources.Kind{
	Name:     "hetzner",
	Upstream: "Hetzner",
	Aliases:  []string{"hcloud"},
	Needs:    datasources.LinkUp,
	Detect:   detect,
	Fetch:    fetch,
	Same:     same,
}

func detect(h *datasources.Host) datasources.Finding {
	if h.DMI("sys_vendor") == "Hetzner" {
		return datasources.Finding{Match: datasources.Yes, Evidence: `DMI sys_vendor is "Hetzner"`}
	}
	return datasources.Finding{}
}

// same: the firmware's serial number is the instance ID.
func same(h *datasources.Host, saved datasources.Identity) bool {
	return saved.InstanceID != "" && h.DMI("product_serial") == saved.InstanceID
}

// bases are link-local IPv6 first: a server without a public IPv4 address has
// no route to the other, and waiting for it costs minutes.
func bases(h *datasources.Host) []string {
	return append(imds.Links(h, "http://[fe80::a9fe:a9fe%%25%s]"), "http://169.254.169.254")
}

func fetch(ctx context.Context, env datasources.Env) (*datasources.Instance, error) {
	s := imds.Service{Bases: bases(env.Host), Timeout: 2 * time.Second, Deadline: 120 * time.Second}
	c := s.Open(env)
	meta, err := c.Get(ctx, "/hetzner/v1/metadata")
	if err != nil {
		return nil, err
	}
	private, err := c.Optional(ctx, "/hetzner/v1/metadata/private-networks")
	if err != nil {
		return nil, err
	}
	user, err := c.Optional(ctx, "/hetzner/v1/userdata")
	if err != nil {
		return nil, err
	}
	in, err := parse(env.Host, meta, private, user)
	if err != nil {
		return nil, fmt.Errorf("%s/hetzner/v1: %w", c.Base(), err)
	}
	in.Subplatform = "metadata (" + c.Base() + "/hetzner/v1/metadata)"
	return in, nil
}

// parse makes an Instance of the three documents; private and user may be nil.
func parse(h *datasources.Host, meta, private, user []byte) (*datasources.Instance, error) {
	md, err := wire.Parse(meta)
	if err != nil {
		return nil, fmt.Errorf("metadata: %w", err)
	}
	in := &datasources.Instance{
		ID:         md.Str("instance-id"),
		Hostname:   wire.Hostname(md.Str("hostname", "local-hostname")),
		PublicKeys: wire.Keys(md.Get("public-keys")),
		Region:     md.Str("region"),
		Zone:       md.Str("availability-zone"),
		VendorData: wire.VendorData(md.Get("vendor_data", "vendor-data")),
		// The console lets users send either; nothing says which.
		UserData: wire.MaybeBase64(user),
		Metadata: md,
	}
	if in.ID == "" {
		return nil, fmt.Errorf("metadata: instance-id: %w", wire.ErrMissing)
	}
	// A proxy or a neighbour must not make us another server.
	if serial := h.DMI("product_serial"); serial != "" && serial != in.ID {
		return nil, fmt.Errorf("metadata is of server %s, the firmware says that this is %s", in.ID, serial)
	}
	md.Drop("vendor_data", "vendor-data")
	wire.SortIPs(in, md.Str("public-ipv4"), md.Str("local-ipv4"))
	wire.SetNetwork(h, in, md.Get("network-config"))
	nets, err := wire.ParseList(private)
	if err != nil {
		return nil, fmt.Errorf("private-networks: %w", err)
	}
	if len(nets) > 0 {
		var list []any
		for _, n := range nets {
			list = append(list, map[string]any(n))
		}
		md["private-networks"] = list
		addPrivate(h, in, nets)
	}
	return in, nil
}

// addPrivate adds a link with DHCP for each private network: metadata's own
// network-config has the public link only.
func addPrivate(h *datasources.Host, in *datasources.Instance, nets []wire.Doc) {
	for i, n := range nets {
		wire.SortIPs(in, n.Str("ip"))
		mac := n.Str("mac_address")
		if in.Network == nil || mac == "" || hasMAC(in.Network, mac) {
			continue
		}
		l := wire.Link(h, mac, fmt.Sprintf("enp%d", 7+i))
		l.DHCP4 = true
		in.Network.Links = append(in.Network.Links, l)
	}
}

func hasMAC(c *network.Config, mac string) bool {
	for _, l := range c.Links {
		if wire.MAC(l.Match.MAC) == wire.MAC(mac) || wire.MAC(l.MAC) == wire.MAC(mac) {
			return true
		}
	}
	return false
}
