// Package rbxcloud reads the drive of Rootbox clouds (HyperOne).
//
// https://docs.cloud-init.io/en/latest/reference/datasources/rbxcloud.html
package rbxcloud

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"rancheros/cloudconfig/network"
	"rancheros/datasources"
	"rancheros/datasources/internal/drive"
	"rancheros/datasources/internal/wire"
)

// Kind is the Rootbox datasource.
var Kind = datasources.Kind{
	Name:     "rbxcloud",
	Upstream: "RbxCloud",
	Needs:    datasources.Local,
	Detect:   detect,
	Fetch:    fetch,
	Same:     same,
}

const label = "CLOUDMD"

func detect(h *datasources.Host) datasources.Finding {
	for _, b := range drive.Find(h, label) {
		return datasources.Finding{Match: datasources.Yes, Evidence: fmt.Sprintf("drive %s is labelled %q", b.Name, b.Label)}
	}
	return datasources.Finding{}
}

// same compares the drive, which is made anew for each machine.
func same(h *datasources.Host, saved datasources.Identity) bool {
	if saved.Drive == "" {
		return datasources.SameDMI(h, saved)
	}
	return slices.ContainsFunc(drive.Find(h, label), func(b datasources.Block) bool { return b.UUID == saved.Drive })
}

func fetch(_ context.Context, env datasources.Env) (*datasources.Instance, error) {
	var errs []error
	for _, b := range drive.Find(env.Host, label) {
		in, err := fromDrive(env.Host, b)
		if err == nil {
			return in, nil
		}
		errs = append(errs, err)
	}
	if len(errs) == 0 {
		return nil, errors.New("no drive is labelled " + label)
	}
	return nil, errors.Join(errs...)
}

func fromDrive(h *datasources.Host, b datasources.Block) (*datasources.Instance, error) {
	d, err := drive.Open(h, b)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	meta, err := d.Read("cloud.json")
	if err != nil {
		return nil, err
	}
	user, err := d.Optional("user.data")
	if err != nil {
		return nil, err
	}
	in, err := parse(h, meta, user)
	if err != nil {
		return nil, fmt.Errorf("cloud.json of drive %s: %w", b.Name, err)
	}
	in.Drive = b.UUID
	in.Subplatform = "config-disk (/dev/" + b.Name + ")"
	return in, nil
}

type answer struct {
	VM struct {
		ID   string `json:"_id"`
		Name string `json:"name"`
	} `json:"vm"`
	More struct {
		Username string   `json:"username"`
		SSHKeys  []string `json:"sshKeys"`
		Password struct {
			SHA512 string `json:"sha512"`
		} `json:"password"`
	} `json:"additionalMetadata"`
	Adapters []adapter `json:"netadp"`
}

type adapter struct {
	MAC string `json:"macaddress"`
	IP  []struct {
		Address string `json:"address"`
	} `json:"ip"`
	Network struct {
		Netmask string `json:"netmask"`
		Gateway string `json:"gateway"`
		DNS     struct {
			Nameservers []string `json:"nameservers"`
		} `json:"dns"`
	} `json:"network"`
}

func parse(h *datasources.Host, meta, user []byte) (*datasources.Instance, error) {
	meta = bytes.Trim(meta, "\x00 \r\n\t") // the file is padded
	var a answer
	if err := json.Unmarshal(meta, &a); err != nil {
		return nil, err
	}
	if a.VM.ID == "" {
		return nil, fmt.Errorf("vm._id: %w", wire.ErrMissing)
	}
	in := &datasources.Instance{
		ID:         a.VM.ID,
		Hostname:   wire.Hostname(a.VM.Name),
		PublicKeys: wire.Keys(a.More.SSHKeys),
		User:       a.More.Username,
		UserData:   bytes.TrimRight(user, "\x00"),
		Metadata:   map[string]any{"instance-id": a.VM.ID, "local-hostname": a.VM.Name},
	}
	if hash := a.More.Password.SHA512; strings.HasPrefix(hash, "$6$") {
		in.Password = hash
	}
	for _, n := range a.Adapters {
		for _, ip := range n.IP {
			wire.SortIPs(in, ip.Address)
		}
	}
	in.SetNetwork(networkOf(h, a.Adapters))
	return in, nil
}

func networkOf(h *datasources.Host, adapters []adapter) (*network.Config, error) {
	c := &network.Config{}
	for i, n := range adapters {
		if n.MAC == "" {
			continue
		}
		l, err := link(h, n, fmt.Sprintf("eth%d", i))
		if err != nil {
			return nil, fmt.Errorf("netadp[%d]: %w", i, err)
		}
		c.Links = append(c.Links, l)
	}
	if len(c.Links) == 0 {
		return nil, nil
	}
	return c, nil
}

func link(h *datasources.Host, n adapter, id string) (network.Link, error) {
	l := wire.Link(h, n.MAC, id)
	l.DNS.Nameservers = n.Network.DNS.Nameservers
	for _, ip := range n.IP {
		p, err := wire.Prefix(ip.Address, n.Network.Netmask)
		if err != nil {
			return l, err
		}
		l.Addresses = append(l.Addresses, p)
	}
	if r, ok := wire.DefaultRoute(n.Network.Gateway); ok && len(l.Addresses) > 0 {
		l.Routes = append(l.Routes, r)
	}
	return l, nil
}
