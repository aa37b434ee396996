// Package maas reads the metadata service of Canonical's MAAS.
//
// https://canonical.com/maas/docs/about-cloud-init
package maas

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"rancheros/datasources"
	"rancheros/datasources/internal/imds"
	"rancheros/datasources/internal/wire"
)

// Kind is the MAAS datasource. Where its server is and how to sign requests is
// in /etc/cloud/cloud.cfg.d, as MAAS's installer writes it, below
// datasource.MAAS; the argument may name another server.
var Kind = datasources.Kind{
	Name:     "maas",
	Upstream: "MAAS",
	Needs:    datasources.Network,
	NeedsOn:  needs,
	Detect:   detect,
	Fetch:    fetch,
}

func detect(h *datasources.Host) datasources.Finding {
	if dir := h.Seed("maas", required()...); dir != "" {
		return datasources.Finding{Match: datasources.Maybe, Evidence: "/" + dir + " is there"}
	}
	if url := wire.Doc(h.DatasourceConfig("MAAS")).Str("metadata_url"); url != "" {
		// MAAS names itself in datasource_list as well where it means it.
		return datasources.Finding{Match: datasources.Maybe, Evidence: "/etc/cloud has datasource.MAAS.metadata_url"}
	}
	return datasources.Finding{}
}

// needs: a seed folder has it all.
func needs(h *datasources.Host) datasources.Needs {
	if h.Seed("maas", required()...) != "" {
		return datasources.Local
	}
	return datasources.Network
}

// required are the files without which it is no metadata.
func required() []string { return []string{"meta-data/instance-id", "meta-data/local-hostname"} }

// optional are the others.
func optional() []string {
	return []string{"meta-data/public-keys", "meta-data/vendor-data", "user-data"}
}

// version of the service's interface.
const version = "2012-03-01"

func fetch(ctx context.Context, env datasources.Env) (*datasources.Instance, error) {
	if dir := env.Host.Seed("maas", required()...); dir != "" && env.Arg == "" {
		in, err := fromSeed(env.Host, dir)
		if err != nil {
			return nil, fmt.Errorf("/%s: %w", dir, err)
		}
		in.Subplatform = "seed-dir (/" + dir + ")"
		return in, nil
	}
	cfg := wire.Doc(env.Host.DatasourceConfig("MAAS"))
	base := cmp.Or(env.Arg, cfg.Str("metadata_url"))
	if env.Endpoint != "" && base == "" {
		base = "http://maas/MAAS/metadata"
	}
	if base == "" {
		return nil, errors.New("where MAAS is, is not known: /etc/cloud has no datasource.MAAS.metadata_url; write maas:URL")
	}
	s, err := open(env, base, Credentials{
		ConsumerKey: cfg.Str("consumer_key"), ConsumerSecret: cfg.Str("consumer_secret"),
		TokenKey: cfg.Str("token_key"), TokenSecret: cfg.Str("token_secret"),
	})
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for _, name := range required() {
		if files[name], err = s.get(ctx, name); err != nil {
			return nil, err
		}
	}
	for _, name := range optional() {
		b, err := s.get(ctx, name)
		if err != nil && !errors.Is(err, imds.ErrAbsent) {
			return nil, err
		}
		files[name] = b
	}
	in, err := parse(files)
	if err != nil {
		return nil, fmt.Errorf("%s/%s: %w", imds.Shown(base), version, err)
	}
	in.Subplatform = "seed-url (" + imds.Shown(base) + ")"
	return in, nil
}

// A server is MAAS, asked with a signature.
type server struct {
	client *imds.Client
	prefix string
	auth   Credentials
	ahead  time.Duration
}

func open(env datasources.Env, base string, auth Credentials) (*server, error) {
	scheme, rest, ok := strings.Cut(base, "://")
	if !ok {
		return nil, fmt.Errorf("metadata_url: %q is no URL", base)
	}
	host, path, _ := strings.Cut(rest, "/")
	c := imds.Service{Bases: []string{scheme + "://" + host}, Deadline: 120 * time.Second}.Open(env)
	prefix := "/"
	if path = strings.Trim(path, "/"); path != "" {
		prefix += path + "/"
	}
	return &server{client: c, prefix: prefix + version + "/", auth: auth}, nil
}

// get asks once more with the server's time when it refuses ours.
func (s *server) get(ctx context.Context, name string) ([]byte, error) {
	b, err := s.ask(ctx, name)
	if d, ok := skewOf(err, time.Now().Add(s.ahead)); ok && !s.auth.Empty() {
		s.ahead += d
		b, err = s.ask(ctx, name)
	}
	return b, err
}

func (s *server) ask(ctx context.Context, name string) ([]byte, error) {
	r := imds.Request{Path: s.prefix + name}
	if !s.auth.Empty() {
		r.Header = map[string]string{"Authorization": s.auth.Header(time.Now().Add(s.ahead))}
	}
	res, err := s.client.Do(ctx, r)
	if err != nil {
		return nil, err
	}
	return res.Body, nil
}

func fromSeed(h *datasources.Host, dir string) (*datasources.Instance, error) {
	files := map[string][]byte{}
	for _, name := range append(required(), optional()...) {
		b, err := fs.ReadFile(h.Root, dir+"/"+name)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		files[name] = b
	}
	return parse(files)
}

func parse(files map[string][]byte) (*datasources.Instance, error) {
	in := &datasources.Instance{
		ID:         wire.Text(files["meta-data/instance-id"]),
		Hostname:   wire.Hostname(wire.Text(files["meta-data/local-hostname"])),
		PublicKeys: wire.KeyLines(string(files["meta-data/public-keys"])),
		UserData:   files["user-data"],
		VendorData: files["meta-data/vendor-data"],
	}
	if in.ID == "" {
		return nil, fmt.Errorf("meta-data/instance-id: %w", wire.ErrMissing)
	}
	in.Metadata = map[string]any{
		"instance-id":    in.ID,
		"local-hostname": wire.Text(files["meta-data/local-hostname"]),
	}
	if keys := wire.Text(files["meta-data/public-keys"]); keys != "" {
		in.Metadata["public-keys"] = keys
	}
	// Newer servers give a document with a part for cloud-init.
	if d, err := wire.Parse(in.VendorData); err == nil && d.Get("cloud-init") != nil {
		in.VendorData = wire.VendorData(map[string]any(d))
	}
	return in, nil
}
