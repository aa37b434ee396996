// Package nwcs reads the metadata service of NWCS.
//
// https://docs.cloud-init.io/en/latest/reference/datasources/nwcs.html
package nwcs

import (
	"context"
	"fmt"
	"time"

	"rancheros/datasources"
	"rancheros/datasources/internal/imds"
	"rancheros/datasources/internal/wire"
)

// Kind is the NWCS datasource.
var Kind = datasources.Kind{
	Name:     "nwcs",
	Upstream: "NWCS",
	Needs:    datasources.Network,
	Detect:   detect,
	Fetch:    fetch,
}

func detect(h *datasources.Host) datasources.Finding {
	if h.DMI("sys_vendor") == "NWCS" {
		return datasources.Finding{Match: datasources.Yes, Evidence: `DMI sys_vendor is "NWCS"`}
	}
	return datasources.Finding{}
}

var service = imds.Service{Bases: []string{"http://169.254.169.254"}, Deadline: 150 * time.Second}

const path = "/api/v1/metadata"

func fetch(ctx context.Context, env datasources.Env) (*datasources.Instance, error) {
	c := service.Open(env)
	b, err := c.Get(ctx, path)
	if err != nil {
		return nil, err
	}
	in, err := parse(env.Host, b)
	if err != nil {
		return nil, fmt.Errorf("%s%s: %w", c.Base(), path, err)
	}
	in.Subplatform = "metadata (" + c.Base() + path + ")"
	return in, nil
}

func parse(h *datasources.Host, b []byte) (*datasources.Instance, error) {
	md, err := wire.Parse(b)
	if err != nil {
		return nil, err
	}
	in := &datasources.Instance{
		ID:           md.Str("instance-id"),
		Hostname:     wire.Hostname(md.Str("hostname")),
		PublicKeys:   wire.Keys(md.Get("public-keys")),
		InstanceType: md.Str("machine_type"),
		UserData:     wire.Bytes(md.Get("userdata")),
		VendorData:   wire.VendorData(md.Get("vendordata")),
		Metadata:     md,
	}
	if in.ID == "" {
		return nil, fmt.Errorf("instance-id: %w", wire.ErrMissing)
	}
	md.Drop("userdata", "vendordata")
	doc := md.Doc("network")
	if doc == nil {
		return in, nil
	}
	if _, ok := doc["version"]; !ok {
		doc["version"] = 1
	}
	for _, l := range doc.List("config") {
		// The service makes names up; a link is not to be renamed for it.
		if name := wire.LinkName(h, l.Str("mac_address")); name != "" {
			l["name"] = name
		}
	}
	wire.SetNetwork(h, in, map[string]any(doc))
	return in, nil
}
