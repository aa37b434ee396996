package netconf

import (
	"fmt"
	"path"
	"slices"
	"sort"
	"strings"

	"rancheros/cloudconfig/network"
)

// A Target is a link of the config and the device that it is about.
type Target struct {
	Config network.Link
	// Device is the name that the device has now; empty if it is to be made.
	Device string
	// Name is what it shall be called.
	Name string
}

// How well a link's match fits a device; smaller is better.
const (
	byMAC = iota
	byName
	byNewName
	byDriver
	byGlob
	noMatch
)

// Match gives every device the link of the config that fits it best: the one
// that names its MAC address, then its exact name, then its driver, then the
// longest glob. The order of devices and links does not matter. Links of which
// no device is there (yet) are in missing. Two links with equal claims are a
// problem, and the one with the smaller ID has the device.
func Match(cfg *network.Config, have State) (targets []Target, missing []network.Link, problems []string) {
	taken := map[string]bool{} // IDs that have a device
	for _, d := range have.Links {
		if !have.matchable(d) {
			continue
		}
		id, tie := best(cfg.Links, d)
		if tie != "" {
			problems = append(problems, fmt.Sprintf("device %s (%s) fits the links %q and %q equally: match one of them by MAC address; %q is used", d.Name, d.MAC, id, tie, id))
		}
		if i := linkIndex(cfg.Links, id); i >= 0 {
			taken[id] = true
			targets = append(targets, target(cfg.Links[i], d))
		}
	}
	for _, l := range cfg.Links {
		switch {
		case virtual(l.Kind):
			t := Target{Config: l, Name: linkName(l)}
			if d := have.link(t.Name); d != nil {
				t.Device = d.Name
			}
			targets = append(targets, t)
		case l.Kind == network.Loopback:
			targets = append(targets, Target{Config: l, Name: "lo", Device: "lo"})
		case !taken[l.ID]:
			missing = append(missing, l)
		}
	}
	order(cfg, targets)
	return targets, missing, append(problems, sameNames(targets)...)
}

// matchable leaves out what software made, what belongs to containers, and a
// card that is a faster way for another, which has its address and speaks for
// both: the kernel pairs them itself (Azure's accelerated network, virtio's
// standby).
func (s *State) matchable(d Link) bool {
	if d.Kind == network.Loopback || virtual(d.Kind) {
		return false
	}
	if m := s.link(d.Master); m != nil && m.physical() {
		return false
	}
	for _, p := range []string{"docker", "veth", "br-", "cni", "virbr"} {
		if strings.HasPrefix(d.Name, p) {
			return false
		}
	}
	return true
}

func target(l network.Link, d Link) Target {
	t := Target{Config: l, Device: d.Name, Name: d.Name}
	if l.Name != "" {
		t.Name = l.Name
	}
	return t
}

func linkName(l network.Link) string {
	if l.Name != "" {
		return l.Name
	}
	return l.ID
}

func linkIndex(links []network.Link, id string) int {
	return slices.IndexFunc(links, func(l network.Link) bool { return l.ID == id })
}

// best is the ID of the link that fits the device best, and of another that
// fits as well.
func best(links []network.Link, d Link) (id, tie string) {
	type claim struct {
		id, glob string
		rank     int
	}
	var claims []claim
	for _, l := range links {
		if virtual(l.Kind) || l.Kind == network.Loopback {
			continue
		}
		if rank, glob := fits(l, d); rank < noMatch {
			claims = append(claims, claim{l.ID, glob, rank})
		}
	}
	if len(claims) == 0 {
		return "", ""
	}
	sort.Slice(claims, func(i, j int) bool {
		a, b := claims[i], claims[j]
		if a.rank != b.rank {
			return a.rank < b.rank
		}
		if len(a.glob) != len(b.glob) {
			return len(a.glob) > len(b.glob)
		}
		return a.id < b.id
	})
	if len(claims) > 1 && claims[0].rank == claims[1].rank && len(claims[0].glob) == len(claims[1].glob) {
		tie = claims[1].id
	}
	return claims[0].id, tie
}

// fits says how well a link of the config fits a device.
func fits(l network.Link, d Link) (rank int, glob string) {
	m := l.Match
	if m.MAC == "" && m.Name == "" && len(m.Driver) == 0 {
		m.Name = l.ID
	}
	rank = noMatch
	if m.Name != "" {
		switch {
		case m.Name == d.Name:
			rank = byName
		case isGlob(m.Name) && globs(m.Name, d.Name):
			rank, glob = byGlob, m.Name
		case l.Name != "" && l.Name == d.Name:
			// It had the name that is matched until we gave it this one.
			rank = byNewName
		default:
			return noMatch, ""
		}
	}
	if len(m.Driver) > 0 {
		if !slices.ContainsFunc(m.Driver, func(p string) bool { return d.Driver != "" && globs(p, d.Driver) }) {
			return noMatch, ""
		}
		rank = min(rank, byDriver)
	}
	if m.MAC != "" {
		// A bond gives its members the address of the first one, so that these
		// are known only by the one that they were made with.
		mac := strings.ToLower(m.MAC)
		lent := d.Master != "" && d.PermanentMAC != ""
		if !globs(mac, d.PermanentMAC) && (lent || !globs(mac, d.MAC)) {
			return noMatch, ""
		}
		rank = byMAC
	}
	return rank, glob
}

func isGlob(s string) bool { return strings.ContainsAny(s, "*?[") }

func globs(pattern, s string) bool {
	ok, err := path.Match(pattern, s)
	return ok && err == nil && s != ""
}

// order puts the targets in the order of the config, then by device.
func order(cfg *network.Config, targets []Target) {
	at := map[string]int{}
	for i, l := range cfg.Links {
		at[l.ID] = i
	}
	sort.SliceStable(targets, func(i, j int) bool {
		a, b := targets[i], targets[j]
		if at[a.Config.ID] != at[b.Config.ID] {
			return at[a.Config.ID] < at[b.Config.ID]
		}
		return a.Device < b.Device
	})
}

// sameNames finds devices that shall have the same name; the later ones keep
// the name they have.
func sameNames(targets []Target) (problems []string) {
	seen := map[string]bool{}
	for i := range targets {
		t := &targets[i]
		if seen[t.Name] && t.Device != "" {
			problems = append(problems, fmt.Sprintf("link %q fits several devices, only one can be called %q: %s keeps its name", t.Config.ID, t.Name, t.Device))
			t.Name = t.Device
		}
		seen[t.Name] = true
	}
	return problems
}

// Default is the config of a machine that was told nothing: DHCP on every
// network card.
func Default(have State) *network.Config {
	cfg := &network.Config{}
	for _, d := range have.Links {
		if have.matchable(d) && (d.physical() || d.Kind == "veth") && d.MAC != "" {
			cfg.Links = append(cfg.Links, network.Link{ID: d.Name, Kind: network.Physical, DHCP4: true})
		}
	}
	return cfg
}
