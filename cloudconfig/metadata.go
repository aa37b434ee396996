package cloudconfig

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"path/filepath"

	"go.yaml.in/yaml/v4"

	"rancheros/cloudconfig/network"
	"rancheros/paths"
)

// Metadata is what the datasource said of this machine, as cloud-init-save
// keeps it. It fills what no layer sets and never beats what a person wrote.
type Metadata struct {
	// Datasource that said it, and the instance's id there.
	Datasource string
	InstanceID string
	Hostname   string
	// SSHAuthorizedKeys are added to those of all layers.
	SSHAuthorizedKeys []string
	// Network is nil when the datasource described none.
	Network *network.Config
	// RootDisk is the device whose first partition may grow: /dev/vda.
	RootDisk string
	// User is the login that the cloud asks for, Password its password or hash.
	User     string
	Password Secret

	PublicIPv4, PrivateIPv4 string
	PublicIPv6, PrivateIPv6 string
}

// onDisk is the file: YAML, of which the network is one line of JSON.
type onDisk struct {
	Datasource        string   `yaml:"datasource,omitempty"`
	InstanceID        string   `yaml:"instance_id,omitempty"`
	Hostname          string   `yaml:"hostname,omitempty"`
	SSHAuthorizedKeys []string `yaml:"ssh_authorized_keys,omitempty"`
	RootDisk          string   `yaml:"root_disk,omitempty"`
	User              string   `yaml:"user,omitempty"`
	Password          string   `yaml:"password,omitempty"`
	PublicIPv4        string   `yaml:"public_ipv4,omitempty"`
	PrivateIPv4       string   `yaml:"private_ipv4,omitempty"`
	PublicIPv6        string   `yaml:"public_ipv6,omitempty"`
	PrivateIPv6       string   `yaml:"private_ipv6,omitempty"`
	Network           string   `yaml:"network,omitempty"`
}

// ReadMetadata reads the file below root. Nil without an error: there is none.
func ReadMetadata(root string) (*Metadata, error) {
	doc, err := readBounded(filepath.Join(root, paths.Metadata))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	tree, ps := parse(filepath.Join(root, paths.Metadata), doc)
	if ps != nil {
		return nil, ps
	}
	var d onDisk
	if err := tree.Decode(&d); err != nil {
		return nil, fmt.Errorf("read metadata: %w", err)
	}
	md := &Metadata{Datasource: d.Datasource, InstanceID: d.InstanceID, Hostname: d.Hostname,
		SSHAuthorizedKeys: d.SSHAuthorizedKeys, RootDisk: d.RootDisk, User: d.User, Password: Secret(d.Password),
		PublicIPv4: d.PublicIPv4, PrivateIPv4: d.PrivateIPv4, PublicIPv6: d.PublicIPv6, PrivateIPv6: d.PrivateIPv6}
	if d.Network != "" {
		md.Network = &network.Config{}
		if err := json.Unmarshal([]byte(d.Network), md.Network); err != nil {
			md.Network = nil
			return md, fmt.Errorf("read metadata: network: %w", err)
		}
	}
	return md, nil
}

// Write keeps md below root. It is whole or it is not there.
func (md *Metadata) Write(root string) error {
	d := onDisk{Datasource: md.Datasource, InstanceID: md.InstanceID, Hostname: md.Hostname,
		SSHAuthorizedKeys: md.SSHAuthorizedKeys, RootDisk: md.RootDisk, User: md.User, Password: md.Password.Reveal(),
		PublicIPv4: md.PublicIPv4, PrivateIPv4: md.PrivateIPv4, PublicIPv6: md.PublicIPv6, PrivateIPv6: md.PrivateIPv6}
	if md.Network != nil {
		b, err := json.Marshal(md.Network)
		if err != nil {
			return fmt.Errorf("write metadata: network: %w", err)
		}
		d.Network = string(b)
	}
	doc, err := yaml.Marshal(d)
	if err != nil {
		return fmt.Errorf("write metadata: %w", err)
	}
	return WriteFile(filepath.Join(root, paths.Metadata), doc, 0o600)
}

// tree is the part of md that is config.
func (md *Metadata) tree() *yaml.Node {
	root := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	text := func(s string) *yaml.Node {
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s}
	}
	if md.Hostname != "" {
		put(root, []pathStep{{"hostname", -1}}, text(md.Hostname), false)
	}
	if len(md.SSHAuthorizedKeys) > 0 {
		list := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
		for _, k := range md.SSHAuthorizedKeys {
			list.Content = append(list.Content, text(k))
		}
		put(root, []pathStep{{"ssh_authorized_keys", -1}}, list, false)
	}
	if md.RootDisk != "" {
		put(root, []pathStep{{"rancher", -1}, {"resize_device", -1}}, text(md.RootDisk), false)
	}
	return root
}

// substitute puts this machine's addresses where a document says $public_ipv4,
// $private_ipv4, $public_ipv6 or $private_ipv6. \$public_ipv4 stays without its
// backslash; an address that is not known stays as it is written.
func (md *Metadata) substitute(doc []byte) []byte {
	if !bytes.Contains(doc, []byte("_ipv")) {
		return doc
	}
	known := map[string]string{}
	if md != nil {
		known = map[string]string{"public_ipv4": md.PublicIPv4, "private_ipv4": md.PrivateIPv4,
			"public_ipv6": md.PublicIPv6, "private_ipv6": md.PrivateIPv6}
	}
	var out bytes.Buffer
	for {
		at := bytes.IndexByte(doc, '$')
		if at < 0 {
			break
		}
		name := variableAt(doc[at+1:])
		escaped := at > 0 && doc[at-1] == '\\'
		switch addr, err := netip.ParseAddr(known[name]); {
		case name != "" && escaped:
			out.Write(doc[:at-1])
			out.WriteString("$" + name)
		case name != "" && err == nil:
			out.Write(doc[:at])
			out.WriteString(addr.String())
		default:
			out.Write(doc[:at+1])
			name = ""
		}
		doc = doc[at+1+len(name):]
	}
	out.Write(doc)
	return out.Bytes()
}

func variableAt(doc []byte) string {
	for _, name := range []string{"public_ipv4", "private_ipv4", "public_ipv6", "private_ipv6"} {
		if bytes.HasPrefix(doc, []byte(name)) {
			return name
		}
	}
	return ""
}
