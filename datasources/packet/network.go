package packet

import (
	"fmt"
	"strconv"

	"rancheros/cloudconfig/network"
	"rancheros/datasources"
	"rancheros/datasources/internal/wire"
)

type answer struct {
	ID       string   `json:"id"`
	Hostname string   `json:"hostname"`
	Plan     string   `json:"plan"`
	Facility string   `json:"facility"`
	Metro    string   `json:"metro"`
	SSHKeys  []string `json:"ssh_keys"`
	Network  struct {
		Bonding struct {
			Mode int `json:"mode"`
		} `json:"bonding"`
		Interfaces []struct {
			Name string `json:"name"`
			MAC  string `json:"mac"`
			Bond string `json:"bond"`
		} `json:"interfaces"`
		Addresses []address `json:"addresses"`
	} `json:"network"`
}

type address struct {
	Family  int    `json:"address_family"`
	Public  bool   `json:"public"`
	Enabled *bool  `json:"enabled"`
	Address string `json:"address"`
	Netmask string `json:"netmask"`
	CIDR    int    `json:"cidr"`
	Gateway string `json:"gateway"`
}

func (a address) enabled() bool { return a.Enabled == nil || *a.Enabled }

// resolvers are Equinix's; the metadata names none.
func resolvers() []string { return []string{"147.75.207.207", "147.75.207.208"} }

// networkOf makes the bond that the switches expect, with all addresses on it;
// a machine without a bond has them on its first link. Nil when there is no
// address: then DHCP.
func networkOf(h *datasources.Host, a *answer) (*network.Config, error) {
	if len(a.Network.Addresses) == 0 || len(a.Network.Interfaces) == 0 {
		return nil, nil
	}
	c := &network.Config{DNS: network.DNS{Nameservers: resolvers()}}
	bond := network.Link{ID: "bond0", Kind: network.Bond, Parameters: bondParameters(a.Network.Bonding.Mode)}
	for i, n := range a.Network.Interfaces {
		l := wire.Link(h, n.MAC, fallback(n.Name, i))
		if n.Bond != "" && a.Network.Bonding.Mode != 0 {
			bond.ID = n.Bond
			bond.Members = append(bond.Members, l.ID)
		}
		c.Links = append(c.Links, l)
	}
	top := &c.Links[0]
	if len(bond.Members) > 0 {
		bond.MAC = wire.MAC(a.Network.Interfaces[0].MAC)
		c.Links = append(c.Links, bond)
		top = &c.Links[len(c.Links)-1]
	}
	for _, ip := range a.Network.Addresses {
		if !ip.enabled() {
			continue
		}
		if err := add(top, ip); err != nil {
			return nil, fmt.Errorf("network.addresses: %w", err)
		}
	}
	return c, nil
}

func fallback(name string, i int) string {
	if name != "" {
		return name
	}
	return fmt.Sprintf("eth%d", i)
}

func bondParameters(mode int) map[string]string {
	names := []string{"balance-rr", "active-backup", "balance-xor", "broadcast", "802.3ad", "balance-tlb", "balance-alb"}
	if mode < 0 || mode >= len(names) {
		mode = 4
	}
	p := map[string]string{"mode": names[mode], "mii-monitor-interval": "100", "down-delay": "200", "up-delay": "200"}
	if names[mode] == "802.3ad" {
		p["lacp-rate"], p["transmit-hash-policy"] = "fast", "layer3+4"
	}
	return p
}

// add puts an address on a link. Private ones lead to the other machines of the
// owner, public ones to everyone.
func add(l *network.Link, ip address) error {
	mask := ip.Netmask
	if ip.CIDR > 0 {
		mask = strconv.Itoa(ip.CIDR)
	}
	p, err := wire.Prefix(ip.Address, mask)
	if err != nil {
		return err
	}
	l.Addresses = append(l.Addresses, p)
	r, ok := wire.DefaultRoute(ip.Gateway)
	if !ok {
		return nil
	}
	if !ip.Public && p.Addr().Is4() {
		to, err := wire.Prefix("10.0.0.0", "8")
		if err != nil {
			return err
		}
		r.To = to
	}
	l.Routes = append(l.Routes, r)
	return nil
}
