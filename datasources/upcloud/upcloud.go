// Package upcloud reads the metadata service of UpCloud.
//
// https://upcloud.com/docs/products/cloud-servers/features/metadata-service/
package upcloud

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"rancheros/cloudconfig/network"
	"rancheros/datasources"
	"rancheros/datasources/internal/imds"
	"rancheros/datasources/internal/wire"
)

// Kind is the UpCloud datasource.
var Kind = datasources.Kind{
	Name:     "upcloud",
	Upstream: "UpCloud",
	Needs:    datasources.Network,
	Detect:   detect,
	Fetch:    fetch,
	Same:     same,
}

func detect(h *datasources.Host) datasources.Finding {
	if h.DMI("sys_vendor") == "UpCloud" {
		return datasources.Finding{Match: datasources.Yes, Evidence: `DMI sys_vendor is "UpCloud"`}
	}
	return datasources.Finding{}
}

// same: the firmware's UUID is the server's.
func same(h *datasources.Host, saved datasources.Identity) bool {
	return saved.InstanceID != "" && strings.EqualFold(h.DMI("product_uuid"), saved.InstanceID)
}

var service = imds.Service{Bases: []string{"http://169.254.169.254"}, Timeout: 2 * time.Second}

func fetch(ctx context.Context, env datasources.Env) (*datasources.Instance, error) {
	c := service.Open(env)
	b, err := c.Get(ctx, "/metadata/v1.json")
	if err != nil {
		return nil, err
	}
	in, err := parse(env.Host, b)
	if err != nil {
		return nil, fmt.Errorf("%s/metadata/v1.json: %w", c.Base(), err)
	}
	in.Subplatform = "metadata (" + c.Base() + ")"
	return in, nil
}

type answer struct {
	InstanceID   string   `json:"instance_id"`
	Hostname     string   `json:"hostname"`
	PublicKeys   []string `json:"public_keys"`
	Region       string   `json:"region"`
	Subscription string   `json:"subscription"`
	UserData     string   `json:"user_data"`
	VendorData   any      `json:"vendor_data"`
	Network      struct {
		Interfaces []nic    `json:"interfaces"`
		DNS        []string `json:"dns"`
	} `json:"network"`
}

type nic struct {
	Index     int    `json:"index"`
	MAC       string `json:"mac"`
	Type      string `json:"type"`
	Addresses []struct {
		Address string   `json:"address"`
		DHCP    bool     `json:"dhcp"`
		DNS     []string `json:"dns"`
		Family  string   `json:"family"`
		Gateway string   `json:"gateway"`
		Network string   `json:"network"`
	} `json:"ip_addresses"`
}

func parse(h *datasources.Host, b []byte) (*datasources.Instance, error) {
	var a answer
	if err := json.Unmarshal(b, &a); err != nil {
		return nil, err
	}
	var raw map[string]any
	if err := json.Unmarshal(b, &raw); err != nil {
		return nil, err
	}
	in := &datasources.Instance{
		ID:           a.InstanceID,
		Hostname:     wire.Hostname(a.Hostname),
		PublicKeys:   wire.Keys(a.PublicKeys),
		Region:       a.Region,
		InstanceType: a.Subscription,
		UserData:     wire.Bytes(a.UserData),
		VendorData:   wire.VendorData(a.VendorData),
		Metadata:     raw,
	}
	if in.ID == "" {
		return nil, fmt.Errorf("instance_id: %w", wire.ErrMissing)
	}
	wire.Doc(raw).Drop("user_data", "vendor_data")
	for _, n := range a.Network.Interfaces {
		for _, ip := range n.Addresses {
			wire.SortIPs(in, ip.Address)
		}
	}
	in.SetNetwork(networkOf(h, &a))
	return in, nil
}

func networkOf(h *datasources.Host, a *answer) (*network.Config, error) {
	if len(a.Network.Interfaces) == 0 {
		return nil, nil
	}
	c := &network.Config{DNS: network.DNS{Nameservers: a.Network.DNS}}
	for i, n := range a.Network.Interfaces {
		l, err := link(h, i, n)
		if err != nil {
			return nil, fmt.Errorf("network.interfaces: %s: %w", n.MAC, err)
		}
		c.Links = append(c.Links, l)
	}
	return c, nil
}

func link(h *datasources.Host, i int, n nic) (network.Link, error) {
	id := i
	if n.Index > 0 {
		id = n.Index - 1
	}
	l := wire.Link(h, n.MAC, fmt.Sprintf("eth%d", id))
	for _, ip := range n.Addresses {
		v6 := strings.EqualFold(ip.Family, "IPv6")
		switch {
		case ip.DHCP && v6:
			// What the service calls DHCP is router advertisements.
			l.IPv6Mode = "dhcp-stateless"
			continue
		case ip.DHCP:
			l.DHCP4 = true
			continue
		}
		_, bits, _ := strings.Cut(ip.Network, "/")
		p, err := wire.Prefix(ip.Address, bits)
		if err != nil {
			return l, err
		}
		l.Addresses = append(l.Addresses, p)
		if r, ok := wire.DefaultRoute(ip.Gateway); ok {
			l.Routes = append(l.Routes, r)
		}
		l.DNS.Nameservers = append(l.DNS.Nameservers, ip.DNS...)
	}
	return l, nil
}
