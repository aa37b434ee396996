// Package configdrive reads the drive labelled config-2 on which OpenStack and
// many others hand over metadata.
//
// https://docs.openstack.org/nova/latest/admin/config-drive.html
package configdrive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"rancheros/datasources"
	"rancheros/datasources/internal/drive"
	"rancheros/datasources/internal/openstack"
	"rancheros/datasources/internal/wire"
)

// Kind is the config drive datasource.
var Kind = datasources.Kind{
	Name:     "configdrive",
	Upstream: "ConfigDrive",
	Aliases:  []string{"config-drive"},
	Needs:    datasources.Local,
	Detect:   detect,
	Fetch:    fetch,
	Same:     same,
}

// awaitDrive is how long to wait for a drive that somebody said is there.
const awaitDrive = 10 * time.Second

// defaultID is the instance's ID where the drive has none.
const defaultID = "iid-dsconfigdrive"

func detect(h *datasources.Host) datasources.Finding {
	if found := datasources.ConfigDrives(h); len(found) > 0 {
		return datasources.Finding{Match: datasources.Yes, Evidence: fmt.Sprintf("drive %s is labelled %q", found[0].Name, found[0].Label)}
	}
	if dir := datasources.ConfigDriveSeed(h); dir != "" {
		return datasources.Finding{Match: datasources.Yes, Evidence: "/" + dir + " has metadata"}
	}
	return datasources.Finding{}
}

// same compares the drive; without one, the machine.
func same(h *datasources.Host, saved datasources.Identity) bool {
	if saved.Drive == "" {
		return datasources.SameDMI(h, saved)
	}
	for _, b := range datasources.ConfigDrives(h) {
		if b.UUID == saved.Drive {
			return true
		}
	}
	return false
}

func fetch(ctx context.Context, env datasources.Env) (*datasources.Instance, error) {
	in, err := find(ctx, env)
	if err != nil {
		return nil, fmt.Errorf("configdrive: %w", err)
	}
	return in, nil
}

// find reads the seed folder, else the first drive that has something.
func find(ctx context.Context, env datasources.Env) (*datasources.Instance, error) {
	h := env.Host
	if env.Arg != "" && !strings.HasPrefix(env.Arg, "/dev/") {
		return folder(ctx, env, strings.Trim(env.Arg, "/"))
	}
	if dir := datasources.ConfigDriveSeed(h); dir != "" && env.Arg == "" {
		return folder(ctx, env, dir)
	}
	var blocks []datasources.Block
	if name, ok := strings.CutPrefix(env.Arg, "/dev/"); ok {
		blocks = []datasources.Block{{Name: name}}
	} else {
		ctx, cancel := context.WithTimeout(ctx, awaitDrive)
		defer cancel()
		blocks = drive.Await(ctx, h, "config-2")
	}
	blocks, problem := drive.Rivals(h, blocks)
	var errs []error
	for _, b := range blocks {
		in, err := block(ctx, env, b)
		if err == nil {
			if problem != "" {
				in.Problems = append(in.Problems, problem)
			}
			return in, nil
		}
		errs = append(errs, err)
	}
	if len(errs) == 0 {
		return nil, errors.New("there is no drive labelled config-2 and no seed folder")
	}
	return nil, errors.Join(errs...)
}

func folder(ctx context.Context, env datasources.Env, dir string) (*datasources.Instance, error) {
	sub, err := fs.Sub(env.Host.Root, dir)
	if err != nil {
		return nil, err
	}
	in, err := read(ctx, env, drive.Folder(sub))
	if err != nil {
		return nil, fmt.Errorf("/%s: %w", dir, err)
	}
	in.Subplatform = "seed-dir (/" + dir + ")"
	return in, nil
}

func block(ctx context.Context, env datasources.Env, b datasources.Block) (*datasources.Instance, error) {
	d, err := drive.Open(env.Host, b)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	in, err := read(ctx, env, d)
	if err != nil {
		return nil, fmt.Errorf("drive %s: %w", b.Name, err)
	}
	in.Subplatform, in.Drive = "config-disk (/dev/"+b.Name+")", b.UUID
	return in, nil
}

// read knows the layouts: OpenStack's, that of CloudStack's drive, that of EC2
// which OpenStack adds, and the first one of OpenStack.
func read(ctx context.Context, env datasources.Env, d *drive.Drive) (*datasources.Instance, error) {
	if names, err := d.List("openstack"); err == nil {
		in, err := openstack.Tree{
			Get:     func(_ context.Context, path string) ([]byte, error) { return d.Optional(path) },
			Version: openstack.Newest(names),
			Host:    env.Host,
			Log:     env.Log,
			// People make drives with nothing but openstack/latest/user_data.
			DefaultID: datasources.FallbackID(env.Host, "configdrive "+d.UUID),
		}.Read(ctx)
		if err != nil {
			return nil, err
		}
		if ec2, err := d.Optional("ec2/latest/meta-data.json"); err == nil && ec2 != nil {
			if doc, err := wire.Parse(ec2); err == nil {
				in.Metadata["ec2-metadata"] = map[string]any(doc)
			}
		}
		return in, nil
	}
	switch {
	case d.Exists("cloudstack"):
		return cloudStack(d)
	case d.Exists("ec2/latest/meta-data.json"):
		return ec2(d)
	case slices.ContainsFunc(firstFiles(), d.Exists):
		return first(env, d)
	}
	return nil, errors.New("it has neither openstack/, cloudstack/, ec2/latest/meta-data.json nor meta.js")
}
