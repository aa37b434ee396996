// Package gce reads the metadata server of Google Compute Engine.
//
// https://cloud.google.com/compute/docs/metadata/overview
package gce

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"path"
	"strconv"
	"strings"
	"time"

	"cloud.google.com/go/compute/metadata"
	"golang.org/x/sync/errgroup"

	"rancheros/cloudconfig/network"
	"rancheros/datasources"
	"rancheros/datasources/internal/imds"
	"rancheros/datasources/internal/wire"
)

// Kind is the Google Compute Engine datasource.
var Kind = datasources.Kind{
	Name:     "gce",
	Upstream: "GCE",
	Aliases:  []string{"google"},
	Needs:    datasources.Network,
	Detect:   detect,
	Fetch:    fetch,
	Publish:  publish,
}

func detect(h *datasources.Host) datasources.Finding {
	if v := h.DMI("product_name"); v == "Google Compute Engine" {
		return datasources.Finding{Match: datasources.Yes, Evidence: fmt.Sprintf("DMI product_name is %q", v)}
	}
	if v := h.DMI("product_serial"); strings.HasPrefix(v, "GoogleCloud-") {
		return datasources.Finding{Match: datasources.Yes, Evidence: fmt.Sprintf("DMI product_serial is %q", v)}
	}
	if h.DMI("product_name") == "Google" { // as some of its machines say, but not only those in the cloud
		return datasources.Finding{Match: datasources.Maybe, Evidence: `DMI product_name is "Google"`}
	}
	return datasources.Finding{}
}

// service is at addresses and not at a name, so that a wrong resolver cannot
// send us to somebody else.
var service = imds.Service{
	Bases:  []string{"http://169.254.169.254", "http://[fd20:ce::254]"},
	Header: map[string]string{"Metadata-Flavor": "Google"},
}

// answers are what is asked of the server, all at once.
type answers struct {
	id, zone, hostname, machine string
	instance, project           map[string]any
	interfaces                  []iface
	interfacesErr               error
}

// An iface is one of network-interfaces.
type iface struct {
	MAC           string   `json:"mac"`
	IP            string   `json:"ip"`
	IPv6          []string `json:"ipv6"`
	MTU           int      `json:"mtu"`
	DHCPv6Refresh string   `json:"dhcpv6Refresh"`
	AccessConfigs []struct {
		ExternalIP string `json:"externalIp"`
	} `json:"accessConfigs"`
}

func fetch(ctx context.Context, env datasources.Env) (*datasources.Instance, error) {
	at, id, err := find(ctx, env)
	if err != nil {
		return nil, fmt.Errorf("gce: %w", err)
	}
	a, err := ask(ctx, client(env, at), at)
	if err != nil {
		return nil, fmt.Errorf("gce: %w", err)
	}
	a.id = id
	zone := path.Base(a.zone)
	in := &datasources.Instance{
		Subplatform:  "metadata (" + at + ")",
		ID:           a.id,
		Hostname:     short(a.hostname),
		PublicKeys:   a.keys(time.Now()),
		Zone:         zone,
		Region:       region(zone),
		InstanceType: baseOrNone(a.machine),
		Metadata: map[string]any{
			"instance-id": a.id, "availability-zone": zone, "local-hostname": a.hostname,
			"instance-data": a.instance, "project-data": a.project,
		},
	}
	in.UserData = a.userData(in)
	in.SetNetwork(a.network(env.Host), a.interfacesErr)
	for _, i := range a.interfaces {
		wire.SortIPs(in, append([]string{i.IP}, i.IPv6...)...)
		for _, c := range i.AccessConfigs {
			wire.SortIPs(in, c.ExternalIP)
		}
	}
	return in, nil
}

// find asks both addresses for the instance's ID, and keeps the one that
// answers.
func find(ctx context.Context, env datasources.Env) (at, id string, err error) {
	c := service.Open(env)
	res, err := c.Do(ctx, imds.Request{Path: prefix + "instance/id"})
	if err != nil {
		return "", "", err
	}
	if err := checkFlavor(http.MethodGet, res.URL, res.Header, env); err != nil {
		return "", "", err
	}
	id = strings.TrimSpace(string(res.Body))
	if id == "" {
		return "", "", fmt.Errorf("GET %s: the answer is empty", res.URL)
	}
	return c.Base(), id, nil
}

// checkFlavor looks for the header that only Google's server sends. An endpoint
// that a person named may be any.
func checkFlavor(method, url string, h http.Header, env datasources.Env) error {
	if env.Endpoint == "" && h.Get("Metadata-Flavor") != "Google" {
		return &imds.Error{Method: method, URL: url, Err: errors.New("the answer is not from Google: it lacks the header Metadata-Flavor")}
	}
	return nil
}

// client is Google's own, sent to the address that answered.
func client(env datasources.Env, at string) *metadata.Client {
	there := env
	there.Endpoint = at
	h := service.HTTP(there)
	h.Transport = fromGoogle{next: h.Transport, env: env}
	return metadata.NewClient(h)
}

type fromGoogle struct {
	next http.RoundTripper
	env  datasources.Env
}

func (f fromGoogle) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := f.next.RoundTrip(r)
	if err == nil && res.StatusCode == http.StatusOK {
		err = checkFlavor(r.Method, r.URL.String(), res.Header, f.env)
	}
	if err != nil {
		return nil, err
	}
	return res, nil
}

func ask(ctx context.Context, c *metadata.Client, at string) (answers, error) {
	var a answers
	g, ctx := errgroup.WithContext(ctx)
	text := func(into *string, path string, needed bool) {
		g.Go(func() error {
			s, err := get(ctx, c, at, path)
			if errors.Is(err, imds.ErrAbsent) && !needed {
				return nil
			}
			*into = strings.TrimSpace(s)
			if err == nil && *into == "" && needed {
				err = fmt.Errorf("GET %s: the answer is empty", at+prefix+path)
			}
			return err
		})
	}
	object := func(into any, path string) error {
		s, err := get(ctx, c, at, path)
		if errors.Is(err, imds.ErrAbsent) || err == nil && strings.TrimSpace(s) == "" {
			return nil
		}
		if err != nil {
			return err
		}
		if err := json.Unmarshal([]byte(s), into); err != nil {
			return fmt.Errorf("GET %s: %w", at+prefix+path, err)
		}
		return nil
	}
	text(&a.zone, "instance/zone", true)
	text(&a.hostname, "instance/hostname", true)
	text(&a.machine, "instance/machine-type", false)
	g.Go(func() error { return object(&a.instance, "instance/attributes/?recursive=True") })
	g.Go(func() error { return object(&a.project, "project/attributes/?recursive=True") })
	g.Go(func() error {
		// DHCP serves the first link without them.
		a.interfacesErr = object(&a.interfaces, "instance/network-interfaces/?recursive=True&alt=json")
		return nil
	})
	err := g.Wait()
	return a, err
}

const prefix = "/computeMetadata/v1/"

// get makes our errors of the client's.
func get(ctx context.Context, c *metadata.Client, at, path string) (string, error) {
	s, err := c.GetWithContext(ctx, path)
	if err == nil {
		return s, nil
	}
	if e, ok := errors.AsType[*imds.Error](err); ok {
		return "", e
	}
	e := &imds.Error{Method: http.MethodGet, URL: at + prefix + path, Err: err}
	if _, ok := errors.AsType[metadata.NotDefinedError](err); ok {
		e.Status, e.Err = http.StatusNotFound, nil
	}
	if status, ok := errors.AsType[*metadata.Error](err); ok {
		e.Status, e.Err = status.Code, nil
	}
	return "", e
}

// region is a zone without its last part.
func region(zone string) string {
	if i := strings.LastIndex(zone, "-"); i >= 0 {
		return zone[:i]
	}
	return zone
}

// userData is the attribute user-data, or startup-script, which RancherOS read
// as well.
func (a *answers) userData(in *datasources.Instance) []byte {
	d := wire.Doc(a.instance)
	s, _ := d["user-data"].(string)
	if s == "" {
		s, _ = d["startup-script"].(string)
		return wire.Bytes(s)
	}
	if d.Str("user-data-encoding") == "base64" {
		return wire.UserBase64(in, []byte(s), "user-data")
	}
	return []byte(s) // without a word, or with one that nobody knows
}

func (a *answers) network(h *datasources.Host) *network.Config {
	var c network.Config
	for i, n := range a.interfaces {
		if n.MAC == "" || len(h.Links) > 0 && wire.LinkName(h, n.MAC) == "" {
			continue
		}
		l := wire.Link(h, n.MAC, "eth"+strconv.Itoa(i))
		l.DHCP4 = n.IP != "" || len(n.IPv6) == 0
		l.DHCP6 = len(n.IPv6) > 0 || n.DHCPv6Refresh != ""
		l.MTU = n.MTU
		if len(a.interfaces) > 1 {
			metric := 100 * (i + 1)
			l.DHCP4Overrides.RouteMetric = &metric
			if l.DHCP6 {
				l.DHCP6Overrides.RouteMetric = &metric
			}
		}
		c.Links = append(c.Links, l)
	}
	if len(c.Links) == 0 {
		return nil
	}
	return &c
}

// short is the first label of a name; Google asks for it, because their names
// are longer than a host name may be.
func short(name string) string {
	if a, err := netip.ParseAddr(name); err == nil {
		return wire.Hostname(a.String())
	}
	name, _, _ = strings.Cut(name, ".")
	return name
}

func baseOrNone(s string) string {
	if s == "" {
		return ""
	}
	return path.Base(s)
}
