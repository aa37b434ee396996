package conformance

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// networkd compares with keys of a systemd .network file. Null: not there.
func networkd(l *planLink, want map[string]any) error {
	if l == nil {
		return errors.New("there is no such link")
	}
	dhcp := map[[2]bool]string{{true, true}: "yes", {true, false}: "ipv4", {false, true}: "ipv6", {}: "no"}[[2]bool{l.DHCP4, l.DHCP6}]
	for key, w := range want {
		var got any
		switch key {
		case "Network.DHCP":
			got = dhcp
		case "Address.Address":
			if len(l.Addresses) > 0 {
				got = l.Addresses[0]
			}
		case "Network.IPv6AcceptRA":
			if l.AcceptRA != nil {
				got = *l.AcceptRA
			}
		default:
			return fmt.Errorf("the key %q is not known to this test", key)
		}
		if err := same(key, got, w); err != nil {
			return err
		}
	}
	return nil
}

// sysconfig compares with ifcfg files, where there are no others: addresses and
// how they are got.
func (c *netCase) sysconfig(p *plan) error {
	for _, flavour := range []string{"sysconfig-opensuse", "sysconfig-rhel"} {
		var files []string
		err := filepath.WalkDir(c.path("expected/"+flavour), func(path string, _ os.DirEntry, err error) error {
			if err == nil && strings.HasPrefix(filepath.Base(path), "ifcfg-") {
				files = append(files, path)
			}
			return nil
		})
		if err != nil {
			return err
		}
		for _, f := range files {
			name := strings.TrimPrefix(filepath.Base(f), "ifcfg-")
			if err := ifcfg(p.link(name), f); err != nil {
				return fmt.Errorf("%s %s: %w", flavour, name, err)
			}
		}
	}
	return nil
}

func ifcfg(l *planLink, file string) error {
	if l == nil {
		return errors.New("there is no such link")
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	vars := map[string]string{}
	for _, line := range strings.Split(string(b), "\n") {
		if k, v, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			vars[k] = strings.Trim(v, `"'`)
		}
	}
	var want []string
	for k, v := range vars {
		suffix, is4 := strings.CutPrefix(k, "IPADDR")
		switch {
		case strings.HasPrefix(k, "IPADDR6"), k == "IPV6ADDR", k == "IPV6ADDR_SECONDARIES":
			for _, a := range strings.Fields(v) {
				want = append(want, canonical(a))
			}
		case is4:
			ones, _ := net.IPMask(net.ParseIP(vars["NETMASK"+suffix]).To4()).Size()
			want = append(want, fmt.Sprintf("%s/%d", v, ones))
		}
	}
	if err := sameSet("addresses", l.Addresses, want); err != nil {
		return err
	}
	switch proto := vars["BOOTPROTO"]; proto {
	case "dhcp4":
		return same("dhcp", fmt.Sprint(l.DHCP4, l.DHCP6), "true false")
	case "dhcp6":
		return same("dhcp", fmt.Sprint(l.DHCP4, l.DHCP6), "false true")
	case "none", "static":
		return same("dhcp4", l.DHCP4, vars["DHCPV6C"] == "never")
	}
	return nil
}

func canonical(prefix string) string {
	ip, n, err := net.ParseCIDR(prefix)
	if err != nil {
		return prefix
	}
	ones, _ := n.Mask.Size()
	return fmt.Sprintf("%s/%d", ip, ones)
}

// state evaluates the checks on the machine's name servers; others are in the
// source's own terms and say only that the document is good.
func (c *netCase) state() error {
	p, err := c.input()
	for _, check := range c.spec.Checks {
		// The source's way to say that a document is refused.
		if check.Of == "result" && check.Value == nil && (check.Op == "rIs" || check.Op == "rEq") {
			if errors.Is(err, errNotValid) {
				return nil
			}
			return errors.New("accepted, though it is not valid")
		}
	}
	if err != nil {
		return err
	}
	for _, check := range c.spec.Checks {
		switch {
		case strings.Contains(check.Of, "config.dns_nameservers"):
			err = sameSet("name servers", p.DNS.Nameservers, texts(check.Value))
		case strings.Contains(check.Of, "config.dns_searchdomains"):
			err = sameSet("search", p.DNS.Search, texts(check.Value))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// networkData compares network_data.json with the network-config that it is to
// become, both as we understand them.
func (c *netCase) networkData() error {
	macs := map[string]string{}
	if c.has("macs.json") {
		if err := c.load("macs.json", &macs); err != nil {
			return err
		}
	}
	for mac, name := range macs {
		macs[filled(mac)] = name
	}
	in, err := c.fill("network_data.json")
	if err != nil {
		return err
	}
	got, err := c.plan(macs, "--config", in)
	if err != nil {
		return err
	}
	if !c.has("expected/network-config-v1.json") {
		return c.sysconfig(got)
	}
	out, err := c.fill("expected/network-config-v1.json")
	if err != nil {
		return err
	}
	want, err := c.plan(macs, "--config", out)
	if err != nil {
		return err
	}
	return samePlan(got, want)
}

// fill copies a file of the case and puts documentation addresses where its
// writer blackened the real ones.
func (c *netCase) fill(name string) (string, error) {
	b, err := os.ReadFile(c.path(name))
	if err != nil {
		return "", err
	}
	file := filepath.Join(c.tmp, filepath.Base(name))
	return file, os.WriteFile(file, []byte(filled(string(b))), 0o600)
}

func filled(s string) string {
	return strings.NewReplacer("xx:xx:xx:xx:xx:", "02:00:5e:10:00:", "x.x.x.x", "192.0.2.10", "x.x.x.", "192.0.2.").Replace(s)
}

// samePlan compares all that both documents can say.
func samePlan(got, want *plan) error {
	if len(got.Links) != len(want.Links) {
		return fmt.Errorf("%d links, want %d", len(got.Links), len(want.Links))
	}
	for _, w := range want.Links {
		g := got.link(w.Name)
		if g == nil {
			return fmt.Errorf("there is no link %q", w.Name)
		}
		a, b := *g, w
		a.SetName, b.SetName = false, false
		x, err := json.Marshal(a)
		if err != nil {
			return err
		}
		y, err := json.Marshal(b)
		if err != nil {
			return err
		}
		if string(x) != string(y) {
			return fmt.Errorf("%s is\n  %s, want\n  %s", w.Name, x, y)
		}
	}
	return errors.Join(sameSet("name servers", got.DNS.Nameservers, want.DNS.Nameservers), sameSet("search", got.DNS.Search, want.DNS.Search))
}

// kernel lays out what a kernel and an initramfs leave, and compares with the
// network-config that it is to become.
func (c *netCase) kernel() error {
	args := []string{"--config", c.path("net.conf")}
	if !c.has("net.conf") {
		root, err := c.machine()
		if err != nil {
			return err
		}
		args = []string{"--root", root}
	}
	macs := map[string]string{}
	for name, mac := range c.spec.MACs {
		macs[mac] = name
	}
	got, err := c.plan(macs, args...)
	if err != nil {
		return err
	}
	file, err := c.expected()
	if err != nil {
		return err
	}
	applicable := c.spec.Applicable
	switch {
	case applicable != nil && !*applicable, applicable == nil && file == "":
		return same("links", len(got.Links), 0)
	case file == "" && len(got.Links) == 0:
		return errors.New("there are no links")
	case file == "":
		return nil
	}
	want, err := c.plan(macs, "--config", file)
	if err != nil {
		return err
	}
	return samePlan(got, want)
}

// machine is a folder with the case's files and kernel command line.
func (c *netCase) machine() (string, error) {
	root := filepath.Join(c.tmp, "root")
	if c.has("files") {
		if err := os.CopyFS(root, os.DirFS(c.path("files"))); err != nil {
			return "", err
		}
	}
	line, err := os.ReadFile(c.path("cmdline"))
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Join(root, "proc"), 0o755); err != nil {
		return "", err
	}
	return root, os.WriteFile(filepath.Join(root, "proc/cmdline"), line, 0o600)
}

// expected is the file of the wanted network-config; an entry alone is made one.
// Empty when the case wants none.
func (c *netCase) expected() (string, error) {
	for _, name := range []string{"expected/network-config.json", "expected/network-config-v1.json"} {
		b, err := os.ReadFile(c.path(name))
		if err == nil && strings.TrimSpace(string(b)) != "null" {
			return c.path(name), nil
		}
	}
	entry, err := os.ReadFile(c.path("expected/network-config-v1-entry.json"))
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	file := filepath.Join(c.tmp, "expected.json")
	return file, os.WriteFile(file, []byte(`{"version": 1, "config": [`+string(entry)+`]}`), 0o600)
}

// sameRoutes compares routes by what the wanted ones say of themselves.
func sameRoutes(got []map[string]any, want any) error {
	left := slices.Clone(got)
	list, _ := want.([]any)
	for _, w := range list {
		r, _ := w.(map[string]any)
		i := slices.IndexFunc(left, func(g map[string]any) bool { return routeMeets(g, r) })
		if i < 0 {
			return fmt.Errorf("there is no route %v in %v", r, got)
		}
		left = slices.Delete(left, i, i+1)
	}
	if len(left) > 0 {
		return fmt.Errorf("more routes than wanted: %v", left)
	}
	return nil
}

func routeMeets(got, want map[string]any) bool {
	names := map[string]string{"onlink": "on_link", "src": "from"}
	for key, w := range want {
		name := cmp.Or(names[key], key)
		g := got[name]
		if key == "to" {
			if w == "default" && (g == "0.0.0.0/0" || g == "::/0") {
				continue
			}
			w = withLength(fmt.Sprint(w))
		}
		if g == nil && (fmt.Sprint(w) == "0" || fmt.Sprint(w) == "false") {
			continue
		}
		if !strings.EqualFold(fmt.Sprint(g), fmt.Sprint(w)) {
			return false
		}
	}
	// A gateway is what makes two routes differ; the rest may be left unsaid.
	if got["via"] != nil && want["via"] == nil {
		return false
	}
	return true
}

// withLength: an address alone is a destination of its own.
func withLength(s string) string {
	switch {
	case strings.Contains(s, "/"):
		return s
	case strings.Contains(s, ":"):
		return s + "/128"
	}
	return s + "/32"
}
