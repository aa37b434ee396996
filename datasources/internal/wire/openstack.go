package wire

import (
	"encoding/base64"
	"encoding/json"
	"fmt"

	"rancheros/cloudconfig/network"
	"rancheros/datasources"
)

// An OpenStack is the files of one version of OpenStack's metadata, as a drive
// or a server has them. What is not there is nil.
type OpenStack struct {
	Meta, User, Vendor, Vendor2, Network []byte
}

// Instance makes one of the files; Meta must be there.
//
// https://docs.openstack.org/nova/latest/user/metadata.html
func (o OpenStack) Instance(h *datasources.Host) (*datasources.Instance, error) {
	md, err := Parse(o.Meta)
	if err != nil {
		return nil, fmt.Errorf("meta_data.json: %w", err)
	}
	in := &datasources.Instance{
		ID:         md.Str("uuid"),
		Hostname:   Hostname(md.Str("hostname", "name")),
		PublicKeys: Keys(md.Get("public_keys")),
		Zone:       md.Str("availability_zone"),
		Region:     md.Str("region_id"),
		UserData:   o.User,
		Metadata:   md,
	}
	if in.ID == "" {
		return nil, fmt.Errorf("meta_data.json: uuid: %w", ErrMissing)
	}
	md["instance-id"], md["local-hostname"] = in.ID, md.Str("hostname", "name")
	if seed := md.Str("random_seed"); seed != "" {
		if in.RandomSeed, err = base64.StdEncoding.DecodeString(seed); err != nil {
			return nil, fmt.Errorf("meta_data.json: random_seed: %w", err)
		}
		delete(md, "random_seed") // a secret
	}
	for _, v := range []struct {
		name string
		b    []byte
		to   *[]byte
	}{{"vendor_data.json", o.Vendor, &in.VendorData}, {"vendor_data2.json", o.Vendor2, &in.VendorData2}} {
		if len(v.b) == 0 {
			continue
		}
		var doc any
		if err := json.Unmarshal(v.b, &doc); err != nil {
			return nil, fmt.Errorf("%s: %w", v.name, err)
		}
		*v.to = VendorData(doc)
	}
	if len(o.Network) > 0 {
		c, problems := network.FromOpenStack(o.Network, MACs(h))
		if network.HasErrors(problems) && len(c.Links) == 0 {
			return nil, fmt.Errorf("network_data.json: %s", problems[0])
		}
		in.Network = c
	}
	return in, nil
}

// MACs are the names of the machine's links by hardware address.
func MACs(h *datasources.Host) map[string]string {
	macs := map[string]string{}
	for _, l := range h.Links {
		if _, ok := macs[MAC(l.MAC)]; !ok {
			macs[MAC(l.MAC)] = l.Name
		}
	}
	return macs
}
