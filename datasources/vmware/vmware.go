// Package vmware reads what a VMware host says of a virtual machine: the
// guestinfo variables of cloud-init and of RancherOS, and the customization
// that vCenter leaves in a file.
//
// https://docs.cloud-init.io/en/latest/reference/datasources/vmware.html
package vmware

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"rancheros/datasources"
	"rancheros/datasources/internal/guestinfo"
	"rancheros/datasources/internal/imds"
	"rancheros/datasources/internal/wire"
)

// Kind is the VMware datasource.
var Kind = datasources.Kind{
	Name:     "vmware",
	Upstream: "VMware",
	Needs:    datasources.Local,
	NeedsOn:  needs,
	Detect:   detect,
	Fetch:    fetch,
	Report:   report,
}

func detect(h *datasources.Host) datasources.Finding {
	if imcEnabled(h) {
		return datasources.Finding{Match: datasources.Yes, Evidence: "VMware's guest customization is enabled"}
	}
	if h.Exists(imcFile) {
		return datasources.Finding{Match: datasources.Yes, Evidence: imcFile + " is there"}
	}
	vars, err := guestinfo.Open(h)
	if err != nil {
		return datasources.Finding{}
	}
	for _, k := range own {
		v, err := vars.Get(k)
		if err != nil {
			return datasources.Finding{Match: datasources.Maybe, Evidence: fmt.Sprintf("VMware is below us, but: %v", err)}
		}
		if strings.TrimSpace(v) != "" { // also when it was taken back: this machine was set up by it
			return datasources.Finding{Match: datasources.Yes, Evidence: fmt.Sprintf("guestinfo.%s is set (%s)", k, vars.Where())}
		}
	}
	if guestinfo.HasRancher(reader(vars)) {
		return datasources.Finding{Match: datasources.Yes, Evidence: "guestinfo has keys of RancherOS"}
	}
	return datasources.Finding{}
}

// own are the variables of cloud-init. They go before a customization, as upstream
// has it, and that before those of RancherOS.
var own = []string{"metadata", "userdata", "vendordata"}

func hasOwn(vars guestinfo.Vars) bool {
	return slices.ContainsFunc(own, func(k string) bool { return reader(vars)(k) != "" })
}

// empty says whether a variable has nothing in it, or no longer has.
func empty(v string) bool {
	v = strings.TrimSpace(v)
	return v == "" || v == guestinfo.Redacted
}

// needs: RancherOS's keys may say that the user-data is on a server.
func needs(h *datasources.Host) datasources.Needs {
	vars, err := guestinfo.Open(h)
	if err != nil || h.Exists(imcFile) {
		return datasources.Local
	}
	if hasOwn(vars) || reader(vars)("cloud-init.config.data") != "" || reader(vars)("coreos.config.data") != "" {
		return datasources.Local // these go before, and data before a URL
	}
	if reader(vars)("cloud-init.config.url") != "" || reader(vars)("coreos.config.url") != "" {
		return datasources.Network
	}
	return datasources.Local
}

// reader is for keys whose absence and whose failure mean the same.
func reader(vars guestinfo.Vars) func(string) string {
	return func(key string) string {
		v, err := vars.Get(key)
		if err != nil || empty(v) {
			return ""
		}
		return v
	}
}

func fetch(ctx context.Context, env datasources.Env) (*datasources.Instance, error) {
	vars, err := guestinfo.Open(env.Host)
	if env.Host.Exists(imcFile) && (err != nil || !hasOwn(vars)) {
		return fetchIMC(env.Host)
	}
	if err != nil {
		return nil, err
	}
	in, err := fromVars(ctx, env, vars)
	if err != nil {
		return nil, err
	}
	in.ID = cmp.Or(in.ID, datasources.FallbackID(env.Host, "vmware"))
	in.Subplatform = "vmware (" + vars.Where() + ")"
	return in, nil
}

// fromVars: cloud-init's three variables; where none is set, RancherOS's.
func fromVars(ctx context.Context, env datasources.Env, vars guestinfo.Vars) (*datasources.Instance, error) {
	data := map[string][]byte{}
	for _, k := range own {
		b, err := variable(vars, k)
		if err != nil {
			return nil, err
		}
		if b != nil {
			data[k] = b
		}
	}
	if len(data) > 0 {
		in, err := parse(env.Host, data["metadata"])
		if err != nil {
			return nil, fmt.Errorf("guestinfo.metadata: %w", err)
		}
		in.UserData, in.VendorData = data["userdata"], data["vendordata"]
		return in, nil
	}
	if !guestinfo.HasRancher(reader(vars)) {
		return nil, errors.New("guestinfo has neither metadata nor userdata nor vendordata, nor keys of RancherOS")
	}
	in, url, err := guestinfo.Rancher(reader(vars))
	if err != nil {
		return nil, fmt.Errorf("guestinfo: %w", err)
	}
	if url != "" && in.UserData == nil {
		c := imds.Service{Bases: []string{url}, OwnBases: true, AnyRedirect: true}.Open(env)
		if in.UserData, err = c.Get(ctx, ""); err != nil {
			return nil, fmt.Errorf("guestinfo.cloud-init.config.url: %w", err)
		}
	}
	return in, nil
}

// variable reads one of the three with its encoding; nil when it is not set.
func variable(vars guestinfo.Vars, key string) ([]byte, error) {
	v, err := vars.Get(key)
	if err != nil {
		return nil, err
	}
	if empty(v) {
		return nil, nil
	}
	enc, err := vars.Get(key + ".encoding")
	if err != nil {
		return nil, err
	}
	b, err := wire.Decode([]byte(v), enc)
	if errors.Is(err, wire.ErrEncoding) {
		return []byte(v), nil // it is what it looks like
	}
	if err != nil {
		return nil, fmt.Errorf("guestinfo.%s: %w", key, err)
	}
	return b, nil
}

// parse reads metadata, YAML or JSON.
func parse(h *datasources.Host, b []byte) (*datasources.Instance, error) {
	md, err := wire.Parse(b)
	if err != nil {
		return nil, err
	}
	in := &datasources.Instance{
		ID:       md.Str("instance-id"),
		Hostname: wire.Hostname(md.Str("local-hostname", "hostname")),
		Metadata: md,
	}
	in.PublicKeys = wire.Keys(md.Get("public-keys-data", "public_keys_data", "public-keys", "public_keys"))
	doc, err := networkDoc(md)
	if err != nil {
		in.SetNetwork(nil, fmt.Errorf("network: %w", err))
		return in, nil
	}
	wire.SetNetwork(h, in, asAny(doc))
	return in, nil
}

// networkDoc is the network config in metadata: a mapping, or a text that may be
// encoded.
func networkDoc(md wire.Doc) (any, error) {
	doc := md.Get("network")
	if text, ok := doc.(string); ok {
		dec, err := wire.Decode([]byte(text), wire.Scalar(md["network.encoding"]))
		if errors.Is(err, wire.ErrEncoding) {
			dec, err = []byte(text), nil
		}
		if err != nil {
			return nil, err
		}
		if doc, err = wire.Parse(dec); err != nil {
			return nil, err
		}
	}
	// Some put the document below config, as it is in instance-data.
	if d := wire.AsDoc(doc); d != nil && d.Doc("config") != nil && d.Get("version") == nil {
		doc = d.Doc("config")
	}
	return doc, nil
}

func asAny(v any) any {
	if d := wire.AsDoc(v); len(d) > 0 {
		return map[string]any(d)
	}
	return nil
}

// report takes back what the user wants nobody to read again, and tells the
// host our address, for tools that wait for it.
func report(_ context.Context, env datasources.Env, in *datasources.Instance, cause error) error {
	vars, err := guestinfo.Open(env.Host)
	if err != nil || cause != nil {
		return nil // nothing to tell, or the data is needed again
	}
	md := wire.Doc(in.Metadata)
	var errs []error
	for _, k := range append(md.Strings("redact"), append(md.Strings("redact-guestinfo"), md.Strings("cleanup-guestinfo")...)...) {
		switch k {
		case "metadata", "userdata", "vendordata":
			errs = append(errs, vars.Set(k, guestinfo.Redacted), vars.Set(k+".encoding", ""))
		}
	}
	if env.Host.Dir == "/" {
		v4, v6 := addresses()
		for k, a := range map[string]string{"local-ipv4": v4, "local-ipv6": v6} {
			if a != "" {
				errs = append(errs, vars.Set(k, a))
			}
		}
	}
	return errors.Join(errs...)
}

// addresses are the machine's first ones of each family that others can reach.
func addresses() (v4, v6 string) {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return "", ""
	}
	for _, a := range all {
		p, err := netip.ParsePrefix(a.String())
		if err != nil || !p.Addr().IsGlobalUnicast() {
			continue
		}
		if p.Addr().Is4() {
			v4 = cmp.Or(v4, p.Addr().String())
		} else {
			v6 = cmp.Or(v6, p.Addr().String())
		}
	}
	return v4, v6
}
