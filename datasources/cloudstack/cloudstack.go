// Package cloudstack reads what the virtual router of an Apache CloudStack
// network says of its machines.
//
// https://docs.cloudstack.apache.org/en/latest/adminguide/virtual_machines/user-data.html
package cloudstack

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"rancheros/datasources"
	"rancheros/datasources/internal/imds"
	"rancheros/datasources/internal/wire"
)

// Kind is the CloudStack datasource.
var Kind = datasources.Kind{
	Name:     "cloudstack",
	Upstream: "CloudStack",
	Needs:    datasources.Network,
	Detect:   detect,
	Fetch:    fetch,
}

func detect(h *datasources.Host) datasources.Finding {
	if name := h.DMI("product_name"); strings.HasPrefix(name, "CloudStack") {
		return datasources.Finding{Match: datasources.Yes, Evidence: fmt.Sprintf("DMI product_name is %q", name)}
	}
	return datasources.Finding{}
}

// routers are the addresses at which the virtual router may be: the name that
// its DNS gives it, whoever answered our DHCP requests, and our gateways.
func routers(h *datasources.Host) []string {
	var out []string
	add := func(host string) {
		if !slices.Contains(out, host) {
			out = append(out, host)
		}
	}
	for _, l := range wire.Leases(h) {
		if l.Server.IsValid() {
			add("http://" + l.Server.String())
		}
	}
	for _, g := range wire.Gateways(h) {
		add("http://" + g.String())
	}
	add("http://data-server.")
	return out
}

func fetch(ctx context.Context, env datasources.Env) (*datasources.Instance, error) {
	s := imds.Service{Bases: routers(env.Host), Timeout: 10 * time.Second, Deadline: 120 * time.Second}
	if env.Arg != "" {
		s.Bases = []string{"http://" + env.Arg}
	}
	c := s.Open(env)
	// Without the slash at the end the router answers 404.
	md, err := wire.Tree(ctx, c.Optional, "/latest/meta-data/", wire.KnownEC2(), nil)
	if err != nil {
		return nil, err
	}
	in := wire.EC2(md)
	if in.ID == "" && in.Hostname == "" {
		if _, err := c.Get(ctx, "/latest/meta-data/instance-id"); err != nil {
			return nil, err
		}
		return nil, fmt.Errorf("%s/latest/meta-data: instance-id: %w", c.Base(), wire.ErrMissing)
	}
	if in.UserData, err = c.Optional(ctx, "/latest/user-data"); err != nil {
		return nil, err
	}
	in.Password = password(ctx, env, c.Base())
	in.Subplatform = "metadata (" + c.Base() + ")"
	return in, nil
}

// password: not every network offers it; its absence must not cost the
// instance its provisioning.
func password(ctx context.Context, env datasources.Env, router string) string {
	s := imds.Service{Bases: []string{router + ":8080"}, Timeout: 2 * time.Second, Deadline: 6 * time.Second, Retries: 2}
	pw, err := wire.Password(ctx, s.Open(env), "/")
	if err != nil && env.Log != nil {
		env.Log.Warn("no answer from the password server", "err", err)
	}
	return pw
}
