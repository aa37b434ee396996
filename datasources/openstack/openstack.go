// Package openstack reads OpenStack's metadata service.
//
// https://docs.openstack.org/nova/latest/user/metadata.html
package openstack

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"rancheros/datasources"
	"rancheros/datasources/internal/imds"
	"rancheros/datasources/internal/openstack"
)

// Kind is the OpenStack datasource.
var Kind = datasources.Kind{
	Name:     "openstack",
	Upstream: "OpenStack",
	Needs:    datasources.Network,
	Detect:   detect,
	Fetch:    fetch,
	Same: func(h *datasources.Host, saved datasources.Identity) bool {
		// Nova gives the machine's firmware the instance's UUID.
		return saved.InstanceID != "" && strings.EqualFold(h.DMI("product_uuid"), saved.InstanceID) || datasources.SameDMI(h, saved)
	},
}

// Firmware strings of OpenStack and of clouds that are built with it.
var (
	products = []string{"OpenStack Nova", "OpenStack Compute"}
	tags     = []string{"OpenTelekomCloud", "SAP CCloud VM", "HUAWEICLOUD", "Samsung Cloud Platform", "OpenStack Nova", "OpenStack Compute"}
)

func detect(h *datasources.Host) datasources.Finding {
	yes := func(format string, args ...any) datasources.Finding {
		return datasources.Finding{Match: datasources.Yes, Evidence: fmt.Sprintf(format, args...)}
	}
	if datasources.HasConfigDrive(h) {
		return datasources.Finding{} // the drive says the same, and sooner
	}
	if v := h.DMI("product_name"); slices.Contains(products, v) {
		return yes("DMI product_name is %q", v)
	}
	if v := h.Env["product_name"]; v == products[0] { // a container's
		return yes("product_name of process 1 is %q", v)
	}
	if v := h.DMI("chassis_asset_tag"); slices.Contains(tags, v) {
		return yes("DMI chassis_asset_tag is %q", v)
	}
	if arch := h.Arch; arch != "" && !slices.Contains([]string{"i386", "i586", "i686", "x86_64"}, arch) && !h.InContainer() {
		return datasources.Finding{Match: datasources.Maybe, Evidence: "OpenStack shows nothing of itself in machines of type " + arch}
	}
	return datasources.Finding{}
}

func fetch(ctx context.Context, env datasources.Env) (*datasources.Instance, error) {
	s := imds.Service{Bases: append([]string{"http://169.254.169.254"}, imds.Links(env.Host, "http://[fe80::a9fe:a9fe%25%s]")...)}
	c := s.Open(env)
	list, err := c.Get(ctx, "/openstack/")
	if err != nil && !errors.Is(err, imds.ErrAbsent) {
		return nil, fmt.Errorf("openstack: %w", err)
	}
	version := openstack.Newest(strings.Fields(string(list)))
	ahead, err := prefetch(ctx, c, version)
	if err != nil {
		return nil, fmt.Errorf("openstack: %w", err)
	}
	in, err := openstack.Tree{
		Get: func(ctx context.Context, path string) ([]byte, error) {
			if b, ok := ahead[path]; ok {
				return b, nil
			}
			return c.Optional(ctx, "/"+path)
		},
		Version: version,
		Host:    env.Host,
		Log:     env.Log,
	}.Read(ctx)
	if err != nil {
		if imds.Status(err) == 0 {
			err = fmt.Errorf("%s: %w", c.Base(), err)
		}
		return nil, fmt.Errorf("openstack: %w", err)
	}
	in.Subplatform = "metadata (" + c.Base() + ")"
	return in, nil
}

// prefetch gets the documents of a version all at once: behind the service's
// proxy each takes a tenth of a second.
func prefetch(ctx context.Context, c *imds.Client, version string) (map[string][]byte, error) {
	names := []string{"meta_data.json", "user_data", "vendor_data.json", "vendor_data2.json", "network_data.json"}
	content := make([][]byte, len(names))
	g, ctx := errgroup.WithContext(ctx)
	for i, name := range names {
		get := c.Optional
		if i == 0 {
			get = c.Get // it must be there: the error says the URL
		}
		g.Go(func() (err error) {
			content[i], err = get(ctx, "/openstack/"+version+"/"+name)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	ahead := map[string][]byte{}
	for i, name := range names {
		ahead["openstack/"+version+"/"+name] = content[i]
	}
	return ahead, nil
}
