// Package vultr reads the metadata service of Vultr.
//
// https://www.vultr.com/metadata/
package vultr

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"rancheros/datasources"
	"rancheros/datasources/internal/imds"
	"rancheros/datasources/internal/wire"
)

// Kind is the Vultr datasource.
var Kind = datasources.Kind{
	Name:     "vultr",
	Upstream: "Vultr",
	Needs:    datasources.Network,
	Detect:   detect,
	Fetch:    fetch,
}

func detect(h *datasources.Host) datasources.Finding {
	switch {
	case h.DMI("sys_vendor") == "Vultr":
		return datasources.Finding{Match: datasources.Yes, Evidence: `DMI sys_vendor is "Vultr"`}
	case slices.Contains(strings.Fields(h.Cmdline()), "vultr"):
		return datasources.Finding{Match: datasources.Yes, Evidence: "the kernel command line says vultr"}
	case h.Exists("etc/vultr"):
		return datasources.Finding{Match: datasources.Yes, Evidence: "/etc/vultr is there"}
	}
	return datasources.Finding{}
}

var service = imds.Service{
	Bases: []string{"http://169.254.169.254"},
	// With it the service answers in the form that is meant for cloud-init.
	Header:   map[string]string{"Metadata-Token": "cloudinit"},
	Timeout:  10 * time.Second,
	Deadline: 150 * time.Second,
}

func fetch(ctx context.Context, env datasources.Env) (*datasources.Instance, error) {
	c := service.Open(env)
	b, err := c.Get(ctx, "/v1.json")
	if err != nil {
		return nil, err
	}
	in, err := parse(env.Host, b)
	if err != nil {
		return nil, fmt.Errorf("%s/v1.json: %w", c.Base(), err)
	}
	in.Subplatform = "metadata (" + c.Base() + ")"
	return in, nil
}

func parse(h *datasources.Host, b []byte) (*datasources.Instance, error) {
	md, err := wire.Parse(b)
	if err != nil {
		return nil, err
	}
	in := &datasources.Instance{
		ID:         md.Str("instance-v2-id", "instance-id", "instanceid"),
		Hostname:   hostname(md.Str("hostname")),
		PublicKeys: wire.Keys(md.Get("public-keys")),
		Region:     md.Str("region.regioncode"),
		UserData:   wire.Bytes(md.Get("user-data")),
		VendorData: wire.VendorData(md.Get("vendor-data")),
		Metadata:   md,
	}
	if in.ID == "" {
		return nil, fmt.Errorf("instance-v2-id: %w", wire.ErrMissing)
	}
	md["local-hostname"] = in.Hostname
	md.Drop("user-data", "vendor-data")
	for _, i := range md.List("interfaces") {
		wire.SortIPs(in, i.Str("ipv4.address"), i.Str("ipv6.address"))
	}
	setNetwork(h, in, md)
	return in, nil
}

// hostname: people write what they like into the label.
func hostname(s string) string {
	return wire.Hostname(strings.Trim(regexp.MustCompile(`\W+`).ReplaceAllString(s, "-"), "-"))
}
