package guestinfo

import (
	"cmp"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"rancheros/cloudconfig/network"
	"rancheros/datasources"
	"rancheros/datasources/internal/wire"
)

// maxEntries bounds lists of numbered keys.
const maxEntries = 64

// HasRancher says whether keys of RancherOS are set.
func HasRancher(get func(string) string) bool {
	for _, k := range []string{"hostname", "cloud-init.config.data", "cloud-init.config.url", "coreos.config.data", "coreos.config.url",
		"interface.0.mac", "interface.0.name", "interface.0.dhcp", "interface.0.ip.0.address"} {
		if get(k) != "" {
			return true
		}
	}
	return false
}

// Rancher reads the keys that RancherOS and CoreOS had for VMware: hostname,
// interface.N.*, dns.server.N, cloud-init.config.data. They come as variables
// or as properties of an OVF environment. The URL, if one is set, is where
// user-data is.
func Rancher(get func(string) string) (in *datasources.Instance, url string, err error) {
	in = &datasources.Instance{Hostname: strings.TrimSpace(get("hostname"))}
	// coreos.config.data is what older templates say.
	data := cmp.Or(get("cloud-init.config.data"), get("coreos.config.data"))
	enc := cmp.Or(get("cloud-init.data.encoding"), get("cloud-init.config.data.encoding"), get("coreos.config.data.encoding"))
	if data != "" {
		if in.UserData, err = wire.Decode([]byte(data), enc); err != nil {
			return nil, "", fmt.Errorf("cloud-init.config.data: %w", err)
		}
	}
	c := &network.Config{}
	for n := range maxEntries {
		l, ok, err := link(in, get, n)
		if err != nil {
			return nil, "", err
		}
		if !ok {
			break
		}
		c.Links = append(c.Links, l)
	}
	if c.DNS.Nameservers, err = servers(get); err != nil {
		return nil, "", err
	}
	c.DNS.Search = list(get, "dns.domain.", "dns.domains")
	if len(c.Links) > 0 || len(c.DNS.Nameservers) > 0 || len(c.DNS.Search) > 0 {
		in.Network = c
	}
	return in, cmp.Or(get("cloud-init.config.url"), get("coreos.config.url")), nil
}

func servers(get func(string) string) ([]string, error) {
	all := list(get, "dns.server.", "dns.servers")
	for _, s := range all {
		if _, err := netip.ParseAddr(s); err != nil {
			return nil, fmt.Errorf("dns.server: %q is no address", s)
		}
	}
	return all, nil
}

// list reads numbered keys and one with commas.
func list(get func(string) string, numbered, joined string) []string {
	var out []string
	for n := range maxEntries {
		v := get(numbered + strconv.Itoa(n))
		if v == "" {
			break
		}
		out = append(out, v)
	}
	for _, v := range strings.Split(get(joined), ",") {
		if v = strings.TrimSpace(v); v != "" {
			out = append(out, v)
		}
	}
	return out
}

// link reads interface.N.*; false when there is none.
func link(in *datasources.Instance, get func(string) string, n int) (network.Link, bool, error) {
	prefix := fmt.Sprintf("interface.%d.", n)
	at := func(k string) string { return get(prefix + k) }
	l := network.Link{ID: fmt.Sprintf("eth%d", n), Kind: network.Physical}
	l.Match.Name, l.Match.MAC = at("name"), at("mac")
	if l.Match.MAC != "" { // an address does not change, a name may
		l.Match.Name = ""
	}
	there := l.Match.Name != "" || l.Match.MAC != "" || at("dhcp") != "" || at("ip.0.address") != "" || at("role") != ""
	if !there {
		return l, false, nil
	}
	var err error
	if l.DHCP4, err = yes(at("dhcp")); err != nil {
		return l, false, fmt.Errorf("%sdhcp: %w", prefix, err)
	}
	for m := range maxEntries {
		a := at(fmt.Sprintf("ip.%d.address", m))
		if a == "" {
			break
		}
		p, err := wire.Prefix(a, at(fmt.Sprintf("ip.%d.netmask", m)))
		if err != nil {
			return l, false, fmt.Errorf("%sip.%d: %w", prefix, m, err)
		}
		l.Addresses = append(l.Addresses, p)
		setRole(in, at("role"), p.Addr())
	}
	for m := range maxEntries {
		gw := at(fmt.Sprintf("route.%d.gateway", m))
		if gw == "" {
			break
		}
		// The destination was never looked at: every route is the default.
		r, ok := wire.DefaultRoute(gw)
		if !ok {
			return l, false, fmt.Errorf("%sroute.%d.gateway: %q is no address", prefix, m, gw)
		}
		l.Routes = append(l.Routes, r)
	}
	return l, true, nil
}

func yes(s string) (bool, error) {
	switch strings.ToLower(s) {
	case "yes", "true", "1", "on":
		return true, nil
	case "", "no", "false", "0", "off":
		return false, nil
	}
	return false, fmt.Errorf("%q is neither yes nor no", s)
}

// setRole: the last address of a role is the machine's.
func setRole(in *datasources.Instance, role string, a netip.Addr) {
	switch {
	case role == "public" && a.Is4():
		in.PublicIPv4 = a.String()
	case role == "public":
		in.PublicIPv6 = a.String()
	case role == "private" && a.Is4():
		in.PrivateIPv4 = a.String()
	case role == "private":
		in.PrivateIPv6 = a.String()
	}
}
