package wire

import (
	"fmt"
	"io/fs"

	"rancheros/datasources"
)

// A Seed is cloud-init's four documents, as a drive, firmware or a host has
// them. What is not there is nil.
type Seed struct {
	User, Meta, Vendor, Network []byte
}

// Instance makes one of the documents. One whose meta-data gives no ID gets one
// that is made of the firmware's or of from.
func (s Seed) Instance(h *datasources.Host, from string) (*datasources.Instance, error) {
	md, err := Parse(s.Meta)
	if err != nil {
		return nil, fmt.Errorf("meta-data: %w", err)
	}
	in := &datasources.Instance{
		ID:         md.Str("instance-id"),
		Hostname:   Hostname(md.Str("local-hostname", "hostname")),
		PublicKeys: Keys(md.Get("public-keys")),
		UserData:   s.User,
		VendorData: s.Vendor,
		Metadata:   md,
	}
	if in.ID == "" {
		in.ID = datasources.FallbackID(h, from)
	}
	SetNetwork(h, in, s.Network)
	return in, nil
}

// SeedDir is the folder of that name below /var/lib/cloud/seed if it can be read
// by FromSeed, else "".
func SeedDir(h *datasources.Host, name string) string {
	dir := datasources.SeedDirs(name)[0]
	if h.Exists(dir+"/meta-data") && h.Exists(dir+"/user-data") {
		return dir
	}
	return ""
}

// FromSeed makes an Instance of a folder below /var/lib/cloud/seed with the
// files meta-data, in the manner of EC2, and user-data.
func FromSeed(h *datasources.Host, dir string) (*datasources.Instance, error) {
	meta, err := fs.ReadFile(h.Root, dir+"/meta-data")
	if err != nil {
		return nil, err
	}
	user, err := fs.ReadFile(h.Root, dir+"/user-data")
	if err != nil {
		return nil, err
	}
	md, err := Parse(meta)
	if err != nil {
		return nil, fmt.Errorf("/%s/meta-data: %w", dir, err)
	}
	in := EC2(md)
	in.UserData = user
	in.Subplatform = "seed-dir (/" + dir + ")"
	if in.ID == "" {
		in.ID = datasources.FallbackID(h, dir)
	}
	return in, nil
}
