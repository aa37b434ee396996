// Package huawei reads the metadata service of Huawei Cloud ECS, which is
// OpenStack's with tokens (version 2).
//
// https://support.huaweicloud.com/intl/en-us/usermanual-ecs/ecs_03_0166.html
package huawei

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"rancheros/datasources"
	"rancheros/datasources/internal/imds"
	"rancheros/datasources/internal/openstack"
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
	in, err := openstack.Tree{Get: getter(c), Version: openstack.Latest, Host: env.Host, Log: env.Log}.Read(ctx)
	if err != nil {
		return nil, atBase(c, err)
	}
	in.Region = wire.Doc(in.Metadata).Str("region_id")
	in.Subplatform = "metadata (" + c.Base() + ")"
	return in, nil
}

// getter reads files; one must be there, and its status says why it is not.
func getter(c *imds.Client) func(context.Context, string) ([]byte, error) {
	return func(ctx context.Context, path string) ([]byte, error) {
		if strings.HasSuffix(path, "/meta_data.json") {
			return c.Get(ctx, "/"+path)
		}
		return c.Optional(ctx, "/"+path)
	}
}

// atBase says where a document is that cannot be read, if the error does not.
func atBase(c *imds.Client, err error) error {
	if imds.Status(err) != 0 || strings.Contains(err.Error(), c.Base()) {
		return err
	}
	return fmt.Errorf("%s: %w", c.Base(), err)
}
