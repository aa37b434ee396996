// Package huawei reads the metadata service of Huawei Cloud ECS, which is
// OpenStack's with tokens (version 2).
//
// https://support.huaweicloud.com/intl/en-us/usermanual-ecs/ecs_03_0166.html
package huawei

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"rancheros/datasources"
	"rancheros/datasources/internal/imds"
	"rancheros/datasources/internal/wire"
)

// Kind is the Huawei Cloud datasource.
var Kind = datasources.Kind{
	Name:    "huawei",
	Aliases: []string{"huaweicloud"},
	Needs:   datasources.Network,
	Detect:  detect,
	Fetch:   fetch,
}

// detect says Maybe, because the openstack datasource reads these machines as
// well and is sure of them: this one is for those whose owner allows version 2
// only.
func detect(h *datasources.Host) datasources.Finding {
	if h.DMI("chassis_asset_tag") == "HUAWEICLOUD" {
		return datasources.Finding{Match: datasources.Maybe, Evidence: `DMI chassis_asset_tag is "HUAWEICLOUD"`}
	}
	return datasources.Finding{}
}

var service = imds.Service{Bases: []string{"http://169.254.169.254"}}

func fetch(ctx context.Context, env datasources.Env) (*datasources.Instance, error) {
	c := service.Open(env)
	token, err := c.Do(ctx, imds.Request{
		Method: http.MethodPut,
		Path:   "/meta-data/latest/api/token",
		Header: map[string]string{"X-Metadata-Token-Ttl-Seconds": "21600"},
	})
	switch status := imds.Status(err); {
	case err == nil:
		c.SetHeader("X-Metadata-Token", strings.TrimSpace(string(token.Body)))
	case status == http.StatusNotFound, status == http.StatusMethodNotAllowed:
		// Regions that have version 1 only.
	default:
		return nil, err
	}
	var o wire.OpenStack
	if o.Meta, err = c.Get(ctx, "/openstack/latest/meta_data.json"); err != nil {
		return nil, err
	}
	for _, f := range []struct {
		name string
		to   *[]byte
	}{
		{"user_data", &o.User}, {"vendor_data.json", &o.Vendor}, {"vendor_data2.json", &o.Vendor2},
		{"network_data.json", &o.Network},
	} {
		b, err := c.Get(ctx, "/openstack/latest/"+f.name)
		if err != nil && !errors.Is(err, imds.ErrAbsent) {
			return nil, err
		}
		*f.to = b
	}
	in, err := o.Instance(env.Host)
	if err != nil {
		return nil, fmt.Errorf("%s/openstack/latest: %w", c.Base(), err)
	}
	in.Subplatform = "metadata (" + c.Base() + ")"
	return in, nil
}
