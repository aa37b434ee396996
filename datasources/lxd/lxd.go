// Package lxd reads what LXD or Incus says of a container or virtual machine,
// over the socket that they put into it.
//
// https://documentation.ubuntu.com/lxd/latest/dev-lxd/
package lxd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"rancheros/datasources"
	"rancheros/datasources/internal/imds"
	"rancheros/datasources/internal/wire"
)

// Kind is the LXD and Incus datasource.
var Kind = datasources.Kind{
	Name:     "lxd",
	Upstream: "LXD",
	Aliases:  []string{"incus"},
	Needs:    datasources.Local,
	Detect:   detect,
	Fetch:    fetch,
	Report:   report,
}

// sockets, LXD's first: Incus offers both.
func sockets() []string { return []string{"dev/lxd/sock", "dev/incus/sock"} }

func detect(h *datasources.Host) datasources.Finding {
	for _, s := range sockets() {
		if h.Exists(s) {
			return datasources.Finding{Match: datasources.Yes, Evidence: "/" + s + " is there"}
		}
	}
	if h.Virt != "kvm" && h.Virt != "qemu" {
		return datasources.Finding{}
	}
	// A virtual machine gets the socket from an agent that starts later.
	ports, err := fs.Glob(h.Root, "sys/class/virtio-ports/*/name")
	if err != nil {
		return datasources.Finding{}
	}
	for _, p := range ports {
		switch name := h.Read(p); name {
		case "com.canonical.lxd", "org.linuxcontainers.lxd", "org.linuxcontainers.incus":
			return datasources.Finding{Match: datasources.Yes, Evidence: "a virtio port is named " + name}
		}
	}
	return datasources.Finding{}
}

func service(env datasources.Env) imds.Service {
	s := imds.Service{
		Bases: []string{"http://lxd"},
		// The daemon answers 500 for a moment after a restart.
		Wait: 100 * time.Millisecond, MaxWait: time.Second, Retries: 30, Deadline: 30 * time.Second,
	}
	if env.Endpoint != "" || env.HTTP != nil && env.HTTP.Transport != nil {
		return s
	}
	path := filepath.Join(env.Host.Dir, sockets()[0])
	for _, name := range sockets() {
		if env.Host.Exists(name) {
			path = filepath.Join(env.Host.Dir, name)
			break
		}
	}
	s.Dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", path)
	}
	return s
}

func fetch(ctx context.Context, env datasources.Env) (*datasources.Instance, error) {
	c := service(env).Open(env)
	meta, err := c.Get(ctx, "/1.0/meta-data")
	if err != nil {
		return nil, err
	}
	config, err := readConfig(ctx, c)
	if err != nil {
		return nil, err
	}
	in, err := parse(env.Host, meta, config)
	if err != nil {
		return nil, fmt.Errorf("%s/1.0: %w", c.Base(), err)
	}
	in.Subplatform = "LXD socket API v. 1.0 (/" + sockets()[0] + ")"
	return in, nil
}

// maxKeys bounds what a project may set.
const maxKeys = 500

// readConfig reads the keys that concern us; others may be of any size.
func readConfig(ctx context.Context, c *imds.Client) (map[string]string, error) {
	list, err := c.Optional(ctx, "/1.0/config")
	if err != nil || list == nil {
		return nil, err
	}
	var routes []string
	if err := json.Unmarshal(list, &routes); err != nil {
		return nil, fmt.Errorf("%s/1.0/config: %w", c.Base(), err)
	}
	if len(routes) > maxKeys {
		return nil, fmt.Errorf("%s/1.0/config: there are %d keys, at most %d are read", c.Base(), len(routes), maxKeys)
	}
	slices.Sort(routes)
	config := map[string]string{}
	for _, r := range routes {
		key, ok := strings.CutPrefix(r, "/1.0/config/")
		if !ok || !strings.HasPrefix(key, "user.") && !strings.HasPrefix(key, "cloud-init.") {
			continue
		}
		b, err := c.Get(ctx, r)
		if errors.Is(err, imds.ErrAbsent) {
			continue // taken away since
		}
		if err != nil {
			return nil, err
		}
		config[key] = string(b)
	}
	return config, nil
}

func parse(h *datasources.Host, meta []byte, config map[string]string) (*datasources.Instance, error) {
	md, err := wire.Parse(meta)
	if err != nil {
		return nil, fmt.Errorf("meta-data: %w", err)
	}
	more, err := wire.Parse([]byte(config["user.meta-data"]))
	if err != nil {
		return nil, fmt.Errorf("user.meta-data: %w", err)
	}
	for k, v := range more {
		if _, ok := md[k]; !ok || k != "instance-id" {
			md[k] = v
		}
	}
	// What a person wrote for cloud-init beats the older user.* keys.
	get := func(name string) string {
		if v, ok := config["cloud-init."+name]; ok {
			return v
		}
		return config["user."+name]
	}
	in := &datasources.Instance{
		ID:         md.Str("instance-id"),
		Hostname:   wire.Hostname(md.Str("local-hostname", "hostname")),
		PublicKeys: wire.Keys(md.Get("public-keys")),
		UserData:   wire.Bytes(get("user-data")),
		VendorData: wire.Bytes(get("vendor-data")),
		Metadata:   md,
	}
	if in.ID == "" {
		return nil, fmt.Errorf("meta-data: instance-id: %w", wire.ErrMissing)
	}
	wire.SetNetwork(h, in, get("network-config"))
	return in, nil
}

// report sets the state that `lxc list` shows and that tools wait for. There is
// no word for failure.
func report(ctx context.Context, env datasources.Env, _ *datasources.Instance, cause error) error {
	if cause != nil {
		return nil
	}
	_, err := service(env).Open(env).Do(ctx, imds.Request{
		Method: http.MethodPatch,
		Path:   "/1.0",
		Header: map[string]string{"Content-Type": "application/json"},
		Body:   []byte(`{"state": "Ready"}`),
	})
	switch imds.Status(err) {
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusForbidden:
		return nil // a host that does not want to know
	}
	if err != nil {
		return fmt.Errorf("report to the host: %w", err)
	}
	return nil
}
