package conformance

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"rancheros/cloudconfig/network"
)

// recordMore knows the forms of RancherOS's tables, of documents that Talos has
// gathered, and of VMware's ways; errNotOurs for all others.
func (c *sourceCase) recordMore() error {
	name, rancher := strings.CutPrefix(c.Name, "rancher-")
	switch {
	case rancher && (strings.HasPrefix(name, "aliyun-fetch") || strings.HasPrefix(name, "cloudstack-fetch")):
		return c.recordRancherTree()
	case rancher && (strings.HasPrefix(name, "vmware-fetch") || strings.HasPrefix(name, "network-vmware-process")):
		return c.recordRancherVMware()
	case c.Datasource == "vmware" && strings.HasPrefix(c.Name, "vmware-"):
		return c.recordVMwareWays()
	}
	switch c.Name {
	case "talos-hcloud-userdata-base64":
		return c.recordTalosUserData()
	case "talos-alibabacloud-metadata", "talos-cloudstack-metadata", "talos-exoscale-metadata":
		return c.recordTalosTree()
	}
	if strings.HasPrefix(c.Name, "talos-") {
		return c.recordTalosAnswers()
	}
	return errNotOurs
}

// rowWant is the outcome of a row.
type rowWant struct {
	Expect, Metadata struct {
		Hostname, PublicIPv4, PrivateIPv4, PublicIPv6, PrivateIPv6 string
		SSHPublicKeys                                              map[string]string
		NetworkConfig                                              struct {
			Interfaces map[string]struct {
				Match, Gateway string
				DHCP           bool
				Addresses      []string
			}
		}
	}
	Userdata       *string
	Err, ExpectErr json.RawMessage
}

func (c *sourceCase) recordRancherTree() error {
	c.check = c.checkRancher
	return nil // the exchanges are in http.json, none at all is a server that fails
}

// recordRancherVMware sets the variables. Rows of functions for one link have
// keys without its prefix.
func (c *sourceCase) recordRancherVMware() error {
	var given struct{ Variables, Config map[string]string }
	if err := json.Unmarshal(c.Given, &given); err != nil {
		return errNotOurs
	}
	r := &c.rec
	r.kind, r.virt, r.guestinfo = "vmware", "vmware", map[string]string{}
	for k, v := range given.Variables {
		r.guestinfo[k] = v
	}
	for k, v := range given.Config {
		if !strings.HasPrefix(k, "interface.") && !strings.HasPrefix(k, "dns.") && k != "hostname" {
			k = "interface.0." + k
		}
		r.guestinfo[k] = v
	}
	empty := len(r.guestinfo) == 0
	c.check = func(got fetched, err error) error {
		if empty && err != nil {
			return nil // nothing is set, nothing is found
		}
		return c.checkRancher(got, err)
	}
	return nil
}

// checkRancher compares with the row's outcome.
func (c *sourceCase) checkRancher(got fetched, err error) error {
	var want rowWant
	if len(c.Want) > 0 {
		if err := json.Unmarshal(c.Want, &want); err != nil {
			return err
		}
	}
	switch {
	case len(want.Err) > 0 || len(want.ExpectErr) > 0:
		if err == nil {
			return errors.New("found, want an error")
		}
		return nil
	case want.Userdata != nil && *want.Userdata == "" && err != nil:
		return nil
	case err != nil:
		return err
	}
	md := want.Expect
	if md.Hostname == "" {
		md = want.Metadata
	}
	for key, want := range map[string]string{
		"hostname": md.Hostname, "public_ipv4": md.PublicIPv4, "private_ipv4": md.PrivateIPv4,
		"public_ipv6": md.PublicIPv6, "private_ipv6": md.PrivateIPv6,
	} {
		if want != "" && text(got[key]) != want {
			return fmt.Errorf("%s is %s, want %s", key, got[key], want)
		}
	}
	for _, k := range md.SSHPublicKeys {
		if !strings.Contains(string(got["public_ssh_keys"]), `"`+k+`"`) {
			return fmt.Errorf("public_ssh_keys is %s, want %s in it", got["public_ssh_keys"], k)
		}
	}
	if want.Userdata != nil && text(got["user_data"]) != *want.Userdata {
		return fmt.Errorf("user_data is %s, want %q", got["user_data"], *want.Userdata)
	}
	for name, i := range md.NetworkConfig.Interfaces {
		for _, part := range append(slices.Clone(i.Addresses), name, i.Gateway, strings.TrimPrefix(i.Match, "mac:")) {
			if !strings.Contains(string(got["network"]), part) {
				return fmt.Errorf("network is %s, want %s in it", got["network"], part)
			}
		}
		if i.DHCP && !strings.Contains(string(got["network"]), `"dhcp4"`) {
			return fmt.Errorf("network is %s, want DHCP for %s", got["network"], name)
		}
	}
	return nil
}

func text(b json.RawMessage) string {
	var s string
	_ = json.Unmarshal(b, &s) // absent is ""
	return s
}

// recordVMwareWays: a machine whose firmware says VMware has variables of the
// host; another may have them in the environment. A customization lies in a
// file of its own.
func (c *sourceCase) recordVMwareWays() error {
	r, files := &c.rec, filepath.Join(c.dir, "files")
	if _, err := os.Stat(filepath.Join(files, "test-cust")); err == nil {
		r.virt = "vmware"
		return r.copy(files, func(name string) string {
			if name == "test-cust" {
				name = "cust.cfg"
			}
			return "host/run/vmware-imc/" + name
		})
	}
	if _, err := os.Stat(filepath.Join(c.dir, "guestinfo.json")); err != nil || len(c.Calls) > 0 {
		return errNotOurs
	}
	if err := c.recordVMware(files); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(files, "sys/class/dmi/id/product_name")); err == nil {
		return nil
	}
	r.virt = "none"
	if string(c.Expect["found"]) != "true" {
		return nil
	}
	r.env = map[string]string{"VMX_GUESTINFO": "1"}
	for k, v := range r.guestinfo {
		r.env["VMX_GUESTINFO_"+strings.ToUpper(strings.ReplaceAll(k, ".", "_"))] = v
	}
	return nil
}

// recordTalosUserData serves user-data in base64; what is meant lies beside it.
func (c *sourceCase) recordTalosUserData() error {
	files := filepath.Join(c.dir, "files")
	encoded, err := os.ReadFile(filepath.Join(files, "userdata-base64.txt"))
	if err != nil {
		return err
	}
	plain, err := os.ReadFile(filepath.Join(files, "userdata-plain.yaml"))
	if err != nil {
		return err
	}
	c.rec.get("/hetzner/v1/metadata", "instance-id: 1\nhostname: h\n")
	c.rec.get("/hetzner/v1/userdata", string(encoded))
	c.check = func(got fetched, err error) error {
		if err == nil && strings.TrimSpace(text(got["user_data"])) != strings.TrimSpace(string(plain)) {
			err = errors.New("user_data is not the plain text")
		}
		return err
	}
	return nil
}

// recordTalosTree serves what Talos has gathered from a tree as that tree.
func (c *sourceCase) recordTalosTree() error {
	names, err := filepath.Glob(filepath.Join(c.dir, "files", "*"))
	if err != nil || len(names) == 0 {
		return errNotOurs
	}
	b, err := os.ReadFile(names[0])
	if err != nil {
		return err
	}
	var d map[string]any
	if err := json.Unmarshal(b, &d); err != nil {
		return err
	}
	switch c.rec.kind {
	case "cloudstack":
		c.rec.tree("/latest/meta-data/", d)
	case "exoscale":
		c.rec.tree("/1.0/meta-data/", d)
	case "aliyun":
		c.rec.tree("/2016-01-01/meta-data/", ecsTree(d))
	}
	c.check = c.checkTalos
	return nil
}

// ecsTree names things as Alibaba's service does.
func ecsTree(d map[string]any) map[string]any {
	nic, _ := d["PrimaryInterface"].(map[string]any)
	mac, _ := nic["MAC"].(string)
	return map[string]any{
		"hostname": d["Hostname"], "instance-id": d["InstanceID"], "region-id": d["Region"], "zone-id": d["Zone"],
		"eipv4": d["PublicIPv4"], "mac": mac,
		"instance": map[string]any{"instance-type": d["InstanceType"]},
		"dns-conf": map[string]any{"nameservers": d["DNSServers"]},
		"network": map[string]any{"interfaces": map[string]any{"macs": map[string]any{
			mac: map[string]any{"private-ipv4s": nic["PrivateIPv4s"], "ipv6s": nic["IPv6s"]},
		}}},
	}
}

// checkTalos compares with the platform's metadata as Talos understands it.
func (c *sourceCase) checkTalos(got fetched, err error) error {
	if err != nil {
		return err
	}
	b, err := os.ReadFile(filepath.Join(c.dir, "intent.json"))
	if err != nil {
		return err
	}
	var want struct {
		Hostname, Region, Zone string
		InstanceID             string   `json:"instance_id"`
		InstanceType           string   `json:"instance_type"`
		ExternalIPs            []string `json:"external_ips"`
		Nameservers            []string
		Links                  []struct{ DHCP4, DHCP6 bool }
	}
	if err := json.Unmarshal(b, &want); err != nil {
		return err
	}
	for key, want := range map[string]string{
		"hostname": want.Hostname, "region": want.Region, "availability_zone": want.Zone,
		"instance_id": want.InstanceID, "instance_type": want.InstanceType,
	} {
		if want != "" && text(got[key]) != want {
			return fmt.Errorf("%s is %s, want %s", key, got[key], want)
		}
	}
	all := fmt.Sprint(text(got["public_ipv4"]), " ", text(got["public_ipv6"]), " ", string(got["network"]))
	dhcp := slices.ContainsFunc(want.Links, func(l struct{ DHCP4, DHCP6 bool }) bool { return l.DHCP4 || l.DHCP6 })
	if dhcp { // whose leases tell them; Talos has them built in
		want.Nameservers = nil
	}
	for _, part := range append(want.ExternalIPs, want.Nameservers...) {
		if !strings.Contains(all, part) {
			return fmt.Errorf("%s is not in %s", part, all)
		}
	}
	for _, l := range want.Links {
		if l.DHCP4 && !strings.Contains(all, `"dhcp4"`) || l.DHCP6 && !strings.Contains(all, `"dhcp6"`) {
			return fmt.Errorf("network is %s, want DHCP", got["network"])
		}
	}
	return nil
}

// onlyDHCP says whether a config wants nothing that DHCP on all links does not
// give as well.
func onlyDHCP(c *network.Config) bool {
	return !slices.ContainsFunc(c.Links, func(l network.Link) bool {
		return !l.DHCP4 || len(l.Addresses) > 0 || len(l.Routes) > 0 || l.Kind != network.Physical
	})
}
