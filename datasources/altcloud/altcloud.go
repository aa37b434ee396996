// Package altcloud reads the user-data that oVirt (a floppy) and vSphere (a CD)
// hand over in the way of Deltacloud.
//
// https://docs.cloud-init.io/en/latest/reference/datasources/altcloud.html
package altcloud

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"rancheros/datasources"
	"rancheros/datasources/internal/drive"
	"rancheros/datasources/internal/wire"
)

// Kind is the AltCloud datasource.
var Kind = datasources.Kind{
	Name:     "altcloud",
	Upstream: "AltCloud",
	Aliases:  []string{"ovirt", "rhev"},
	Needs:    datasources.Local,
	Detect:   detect,
	Fetch:    fetch,
}

// infoFile says in an image which of the two it was made for.
const infoFile = "etc/sysconfig/cloud-info"

func detect(h *datasources.Host) datasources.Finding {
	if v := cloud(h); v != "" {
		// It says where the image was made for, not that there is a drive.
		return datasources.Finding{Match: datasources.Maybe, Evidence: fmt.Sprintf("/%s says %s", infoFile, v)}
	}
	return datasources.Finding{}
}

// cloud is RHEV, VSPHERE or "".
func cloud(h *datasources.Host) string {
	for line := range strings.Lines(h.Read(infoFile)) {
		_, v, ok := strings.Cut(strings.TrimSpace(line), "=")
		if !ok {
			v = line
		}
		switch v = strings.ToUpper(strings.Trim(strings.TrimSpace(v), `"'`)); v {
		case "RHEV", "VSPHERE":
			return v
		}
	}
	return ""
}

func fetch(_ context.Context, env datasources.Env) (*datasources.Instance, error) {
	for _, b := range env.Host.Blocks {
		floppy, cd := strings.HasPrefix(b.Name, "fd"), drive.HasLabel(b, "CDROM") || strings.HasPrefix(b.Name, "sr")
		if !floppy && !cd {
			continue
		}
		in, err := fromDrive(env.Host, b)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		return in, err
	}
	return nil, errors.New("no floppy or CD has a file user-data.txt or deltacloud-user-data.txt")
}

func fromDrive(h *datasources.Host, b datasources.Block) (*datasources.Instance, error) {
	d, err := drive.Open(h, b)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	user, err := d.Read("deltacloud-user-data.txt")
	if errors.Is(err, fs.ErrNotExist) {
		user, err = d.Read("user-data.txt")
	}
	if err != nil {
		return nil, err
	}
	return &datasources.Instance{
		ID:          datasources.FallbackID(h, b.Name),
		UserData:    wire.MaybeBase64(user),
		Drive:       b.UUID,
		Subplatform: cmp.Or(strings.ToLower(cloud(h)), "altcloud") + " (/dev/" + b.Name + ")",
	}, nil
}
