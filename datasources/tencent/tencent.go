// Package tencent reads the metadata service of Tencent Cloud CVM.
//
// https://www.tencentcloud.com/document/product/213/4934
package tencent

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"rancheros/cloudconfig/network"
	"rancheros/datasources"
	"rancheros/datasources/internal/imds"
	"rancheros/datasources/internal/wire"
)

// Kind is the Tencent Cloud datasource.
var Kind = datasources.Kind{
	Name:    "tencent",
	Aliases: []string{"tencentcloud"},
	Needs:   datasources.Network,
	Detect:  detect,
	Fetch:   fetch,
}

// detect: images of Tencent's own come with a config drive; where there is one
// it says the same without a network.
func detect(h *datasources.Host) datasources.Finding {
	if v := h.DMI("sys_vendor"); v == "Tencent Cloud" {
		return datasources.Finding{Match: datasources.Yes, Evidence: fmt.Sprintf("DMI sys_vendor is %q", v)}
	}
	return datasources.Finding{}
}

// The name is an alias of the address inside the cloud only; whoever asks by
// address needs no name server and cannot be sent elsewhere by one.
var service = imds.Service{Bases: []string{"http://169.254.0.23"}, Deadline: 120 * time.Second}

const root = "/latest"

func fetch(ctx context.Context, env datasources.Env) (*datasources.Instance, error) {
	c := service.Open(env)
	md, err := wire.Tree(ctx, c.Optional, root+"/meta-data/", wire.KnownEC2(), []string{"cam/security-credentials"})
	if err != nil {
		return nil, err
	}
	in, err := parse(env.Host, md)
	if err != nil {
		if _, err := c.Get(ctx, root+"/meta-data/instance-id"); err != nil {
			return nil, err
		}
		return nil, fmt.Errorf("%s%s/meta-data: %w", c.Base(), root, err)
	}
	if in.UserData, err = c.Optional(ctx, root+"/user-data"); err != nil {
		return nil, err
	}
	in.Subplatform = "metadata (" + c.Base() + ")"
	return in, nil
}

func parse(h *datasources.Host, md wire.Doc) (*datasources.Instance, error) {
	in := wire.EC2(md)
	if in.ID == "" {
		return nil, fmt.Errorf("instance-id: %w", wire.ErrMissing)
	}
	if in.Hostname == "" {
		in.Hostname = wire.Hostname(md.Str("instance-name"))
	}
	in.SetNetwork(networkOf(h, md))
	return in, nil
}

// networkOf is needed for further links and addresses only: DHCP gives the
// first address of the first link.
func networkOf(h *datasources.Host, md wire.Doc) (*network.Config, error) {
	macs := md.Doc("network.interfaces.macs")
	if len(macs) < 2 {
		return nil, nil
	}
	names := make([]string, 0, len(macs))
	for mac := range macs {
		names = append(names, mac)
	}
	slices.Sort(names)
	primary := wire.MAC(md.Str("mac"))
	c := &network.Config{}
	for i, mac := range names {
		l := wire.Link(h, mac, fmt.Sprintf("eth%d", i))
		if wire.MAC(mac) == primary || primary == "" && i == 0 {
			l.DHCP4 = true
			c.Links = append([]network.Link{l}, c.Links...)
			continue
		}
		ips := wire.AsDoc(macs[mac]).Doc("local-ipv4s")
		for ip, v := range ips {
			p, err := wire.Prefix(ip, wire.AsDoc(v).Str("subnet-mask"))
			if err != nil {
				return nil, fmt.Errorf("network/interfaces/macs/%s: %w", mac, err)
			}
			l.Addresses = append(l.Addresses, p)
		}
		slices.SortFunc(l.Addresses, netip.Prefix.Compare)
		c.Links = append(c.Links, l)
	}
	return c, nil
}
