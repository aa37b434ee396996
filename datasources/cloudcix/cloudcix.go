// Package cloudcix reads the metadata service of CloudCIX.
//
// https://docs.cloud-init.io/en/latest/reference/datasources/cloudcix.html
package cloudcix

import (
	"context"
	"fmt"

	"rancheros/datasources"
	"rancheros/datasources/internal/imds"
	"rancheros/datasources/internal/wire"
)

// Kind is the CloudCIX datasource.
var Kind = datasources.Kind{
	Name:     "cloudcix",
	Upstream: "CloudCIX",
	Needs:    datasources.Network,
	Detect:   detect,
	Fetch:    fetch,
}

func detect(h *datasources.Host) datasources.Finding {
	if h.DMI("product_name") == "CloudCIX" {
		return datasources.Finding{Match: datasources.Yes, Evidence: `DMI product_name is "CloudCIX"`}
	}
	return datasources.Finding{}
}

var service = imds.Service{Bases: []string{"http://169.254.169.254"}}

func fetch(ctx context.Context, env datasources.Env) (*datasources.Instance, error) {
	c := service.Open(env)
	b, err := c.Get(ctx, "/v1/metadata")
	if err != nil {
		return nil, err
	}
	user, err := c.Optional(ctx, "/v1/userdata")
	if err != nil {
		return nil, err
	}
	in, err := parse(env.Host, b, user)
	if err != nil {
		return nil, fmt.Errorf("%s/v1/metadata: %w", c.Base(), err)
	}
	in.Subplatform = "metadata (" + c.Base() + "/v1)"
	return in, nil
}

func parse(h *datasources.Host, meta, user []byte) (*datasources.Instance, error) {
	md, err := wire.Parse(meta)
	if err != nil {
		return nil, err
	}
	in := &datasources.Instance{
		ID:         md.Str("instance_id", "instance-id"),
		Hostname:   wire.Hostname(md.Str("hostname", "local-hostname")),
		PublicKeys: wire.Keys(md.Get("public_keys", "public-keys")),
		UserData:   wire.MaybeBase64(user),
		Metadata:   md,
	}
	if in.ID == "" {
		return nil, fmt.Errorf("instance_id: %w", wire.ErrMissing)
	}
	wire.SetNetwork(h, in, md.Get("network"))
	return in, nil
}
