// Package opennebula reads the contextualization disc of OpenNebula.
//
// https://docs.opennebula.io/stable/product/virtual_machines_operation/guest_operating_systems/
package opennebula

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"rancheros/datasources"
	"rancheros/datasources/internal/drive"
	"rancheros/datasources/internal/wire"
	"rancheros/paths"
)

// Kind is the OpenNebula datasource.
var Kind = datasources.Kind{
	Name:     "opennebula",
	Upstream: "OpenNebula",
	Needs:    datasources.Local,
	Detect:   detect,
	Fetch:    fetch,
	Same:     same,
}

const seedDir = paths.CloudInitLib + "/seed/opennebula"

func detect(h *datasources.Host) datasources.Finding {
	if h.Exists(seedDir + "/meta-data") {
		return datasources.Finding{Match: datasources.Yes, Evidence: seedDir + "/meta-data is there"}
	}
	for _, label := range labels() {
		for _, b := range drive.FindExact(h, label) {
			return datasources.Finding{Match: datasources.Yes, Evidence: fmt.Sprintf("drive %s is labelled %q", b.Name, label)}
		}
	}
	if h.Exists(seedDir + "/context.sh") {
		return datasources.Finding{Match: datasources.Maybe, Evidence: seedDir + "/context.sh is there"}
	}
	return datasources.Finding{}
}

// labels are those of OpenNebula's drives, the surer one first: many tools label
// a CD CDROM.
func labels() []string { return []string{"CONTEXT", "CDROM"} }

// same compares the drive, which is made anew for each machine.
func same(h *datasources.Host, saved datasources.Identity) bool {
	if saved.Drive == "" {
		return datasources.SameDMI(h, saved)
	}
	return slices.ContainsFunc(drive.FindExact(h, labels()...), func(b datasources.Block) bool { return b.UUID == saved.Drive })
}

func fetch(_ context.Context, env datasources.Env) (*datasources.Instance, error) {
	h := env.Host
	if h.Exists(seedDir + "/context.sh") {
		b, err := fs.ReadFile(h.Root, strings.TrimPrefix(seedDir, "/")+"/context.sh")
		if err != nil {
			return nil, err
		}
		in, err := parse(h, b)
		if err != nil {
			return nil, fmt.Errorf("%s/context.sh: %w", seedDir, err)
		}
		in.Subplatform = "seed-dir (" + seedDir + ")"
		return in, nil
	}
	var errs []error
	for _, b := range drive.FindExact(h, labels()...) {
		in, err := fromDrive(h, b)
		if err == nil {
			return in, nil
		}
		errs = append(errs, err)
	}
	if len(errs) == 0 {
		return nil, errors.New("no drive is labelled CONTEXT or CDROM, and there is no " + seedDir + "/context.sh")
	}
	return nil, errors.Join(errs...)
}

func fromDrive(h *datasources.Host, b datasources.Block) (*datasources.Instance, error) {
	d, err := drive.Open(h, b)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	text, err := d.ReadMax("context.sh", 1<<20)
	if err != nil {
		return nil, err
	}
	in, err := parse(h, text)
	if err != nil {
		return nil, fmt.Errorf("context.sh of drive %s: %w", b.Name, err)
	}
	in.Drive = b.UUID
	in.Subplatform = "config-disk (/dev/" + b.Name + ")"
	return in, nil
}

func parse(h *datasources.Host, text []byte) (*datasources.Instance, error) {
	vars, err := parseContext(string(text))
	if err != nil {
		return nil, err
	}
	if strings.EqualFold(vars["DSMODE"], "disabled") {
		return nil, errors.New("DSMODE is disabled")
	}
	md := map[string]any{}
	for k, v := range vars {
		if !strings.HasPrefix(k, "PASSWORD") && k != "CRYPTED_PASSWORD_BASE64" {
			md[k] = v
		}
	}
	// VMs of one template differ in their number at least.
	in := &datasources.Instance{ID: "iid-dsopennebula", Metadata: md}
	if id := cmp.Or(vars["VMID"], vars["VM_ID"]); id != "" {
		in.ID = "iid-dsopennebula-" + id
	}
	if keys := wire.KeyLines(cmp.Or(vars["SSH_KEY"], vars["SSH_PUBLIC_KEY"])); len(keys) > 0 {
		in.PublicKeys, md["public-keys"] = keys, keys
	}
	name := cmp.Or(vars["SET_HOSTNAME"], vars["HOSTNAME"], vars["PUBLIC_IP"], vars["IP_PUBLIC"], vars["ETH0_IP"])
	if name != "" {
		in.Hostname, md["local-hostname"] = wire.Hostname(name), name
	}
	in.User = vars["USERNAME"]
	in.Password = vars["PASSWORD"]
	if data := cmp.Or(vars["USER_DATA"], vars["USERDATA"]); data != "" {
		enc := cmp.Or(vars["USERDATA_ENCODING"], vars["USER_DATA_ENCODING"])
		in.UserData = []byte(data)
		// An encoding that is not known is that of what is inside.
		if enc == "base64" {
			in.UserData = wire.UserBase64(in, []byte(data), "USER_DATA")
		}
	}
	wire.Doc(md).Drop("USER_DATA", "USERDATA")
	in.SetNetwork(networkOf(h, vars))
	if in.Network != nil {
		for _, l := range in.Network.Links {
			for _, a := range l.Addresses {
				wire.SortIPs(in, a.Addr().String())
			}
		}
	}
	return in, nil
}
