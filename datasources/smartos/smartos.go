// Package smartos reads what SmartOS and Triton say of a machine, over a serial
// port or, in a zone, over a socket.
//
// https://eng.tritondatacenter.com/mdata/datadict.html
package smartos

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"time"

	"rancheros/datasources"
	"rancheros/datasources/internal/serial"
	"rancheros/datasources/internal/wire"
)

// Kind is the SmartOS datasource.
var Kind = datasources.Kind{
	Name:     "smartos",
	Upstream: "SmartOS",
	Aliases:  []string{"triton", "joyent"},
	Needs:    datasources.Local,
	Detect:   detect,
	Fetch:    fetch,
}

const (
	zoneSocket = "native/.zonecontrol/metadata.sock"
	serialPort = "dev/ttyS1"
	// timeLimit of the whole conversation.
	timeLimit = time.Minute
)

func detect(h *datasources.Host) datasources.Finding {
	if name := h.DMI("product_name"); strings.HasPrefix(name, "SmartDC") {
		return datasources.Finding{Match: datasources.Yes, Evidence: fmt.Sprintf("DMI product_name is %q", name)}
	}
	if h.Exists(zoneSocket) {
		return datasources.Finding{Match: datasources.Yes, Evidence: "/" + zoneSocket + " is there"}
	}
	return datasources.Finding{}
}

func fetch(ctx context.Context, env datasources.Env) (*datasources.Instance, error) {
	ctx, cancel := context.WithTimeout(ctx, timeLimit)
	defer cancel()
	port, where, err := open(ctx, env.Host)
	if err != nil {
		return nil, err
	}
	defer port.Close()
	m, err := newMdata(ctx, port)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", where, err)
	}
	vars := map[string]string{}
	for _, key := range keys() {
		v, ok, err := m.get(ctx, key)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", where, err)
		}
		if ok {
			vars[key] = v
		}
	}
	in, err := parse(env.Host, vars)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", where, err)
	}
	in.Subplatform = where
	return in, nil
}

func open(ctx context.Context, h *datasources.Host) (serial.Port, string, error) {
	if h.Exists(zoneSocket) {
		var d net.Dialer
		c, err := d.DialContext(ctx, "unix", filepath.Join(h.Dir, zoneSocket))
		if err != nil {
			return nil, "", err
		}
		return c, "socket (/" + zoneSocket + ")", nil
	}
	p, err := serial.Open(filepath.Join(h.Dir, serialPort))
	return p, "serial (/" + serialPort + ")", err
}

// keys are what is asked for. Those of the operator begin with sdc:.
func keys() []string {
	return []string{
		"sdc:uuid", "hostname", "sdc:hostname", "root_authorized_keys", "sdc:datacenter_name",
		"cloud-init:user-data", "user-data", "sdc:vendor-data", "user-script", "sdc:operator-script",
		"sdc:nics", "sdc:resolvers", "sdc:routes", "sdc:dns_domain", "sdc:package_name",
		"base64_keys", "base64_all",
	}
}

func parse(h *datasources.Host, vars map[string]string) (*datasources.Instance, error) {
	vars = decoded(vars)
	get := func(keys ...string) string {
		for _, k := range keys {
			if v := vars[k]; v != "" {
				return v
			}
		}
		return ""
	}
	in := &datasources.Instance{
		ID:           strings.TrimSpace(get("sdc:uuid")),
		Hostname:     wire.Hostname(get("hostname", "sdc:hostname", "sdc:uuid")),
		PublicKeys:   wire.KeyLines(get("root_authorized_keys")),
		Zone:         strings.TrimSpace(get("sdc:datacenter_name")),
		InstanceType: strings.TrimSpace(get("sdc:package_name")),
		UserData:     wire.Bytes(get("cloud-init:user-data")),
		VendorData:   vendorData(vars),
	}
	if in.ID == "" {
		return nil, fmt.Errorf("sdc:uuid: %w", wire.ErrMissing)
	}
	in.Metadata = map[string]any{"instance-id": in.ID, "local-hostname": in.Hostname}
	// user-data of SmartOS itself is any text for any program; only if it looks
	// like cloud-init's, it is ours.
	if legacy := get("user-data"); in.UserData == nil && strings.HasPrefix(legacy, "#") {
		in.UserData = []byte(legacy)
	}
	in.SetNetwork(networkOf(h, vars))
	if c := in.Network; c != nil {
		for _, l := range c.Links {
			for _, a := range l.Addresses {
				wire.SortIPs(in, a.Addr().String())
			}
		}
	}
	return in, nil
}

// decoded undoes base64 of the keys that the user says have it.
func decoded(vars map[string]string) map[string]string {
	all := vars["base64_all"] == "true"
	named := strings.Split(vars["base64_keys"], ",")
	out := map[string]string{}
	for k, v := range vars {
		is := all && !strings.HasPrefix(k, "base64_") && !strings.HasPrefix(k, "sdc:")
		for _, n := range named {
			is = is || strings.TrimSpace(n) == k
		}
		if b, err := wire.Base64([]byte(v)); is && err == nil {
			v = string(b)
		}
		out[k] = v
	}
	return out
}

// vendorData puts the scripts of operator and user beside the vendor data: both
// run at every boot, as they do on SmartOS itself.
func vendorData(vars map[string]string) []byte {
	var parts []any
	for _, key := range []string{"sdc:operator-script", "user-script"} {
		s := vars[key]
		if s == "" {
			continue
		}
		if !strings.HasPrefix(s, "#!") {
			s = "#!/bin/sh\n" + s
		}
		parts = append(parts, map[string]any{
			"type": "text/x-shellscript-per-boot", "filename": strings.TrimPrefix(key, "sdc:"), "content": s,
		})
	}
	var own any
	if v := vars["sdc:vendor-data"]; v != "" {
		if json.Unmarshal([]byte(v), &own) != nil {
			own = v
		}
	}
	if len(parts) == 0 {
		return wire.VendorData(own)
	}
	if b := wire.VendorData(own); b != nil {
		parts = append(parts, string(b))
	}
	return wire.VendorData(parts)
}
