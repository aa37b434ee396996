package wire

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"net/netip"
	"slices"
	"strings"

	"rancheros/datasources"
	"rancheros/paths"
)

// A Lease is what of a DHCP lease tells where a cloud's services are.
type Lease struct {
	// MAC is the link's, and Routers are known, of our own leases only.
	MAC     string           `json:"mac"`
	Routers []netip.Addr     `json:"routers"`
	Server  netip.Addr       `json:"server"`
	Options map[uint8][]byte `json:"options"`
}

// Router is the router that the lease of the link with that MAC address names,
// or the zero Addr.
func Router(h *datasources.Host, mac string) netip.Addr {
	for _, l := range Leases(h) {
		if l.MAC != "" && MAC(l.MAC) == mac && len(l.Routers) > 0 {
			return l.Routers[0]
		}
	}
	return netip.Addr{}
}

// Leases are the machine's DHCP leases: our own, else those that
// systemd-networkd, NetworkManager or dhclient keep.
func Leases(h *datasources.Host) []Lease {
	var out []Lease
	for _, name := range glob(h, paths.Leases+"/*") {
		var l Lease
		if json.Unmarshal([]byte(h.Read(name)), &l) == nil {
			out = append(out, l)
		}
	}
	for _, name := range glob(h, "run/systemd/netif/leases/*", "run/NetworkManager/devices/*") {
		out = append(out, assignments(h.Read(name)))
	}
	for _, name := range glob(h, "var/lib/dhcp/*.lease*", "var/lib/dhclient/*.lease*") {
		if l, ok := dhclient(h.Read(name)); ok {
			out = append(out, l)
		}
	}
	return out
}

func glob(h *datasources.Host, patterns ...string) []string {
	var out []string
	for _, p := range patterns {
		names, err := fs.Glob(h.Root, strings.TrimPrefix(p, "/"))
		if err == nil {
			out = append(out, names...)
		}
	}
	return out
}

// assignments reads KEY=value lines.
func assignments(text string) Lease {
	l := Lease{Options: map[uint8][]byte{}}
	for line := range strings.Lines(text) {
		k, v, _ := strings.Cut(strings.TrimSpace(line), "=")
		switch k {
		case "SERVER_ADDRESS", "dhcp-server-identifier", "dhcp_server_identifier":
			if a, err := netip.ParseAddr(v); err == nil {
				l.Server = a
			}
		case "OPTION_245", "private-245", "private_245":
			if b, err := hex.DecodeString(strings.ReplaceAll(v, ":", "")); err == nil {
				l.Options[245] = b
			}
		}
	}
	return l
}

// dhclient reads the last lease of a dhclient file.
func dhclient(text string) (Lease, bool) {
	l, ok := Lease{Options: map[uint8][]byte{}}, false
	for line := range strings.Lines(text) {
		f := strings.Fields(strings.TrimSuffix(strings.TrimSpace(line), ";"))
		if len(f) != 3 || f[0] != "option" {
			continue
		}
		switch f[1] {
		case "dhcp-server-identifier":
			if a, err := netip.ParseAddr(f[2]); err == nil {
				l.Server, ok = a, true
			}
		case "unknown-245":
			if b, err := hex.DecodeString(strings.ReplaceAll(f[2], ":", "")); err == nil {
				l.Options[245] = b
			}
		}
	}
	return l, ok
}

// Gateways are the routers of the kernel's default routes in IPv4.
func Gateways(h *datasources.Host) []netip.Addr {
	var out []netip.Addr
	for line := range strings.Lines(h.Read("proc/net/route")) {
		f := strings.Fields(line)
		if len(f) < 3 || f[1] != "00000000" {
			continue
		}
		b, err := hex.DecodeString(f[2])
		if err != nil || len(b) != 4 || binary.LittleEndian.Uint32(b) == 0 {
			continue
		}
		slices.Reverse(b) // the kernel prints the host's byte order
		if a, ok := netip.AddrFromSlice(b); ok {
			out = append(out, a)
		}
	}
	return out
}
