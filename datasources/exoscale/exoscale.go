// Package exoscale reads the metadata service of Exoscale.
//
// https://community.exoscale.com/product/compute/instances/how-to/cloud-init/
package exoscale

import (
	"context"
	"fmt"
	"strings"
	"time"

	"rancheros/datasources"
	"rancheros/datasources/internal/imds"
	"rancheros/datasources/internal/wire"
)

// Kind is the Exoscale datasource.
var Kind = datasources.Kind{
	Name:     "exoscale",
	Upstream: "Exoscale",
	Needs:    datasources.Network,
	Detect:   detect,
	Fetch:    fetch,
}

func detect(h *datasources.Host) datasources.Finding {
	if name := h.DMI("product_name"); strings.HasPrefix(name, "Exoscale") {
		return datasources.Finding{Match: datasources.Yes, Evidence: fmt.Sprintf("DMI product_name is %q", name)}
	}
	return datasources.Finding{}
}

const address = "http://169.254.169.254"

var service = imds.Service{Bases: []string{address}, Timeout: 10 * time.Second, Deadline: 120 * time.Second}

func fetch(ctx context.Context, env datasources.Env) (*datasources.Instance, error) {
	c := service.Open(env)
	md, err := wire.Tree(ctx, c.Optional, "/1.0/meta-data/", wire.KnownEC2(), nil)
	if err != nil {
		return nil, err
	}
	in := wire.EC2(md)
	if in.ID == "" {
		// Asked again by name for the status in the error.
		if _, err := c.Get(ctx, "/1.0/meta-data/instance-id"); err != nil {
			return nil, err
		}
		return nil, fmt.Errorf("%s/1.0/meta-data: instance-id: %w", c.Base(), wire.ErrMissing)
	}
	if in.UserData, err = c.Optional(ctx, "/1.0/user-data"); err != nil {
		return nil, err
	}
	in.Password = password(ctx, env)
	in.Subplatform = "metadata (" + c.Base() + ")"
	return in, nil
}

// password: its server is another one, often not there; that must not cost the
// instance its provisioning.
func password(ctx context.Context, env datasources.Env) string {
	s := imds.Service{Bases: []string{address + ":8080"}, Timeout: 2 * time.Second, Deadline: 6 * time.Second, Retries: 2}
	pw, err := wire.Password(ctx, s.Open(env), "/1.0/")
	if err != nil && env.Log != nil {
		env.Log.Warn("no answer from the password server", "err", err)
	}
	return pw
}
