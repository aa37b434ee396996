package smartos

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"rancheros/cloudconfig/network"
	"rancheros/datasources"
	"rancheros/datasources/internal/wire"
)

type nic struct {
	Interface string   `json:"interface"`
	MAC       string   `json:"mac"`
	MTU       int      `json:"mtu"`
	Primary   bool     `json:"primary"`
	IP        string   `json:"ip"`
	Netmask   string   `json:"netmask"`
	Gateway   string   `json:"gateway"`
	IPs       []string `json:"ips"`
	Gateways  []string `json:"gateways"`
}

type route struct {
	Linklocal bool   `json:"linklocal"`
	Dst       string `json:"dst"`
	Gateway   string `json:"gateway"`
}

// networkOf makes a config of sdc:nics; nil when the host said nothing.
func networkOf(h *datasources.Host, vars map[string]string) (*network.Config, error) {
	var nics []nic
	var routes []route
	c := &network.Config{}
	for key, to := range map[string]any{"sdc:nics": &nics, "sdc:routes": &routes, "sdc:resolvers": &c.DNS.Nameservers} {
		if v := vars[key]; v != "" {
			if err := json.Unmarshal([]byte(v), to); err != nil {
				return nil, fmt.Errorf("%s: %w", key, err)
			}
		}
	}
	if len(nics) == 0 {
		return nil, nil
	}
	if d := strings.TrimSpace(vars["sdc:dns_domain"]); d != "" {
		c.DNS.Search = []string{d}
	}
	for i, n := range nics {
		l, err := link(h, n, fmt.Sprintf("net%d", i))
		if err != nil {
			return nil, fmt.Errorf("sdc:nics: %s: %w", n.MAC, err)
		}
		c.Links = append(c.Links, l)
	}
	for _, r := range routes {
		to, err := wire.Prefix(r.Dst, "")
		if err != nil {
			return nil, fmt.Errorf("sdc:routes: %w", err)
		}
		via, ok := wire.DefaultRoute(r.Gateway)
		if !ok {
			continue // a link-local route names no router
		}
		via.To = to.Masked()
		c.Routes = append(c.Routes, via)
	}
	return c, nil
}

func link(h *datasources.Host, n nic, id string) (network.Link, error) {
	l := wire.Link(h, n.MAC, id)
	l.MTU = n.MTU
	ips := n.IPs
	if len(ips) == 0 && n.IP != "" { // hosts before 2015
		ips = []string{n.IP}
	}
	for _, ip := range ips {
		switch ip {
		case "dhcp":
			l.DHCP4 = true
			continue
		case "addrconf":
			l.DHCP6 = true // and what routers advertise, as always
			continue
		}
		mask := ""
		if !strings.Contains(ip, "/") {
			mask = n.Netmask
		}
		p, err := wire.Prefix(ip, mask)
		if err != nil {
			return l, err
		}
		l.Addresses = append(l.Addresses, p)
	}
	if !n.Primary {
		return l, nil
	}
	gateways := n.Gateways
	if n.Gateway != "" && !slices.Contains(gateways, n.Gateway) {
		gateways = append(gateways, n.Gateway)
	}
	for _, gw := range gateways {
		if r, ok := wire.DefaultRoute(gw); ok {
			l.Routes = append(l.Routes, r)
		}
	}
	return l, nil
}
