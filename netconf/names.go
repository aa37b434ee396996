package netconf

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"slices"
	"sort"
	"strings"

	"golang.org/x/sys/unix"

	"rancheros/cloudconfig/network"
)

// Limits of resolv.conf(5): the C library reads no more servers.
const (
	maxServers = 3
	maxSearch  = 32
)

// DNS works out whom this machine asks for names: what the config says, else
// what the leases say, else the defaults. Servers and search domains are
// settled each for itself.
func DNS(cfg *network.Config, targets []Target, leases map[string]*Lease, defaults network.DNS) network.DNS {
	var user, leased network.DNS
	user.Nameservers = append(user.Nameservers, cfg.DNS.Nameservers...)
	user.Search = append(user.Search, cfg.DNS.Search...)
	for _, t := range targets {
		user.Nameservers = append(user.Nameservers, t.Config.DNS.Nameservers...)
		user.Search = append(user.Search, t.Config.DNS.Search...)
		l := leases[t.Name].asked(t.Config)
		if l == nil {
			continue
		}
		addLeased(&leased, t.Config.DHCP4Overrides, l.DNS, l.Search)
		if l.V6 != nil {
			addLeased(&leased, t.Config.DHCP6Overrides, l.V6.DNS, l.V6.Search)
		}
	}
	return network.DNS{
		Nameservers: firstOf(user.Nameservers, leased.Nameservers, defaults.Nameservers),
		Search:      firstOf(user.Search, leased.Search, defaults.Search),
	}
}

func addLeased(d *network.DNS, o network.Overrides, servers []netip.Addr, search []string) {
	if off(o.UseDNS) {
		return
	}
	for _, s := range servers {
		d.Nameservers = append(d.Nameservers, s.String())
	}
	// "route" would use the domains for routing questions only, which a
	// resolv.conf cannot say.
	if o.UseDomains != "false" && o.UseDomains != "route" {
		d.Search = append(d.Search, search...)
	}
}

func firstOf(lists ...[]string) []string {
	for _, l := range lists {
		if len(l) > 0 {
			var out []string
			for _, v := range l {
				if !slices.Contains(out, v) {
					out = append(out, v)
				}
			}
			return out
		}
	}
	return nil
}

// resolvConf is the file's text.
func resolvConf(d network.DNS) []byte {
	var b bytes.Buffer
	b.WriteString("# Written by netconf; set rancher.network.dns to change it.\n")
	if len(d.Search) > 0 {
		fmt.Fprintf(&b, "search %s\n", strings.Join(d.Search[:min(len(d.Search), maxSearch)], " "))
	}
	n := 0
	for _, s := range d.Nameservers {
		// 10.0.0.53/24 is seen in the wild.
		host, _, _ := strings.Cut(s, "/")
		if _, err := netip.ParseAddr(host); err != nil {
			continue
		}
		if n++; n <= maxServers {
			fmt.Fprintf(&b, "nameserver %s\n", host)
		}
	}
	return b.Bytes()
}

// WriteResolvConf writes resolv.conf if its content changes. Without any
// server the file is left alone.
func WriteResolvConf(path string, d network.DNS) (changed bool, err error) {
	if len(d.Nameservers) == 0 && len(d.Search) == 0 {
		return false, nil
	}
	want := resolvConf(d)
	have, err := os.ReadFile(path)
	if err == nil && bytes.Equal(have, want) {
		return false, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, fmt.Errorf("read %s: %w", path, err)
	}
	return true, writeFile(path, want, 0o644)
}

// Hostname is what the machine is called: what the config says, else what a
// DHCP server said (the first link's, by name), else the default.
func Hostname(configured string, targets []Target, leases map[string]*Lease, fallback string) string {
	if configured != "" {
		return configured
	}
	sorted := slices.Clone(targets)
	sort.SliceStable(sorted, func(i, j int) bool { return sorted[i].Name < sorted[j].Name })
	for _, t := range sorted {
		l := leases[t.Name].asked(t.Config)
		if l == nil || l.Hostname == "" || off(t.Config.DHCP4Overrides.UseHostname) {
			continue
		}
		return l.Hostname
	}
	return fallback
}

// SetHostname names the machine for the kernel and in /etc/hosts.
func SetHostname(name, hostsPath string) error {
	if name == "" {
		return nil
	}
	now, err := os.Hostname()
	if err != nil || now != name {
		if err := unix.Sethostname([]byte(name)); err != nil {
			return fmt.Errorf("set host name %q: %w", name, err)
		}
	}
	have, err := os.ReadFile(hostsPath)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read %s: %w", hostsPath, err)
	}
	want := hostsWith(have, name)
	if bytes.Equal(have, want) {
		return nil
	}
	return writeFile(hostsPath, want, 0o644)
}

// hostsWith is /etc/hosts with the name in its 127.0.1.1 line; other lines stay
// as they are.
func hostsWith(hosts []byte, name string) []byte {
	line := "127.0.1.1\t" + name
	if short, _, dotted := strings.Cut(name, "."); dotted {
		line += " " + short
	}
	lines := strings.Split(strings.TrimRight(string(hosts), "\n"), "\n")
	if len(hosts) == 0 {
		lines = []string{"127.0.0.1\tlocalhost", "::1\tlocalhost ip6-localhost ip6-loopback"}
	}
	i := slices.IndexFunc(lines, func(l string) bool {
		f := strings.Fields(l)
		return len(f) > 0 && f[0] == "127.0.1.1"
	})
	if i < 0 {
		lines = append(lines, line)
	} else {
		lines[i] = line
	}
	return []byte(strings.Join(lines, "\n") + "\n")
}
