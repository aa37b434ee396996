package conformance

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// rancherRow is what a case of RancherOS's tests states.
type rancherRow struct {
	Expect    json.RawMessage
	ExpectErr json.RawMessage
	Userdata  string
}

// recordRancher serves what RancherOS's tests serve, and what they leave out but
// every real service has: an ID.
func (c *sourceCase) recordRancher() error {
	r := &c.rec
	var given struct {
		Root string
		In   string
		N    *int
	}
	_ = json.Unmarshal(c.Given, &given) // of another form: nothing is given
	var want rancherRow
	_ = json.Unmarshal(c.Want, &want) // likewise
	switch {
	case len(want.ExpectErr) > 0:
		return nil // nothing is served, and that must be an error
	case strings.Contains(c.Name, "process_debian_netconf") && given.N != nil:
		return c.recordInterfaces(given.In)
	case r.kind == "configdrive":
		files := filepath.Join(c.dir, "files")
		if _, err := os.Stat(files); err != nil {
			return errNotOurs
		}
		if r.arg = given.Root; r.arg == "/" {
			r.arg = "/media/config-2"
			return r.copy(files, func(name string) string { return "host/media/config-2/" + name })
		}
		return r.copy(files, func(name string) string { return "host/" + name })
	}
	if len(r.http) == 0 || len(want.Expect) < 3 {
		return errNotOurs
	}
	return c.recordRancherHTTP()
}

func (c *sourceCase) recordRancherHTTP() error {
	r := &c.rec
	switch r.kind {
	case "digitalocean":
		r.get("/metadata/v1.json", r.http[0].Body)
	case "gce":
		r.get("/computeMetadata/v1/instance/id", "1")
		r.get("/computeMetadata/v1/instance/zone", "z-1")
	case "ec2":
		r.dmi("product_serial", "x.brightbox.com")
		r.get("/2009-04-04/meta-data/instance-id", "i-1")
		r.get("/2009-04-04/meta-data/", "hostname\nlocal-ipv4\npublic-ipv4\npublic-keys/\n")
	default:
		return errNotOurs
	}
	return nil
}

// recordInterfaces puts a file for ifupdown on a config drive.
func (c *sourceCase) recordInterfaces(text string) error {
	r := &c.rec
	r.kind = "configdrive"
	r.blocks = []map[string]any{{"name": "vdb", "label": "config-2", "fstype": "vfat"}}
	r.file("drive/vdb/openstack/latest/meta_data.json", []byte(`{"uuid": "u", "network_config": {"content_path": "/content/0000"}}`))
	r.file("drive/vdb/openstack/content/0000", []byte(text))
	return nil
}

// compareRancher looks at host name, user-data and the number of interfaces.
func (c *sourceCase) compareRancher(got fetched) error {
	var want rancherRow
	if json.Unmarshal(c.Want, &want) != nil {
		return nil
	}
	var md struct{ Hostname string }
	_ = json.Unmarshal(want.Expect, &md) // of another form: no host name
	if md.Hostname != "" && !sameText(got["hostname"], []byte(strconv.Quote(md.Hostname))) {
		return fmt.Errorf("hostname is %s, want %s", got["hostname"], md.Hostname)
	}
	if want.Userdata != "" && !sameText(got["user_data"], []byte(strconv.Quote(want.Userdata))) {
		return fmt.Errorf("user_data is %s, want %s", got["user_data"], want.Userdata)
	}
	var given struct{ N *int }
	if json.Unmarshal(c.Given, &given) != nil || given.N == nil {
		return nil
	}
	var network struct{ Ethernets map[string]any }
	_ = json.Unmarshal(got["network"], &network) // absent: none
	if len(network.Ethernets) != *given.N {
		return fmt.Errorf("%d interfaces, want %d", len(network.Ethernets), *given.N)
	}
	return nil
}

// expectsError says whether the case wants its datasource to fail.
func (c *sourceCase) expectsError() bool {
	var want rancherRow
	return json.Unmarshal(c.Want, &want) == nil && len(want.ExpectErr) > 0
}
