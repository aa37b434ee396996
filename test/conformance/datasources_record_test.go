package conformance

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"rancheros/cloudconfig/network"
)

// record turns a case into a recording; errNotOurs if there is nothing that our
// commands could see.
func (c *sourceCase) record() error {
	r := &c.rec
	b, err := os.ReadFile(filepath.Join(c.dir, "http.json"))
	if err == nil && len(c.Expect) > 0 {
		c.Calls = nil // the service is there: what is asked of it counts
	}
	if err == nil {
		if err := json.Unmarshal(b, &r.http); err != nil {
			return err
		}
	}
	c.machine()
	if err := c.recordMore(); !errors.Is(err, errNotOurs) {
		return err
	}
	if err == nil && len(c.Calls) == 0 && !strings.HasPrefix(c.Name, "rancher-") {
		return nil
	}
	if imds, ok := c.Mocks["ds._metadata_imds"]; ok {
		r.get("/metadata/instance", string(imds))
		return nil
	}
	if strings.HasPrefix(c.Name, "talos-") {
		return c.recordTalos()
	}
	if strings.HasPrefix(c.Name, "rancher-") {
		return c.recordRancher()
	}
	for _, call := range c.Calls {
		if f := calls[call.Function[strings.LastIndex(call.Function, ".")+1:]]; f != nil {
			return f(c, call)
		}
	}
	return c.recordFiles()
}

// machine makes the firmware and links that the case pretends.
func (c *sourceCase) machine() {
	r := &c.rec
	var platform struct{ UUID, Serial, Asset, Vendor, Product string }
	for name, v := range c.Mocks {
		switch {
		case strings.HasSuffix(name, "_collect_platform_data"):
			_ = json.Unmarshal(v, &platform) // of another form: no firmware
		case strings.HasSuffix(name, "get_by_mac.return_value"), strings.HasSuffix(name, "get_interfaces_by_mac.return_value"):
			var names map[string]string
			if json.Unmarshal(v, &names) == nil {
				r.addLinks(names)
			}
		}
	}
	r.dmi("product_uuid", platform.UUID)
	r.dmi("product_serial", platform.Serial)
	for _, l := range c.Links {
		mac := l.PermanentMAC
		if mac == "" {
			mac = l.MAC
		}
		r.links = append(r.links, map[string]any{"name": l.Name, "mac": mac})
	}
}

func (r *recording) addLinks(names map[string]string) {
	for _, mac := range slices.Sorted(maps.Keys(names)) {
		r.links = append(r.links, map[string]any{"name": names[mac], "mac": mac})
	}
}

// calls are functions whose argument is a document that a machine would see.
var calls = map[string]func(*sourceCase, sourceCall) error{
	"convert_ec2_metadata_network_config": recordEC2Network,
	"convert_network_configuration":       recordDroplet,
	"convert_net_json":                    recordNetworkData,
	"parse_public_keys":                   recordKeys,
	"get_instance_metadata":               recordEC2Tree,
	"get_instance_userdata":               recordEC2Tree,
	"parse_text":                          recordAzureOVF,
	"read_azure_ovf":                      recordAzureOVF,
	"read_ovf_environment":                recordSeedText("var/lib/cloud/seed/ovf/ovf-env.xml"),
	"parse_shell_config":                  recordSeedText("var/lib/cloud/seed/opennebula/context.sh"),
	"load_json_or_yaml":                   recordGuestInfo,
	"generate_network_config":             recordVultr,
	"generate_network_config_from_instance_network_metadata": recordAzureNetwork,
}

// recordSeedText puts the text that a function is given into a seed's file.
func recordSeedText(name string) func(*sourceCase, sourceCall) error {
	return func(c *sourceCase, call sourceCall) error {
		var text string
		if len(call.Args) == 0 || json.Unmarshal(call.Args[0], &text) != nil {
			return errNotOurs
		}
		c.rec.file("host/"+name, []byte(text))
		return nil
	}
}

// recordAzureOVF is recordSeedText. A machine that Azure keeps in a pool says
// so, and of which kind that is, in the place of an answer.
func recordAzureOVF(c *sourceCase, call sourceCall) error {
	kind := ""
	for _, k := range c.Checks {
		switch {
		case strings.Contains(k.Of, "PreprovisionedVMType") && k.Value != nil:
			kind = fmt.Sprint(k.Value)
		case strings.Contains(k.Of, "PreprovisionedVm") && k.Value == true && kind == "":
			kind = "pool"
		}
	}
	if kind != "" {
		c.check = func(_ fetched, err error) error {
			if err == nil || !strings.Contains(err.Error(), kind) {
				return fmt.Errorf("got %v, want a machine in a pool: %s", err, kind)
			}
			return nil
		}
	}
	return recordSeedText("var/lib/cloud/seed/azure/ovf-env.xml")(c, call)
}

func recordGuestInfo(c *sourceCase, call sourceCall) error {
	var text string
	if len(call.Args) == 0 || json.Unmarshal(call.Args[0], &text) != nil {
		return errNotOurs
	}
	c.rec.virt, c.rec.guestinfo = "vmware", map[string]string{"metadata": text}
	return nil
}

func recordVultr(c *sourceCase, call sourceCall) error {
	c.rec.get("/v1.json", fmt.Sprintf(`{"instance-v2-id": "i-1", "hostname": "h", "interfaces": %s}`, call.Args[0]))
	return nil
}

// recordAzureNetwork serves the network part of Azure's document.
func recordAzureNetwork(c *sourceCase, call sourceCall) error {
	c.rec.get("/metadata/instance", fmt.Sprintf(`{"compute": {"vmId": "i-1"}, "network": %s}`, call.Args[0]))
	return nil
}

// recordEC2Network serves the part of a tree that describes the network.
func recordEC2Network(c *sourceCase, call sourceCall) error {
	r := &c.rec
	r.dmi("product_uuid", "ec2aaaaa-0000-4000-8000-000000000001")
	var tree map[string]any
	if err := json.Unmarshal(call.Args[0], &tree); err != nil {
		return err
	}
	for _, a := range call.Args[1:] {
		var names map[string]string
		if json.Unmarshal(a, &names) == nil && names["unresolved"] == "" {
			r.addLinks(names)
		}
	}
	c.leases()
	r.http = []exchange{{Method: "PUT", URL: "/latest/api/token", Status: 200, Body: "t"}}
	r.tree("/latest/meta-data/", map[string]any{"instance-id": "i-1", "network": tree})
	return nil
}

// leases writes the lease that the case pretends for every link.
func (c *sourceCase) leases() {
	var lease struct{ Routers string }
	if json.Unmarshal(c.Mocks["distro.dhcp_client.dhcp_discovery.return_value"], &lease) != nil || lease.Routers == "" {
		return
	}
	for _, l := range c.rec.links {
		c.rec.file(fmt.Sprintf("host/run/ros/leases/%s.json", l["name"]), fmt.Appendf(nil, `{"mac": %q, "routers": [%q]}`, l["mac"], lease.Routers))
	}
}

// tree serves a document as EC2 does: folders and files.
func (r *recording) tree(at string, d map[string]any) {
	var names []string
	for k, v := range d {
		switch v := v.(type) {
		case map[string]any:
			names = append(names, k+"/")
			r.tree(at+k+"/", v)
		case []any:
			var lines []string
			for _, l := range v {
				lines = append(lines, fmt.Sprint(l))
			}
			names = append(names, k)
			r.get(at+k, strings.Join(lines, "\n"))
		default:
			names = append(names, k)
			r.get(at+k, fmt.Sprint(v))
		}
	}
	r.get(at, strings.Join(names, "\n"))
}

// recordEC2Tree completes a tree of which only a part is there.
func recordEC2Tree(c *sourceCase, _ sourceCall) error {
	c.rec.dmi("product_serial", "x.brightbox.com")
	if len(c.rec.http) == 0 {
		return errNotOurs
	}
	version := strings.Split(strings.SplitN(c.rec.http[0].URL, "/", 4)[3], "/")[0]
	c.rec.get("/"+version+"/meta-data/instance-id", "i-1")
	return nil
}

func recordDroplet(c *sourceCase, call sourceCall) error {
	doc := fmt.Sprintf(`{"droplet_id": 1, "interfaces": %s, "dns": {"nameservers": %s}}`, call.Args[0], call.Args[1])
	c.rec.get("/metadata/v1.json", doc)
	return nil
}

// recordNetworkData puts a network_data.json on a config drive.
func recordNetworkData(c *sourceCase, call sourceCall) error {
	r := &c.rec
	r.kind = "configdrive"
	r.blocks = []map[string]any{{"name": "vdb", "label": "config-2", "fstype": "vfat"}}
	r.file("drive/vdb/openstack/latest/meta_data.json", []byte(`{"uuid": "u"}`))
	r.file("drive/vdb/openstack/latest/network_data.json", call.Args[0])
	var macs map[string]string
	if json.Unmarshal(call.Kwargs["known_macs"], &macs) == nil {
		r.addLinks(macs)
	}
	return nil
}

// recordKeys serves keys as the one document of Alibaba's service.
func recordKeys(c *sourceCase, call sourceCall) error {
	c.rec.http = []exchange{{Method: "PUT", URL: "/latest/api/token", Status: 200, Body: "t"}}
	var keys any
	if err := json.Unmarshal(call.Args[0], &keys); err != nil {
		return err
	}
	d := map[string]any{"instance-id": "i-1", "hostname": "h"}
	if m, ok := keys.(map[string]any); ok {
		d["public-keys"] = m
	}
	c.rec.tree("/2016-01-01/meta-data/", d)
	doc, err := json.Marshal(map[string]any{"instance-id": "i-1", "hostname": "h", "public-keys": keys})
	if err != nil {
		return err
	}
	c.rec.get("/2016-01-01/meta-data/all", string(doc))
	return nil
}

// recordFiles puts a case's files where its datasource looks for them.
func (c *sourceCase) recordFiles() error {
	r := &c.rec
	files := filepath.Join(c.dir, "files")
	if _, err := os.Stat(files); err != nil {
		return errNotOurs
	}
	place := func(name string) string { return "host/" + name }
	switch r.kind {
	case "azure":
		if b, ok := c.Mocks["self.m_fetch.return_value"]; ok {
			r.get("/metadata/instance", string(b))
		}
		fallthrough
	case "nocloud":
		place = func(name string) string {
			if strings.HasPrefix(name, "seed/") {
				return "host/var/lib/cloud/" + name
			}
			return "host/" + name
		}
	case "maas", "opennebula":
		// Several folders, each a seed of its own: the first counts.
		seeds, err := filepath.Glob(files + "/*")
		if err != nil || len(seeds) == 0 {
			return errNotOurs
		}
		if seed := filepath.Join(files, "seed", r.kind); len(seeds) == 1 && filepath.Base(seeds[0]) == "seed" {
			seeds[0] = seed
		}
		return r.copy(seeds[0], func(name string) string { return "host/var/lib/cloud/seed/" + r.kind + "/" + name })
	case "ovf":
		place = func(name string) string { return "host/var/lib/cloud/seed/ovf/" + filepath.Base(name) }
	case "configdrive", "ibm":
		r.virt = "xen"
		r.blocks = []map[string]any{{"name": "vdb", "label": "config-2", "fstype": "vfat", "uuid": "9796-932E"}}
		if r.kind == "configdrive" {
			r.virt = "kvm"
		}
		place = func(name string) string { return "drive/vdb/" + name }
	case "vmware":
		return c.recordVMware(files)
	}
	return r.copy(files, place)
}

func (c *sourceCase) recordVMware(files string) error {
	r := &c.rec
	r.virt = "vmware"
	b, err := os.ReadFile(filepath.Join(c.dir, "guestinfo.json"))
	if err != nil {
		return errNotOurs
	}
	var doc map[string]any
	if err := json.Unmarshal(b, &doc); err != nil {
		return err
	}
	r.guestinfo = map[string]string{}
	for k, v := range doc {
		if s, ok := v.(string); ok {
			r.guestinfo[strings.TrimPrefix(k, "guestinfo.")] = s
		}
	}
	return r.copy(files, func(name string) string { return "host/" + name })
}

func (r *recording) copy(files string, place func(string) string) error {
	return filepath.WalkDir(files, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(files, path)
		if err != nil {
			return err
		}
		r.file(place(name), b)
		return nil
	})
}

// recordTalos serves documents that are the platform's own answer.
func (c *sourceCase) recordTalos() error {
	r := &c.rec
	files, err := filepath.Glob(filepath.Join(c.dir, "files", "*"))
	if err != nil || len(files) == 0 {
		return errNotOurs
	}
	b, err := os.ReadFile(files[0])
	if err != nil {
		return err
	}
	switch r.kind {
	case "nocloud":
		r.file("host/var/lib/cloud/seed/nocloud/network-config", b)
		r.file("host/var/lib/cloud/seed/nocloud/meta-data", []byte("instance-id: i-1\n"))
		r.file("host/var/lib/cloud/seed/nocloud/user-data", nil)
	case "digitalocean", "upcloud":
		r.get("/metadata/v1.json", string(b))
	case "vmware":
		r.virt = "vmware"
		r.guestinfo = map[string]string{"metadata": string(b)}
	default:
		return errNotOurs
	}
	return nil
}

// compareOthers looks at what cases of other forms state.
func (c *sourceCase) compareOthers(got fetched) error {
	if err := c.compareRancher(got); err != nil {
		return err
	}
	b, err := os.ReadFile(filepath.Join(c.dir, "intent.json"))
	if err != nil {
		return nil
	}
	var intent struct {
		Hostname string
		Links    []struct {
			Name      string
			Addresses []string
		}
	}
	if err := json.Unmarshal(b, &intent); err != nil {
		return err
	}
	// Talos gives the host name of a NoCloud machine in another document.
	if intent.Hostname != "" && c.rec.kind != "nocloud" && !sameText(got["hostname"], []byte(strconv.Quote(intent.Hostname))) {
		return fmt.Errorf("hostname is %s, want %s", got["hostname"], intent.Hostname)
	}
	for _, l := range intent.Links {
		for _, a := range l.Addresses {
			if !strings.Contains(string(got["network"]), a) {
				return fmt.Errorf("address %s of %s is not there: %s", a, l.Name, got["network"])
			}
		}
	}
	return nil
}

// sameNetwork compares two configs of any version by what they mean.
func sameNetwork(got, want json.RawMessage) error {
	if len(want) == 0 || string(want) == "null" {
		return nil
	}
	w, problems := network.FromV1V2(want)
	if network.HasErrors(problems) {
		return fmt.Errorf("the case's own network_config: %v", problems[0])
	}
	g := &network.Config{}
	if len(got) == 0 && onlyDHCP(w) {
		return nil // which is what no config means
	}
	if len(got) > 0 {
		if g, problems = network.FromV1V2(got); network.HasErrors(problems) {
			return fmt.Errorf("network: %v", problems[0])
		}
	}
	have := map[string]string{}
	for _, l := range g.Links {
		have[linkKey(l)] = linkMeaning(l)
	}
	for _, l := range w.Links {
		if h := have[linkKey(l)]; h != linkMeaning(l) {
			return fmt.Errorf("link %s is %q, want %q", linkKey(l), h, linkMeaning(l))
		}
	}
	return nil
}

func linkKey(l network.Link) string {
	if l.Match.MAC != "" {
		return strings.ToLower(l.Match.MAC)
	}
	return l.ID
}

// linkMeaning is what of a link counts: addresses, DHCP, routes.
func linkMeaning(l network.Link) string {
	var parts []string
	for _, a := range l.Addresses {
		parts = append(parts, a.String())
	}
	for _, r := range l.Routes {
		parts = append(parts, fmt.Sprintf("to %s via %s table %d", r.To, r.Via, r.Table))
	}
	slices.Sort(parts)
	return fmt.Sprintf("dhcp %t %t %s", l.DHCP4, l.DHCP6 || l.IPv6Mode == "dhcp-stateless", strings.Join(parts, ", "))
}
