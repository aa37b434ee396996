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
	"io/fs"
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
	Detect:   detect,
	Fetch:    fetch,
	// All of IBM's drives have the same UUID: only the machine can tell.
	Same: datasources.SameDMI,
}

const (
	// driveUUID is that of every config drive that IBM makes.
	driveUUID = "9796-932E"
	// provisioning is there while IBM's own scripts set the machine up, before
	// it is the customer's.
	provisioning = "root/provisioningConfiguration.cfg"
)

func detect(h *datasources.Host) datasources.Finding {
	if isVPC(h) {
		if len(drive.Find(h, "cidata")) > 0 {
			return datasources.Finding{}
		}
		return datasources.Finding{Match: datasources.Yes, Evidence: fmt.Sprintf("DMI chassis_vendor is %q", h.DMI("chassis_vendor"))}
	}
	if h.Virt != "xen" || isProvisioning(h) {
		return datasources.Finding{}
	}
	if b, ok := findDrive(h); ok {
		return datasources.Finding{Match: datasources.Yes, Evidence: fmt.Sprintf("drive %s is labelled %q on Xen", b.Name, b.Label)}
	}
	return datasources.Finding{}
}

func isVPC(h *datasources.Host) bool { return strings.HasPrefix(h.DMI("chassis_vendor"), "IBM:Cloud") }

// isProvisioning says whether IBM's scripts are at work: their file is there,
// and their log is not one that was finished before this boot.
func isProvisioning(h *datasources.Host) bool {
	if !h.Exists(provisioning) {
		return false
	}
	log, err := fs.Stat(h.Root, "root/swinstall.log")
	if err != nil {
		return true
	}
	boot, err := fs.Stat(h.Root, "proc/1/environ")
	return err != nil || log.ModTime().After(boot.ModTime())
}

// findDrive finds the drive of a template, or of a machine without one.
func findDrive(h *datasources.Host) (datasources.Block, bool) {
	for _, b := range drive.Find(h, "METADATA") {
		return b, true
	}
	for _, b := range drive.Find(h, "config-2") {
		if strings.EqualFold(b.UUID, driveUUID) {
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
		return nil, errors.New("no drive is labelled METADATA, none config-2 has the UUID " + driveUUID)
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
