package wire

import "rancheros/datasources"

// KnownEC2 are the files to ask for where a service in the manner of EC2 does
// not list them.
func KnownEC2() []string {
	return []string{
		"instance-id", "local-hostname", "hostname", "public-keys", "local-ipv4", "public-ipv4",
		"availability-zone", "instance-type", "service-offering",
	}
}

// EC2 makes an Instance of a tree in the manner of EC2's meta-data.
func EC2(md Doc) *datasources.Instance {
	in := &datasources.Instance{
		ID:           md.Str("instance-id"),
		Hostname:     Hostname(md.Str("local-hostname", "hostname")),
		PublicKeys:   Keys(md.Get("public-keys")),
		Region:       md.Str("placement.region", "region-id", "region"),
		Zone:         md.Str("placement.availability-zone", "placement.zone", "zone-id", "availability-zone"),
		InstanceType: md.Str("instance-type", "instance.instance-type", "service-offering"),
		Metadata:     md,
	}
	SortIPs(in, md.Str("public-ipv4"), md.Str("eipv4"), md.Str("local-ipv4"), md.Str("private-ipv4"))
	// What a service calls public or local is so, whatever range it is of.
	if a := md.Str("public-ipv4", "eipv4"); a != "" {
		in.PublicIPv4 = a
	}
	if a := md.Str("local-ipv4", "private-ipv4"); a != "" {
		if in.PublicIPv4 == a && md.Str("public-ipv4", "eipv4") == "" {
			in.PublicIPv4 = ""
		}
		in.PrivateIPv4 = a
	}
	return in
}
