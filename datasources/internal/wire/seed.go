package wire

import (
	"fmt"

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
	if err = SetNetwork(h, in, s.Network); err != nil {
		return nil, err
	}
	return in, nil
}
