// Package bigstep reads the metadata of Bigstep's metal cloud: one document at
// a URL that lies in the image.
//
// https://docs.cloud-init.io/en/latest/reference/datasources.html
package bigstep

import (
	"context"
	"errors"
	"fmt"

	"rancheros/datasources"
	"rancheros/datasources/internal/imds"
	"rancheros/datasources/internal/wire"
	"rancheros/paths"
)

// Kind is the Bigstep datasource.
var Kind = datasources.Kind{
	Name:     "bigstep",
	Upstream: "Bigstep",
	Needs:    datasources.Network,
	Detect:   detect,
	Fetch:    fetch,
}

const urlFile = paths.CloudInitLib + "/data/seed/bigstep/url"

func detect(h *datasources.Host) datasources.Finding {
	if h.Exists(urlFile) {
		return datasources.Finding{Match: datasources.Yes, Evidence: urlFile + " is there"}
	}
	return datasources.Finding{}
}

func fetch(ctx context.Context, env datasources.Env) (*datasources.Instance, error) {
	url := env.Host.Read(urlFile)
	if url == "" {
		return nil, errors.New(urlFile + " is not there or empty")
	}
	b, err := imds.Service{Bases: []string{url}}.Open(env).Get(ctx, "")
	if err != nil {
		return nil, err
	}
	in, err := parse(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", imds.Shown(url), err)
	}
	in.Subplatform = "metadata (" + imds.Shown(url) + ")"
	return in, nil
}

func parse(b []byte) (*datasources.Instance, error) {
	d, err := wire.Parse(b)
	if err != nil {
		return nil, err
	}
	md := d.Doc("metadata")
	in := &datasources.Instance{
		ID:         md.Str("instance-id"),
		Hostname:   wire.Hostname(md.Str("local-hostname", "hostname")),
		PublicKeys: wire.Keys(md.Get("public-keys")),
		UserData:   wire.Bytes(d.Get("userdata_raw")),
		VendorData: wire.VendorData(d.Get("vendordata_raw")),
		Metadata:   md,
	}
	if in.ID == "" {
		return nil, fmt.Errorf("metadata.instance-id: %w", wire.ErrMissing)
	}
	return in, nil
}
