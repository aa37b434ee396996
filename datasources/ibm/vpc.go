package ibm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"rancheros/datasources"
	"rancheros/datasources/internal/imds"
	"rancheros/datasources/internal/wire"
)

// service is the metadata service of VPC.
var service = imds.Service{Bases: []string{"http://169.254.169.254"}}

// version is the day whose form of the answers is wanted.
const version = "?version=2022-03-01"

func fetchVPC(ctx context.Context, env datasources.Env) (*datasources.Instance, error) {
	c := service.Open(env)
	res, err := c.Do(ctx, imds.Request{
		Method: http.MethodPut,
		Path:   "/instance_identity/v1/token" + version,
		Header: map[string]string{"Metadata-Flavor": "ibm", "Content-Type": "application/json"},
		Body:   []byte(`{"expires_in": 3600}`),
	})
	if err != nil {
		return nil, err
	}
	var token struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal(res.Body, &token); err != nil {
		return nil, fmt.Errorf("%s: %w", res.URL, err)
	}
	c.SetHeader("Authorization", "Bearer "+token.AccessToken)
	b, err := c.Get(ctx, "/metadata/v1/instance"+version)
	if err != nil {
		return nil, err
	}
	in, err := parseVPC(b)
	if err != nil {
		return nil, fmt.Errorf("%s/metadata/v1/instance: %w", c.Base(), err)
	}
	b, err = c.Get(ctx, "/metadata/v1/instance/initialization"+version)
	if err != nil && !errors.Is(err, imds.ErrAbsent) {
		return nil, err
	}
	if err == nil {
		if err := addInit(in, b); err != nil {
			return nil, fmt.Errorf("%s/metadata/v1/instance/initialization: %w", c.Base(), err)
		}
	}
	if err := addKeys(ctx, c, in); err != nil {
		return nil, err
	}
	in.Subplatform = "metadata (" + c.Base() + ")"
	return in, nil
}

func parseVPC(b []byte) (*datasources.Instance, error) {
	md, err := wire.Parse(b)
	if err != nil {
		return nil, err
	}
	in := &datasources.Instance{
		ID:           md.Str("id"),
		Hostname:     wire.Hostname(md.Str("name")),
		Zone:         md.Str("zone.name"),
		InstanceType: md.Str("profile.name"),
		Metadata:     md,
	}
	if in.ID == "" {
		return nil, fmt.Errorf("id: %w", wire.ErrMissing)
	}
	// us-south-1 is a zone of the region us-south.
	for i := len(in.Zone) - 1; i > 0; i-- {
		if in.Zone[i] == '-' {
			in.Region = in.Zone[:i]
			break
		}
	}
	wire.SortIPs(in, md.Str("primary_network_interface.primary_ip.address"), md.Str("primary_network_attachment.primary_ip.address"))
	return in, nil
}

// addInit reads what the user gave when he made the instance.
func addInit(in *datasources.Instance, b []byte) error {
	d, err := wire.Parse(b)
	if err != nil {
		return err
	}
	in.UserData = wire.Bytes(d.Get("user_data"))
	return nil
}

// addKeys: the list of keys has their text in newer versions only.
func addKeys(ctx context.Context, c *imds.Client, in *datasources.Instance) error {
	b, err := c.Get(ctx, "/metadata/v1/keys"+version)
	if errors.Is(err, imds.ErrAbsent) {
		return nil
	}
	if err != nil {
		return err
	}
	d, err := wire.Parse(b)
	if err != nil {
		return fmt.Errorf("%s/metadata/v1/keys: %w", c.Base(), err)
	}
	for _, k := range d.List("keys") {
		in.PublicKeys = append(in.PublicKeys, wire.KeyLines(k.Str("public_key"))...)
	}
	return nil
}
