// Package akamai reads the metadata service of Akamai's cloud, once Linode.
//
// https://techdocs.akamai.com/cloud-computing/docs/metadata-service-api
package akamai

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"rancheros/datasources"
	"rancheros/datasources/internal/imds"
	"rancheros/datasources/internal/wire"
)

// Kind is the Akamai datasource.
var Kind = datasources.Kind{
	Name:     "akamai",
	Upstream: "Akamai",
	Aliases:  []string{"linode"},
	Needs:    datasources.Network,
	Detect:   detect,
	Fetch:    fetch,
	Same:     same,
}

func detect(h *datasources.Host) datasources.Finding {
	if v := h.DMI("sys_vendor"); v == "Akamai" || v == "Linode" {
		return datasources.Finding{Match: datasources.Yes, Evidence: fmt.Sprintf("DMI sys_vendor is %q", v)}
	}
	return datasources.Finding{}
}

// same: the firmware's serial number is the instance ID.
func same(h *datasources.Host, saved datasources.Identity) bool {
	return saved.InstanceID != "" && h.DMI("product_serial") == saved.InstanceID
}

var service = imds.Service{
	Bases:    []string{"http://169.254.169.254", "http://[fd00:a9fe:a9fe::1]"},
	Timeout:  5 * time.Second,
	Deadline: 60 * time.Second,
}

func fetch(ctx context.Context, env datasources.Env) (*datasources.Instance, error) {
	c := service.Open(env)
	token, err := c.Do(ctx, imds.Request{
		Method: http.MethodPut,
		Path:   "/v1/token",
		Header: map[string]string{"Metadata-Token-Expiry-Seconds": "300"},
	})
	if err != nil {
		return nil, err
	}
	c.SetHeader("Metadata-Token", strings.TrimSpace(string(token.Body)))
	json := map[string]string{"Accept": "application/json"}
	instance, err := c.Do(ctx, imds.Request{Path: "/v1/instance", Header: json})
	if err != nil {
		return nil, err
	}
	user, err := c.Optional(ctx, "/v1/user-data")
	if err != nil {
		return nil, err
	}
	in, err := parse(instance.Body, user)
	if err != nil {
		return nil, fmt.Errorf("%s/v1/instance: %w", c.Base(), err)
	}
	// Addresses and keys are welcome, but older hosts do not have them.
	for _, path := range []string{"/v1/network", "/v1/ssh-keys"} {
		res, err := c.Do(ctx, imds.Request{Path: path, Header: json})
		if err != nil {
			if imds.Status(err) == 0 {
				return nil, err
			}
			continue
		}
		if err := add(in, res.Body); err != nil {
			return nil, fmt.Errorf("%s%s: %w", c.Base(), path, err)
		}
	}
	in.Subplatform = "metadata (" + c.Base() + ")"
	return in, nil
}

func parse(instance, user []byte) (*datasources.Instance, error) {
	md, err := wire.Parse(instance)
	if err != nil {
		return nil, err
	}
	in := &datasources.Instance{
		ID:           md.Str("id"),
		Hostname:     wire.Hostname(md.Str("label")),
		Region:       md.Str("region"),
		InstanceType: md.Str("type"),
		Metadata:     md,
	}
	if in.ID == "" {
		return nil, fmt.Errorf("id: %w", wire.ErrMissing)
	}
	in.UserData = wire.UserBase64(in, user, "user-data")
	return in, nil
}

// add reads /v1/network or /v1/ssh-keys. The network is for our knowledge of
// the addresses only: the host configures links by DHCP and router
// advertisements.
func add(in *datasources.Instance, b []byte) error {
	var a struct {
		IPv4 struct {
			Public  []string `json:"public"`
			Private []string `json:"private"`
		} `json:"ipv4"`
		IPv6 struct {
			SLAAC string `json:"slaac"`
		} `json:"ipv6"`
		Users map[string][]string `json:"users"`
	}
	if err := json.Unmarshal(b, &a); err != nil {
		return err
	}
	wire.SortIPs(in, append(append(a.IPv4.Public, a.IPv4.Private...), a.IPv6.SLAAC)...)
	for _, k := range a.Users["root"] {
		in.PublicKeys = append(in.PublicKeys, wire.KeyLines(k)...)
	}
	return nil
}
