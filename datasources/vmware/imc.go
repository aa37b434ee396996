package vmware

import (
	"cmp"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"rancheros/cloudconfig/network"
	"rancheros/datasources"
	"rancheros/datasources/internal/wire"
)

// imcFile is where vCenter's tools leave a customization specification.
const imcFile = "/run/vmware-imc/cust.cfg"

// imcEnabled says whether the tools will leave one: they have the plugin, and
// the administrator of the image did not switch it off.
func imcEnabled(h *datasources.Host) bool {
	if h.Virt != "vmware" {
		return false
	}
	plugin := false
	for _, lib := range []string{
		"usr/lib", "usr/lib64", "usr/lib/x86_64-linux-gnu", "usr/lib/aarch64-linux-gnu", "usr/lib/i386-linux-gnu",
	} {
		for _, tools := range []string{"vmware-tools", "open-vm-tools"} {
			plugin = plugin || h.Exists(lib+"/"+tools+"/plugins/vmsvc/libdeployPkgPlugin.so")
		}
	}
	if !plugin {
		return false
	}
	switch fmt.Sprint(h.CloudConfig()["disable_vmware_customization"]) {
	case "false", "0":
		return true
	}
	return false
}

// An imc is a specification: sections of keys, both in upper case.
type imc map[string]map[string]string

func parseIMC(text string) imc {
	c, section := imc{}, ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch {
		case line == "", strings.HasPrefix(line, "#"), strings.HasPrefix(line, ";"):
		case strings.HasPrefix(line, "[") && strings.HasSuffix(line, "]"):
			section = strings.ToUpper(strings.Trim(line, "[]"))
		default:
			k, v, ok := strings.Cut(line, "=")
			if !ok {
				continue
			}
			if c[section] == nil {
				c[section] = map[string]string{}
			}
			c[section][strings.ToUpper(strings.TrimSpace(k))] = strings.TrimSpace(v)
		}
	}
	return c
}

func (c imc) get(section, key string) string { return c[section][key] }

// list is the values of KEY|1, KEY|2, ...
func (c imc) list(section, key string) []string {
	var out []string
	for i := range 32 {
		if v := c.get(section, fmt.Sprintf("%s|%d", key, i+1)); v != "" {
			out = append(out, v)
		}
	}
	return out
}

// fetchIMC reads the specification. Newer ones carry cloud-init's own metadata
// and user-data in files beside it.
func fetchIMC(h *datasources.Host) (*datasources.Instance, error) {
	c := parseIMC(h.Read(imcFile))
	dir := path.Dir(imcFile)
	var in *datasources.Instance
	var err error
	if name := c.get("CLOUDINIT", "METADATA"); name != "" {
		text := h.Read(path.Join(dir, path.Base(name)))
		if text == "" {
			return nil, fmt.Errorf("%s: METADATA names %s, which is not there or empty", imcFile, name)
		}
		if in, err = parse(h, []byte(text)); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if user := c.get("CLOUDINIT", "USERDATA"); user != "" {
			b, err := fs.ReadFile(h.Root, strings.TrimPrefix(path.Join(dir, path.Base(user)), "/"))
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, fmt.Errorf("read user-data of a customization: %w", err)
			}
			in.UserData = b
		}
	} else {
		in = fromIMC(h, c)
	}
	in.ID = cmp.Or(in.ID, "iid-vmware-imc")
	in.Subplatform = "vmware (imc)"
	return in, nil
}

// fromIMC makes an Instance of a specification in VMware's own terms.
func fromIMC(h *datasources.Host, c imc) *datasources.Instance {
	in := &datasources.Instance{ID: cmp.Or(c.get("MISC", "INSTANCE-ID"), datasources.FallbackID(h, imcFile))}
	in.Hostname = wire.Hostname(c.get("NETWORK", "HOSTNAME"))
	if d := c.get("NETWORK", "DOMAINNAME"); d != "" && in.Hostname != "" && !strings.Contains(in.Hostname, ".") {
		in.Hostname += "." + d
	}
	if pw, err := base64.StdEncoding.DecodeString(c.get("PASSWORD", "-PASS")); err == nil {
		in.Password = strings.TrimSpace(string(pw))
	}
	in.SetNetwork(c.network(h))
	return in
}

// network is nil when there are no NICs in the specification.
func (c imc) network(h *datasources.Host) (*network.Config, error) {
	cfg := &network.Config{DNS: network.DNS{Nameservers: c.list("DNS", "NAMESERVER"), Search: c.list("DNS", "SUFFIX")}}
	for i, nic := range strings.Split(c.get("NIC-CONFIG", "NICS"), ",") {
		nic = strings.ToUpper(strings.TrimSpace(nic))
		if nic == "" {
			continue
		}
		l, err := c.link(h, nic, fmt.Sprintf("eth%d", i))
		if err != nil {
			return nil, fmt.Errorf("[%s]: %w", nic, err)
		}
		cfg.Links = append(cfg.Links, l)
	}
	if len(cfg.Links) == 0 {
		return nil, nil
	}
	return cfg, nil
}

func (c imc) link(h *datasources.Host, nic, id string) (network.Link, error) {
	l := wire.Link(h, c.get(nic, "MACADDR"), id)
	if strings.EqualFold(c.get(nic, "ONBOOT"), "no") {
		l.Manual = true
	}
	if c.get(nic, "BOOTPROTO") == "dhcp" {
		l.DHCP4 = true
		if strings.EqualFold(c.get("DNS", "DNSFROMDHCP"), "no") {
			no := false
			l.DHCP4Overrides.UseDNS = &no
		}
	}
	// Without a primary link every one of them may hold the default route.
	routes := c.primary() == "" || c.primary() == nic
	if a := c.get(nic, "IPADDR"); a != "" && !l.DHCP4 {
		p, err := wire.Prefix(a, c.get(nic, "NETMASK"))
		if err != nil {
			return l, err
		}
		l.Addresses = append(l.Addresses, p)
	}
	masks := c.list(nic, "IPV6NETMASK")
	for i, a := range c.list(nic, "IPV6ADDR") {
		mask := "64"
		if i < len(masks) {
			mask = masks[i]
		}
		p, err := wire.Prefix(a, mask)
		if err != nil {
			return l, err
		}
		l.Addresses = append(l.Addresses, p)
	}
	gateways := append(strings.Split(c.get(nic, "GATEWAY"), ","), c.list(nic, "IPV6GATEWAY")...)
	for _, gw := range gateways {
		if r, ok := wire.DefaultRoute(gw); ok && routes {
			l.Routes = append(l.Routes, r)
		}
	}
	return l, nil
}

// primary is the NIC that the specification calls so.
func (c imc) primary() string {
	for _, nic := range strings.Split(c.get("NIC-CONFIG", "NICS"), ",") {
		nic = strings.ToUpper(strings.TrimSpace(nic))
		if v := c.get(nic, "PRIMARY"); strings.EqualFold(v, "true") || strings.EqualFold(v, "yes") {
			return nic
		}
	}
	return ""
}
