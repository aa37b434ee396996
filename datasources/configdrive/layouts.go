package configdrive

import (
	"errors"
	"fmt"
	"strings"

	"rancheros/datasources"
	"rancheros/datasources/internal/drive"
	"rancheros/datasources/internal/eni"
	"rancheros/datasources/internal/openstack"
	"rancheros/datasources/internal/wire"
)

// ec2 reads what OpenStack puts on the drive in the form of EC2.
func ec2(d *drive.Drive) (*datasources.Instance, error) {
	b, err := d.Read("ec2/latest/meta-data.json")
	if err != nil {
		return nil, err
	}
	md, err := wire.Parse(b)
	if err != nil {
		return nil, fmt.Errorf("ec2/latest/meta-data.json: %w", err)
	}
	user, err := d.Optional("ec2/latest/user-data")
	if err != nil {
		return nil, err
	}
	return &datasources.Instance{
		ID:           md.Str("instance-id"),
		Hostname:     wire.Hostname(md.Str("local-hostname", "hostname")),
		PublicKeys:   wire.Keys(md["public-keys"]),
		Zone:         md.Str("placement.availability-zone"),
		InstanceType: md.Str("instance-type"),
		PublicIPv4:   md.Str("public-ipv4"),
		PrivateIPv4:  md.Str("local-ipv4"),
		UserData:     user,
		Metadata:     md,
	}, nil
}

// cloudStack reads one file for each value.
func cloudStack(d *drive.Drive) (*datasources.Instance, error) {
	names, err := d.List("cloudstack/metadata")
	if err != nil {
		return nil, err
	}
	md := wire.Doc{}
	for _, name := range names {
		key, ok := strings.CutSuffix(strings.ReplaceAll(name, "_", "-"), ".txt")
		if !ok || key == "password" || key == "vm-password" {
			continue
		}
		b, err := d.ReadMax("cloudstack/metadata/"+name, 1<<20)
		if err != nil {
			return nil, err
		}
		if text := strings.TrimSpace(string(b)); text != "" {
			md[key] = text
		}
	}
	user, err := d.Optional("cloudstack/userdata/user_data.txt")
	if err != nil {
		return nil, err
	}
	in := &datasources.Instance{
		ID:           md.Str("instance-id", "vm-id"),
		Hostname:     wire.Hostname(md.Str("local-hostname")),
		PublicKeys:   wire.Keys(md["public-keys"]),
		Zone:         md.Str("availability-zone"),
		InstanceType: md.Str("service-offering"),
		PublicIPv4:   md.Str("public-ipv4"),
		PrivateIPv4:  md.Str("local-ipv4"),
		UserData:     user,
		Metadata:     md,
	}
	if in.ID == "" {
		return nil, errors.New("cloudstack/metadata/instance_id.txt: not there")
	}
	return in, nil
}

// firstFiles are those of the first layout; any of them will do.
func firstFiles() []string {
	return []string{"meta.js", "root/.ssh/authorized_keys", "etc/network/interfaces"}
}

// first reads the first layout that OpenStack had: meta.js says what of it the
// user wants.
func first(env datasources.Env, d *drive.Drive) (*datasources.Instance, error) {
	md := wire.Doc{}
	if b, err := d.Optional("meta.js"); err != nil {
		return nil, err
	} else if len(b) > 0 {
		if md, err = wire.Parse(b); err != nil {
			return nil, fmt.Errorf("meta.js: %w", err)
		}
	}
	if strings.EqualFold(md.Str("dsmode"), "disabled") {
		return nil, openstack.ErrDisabled
	}
	keys, err := d.Optional("root/.ssh/authorized_keys")
	if err != nil {
		return nil, err
	}
	text, err := d.Optional("etc/network/interfaces")
	if err != nil {
		return nil, err
	}
	in := &datasources.Instance{
		ID:         md.Str("instance-id"),
		Hostname:   wire.Hostname(md.Str("local-hostname", "hostname")),
		PublicKeys: append(wire.Keys(md["public-keys"]), wire.KeyLines(string(keys))...),
		UserData:   wire.Bytes(md["user-data"]),
		Metadata:   md,
	}
	if in.ID == "" {
		in.ID = defaultID
	}
	md.Drop("user-data")
	if text != nil {
		md["network_config"] = string(text)
		eni.Set(env.Host, in, string(text))
	}
	return in, nil
}
