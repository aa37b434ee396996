// Package packet reads metadata in the form that Packet, later Equinix Metal,
// invented, and that Tinkerbell's Hegel serves today.
//
// https://deploy.equinix.com/developers/docs/metal/server-metadata/metadata/
// https://tinkerbell.org/docs/services/tootles/
package packet

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"rancheros/datasources"
	"rancheros/datasources/internal/imds"
	"rancheros/datasources/internal/wire"
)

// Kind is the Packet datasource. Its argument is the address of the service:
// packet:http://192.0.2.1:50061. Without one it is what the kernel command line
// says (tinkerbell=, hegel_url=), else Equinix's.
var Kind = datasources.Kind{
	Name:    "packet",
	Aliases: []string{"equinix", "equinixmetal", "tinkerbell", "hegel"},
	Needs:   datasources.Network,
	Detect:  detect,
	Fetch:   fetch,
	Report:  report,
}

func detect(h *datasources.Host) datasources.Finding {
	// The service is not at an internal address: asked for anywhere else it
	// costs a whole timeout, so there must be a sign of it.
	for _, word := range strings.Fields(h.Cmdline()) {
		k, _, _ := strings.Cut(word, "=")
		switch {
		case k == "tinkerbell", k == "hegel_url", k == "hegel_endpoint", strings.HasPrefix(k, "packet_"):
			return datasources.Finding{Match: datasources.Yes, Evidence: "the kernel command line has " + k}
		}
	}
	return datasources.Finding{}
}

// bases are the places to ask.
func bases(env datasources.Env) []string {
	if env.Arg != "" {
		return []string{strings.TrimRight(env.Arg, "/")}
	}
	for _, word := range strings.Fields(env.Host.Cmdline()) {
		k, v, _ := strings.Cut(word, "=")
		switch {
		case v == "":
		case k == "hegel_url", k == "hegel_endpoint":
			return []string{strings.TrimRight(v, "/")}
		case k == "tinkerbell":
			if u, err := url.Parse(v); err == nil && u.Hostname() != "" {
				return []string{"http://" + u.Hostname() + ":50061"}
			}
		}
	}
	return []string{"https://metadata.platformequinix.com", "https://metadata.packet.net"}
}

func service(env datasources.Env) imds.Service {
	return imds.Service{Bases: bases(env), Timeout: 10 * time.Second, Deadline: 120 * time.Second}
}

func fetch(ctx context.Context, env datasources.Env) (*datasources.Instance, error) {
	c := service(env).Open(env)
	b, err := c.Get(ctx, "/metadata")
	if err != nil {
		return nil, err
	}
	in, err := parse(env.Host, b)
	if err != nil {
		return nil, fmt.Errorf("%s/metadata: %w", c.Base(), err)
	}
	user, err := c.Optional(ctx, "/userdata")
	if err != nil {
		return nil, err
	}
	if len(user) > 0 {
		in.UserData = user
	}
	in.Subplatform = "metadata (" + c.Base() + ")"
	return in, nil
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
	if a.ID == "" {
		return nil, fmt.Errorf("id: %w", wire.ErrMissing)
	}
	in := &datasources.Instance{
		ID:           a.ID,
		Hostname:     wire.Hostname(a.Hostname),
		PublicKeys:   wire.Keys(a.SSHKeys),
		Region:       a.Metro,
		Zone:         a.Facility,
		InstanceType: a.Plan,
		Metadata:     raw,
	}
	wire.Doc(raw).Drop("customdata", "password_hash", "root_password")
	for _, ip := range a.Network.Addresses {
		if ip.enabled() {
			wire.SortIPs(in, ip.Address)
		}
	}
	in.SetNetwork(networkOf(h, &a))
	return in, nil
}

// report calls home: an empty message means that the machine is installed,
// another one tells what went wrong.
func report(ctx context.Context, env datasources.Env, in *datasources.Instance, cause error) error {
	home, _ := in.Metadata["phone_home_url"].(string)
	if home == "" {
		return nil
	}
	target, body := home, []byte{}
	header := map[string]string{"Content-Type": "application/json"}
	if cause != nil {
		base := strings.TrimSuffix(home, "/phone-home")
		target = cmp.Or(wire.Doc(in.Metadata).Str("user_state_url"), base+"/events")
		var err error
		if body, err = json.Marshal(map[string]any{"state": "failed", "code": 1, "message": cause.Error()}); err != nil {
			return err
		}
	}
	c := imds.Service{Bases: []string{target}, Retries: 3, Deadline: 30 * time.Second}.Open(env)
	_, err := c.Do(ctx, imds.Request{Method: http.MethodPost, Header: header, Body: body})
	if err != nil {
		return fmt.Errorf("phone home: %w", err)
	}
	return nil
}
