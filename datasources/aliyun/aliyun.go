// Package aliyun reads the metadata service of Alibaba Cloud ECS.
//
// https://www.alibabacloud.com/help/en/ecs/user-guide/view-instance-metadata
package aliyun

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"rancheros/datasources"
	"rancheros/datasources/internal/imds"
	"rancheros/datasources/internal/wire"
)

// Kind is the Alibaba Cloud datasource.
var Kind = datasources.Kind{
	Name:     "aliyun",
	Upstream: "AliYun",
	Aliases:  []string{"alibaba", "alibabacloud"},
	Needs:    datasources.Network,
	Detect:   detect,
	Fetch:    fetch,
}

func detect(h *datasources.Host) datasources.Finding {
	if h.DMI("product_name") == "Alibaba Cloud ECS" {
		return datasources.Finding{Match: datasources.Yes, Evidence: `DMI product_name is "Alibaba Cloud ECS"`}
	}
	if dir := seed(h); dir != "" {
		return datasources.Finding{Match: datasources.Yes, Evidence: "/" + dir + " has metadata and user-data"}
	}
	return datasources.Finding{}
}

// seed is a folder that stands for the service, or "".
func seed(h *datasources.Host) string { return wire.SeedDir(h, "AliYun") }

var service = imds.Service{Bases: []string{"http://100.100.100.200"}, Deadline: 120 * time.Second}

const version = "/2016-01-01"

func fetch(ctx context.Context, env datasources.Env) (*datasources.Instance, error) {
	if dir := seed(env.Host); dir != "" && env.Endpoint == "" {
		return wire.FromSeed(env.Host, dir)
	}
	c := service.Open(env)
	if err := authorize(ctx, c); err != nil {
		return nil, err
	}
	md, err := metadata(ctx, c)
	if err != nil {
		return nil, err
	}
	in, err := parse(env.Host, md)
	if err != nil {
		return nil, fmt.Errorf("%s%s/meta-data: %w", c.Base(), version, err)
	}
	if in.UserData, err = c.Optional(ctx, version+"/user-data"); err != nil {
		return nil, err
	}
	if in.VendorData, err = c.Optional(ctx, version+"/vendor-data"); err != nil {
		return nil, err
	}
	in.Subplatform = "metadata (" + c.Base() + ")"
	return in, nil
}

// authorize gets a token. Instances whose owner has not asked for the hardened
// mode answer without one, and old hosts have none to give.
func authorize(ctx context.Context, c *imds.Client) error {
	res, err := c.Do(ctx, imds.Request{
		Method: http.MethodPut,
		Path:   "/latest/api/token",
		Header: map[string]string{"X-aliyun-ecs-metadata-token-ttl-seconds": "21600"},
	})
	switch imds.Status(err) {
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusNotImplemented:
		return nil
	}
	if err != nil {
		return err
	}
	c.SetHeader("X-aliyun-ecs-metadata-token", strings.TrimSpace(string(res.Body)))
	return nil
}

// metadata is one document where the host has it, else a tree of files.
func metadata(ctx context.Context, c *imds.Client) (wire.Doc, error) {
	all, err := c.Get(ctx, version+"/meta-data/all")
	switch {
	case err == nil:
		md, err := wire.Parse(all)
		if err != nil {
			return nil, fmt.Errorf("%s%s/meta-data/all: %w", c.Base(), version, err)
		}
		return md, nil
	case !errors.Is(err, imds.ErrAbsent):
		return nil, err
	}
	md, err := wire.Tree(ctx, c.Optional, version+"/meta-data/", wire.KnownEC2(), []string{"ram/security-credentials"})
	if err != nil {
		return nil, err
	}
	if len(md) == 0 {
		_, err := c.Get(ctx, version+"/meta-data/instance-id")
		return nil, err
	}
	return md, nil
}

func parse(h *datasources.Host, md wire.Doc) (*datasources.Instance, error) {
	in := wire.EC2(md)
	if in.ID == "" && in.Hostname == "" {
		return nil, fmt.Errorf("instance-id: %w", wire.ErrMissing)
	}
	in.SetNetwork(networkOf(h, md))
	return in, nil
}
