// Package digitalocean reads the metadata service of DigitalOcean.
//
// https://docs.digitalocean.com/reference/api/metadata/
package digitalocean

import (
	"context"
	"fmt"

	"rancheros/datasources"
	"rancheros/datasources/internal/imds"
	"rancheros/datasources/internal/wire"
)

// Kind is the DigitalOcean datasource. The service answers to link-local
// addresses, and droplets may have no DHCP server.
var Kind = datasources.Kind{
	Name:     "digitalocean",
	Upstream: "DigitalOcean",
	Needs:    datasources.LinkUp,
	Detect:   detect,
	Fetch:    fetch,
	Same: func(h *datasources.Host, saved datasources.Identity) bool {
		return saved.InstanceID != "" && h.DMI("product_serial") == saved.InstanceID
	},
}

func detect(h *datasources.Host) datasources.Finding {
	if h.DMI("sys_vendor") == "DigitalOcean" {
		return datasources.Finding{Match: datasources.Yes, Evidence: `DMI sys_vendor is "DigitalOcean"`}
	}
	return datasources.Finding{}
}

var service = imds.Service{Bases: []string{"http://169.254.169.254"}}

func fetch(ctx context.Context, env datasources.Env) (*datasources.Instance, error) {
	c := service.Open(env)
	b, err := c.Get(ctx, "/metadata/v1.json")
	if err != nil {
		return nil, fmt.Errorf("digitalocean: %w", err)
	}
	d, err := wire.Parse(b)
	if err != nil {
		return nil, fmt.Errorf("digitalocean: GET %s/metadata/v1.json: %w", c.Base(), err)
	}
	if d.Str("droplet_id") == "" {
		return nil, fmt.Errorf("digitalocean: GET %s/metadata/v1.json: droplet_id: %w", c.Base(), wire.ErrMissing)
	}
	in := &datasources.Instance{
		Subplatform: "metadata (" + c.Base() + ")",
		ID:          d.Str("droplet_id"),
		Hostname:    wire.Hostname(d.Str("hostname")),
		PublicKeys:  wire.Keys(d["public_keys"]),
		Region:      d.Str("region"),
		UserData:    wire.Bytes(d["user_data"]),
		VendorData:  wire.Bytes(d["vendor_data"]),
		Network:     networkConfig(env.Host, d),
		Metadata:    d,
	}
	delete(in.Metadata, "auth_key")
	for _, kind := range []string{"public", "private"} {
		for _, n := range d.Doc("interfaces").List(kind) {
			wire.SortIPs(in, n.Str("ipv4.ip_address"), n.Str("ipv6.ip_address"))
		}
	}
	return in, nil
}
