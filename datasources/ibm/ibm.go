// Package ibm reads what IBM Cloud says of its machines: classic virtual servers
// have a drive in OpenStack's layout, VPC instances a metadata service (and a
// cidata drive, which is the nocloud datasource's).
//
// https://cloud.ibm.com/docs/vpc?topic=vpc-imd-about
package ibm

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"rancheros/datasources"
	"rancheros/datasources/internal/drive"
	"rancheros/datasources/internal/openstack"
)

// Kind is the IBM Cloud datasource.
var Kind = datasources.Kind{
	Name:     "ibm",
	Upstream: "IBMCloud",
	Aliases:  []string{"ibmcloud"},
	Needs:    datasources.Local,
	NeedsOn:  needs,
	Detect:   detect,
	Fetch:    fetch,
	// All of IBM's drives have the same UUID: only the machine can tell.
	Same: datasources.SameDMI,
}

func detect(h *datasources.Host) datasources.Finding {
	if isVPC(h) {
		if len(drive.Find(h, "cidata")) > 0 {
			return datasources.Finding{}
		}
		return datasources.Finding{Match: datasources.Yes, Evidence: fmt.Sprintf("DMI chassis_vendor is %q", h.DMI("chassis_vendor"))}
	}
	if !datasources.InIBMClassic(h) || datasources.IBMProvisions(h) {
		return datasources.Finding{}
	}
	if b, ok := findDrive(h); ok {
		return datasources.Finding{Match: datasources.Yes, Evidence: fmt.Sprintf("drive %s is labelled %q on Xen", b.Name, b.Label)}
	}
	return datasources.Finding{}
}

// needs: the classic cloud has a drive, VPC a service.
func needs(h *datasources.Host) datasources.Needs {
	if isVPC(h) {
		return datasources.Network
	}
	return datasources.Local
}

func isVPC(h *datasources.Host) bool { return strings.HasPrefix(h.DMI("chassis_vendor"), "IBM:Cloud") }

// findDrive finds the drive of a template, or of a machine without one.
func findDrive(h *datasources.Host) (datasources.Block, bool) {
	for _, label := range []string{"METADATA", "config-2"} {
		for _, b := range drive.Find(h, label) {
			return b, true
		}
	}
	return datasources.Block{}, false
}

func fetch(ctx context.Context, env datasources.Env) (*datasources.Instance, error) {
	if isVPC(env.Host) {
		return fetchVPC(ctx, env)
	}
	b, ok := findDrive(env.Host)
	if !ok {
		return nil, errors.New("no drive is labelled METADATA, none config-2 has the UUID " + datasources.IBMDriveUUID)
	}
	d, err := drive.Open(env.Host, b)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	in, err := openstack.Tree{
		Get:     func(_ context.Context, path string) ([]byte, error) { return d.Optional(path) },
		Version: openstack.Latest,
		Host:    env.Host,
		Log:     env.Log,
	}.Read(ctx)
	if err != nil {
		return nil, fmt.Errorf("drive %s: %w", b.Name, err)
	}
	in.Drive = b.UUID
	in.Subplatform = "config-disk (/dev/" + b.Name + ")"
	return in, nil
}
