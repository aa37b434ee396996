// Package distro says a machine's network in the words of the Linux it runs,
// where that is not ours: netplan, systemd-networkd or ifupdown. It writes
// files; who reads them brings the links up.
package distro

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"rancheros/cloudconfig/network"
	"rancheros/cloudinit/tree"
	"rancheros/datasources"
)

// A renderer is one way of Linux systems to keep their network config.
type renderer struct {
	name string
	// there says whether the machine uses it.
	there func(*tree.Tree) bool
	files func(*network.Config) (map[string]string, error)
	// old are the folders and prefix in which files of ours are removed when
	// they are no longer wanted.
	dir, prefix string
	perm        tree.Perm
}

// renderers in the order of preference.
var renderers = [...]renderer{
	{"netplan", func(t *tree.Tree) bool { return t.Exists("/usr/sbin/netplan") }, netplan, "/etc/netplan", "50-cloud-init", tree.Perm{Mode: 0o600}},
	{"systemd-networkd", usesNetworkd, networkd, "/etc/systemd/network", "10-cloud-init-", tree.Perm{Mode: 0o644}},
	{"ifupdown", func(t *tree.Tree) bool {
		return t.Exists("/etc/network") && (t.Exists("/usr/sbin/ifup") || t.Exists("/sbin/ifup"))
	}, ifupdown,
		"/etc/network/interfaces.d", "50-cloud-init", tree.Perm{Mode: 0o644}},
}

func usesNetworkd(t *tree.Tree) bool {
	for _, dir := range []string{"multi-user.target.wants", "network-online.target.wants", "sockets.target.wants"} {
		names, _ := t.List("/etc/systemd/system/" + dir)
		if slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(n, "systemd-networkd") }) {
			return true
		}
	}
	return false
}

// ErrNoRenderer says that nothing on the machine would read a network config.
var ErrNoRenderer = errors.New("neither netplan nor systemd-networkd nor ifupdown is in use here: the network is left alone")

// Write makes the machine's own config say cfg and returns the name of what
// reads it. It changes nothing when it says so already.
func Write(t *tree.Tree, cfg *network.Config) (name string, changed bool, err error) {
	for _, r := range renderers {
		if !r.there(t) {
			continue
		}
		files, err := r.files(cfg)
		if err != nil {
			return r.name, false, fmt.Errorf("%s: %w", r.name, err)
		}
		var errs []error
		for _, p := range sorted(files) {
			w, err := t.WriteFile(p, []byte(files[p]), r.perm)
			errs = append(errs, err)
			changed = changed || w
		}
		names, err := t.List(r.dir)
		errs = append(errs, err)
		for _, n := range names {
			if _, wanted := files[r.dir+"/"+n]; !wanted && strings.HasPrefix(n, r.prefix) {
				w, err := t.Remove(r.dir + "/" + n)
				errs = append(errs, err)
				changed = changed || w
			}
		}
		return r.name, changed, errors.Join(errs...)
	}
	return "", false, ErrNoRenderer
}

// Configured says whether somebody else has said what the network is: then it
// is not ours to guess.
func Configured(t *tree.Tree) bool {
	for dir, ours := range map[string]string{"/etc/netplan": "50-cloud-init", "/etc/systemd/network": "10-cloud-init-", "/etc/network/interfaces.d": "50-cloud-init"} {
		names, _ := t.List(dir)
		if slices.ContainsFunc(names, func(n string) bool { return !strings.HasPrefix(n, ours) }) {
			return true
		}
	}
	b, _ := t.ReadFile("/etc/network/interfaces")
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "iface" && f[1] != "lo" {
			return true
		}
	}
	return false
}

// Fallback is what a machine does of which nobody says anything: DHCP on every
// network card, none of which the boot waits for but the first.
func Fallback(links []datasources.HostLink) *network.Config {
	c := &network.Config{}
	for i, l := range links {
		c.Links = append(c.Links, network.Link{ID: l.Name, Kind: network.Physical, Name: l.Name,
			Match: network.Match{MAC: l.MAC}, DHCP4: true, DHCP6: true, Optional: i > 0})
	}
	return c
}

// netplan takes network-config version 2 as it is.
func netplan(c *network.Config) (map[string]string, error) {
	return map[string]string{"/etc/netplan/50-cloud-init.yaml": string(network.ToV2(c))}, nil
}
