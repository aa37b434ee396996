package vm

import (
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rancheros/datasources/all"
	"rancheros/datasources/dstest"
)

// A cloud boots one recorded machine, datasources/NAME/testdata/CASE. What the
// recording does not say of the cloud's network is here.
type cloud struct {
	name string // NAME/CASE
	// serve are the addresses of its metadata server. None: 169.254.169.254.
	serve []string
	// ipv6 is a network that has no IPv4.
	ipv6 bool
	// again starts the machine once more, which must ask nobody.
	again bool
	// slow is how late every answer on the network is.
	slow time.Duration
	// names are host names, by address.
	names map[string]string
	// rootOnly is a path below which the server answers only requests from ports
	// that need root.
	rootOnly string
	// host talks at the second serial port; it is handed serial.json.
	host speaker
	// named: a person names the datasource, because nothing in the machine does.
	named bool
}

var clouds = []cloud{
	{name: "akamai/token"},
	{name: "akamai/token", serve: []string{"fd00:a9fe:a9fe::1"}, ipv6: true},
	{name: "aliyun/tree", serve: []string{"100.100.100.200"}},
	{name: "altcloud/named", named: true},
	{name: "azure/imds-only", serve: []string{"169.254.169.254", "168.63.129.16"}},
	{name: "azure/with-drive", serve: []string{"169.254.169.254", "168.63.129.16"}},
	{name: "bigstep/url", serve: []string{"192.0.2.3"}},
	{name: "cloudcix/plain"},
	{name: "cloudsigma/context", host: cepko},
	{name: "cloudstack/virtual-router", serve: []string{Router}},
	{name: "cloudstack/no-listing", serve: []string{"10.1.1.5"}, names: map[string]string{"data-server": "10.1.1.5"}},
	{name: "cmdline/url", serve: []string{"192.0.2.1"}},
	{name: "configdrive/cloudstack"},
	{name: "configdrive/openstack"},
	{name: "configdrive/upper-case-latest"},
	{name: "digitalocean/droplet"},
	{name: "ec2/aws", again: true},
	{name: "ec2/aws", serve: []string{"fd00:ec2::254"}, ipv6: true},
	{name: "ec2/aws", slow: 1500 * time.Millisecond},
	{name: "ec2/brightbox"},
	{name: "exoscale/plain"},
	{name: "file/state-disk"},
	{name: "fwcfg/own"},
	{name: "gce/plain", names: map[string]string{"metadata.google.internal": "169.254.169.254"}},
	{name: "gce/plain", serve: []string{"fd20:ce::254"}, ipv6: true},
	{name: "hetzner/private-network"},
	{name: "hetzner/private-network", serve: []string{"fe80::a9fe:a9fe"}, ipv6: true},
	{name: "huawei/token"},
	{name: "hyperv/pool"},
	{name: "ibm/vpc"},
	{name: "maas/seed"},
	{name: "nocloud/cmdline-beats-drive"},
	{name: "nocloud/drive"},
	{name: "nocloud/drive-upper-case"},
	{name: "nocloud/seed-folder"},
	{name: "nocloud/serial", serve: []string{"192.0.2.1"}},
	{name: "nocloud/url", serve: []string{"192.0.2.1"}},
	{name: "nwcs/plain"},
	{name: "opennebula/disc"},
	{name: "openstack/nova"},
	{name: "openstack/nova", serve: []string{"fe80::a9fe:a9fe"}, ipv6: true},
	{name: "oracle/two-vnics"},
	{name: "oracle/two-vnics", serve: []string{"fd00:c1::a9fe:a9fe"}, ipv6: true},
	{name: "ovf/cd"},
	{name: "ovf/seedfrom", serve: []string{"192.0.2.1"}},
	{name: "packet/tinkerbell", serve: []string{"192.0.2.1:50061"}},
	{name: "proxmox/cd"},
	{name: "rbxcloud/drive"},
	{name: "scaleway/routed-ips", serve: []string{"169.254.42.42"}, rootOnly: "/user_data"},
	{name: "smbios/cmdline"},
	{name: "smbios/type-11"},
	{name: "scaleway/routed-ips", serve: []string{"fd00:42::42"}, ipv6: true, rootOnly: "/user_data"},
	{name: "smartos/serial", host: mdata},
	{name: "tencent/tree", serve: []string{"169.254.0.23"}, names: map[string]string{"metadata.tencentyun.com": "169.254.0.23"}},
	{name: "tftp/server"},
	{name: "upcloud/three-networks"},
	{name: "url/url", serve: []string{"192.0.2.1"}},
	{name: "vultr/cloud-interfaces"},
}

// notInQEMU are datasources whose host QEMU cannot be, and why.
var notInQEMU = map[string]string{
	"lxd":    "its socket is made by the LXD agent, a program of the host that runs inside and talks to it over vsock",
	"vmware": "QEMU's vmport has no RPC channel (command 30), through which guestinfo is read",
	"wsl":    "it is a container of Windows with a kernel of its own",
}

// TestEveryDatasourceBootsFromItsRecording starts a machine that believes that
// it is in the recorded cloud, cuts its power when the datasource has been
// saved, and reads from the disk what it will remember.
func TestEveryDatasourceBootsFromItsRecording(t *testing.T) {
	if !asRoot(t) {
		return
	}
	for _, c := range clouds {
		t.Run(c.title(), func(t *testing.T) {
			t.Parallel()
			c.boot(t)
		})
	}
}

func (c cloud) kind() string { return strings.Split(c.name, "/")[0] }

func (c cloud) title() string {
	if c.ipv6 {
		return c.name + " over IPv6"
	}
	if c.slow > 0 {
		return c.name + " on a slow network"
	}
	return c.name
}

func (c cloud) boot(t *testing.T) {
	kind, name, _ := strings.Cut(c.name, "/")
	dir := filepath.Join(top(), "datasources", kind, "testdata", name)
	want := dstest.ReadWant(t, dir)
	m := Machine{Mem: 384, CPUs: 1, Recorded: NewRecorded(t, dir), In: NewNetwork(t, c.plan(t, dir))}
	m.Disk = m.Recorded.Disk
	if c.host != nil {
		b, err := os.ReadFile(filepath.Join(dir, "serial.json"))
		if err != nil {
			t.Fatal(err)
		}
		m.Args = Speak(t, c.host, b)
	}
	if want.Arg != "" || c.named {
		m.Append = "rancher.cloud_init.datasources=[" + strings.TrimSuffix(kind+":"+want.Arg, ":") + "]"
	}
	v := Start(t, m)
	v.WaitMark("datasource", bootTime)
	v.Kill()
	known := Saved(t, m.Disk)
	if known == nil {
		t.Fatal("the machine has kept nothing of a datasource")
	}
	if known.Identity.Datasource != kind {
		t.Errorf("the machine took datasource %s, want %s", known.Identity.Datasource, kind)
	}
	wanted, got := ofTheCloud(want.Instance), ofTheCloud(dstest.View(&known.Instance))
	wanted["network"] = renamed(wanted["network"], m.Recorded.Renamed)
	if diff := cmp.Diff(wanted, got); diff != "" {
		t.Errorf("what was kept; want -, got +:\n%s", diff)
	}
	if c.again {
		line := Start(t, m).WaitLine("ros: datasource ", bootTime)
		if !strings.Contains(line, "unchanged") || !strings.Contains(line, "requests=0") {
			t.Errorf("the second boot says %q, want that nothing has changed and nobody was asked", line)
		}
	}
}

// plan is the network of the cloud.
func (c cloud) plan(t *testing.T, dir string) Plan {
	p := Plan{Names: c.names, IPv6: c.ipv6, Slow: c.slow}
	if tftp, err := filepath.Abs(filepath.Join(dir, "tftp")); err == nil && exists(tftp) {
		p.TFTP = tftp
	}
	if !exists(filepath.Join(dir, "http")) {
		return p
	}
	h, err := dstest.Handler(filepath.Join(dir, "http"))
	if err != nil {
		t.Fatal(err)
	}
	p.Handler = h
	if c.rootOnly != "" {
		p.Handler = fromRoot(h, c.rootOnly)
	}
	if p.Serve = c.serve; len(p.Serve) == 0 {
		p.Serve = []string{"169.254.169.254"}
	}
	return p
}

// fromRoot refuses requests below path from ports that anybody may use.
func fromRoot(next http.Handler, path string) http.Handler {
	const first = 1024
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, text, _ := net.SplitHostPort(r.RemoteAddr)
		if port, err := strconv.Atoi(text); (err != nil || port >= first) && strings.HasPrefix(r.URL.Path, path) {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// ofTheMachine is what depends on the machine and not on the cloud: names of
// drives, and the way by which a server was reached.
var ofTheMachine = []string{"subplatform", "drive", "datasource"}

// ofTheCloud is an instance without that.
func ofTheCloud(in map[string]any) map[string]any {
	out := maps.Clone(in)
	for _, key := range ofTheMachine {
		delete(out, key)
	}
	if _, ok := out["network"]; !ok {
		out["network"] = nil
	}
	return out
}

// renamed puts the names that links and drivers have on the machine in the place
// of those that they had on the recorded one.
func renamed(v any, names map[string]string) any {
	switch v := v.(type) {
	case string:
		if name, ok := names[v]; ok {
			return name
		}
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = renamed(e, names)
		}
		return out
	case map[string]any:
		out := map[string]any{}
		for k, e := range v {
			out[k] = renamed(e, names)
		}
		return out
	}
	return v
}

// TestEveryDatasourceIsBootedOrHasAReason holds the table to the list of
// datasources.
func TestEveryDatasourceIsBootedOrHasAReason(t *testing.T) {
	for _, k := range all.Kinds() {
		booted := slices.ContainsFunc(clouds, func(c cloud) bool { return c.kind() == k.Name })
		switch reason := notInQEMU[k.Name]; {
		case !booted && reason == "":
			t.Errorf("%s: no machine boots from a recording of it, and notInQEMU does not say why", k.Name)
		case booted && reason != "":
			t.Errorf("%s: a machine boots from a recording of it; take it out of notInQEMU", k.Name)
		}
	}
}
