// Package fwcfg reads what was given to QEMU with -fw_cfg:
//
//	-fw_cfg name=opt/rancheros/user-data,file=user-data
//
// and likewise meta-data, vendor-data and network-config. It is the fastest way
// to hand something to a machine: no drive, no network. Ignition's own name,
// opt/com.coreos/config, is read as user-data.
//
// https://www.qemu.org/docs/master/specs/fw_cfg.html
package fwcfg

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"rancheros/datasources"
	"rancheros/datasources/internal/wire"
)

// Kind is the fw_cfg datasource.
var Kind = datasources.Kind{
	Name:    "fwcfg",
	Aliases: []string{"qemu_fw_cfg"},
	Needs:   datasources.Local,
	Detect:  detect,
	Fetch:   fetch,
	// Reading again costs nothing, and many machines of one maker have the
	// same firmware strings.
	Same: func(*datasources.Host, datasources.Identity) bool { return false },
}

const (
	dir      = "sys/firmware/qemu_fw_cfg/by_name/"
	own      = "opt/rancheros/"
	ignition = "opt/com.coreos/config"
)

func detect(h *datasources.Host) datasources.Finding {
	for _, name := range []string{own + "user-data", own + "meta-data", ignition} {
		if h.Exists(dir + name + "/raw") {
			return datasources.Finding{Match: datasources.Yes, Evidence: "fw_cfg has " + name}
		}
	}
	return datasources.Finding{}
}

func fetch(_ context.Context, env datasources.Env) (*datasources.Instance, error) {
	h := env.Host
	var seed wire.Seed
	for name, to := range map[string]*[]byte{
		"user-data": &seed.User, "meta-data": &seed.Meta, "vendor-data": &seed.Vendor, "network-config": &seed.Network,
	} {
		b, err := read(h, own+name)
		if err != nil {
			return nil, err
		}
		*to = b
	}
	if seed.User == nil {
		b, err := read(h, ignition)
		if err != nil {
			return nil, err
		}
		seed.User = b
	}
	if seed.User == nil && seed.Meta == nil {
		return nil, errors.New("fw_cfg has none of " + own + "user-data, " + own + "meta-data, " + ignition)
	}
	in, err := seed.Instance(h, "fwcfg")
	if err != nil {
		return nil, fmt.Errorf("fw_cfg: %w", err)
	}
	in.Subplatform = "fw_cfg"
	return in, nil
}

// read returns a file of fw_cfg, nil when it is not there.
func read(h *datasources.Host, name string) ([]byte, error) {
	f, err := h.Root.Open(dir + name + "/raw")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read fw_cfg: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, wire.MaxData+1))
	if err == nil && len(b) > wire.MaxData {
		err = fmt.Errorf("larger than %d bytes", wire.MaxData)
	}
	if err != nil {
		return nil, fmt.Errorf("read fw_cfg %s: %w", name, err)
	}
	return b, nil
}
