// Package openstack reads the metadata that OpenStack gives a machine, from its
// service and from a config drive alike, and from the clouds that do as it does.
//
// https://docs.openstack.org/nova/latest/user/metadata.html
package openstack

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path"
	"slices"
	"strings"

	"rancheros/cloudconfig/network"
	"rancheros/datasources"
	"rancheros/datasources/internal/eni"
	"rancheros/datasources/internal/wire"
)

// versions that are understood, newest first.
var versions = []string{
	"2018-08-27", "2017-02-22", "2016-10-06", "2016-06-30", "2015-10-15", "2013-10-17", "2013-04-04", "2012-08-10",
}

// Latest is the version that follows the newest.
const Latest = "latest"

// maxFiles is how many injected files are taken.
const maxFiles = 64

// ErrDisabled says that the metadata wants this datasource not to be used.
var ErrDisabled = errors.New("dsmode is disabled")

// A Tree is where the files lie. Paths begin with openstack/.
type Tree struct {
	// Get returns a file, nil if it is not there.
	Get func(ctx context.Context, path string) ([]byte, error)
	// Version is the folder below openstack/.
	Version string
	Host    *datasources.Host
	Log     *slog.Logger
	// DefaultID is the instance's ID where there is no metadata or no ID in it,
	// as on a drive that a person has made. Empty: that is an error.
	DefaultID string
}

// Newest picks a version from a list of folders.
func Newest(have []string) string {
	for _, v := range versions {
		if slices.ContainsFunc(have, func(h string) bool { return strings.Trim(h, "/ ") == v }) {
			return v
		}
	}
	return Latest
}

// Read reads what there is. Only meta_data.json must be there.
func (t Tree) Read(ctx context.Context) (*datasources.Instance, error) {
	md, err := t.document(ctx, "meta_data.json")
	if err != nil {
		return nil, err
	}
	if md == nil {
		if md, err = t.withoutMetadata(ctx); err != nil {
			return nil, err
		}
	}
	d := wire.Doc(md)
	if strings.EqualFold(d.Str("meta.dsmode", "dsmode"), "disabled") {
		return nil, ErrDisabled
	}
	in := &datasources.Instance{
		ID:         d.Str("uuid"),
		Hostname:   wire.Hostname(d.Str("hostname", "name")),
		PublicKeys: wire.Keys(d.Get("public_keys", "public-keys")),
		Zone:       d.Str("availability_zone"),
		Metadata:   md,
	}
	if in.ID == "" {
		in.ID = t.DefaultID
	}
	if in.ID == "" {
		return nil, fmt.Errorf("%s: uuid: %w", t.path("meta_data.json"), wire.ErrMissing)
	}
	if seed := d.Str("random_seed"); seed != "" {
		if in.RandomSeed, err = wire.Base64([]byte(seed)); err != nil {
			return nil, fmt.Errorf("%s: random_seed: %w", t.path("meta_data.json"), err)
		}
		delete(md, "random_seed")
	}
	if in.UserData, err = t.Get(ctx, t.path("user_data")); err != nil {
		return nil, err
	}
	if err := t.vendor(ctx, in); err != nil {
		return nil, err
	}
	if in.Files, err = t.files(ctx, d); err != nil {
		return nil, err
	}
	return in, t.network(ctx, in, d)
}

// withoutMetadata is for a tree that has only user_data.
func (t Tree) withoutMetadata(ctx context.Context) (map[string]any, error) {
	if t.DefaultID != "" {
		if b, err := t.Get(ctx, t.path("user_data")); err != nil || b != nil {
			return map[string]any{}, err
		}
	}
	return nil, fmt.Errorf("%s: %w", t.path("meta_data.json"), errNotThere)
}

var errNotThere = errors.New("not there")

func (t Tree) path(name string) string { return path.Join("openstack", t.Version, name) }

// document reads a JSON mapping; nil when it is not there.
func (t Tree) document(ctx context.Context, name string) (map[string]any, error) {
	b, err := t.Get(ctx, t.path(name))
	if err != nil || b == nil {
		return nil, err
	}
	if t.DefaultID != "" && len(bytes.TrimSpace(b)) == 0 {
		return map[string]any{}, nil // a person left it empty
	}
	var d map[string]any
	if err := json.Unmarshal(b, &d); err != nil {
		return nil, fmt.Errorf("%s: %w", t.path(name), err)
	}
	if d == nil {
		d = map[string]any{}
	}
	return d, nil
}

// vendor reads the two vendor data documents. Each may be of any kind of JSON.
func (t Tree) vendor(ctx context.Context, in *datasources.Instance) error {
	for _, v := range []struct {
		name string
		into *[]byte
	}{{"vendor_data.json", &in.VendorData}, {"vendor_data2.json", &in.VendorData2}} {
		b, err := t.Get(ctx, t.path(v.name))
		if err != nil {
			return err
		}
		if len(b) == 0 {
			continue
		}
		var doc any
		if err := json.Unmarshal(b, &doc); err != nil {
			return fmt.Errorf("%s: %w", t.path(v.name), err)
		}
		*v.into = wire.VendorData(doc)
	}
	return nil
}

// files reads what the user wants written: {path, content_path}.
func (t Tree) files(ctx context.Context, d wire.Doc) (map[string][]byte, error) {
	var files map[string][]byte
	for _, f := range d.List("files") {
		to, from := f.Str("path"), f.Str("content_path")
		if to == "" || from == "" || len(files) >= maxFiles {
			continue
		}
		b, err := t.content(ctx, from)
		if err != nil {
			return nil, err
		}
		if files == nil {
			files = map[string][]byte{}
		}
		files[to] = b
	}
	return files, nil
}

// content reads openstack/content/NNNN.
func (t Tree) content(ctx context.Context, name string) ([]byte, error) {
	p := path.Join("openstack", path.Clean("/"+name))
	b, err := t.Get(ctx, p)
	if err == nil && b == nil {
		err = fmt.Errorf("%s: %w, but meta_data.json names it", p, errNotThere)
	}
	return b, err
}

// network reads network_data.json, else the older network_config, a file for
// Debian's ifupdown.
func (t Tree) network(ctx context.Context, in *datasources.Instance, d wire.Doc) error {
	b, err := t.Get(ctx, t.path("network_data.json"))
	if err != nil {
		return err
	}
	if len(b) > 0 {
		return t.networkData(in, b)
	}
	from := d.Str("network_config.content_path")
	if from == "" {
		return nil
	}
	text, err := t.content(ctx, from)
	if err != nil {
		return err
	}
	in.Metadata["network_config"] = string(text)
	eni.Set(t.Host, in, string(text))
	return nil
}

func (t Tree) networkData(in *datasources.Instance, b []byte) error {
	var raw any
	if err := json.Unmarshal(b, &raw); err != nil {
		return fmt.Errorf("%s: %w", t.path("network_data.json"), err)
	}
	in.Metadata["network_data"] = raw
	c, problems := network.FromOpenStack(b, Names(t.Host))
	if network.HasErrors(problems) && t.Log != nil {
		// What can be understood is better than no network at all.
		t.Log.Warn("parts of network_data.json left out", "error", problems[0])
	}
	if c != nil && len(c.Links) > 0 {
		in.Network = c
	}
	return nil
}

// Names are the names of the machine's links by hardware address.
func Names(h *datasources.Host) map[string]string {
	names := map[string]string{}
	for _, l := range h.Links {
		names[wire.MAC(l.MAC)] = l.Name
	}
	return names
}
