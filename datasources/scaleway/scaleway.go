// Package scaleway reads the metadata service of Scaleway instances.
//
// https://www.scaleway.com/en/docs/instances/how-to/use-boot-modes/
// https://www.scaleway.com/en/developers/api/instances/user-data/
package scaleway

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"rancheros/cloudconfig/network"
	"rancheros/datasources"
	"rancheros/datasources/internal/imds"
	"rancheros/datasources/internal/wire"
)

// Kind is the Scaleway datasource.
var Kind = datasources.Kind{
	Name:     "scaleway",
	Upstream: "Scaleway",
	Needs:    datasources.Network,
	Detect:   detect,
	Fetch:    fetch,
	Report:   report,
}

func detect(h *datasources.Host) datasources.Finding {
	switch {
	case h.DMI("sys_vendor") == "Scaleway":
		return datasources.Finding{Match: datasources.Yes, Evidence: `DMI sys_vendor is "Scaleway"`}
	case slices.Contains(strings.Fields(h.Cmdline()), "scaleway"):
		return datasources.Finding{Match: datasources.Yes, Evidence: "the kernel command line says scaleway"}
	case h.Exists("var/run/scaleway") || h.Exists("run/scaleway"):
		return datasources.Finding{Match: datasources.Yes, Evidence: "/run/scaleway is there"}
	}
	return datasources.Finding{}
}

// service answers the public part to anyone.
var service = imds.Service{
	Bases:    []string{"http://169.254.42.42", "http://[fd00:42::42]"},
	Timeout:  10 * time.Second,
	Deadline: 120 * time.Second,
}

func fetch(ctx context.Context, env datasources.Env) (*datasources.Instance, error) {
	c := service.Open(env)
	b, err := c.Get(ctx, "/conf?format=json")
	if err != nil {
		return nil, err
	}
	in, err := parse(env.Host, b)
	if err != nil {
		return nil, fmt.Errorf("%s/conf: %w", c.Base(), err)
	}
	p := privileged(env, c.Base())
	if in.UserData, err = p.Optional(ctx, "/user_data/cloud-init"); err != nil {
		return nil, err
	}
	if in.VendorData, err = p.Optional(ctx, "/vendor_data/cloud-init"); err != nil {
		return nil, err
	}
	in.Subplatform = "metadata (" + c.Base() + "/conf?format=json)"
	return in, nil
}

// report tells Scaleway that the machine has booted. There is no word for
// failure: the console then shows that it has not.
func report(ctx context.Context, env datasources.Env, _ *datasources.Instance, cause error) error {
	if cause != nil {
		return nil
	}
	c := service.Open(env)
	if _, err := c.Get(ctx, "/conf?format=json"); err != nil { // finds the address family that works
		return fmt.Errorf("report to scaleway: %w", err)
	}
	_, err := privileged(env, c.Base()).Do(ctx, imds.Request{
		Method: http.MethodPatch,
		Path:   "/state",
		Header: map[string]string{"Content-Type": "application/json"},
		Body:   []byte(`{"state_detail":"booted"}`),
	})
	if err != nil {
		return fmt.Errorf("report to scaleway: %w", err)
	}
	return nil
}

type answer struct {
	ID             string `json:"id"`
	Name           string `json:"name"`
	Hostname       string `json:"hostname"`
	CommercialType string `json:"commercial_type"`
	Zone           string `json:"zone"`
	Location       struct {
		ZoneID string `json:"zone_id"`
	} `json:"location"`
	Keys []struct {
		Key string `json:"key"`
	} `json:"ssh_public_keys"`
	Tags      []string   `json:"tags"`
	PrivateIP string     `json:"private_ip"`
	PublicIP  publicIP   `json:"public_ip"`
	PublicIPs []publicIP `json:"public_ips"`
	IPv6      *struct {
		Address string `json:"address"`
		Gateway string `json:"gateway"`
		Netmask string `json:"netmask"`
	} `json:"ipv6"`
}

type publicIP struct {
	Address string `json:"address"`
	// Netmask is a length, as text or as a number.
	Netmask json.RawMessage `json:"netmask"`
	Family  string          `json:"family"`
	Gateway string          `json:"gateway"`
	Mode    string          `json:"provisioning_mode"`
}

func parse(h *datasources.Host, b []byte) (*datasources.Instance, error) {
	var a answer
	if err := json.Unmarshal(b, &a); err != nil {
		return nil, fmt.Errorf("metadata: %w", err)
	}
	var raw map[string]any
	if err := json.Unmarshal(b, &raw); err != nil {
		return nil, fmt.Errorf("metadata: %w", err)
	}
	if a.ID == "" {
		return nil, fmt.Errorf("metadata: id: %w", wire.ErrMissing)
	}
	in := &datasources.Instance{
		ID:           a.ID,
		Hostname:     wire.Hostname(a.Hostname),
		Zone:         a.Zone,
		InstanceType: a.CommercialType,
		Metadata:     raw,
	}
	if in.Zone == "" {
		in.Zone = a.Location.ZoneID
	}
	// fr-par-1 is a zone of the region fr-par.
	if i := strings.LastIndexByte(in.Zone, '-'); i > 0 {
		in.Region = in.Zone[:i]
	}
	for _, k := range a.Keys {
		in.PublicKeys = append(in.PublicKeys, wire.KeyLines(k.Key)...)
	}
	// A tag has no blanks: people write underscores.
	for _, t := range a.Tags {
		if k, ok := strings.CutPrefix(t, "AUTHORIZED_KEY="); ok {
			in.PublicKeys = append(in.PublicKeys, wire.KeyLines(strings.ReplaceAll(k, "_", " "))...)
		}
	}
	for _, ip := range a.PublicIPs {
		wire.SortIPs(in, ip.Address)
	}
	wire.SortIPs(in, a.PublicIP.Address, a.PrivateIP)
	if a.IPv6 != nil {
		wire.SortIPs(in, a.IPv6.Address)
	}
	in.SetNetwork(networkOf(h, &a))
	return in, nil
}

// gateway is the router of the networks with routed addresses; the metadata
// service is behind it as well.
const gateway = "62.210.0.1"

// networkOf: DHCP gives the first IPv4 address, everything else is static.
func networkOf(h *datasources.Host, a *answer) (*network.Config, error) {
	name := wire.FirstLink(h)
	l := network.Link{ID: name, Kind: network.Physical}
	if a.IPv6 != nil && a.IPv6.Address != "" && len(a.PublicIPs) == 0 {
		p, err := wire.Prefix(a.IPv6.Address, a.IPv6.Netmask)
		if err != nil {
			return nil, fmt.Errorf("metadata: ipv6: %w", err)
		}
		l.DHCP4 = true
		l.Addresses = append(l.Addresses, p)
		if r, ok := wire.DefaultRoute(a.IPv6.Gateway); ok {
			l.Routes = append(l.Routes, r)
		}
		return &network.Config{Links: []network.Link{l}}, nil
	}
	for _, ip := range a.PublicIPs {
		if err := addIP(&l, ip); err != nil {
			return nil, err
		}
	}
	if len(a.PublicIPs) == 0 {
		return nil, nil // DHCP does it all
	}
	return &network.Config{Links: []network.Link{l}}, nil
}

func addIP(l *network.Link, ip publicIP) error {
	p, err := wire.Prefix(ip.Address, strings.Trim(string(ip.Netmask), `"`))
	if err != nil {
		return fmt.Errorf("metadata: public_ips: %w", err)
	}
	switch {
	case p.Addr().Is4() && !l.DHCP4 && (ip.Mode == "" || ip.Mode == "dhcp"):
		l.DHCP4 = true
		via, _ := wire.DefaultRoute(gateway)
		to, err := wire.Prefix("169.254.42.42", "32")
		if err != nil {
			return err
		}
		via.To, via.OnLink = to, true
		l.Routes = append(l.Routes, via)
	case p.Addr().Is6():
		l.Addresses = append(l.Addresses, p)
		if r, ok := wire.DefaultRoute(ip.Gateway); ok {
			r.OnLink = true
			l.Routes = append(l.Routes, r)
		}
	default:
		l.Addresses = append(l.Addresses, p)
	}
	return nil
}
