// Package proxmox reads a drive with user-data as RancherOS knew it on Proxmox
// VE: a CD with cloud-init's files whose label says nothing. Drives labelled
// cidata or config-2, which Proxmox makes by itself, are those of the nocloud
// and configdrive datasources.
//
// https://pve.proxmox.com/wiki/Cloud-Init_Support
package proxmox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"rancheros/datasources"
	"rancheros/datasources/internal/drive"
	"rancheros/datasources/internal/wire"
)

// Kind is the Proxmox datasource. Its argument is a folder that has the files
// of the drive: proxmox:/media/pve-config.
var Kind = datasources.Kind{
	Name:   "proxmox",
	Needs:  datasources.Local,
	Detect: detect,
	Fetch:  fetch,
}

// mountDir is where RancherOS mounted the drive.
const mountDir = "/media/pve-config"

func detect(h *datasources.Host) datasources.Finding {
	if len(drive.Find(h, "cidata", "config-2")) > 0 {
		return datasources.Finding{} // others read these
	}
	name := h.DMI("product_name")
	if !strings.Contains(name, "Proxmox") {
		return datasources.Finding{}
	}
	return datasources.Finding{Match: datasources.Yes, Evidence: fmt.Sprintf("DMI product_name is %q", name)}
}

func fetch(_ context.Context, env datasources.Env) (*datasources.Instance, error) {
	h := env.Host
	dir := cmp.Or(env.Arg, mountDir)
	if sub, err := fs.Sub(h.Root, strings.TrimPrefix(path.Clean(dir), "/")); err == nil && h.Exists(dir+"/user-data") {
		in, err := read(h, drive.Folder(sub))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", dir, err)
		}
		in.Subplatform = "folder (" + dir + ")"
		return in, nil
	}
	if env.Arg != "" {
		return nil, fmt.Errorf("%s/user-data: %w", dir, fs.ErrNotExist)
	}
	for _, b := range h.Blocks {
		if !strings.HasPrefix(b.Name, "sr") {
			continue
		}
		in, err := fromDrive(h, b)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		return in, err
	}
	return nil, errors.New("no CD has a file user-data, nor has " + dir)
}

func fromDrive(h *datasources.Host, b datasources.Block) (*datasources.Instance, error) {
	d, err := drive.Open(h, b)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	in, err := read(h, d)
	if err != nil {
		return nil, err
	}
	in.Drive = b.UUID
	in.Subplatform = "config-disk (/dev/" + b.Name + ")"
	return in, nil
}

// read reads the files; user-data must be there, the others may.
func read(h *datasources.Host, d *drive.Drive) (*datasources.Instance, error) {
	user, err := d.Read("user-data")
	if err != nil {
		return nil, err
	}
	seed := wire.Seed{User: user}
	for name, to := range map[string]*[]byte{"meta-data": &seed.Meta, "vendor-data": &seed.Vendor, "network-config": &seed.Network} {
		if *to, err = d.Optional(name); err != nil {
			return nil, err
		}
	}
	return seed.Instance(h, "proxmox")
}
