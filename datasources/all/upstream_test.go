package all_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rancheros/datasources"
	"rancheros/datasources/all"
)

// TestUpstreamsDetectionOfMachines holds our detection to what ds-identify of
// cloud-init 26.2 says of the same machines, run side by side.
func TestUpstreamsDetectionOfMachines(t *testing.T) {
	const (
		seed   = "var/lib/cloud/seed/"
		dmi    = "sys/class/dmi/id/"
		config = "etc/cloud/cloud.cfg.d/50-site.cfg"
		own    = "etc/cloud/ds-identify.cfg"
	)
	type files = map[string]string
	drive := func(name, label string) []datasources.Block {
		return []datasources.Block{{Name: name, Label: label, FSType: "iso9660"}}
	}
	tests := []struct {
		name   string
		virt   string // kvm unless it says otherwise
		files  files
		blocks []datasources.Block
		env    map[string]string
		list   string
		code   int
	}{
		{name: "nothing", code: 1},
		{name: "EC2 by UUID alone", files: files{dmi + "product_uuid": "eC21b2c3-0000-4000-8000-000000000001"}, list: "Ec2 None"},
		{name: "EC2 by UUID with swapped bytes", files: files{dmi + "product_uuid": "0f1e2aEC-0000-4000-8000-000000000001"}, list: "Ec2 None"},
		{name: "EC2 by seed", virt: "lxc", files: files{seed + "ec2/meta-data": "{}", seed + "ec2/user-data": "#!"}, list: "Ec2 None"},
		{name: "half a seed of EC2", files: files{seed + "ec2/meta-data": "{}"}, code: 1},
		{name: "half a seed of AliYun", files: files{seed + "AliYun/meta-data": "{}"}, code: 1},
		{name: "EC2 that may be lax", files: files{config: "datasource: {Ec2: {strict_id: false}}", own: "policy: maybe=all"}, list: "Ec2 None"},
		{name: "EC2 that warns", files: files{"proc/cmdline": "ci.datasource.ec2.strict_id=warn,5 ci.di.policy=maybe=all"}, list: "Ec2 None"},
		{name: "EC2 that is strict again", files: files{own: "ci.datasource.ec2.strict_id: false", "proc/cmdline": "ci.datasource.ec2.strict_id=true ci.di.policy=maybe=all"}, code: 1},
		{name: "Google's own laptop", files: files{dmi + "product_name": "Google"}, code: 1},
		{name: "OpenNebula by a CD that many tools label so", blocks: drive("sr0", "CDROM"), list: "OpenNebula None"},
		{name: "OpenNebula in lower case", blocks: drive("sr0", "context"), code: 1},
		{name: "an image for RHEV", files: files{"etc/sysconfig/cloud-info": "RHEV"}, code: 1},
		{name: "drives of a container are its host's", virt: "lxc", blocks: drive("vdb", "cidata"), code: 1},
		{name: "command line of a container is its own", virt: "lxc", files: files{"proc/cmdline": "ds=Ec2", "proc/1/cmdline": "/sbin/init\x00ds=GCE\x00"}, list: "GCE None"},
		{name: "process 1 says Nova", virt: "lxc", env: map[string]string{"product_name": "OpenStack Nova"}, list: "OpenStack None"},
		{name: "process 1 says Compute", virt: "lxc", env: map[string]string{"product_name": "OpenStack Compute"}, code: 1},
		{name: "config drive in IBM's cloud", virt: "xen", blocks: append(drive("xvdh", "METADATA"), drive("xvdi", "config-2")...), list: "IBMCloud None"},
		{name: "config drive on other Xen", virt: "xen", blocks: drive("xvdi", "config-2"), list: "ConfigDrive None"},
		{name: "latest alone at the root", files: files{"config-drive/openstack/latest/meta_data.json": "{}"}, code: 1},
		{name: "a version at the root", files: files{"config-drive/openstack/2017-02-22/meta_data.json": "{}"}, list: "ConfigDrive None"},
		{name: "OVF by label", blocks: drive("sr3", "ovf env"), list: "OVF None"},
		{name: "OVF by a label in mixed case", blocks: drive("sr3", "Ovf Env"), code: 1},
		{name: "OVF on no CD", blocks: drive("vdb", "OVF ENV"), code: 1},
		{name: "customization by tools for another machine type", virt: "vmware", files: files{
			"usr/lib/aarch64-linux-gnu/vmware-tools/plugins/vmsvc/libdeployPkgPlugin.so": "x", config: "disable_vmware_customization: False"}, list: "VMware None"},
		{name: "MAAS is not looked for", files: files{config: "datasource: {MAAS: {metadata_url: 'http://192.0.2.1/MAAS'}}"}, code: 1},
		{name: "MAAS alone in the list", files: files{config: "datasource_list: [MAAS]"}, list: "MAAS"},
		{name: "one in the list, and None", files: files{config: "datasource_list: [ Hetzner, None ]"}, list: "Hetzner None"},
		{name: "None before another is a list of two", files: files{config: "datasource_list: [None, Hetzner]"}, code: 1},
		{name: "a list without brackets", files: files{config: "datasource_list: Hetzner"}, list: "Hetzner"},
		{name: "a name that nobody knows", files: files{config: "datasource_list: [Nowhere]"}, list: "Nowhere"},
		{name: "a list on the command line", files: files{"proc/cmdline": "cc:{'datasource_list': ['Vultr']} quiet"}, list: "Vultr"},
		{name: "a word that nobody knows", files: files{"proc/cmdline": "ds=nowhere;x=y"}, list: "nowhere None"},
		{name: "a word as it is written", files: files{"proc/cmdline": "ds=nocloud-net"}, list: "nocloud-net None"},
		{name: "named in ds-identify.cfg", files: files{own: "# site\ndatasource: 'Oracle' # always\n"}, list: "Oracle None"},
		{name: "the command line wins over ds-identify.cfg", files: files{own: "datasource: Oracle", "proc/cmdline": "ci.ds=GCE"}, list: "GCE None"},
		{name: "disabled by policy", files: files{own: "policy: disabled\ndatasource: Oracle"}, code: 1},
		{name: "saved instance holds", files: files{"var/lib/cloud/instance/manual-clean": ""}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			facts := datasources.Facts{Virt: "kvm", Arch: "x86_64", Env: tt.env, Blocks: tt.blocks}
			if tt.virt != "" {
				facts.Virt = tt.virt
			}
			h, err := datasources.RecordedHost(record(t, facts, tt.files))
			if err != nil {
				t.Fatal(err)
			}
			c, err := datasources.Choose(h, all.Kinds(), nil)
			if err != nil {
				t.Fatal(err)
			}
			list, code := c.Upstream()
			if diff := cmp.Diff(strings.Fields(tt.list), append([]string{}, list...)); diff != "" || code != tt.code {
				t.Errorf("Upstream() = %v, %d, want %q, %d", list, code, tt.list, tt.code)
			}
		})
	}
}

// record makes the recording of a machine.
func record(t *testing.T, facts datasources.Facts, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	b, err := json.Marshal(facts)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{"facts.json": string(b), "host/proc/version": ""}
	for name, content := range files {
		all["host/"+name] = content
	}
	for name, content := range all {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
