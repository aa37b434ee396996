package netconf

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"

	"rancheros/cloudconfig/network"
)

// A machine is the network of this machine while somebody takes care of it:
// Up for a moment, the network service for as long as it runs.
type machine struct {
	opts Options
	log  *slog.Logger

	// ran are the commands that Up ran before us, running those we ran.
	ran, running []ranHook

	// mu guards what follows and lets one change at a time be applied.
	mu       sync.Mutex
	cfg      *network.Config
	targets  []Target
	missing  []network.Link
	leases   map[string]*Lease
	problems []string
}

func newMachine(cfg *network.Config, o Options) *machine {
	if cfg == nil {
		cfg = &network.Config{}
	}
	m := &machine{opts: o, log: o.Log, cfg: cfg, leases: map[string]*Lease{}}
	if m.log == nil {
		m.log = slog.New(slog.DiscardHandler)
	}
	return m
}

func (m *machine) timeout() time.Duration {
	if m.cfg.DHCPTimeout > 0 {
		return time.Duration(m.cfg.DHCPTimeout) * time.Second
	}
	return defaultTimeout
}

// match finds the devices of the config's links.
func (m *machine) match() error {
	have, err := Read()
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.targets, m.missing, m.problems = Match(m.effective(have), have)
	return nil
}

// effective is the config, or the default where it names no link. A config whose
// cards are all named by MAC address and none of which is there was written for
// another machine: better DHCP than a machine that nobody reaches.
func (m *machine) effective(have State) *network.Config {
	physical, here := 0, false
	for _, l := range m.cfg.Links {
		if virtual(l.Kind) || l.Kind == network.Loopback {
			continue
		}
		physical++
		here = here || l.Match.MAC == "" || slices.ContainsFunc(have.Links, func(d Link) bool {
			rank, _ := fits(l, d)
			return have.matchable(d) && rank < noMatch
		})
	}
	if physical > 0 && here || physical == 0 && slices.ContainsFunc(m.cfg.Links, func(l network.Link) bool { return virtual(l.Kind) }) {
		return m.cfg
	}
	cfg := *m.cfg
	cfg.Links = append(slices.Clone(cfg.Links), Default(have).Links...)
	return &cfg
}

// adopt takes over the leases that an earlier run left, so that nothing that
// works is torn down.
func (m *machine) adopt() {
	have, err := Read()
	if err != nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, t := range m.targets {
		d := have.link(t.Device)
		if d == nil || m.leases[t.Name] != nil || !t.Config.DHCP4 && !t.Config.DHCP6 {
			continue
		}
		l, err := loadLease(leaseDir(m.opts), t.Name, d.MAC)
		if err != nil {
			m.log.Warn("lease not taken over", "link", t.Name, "err", err)
		}
		if l != nil {
			m.log.Info("lease taken over", "link", t.Name, "address", l.Address)
			m.leases[t.Name] = l
		}
	}
}

// converge takes the steps from what is to what should be.
func (m *machine) converge() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.convergeLocked()
}

// passes bounds how often converge looks again.
const passes = 3

// convergeLocked looks again after the steps: what the kernel takes away by
// itself, with a link that was down or an address that was removed, is put back.
func (m *machine) convergeLocked() error {
	for range passes {
		have, err := Read()
		if err != nil {
			return err
		}
		m.targets, m.missing, m.problems = Match(m.effective(have), have)
		want, problems := Want(m.cfg, m.targets, have, m.leases)
		m.problems = append(m.problems, problems...)
		if len(m.missing) > 0 && len(m.missing) == len(m.cfg.Links) {
			m.problems = append(m.problems, "none of the cards that the config names is there; every card asks DHCP")
		}
		ops := Plan(have, want)
		if len(ops) == 0 {
			return nil
		}
		for _, o := range ops {
			m.log.Info("network", "step", o.String())
		}
		if err := Apply(ops, m.log); err != nil {
			return err
		}
	}
	return nil
}

// snapshot is what is known now, for readers.
func (m *machine) snapshot() ([]Target, map[string]*Lease) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.targets), maps.Clone(m.leases)
}

func (m *machine) lease(link string) *Lease {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.leases[link]
}

// change changes what is known of a link's leases, applies it and keeps it for
// a successor.
func (m *machine) change(t Target, f func(*Lease)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	l := &Lease{Link: t.Name, MAC: macOf(t.Name).String(), Got: time.Now()}
	if old := m.leases[t.Name]; old != nil {
		*l = *old // Others read the old one without a lock.
	}
	f(l)
	m.leases[t.Name] = l
	err := m.convergeLocked()
	if serr := saveLease(leaseDir(m.opts), l); serr != nil {
		m.log.Warn("lease not kept", "link", t.Name, "err", serr)
	}
	if err != nil {
		return fmt.Errorf("apply lease of %s: %w", t.Name, err)
	}
	return nil
}

// forget drops the leases of a link that is gone: the next card of that name may
// be another one, or in another network.
func (m *machine) forget(link string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.leases, link)
	if err := os.Remove(leasePath(leaseDir(m.opts), link)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		m.log.Warn("lease of a link that is gone not removed", "link", link, "err", err)
	}
}

// took notes an IPv4 lease. A step that fails elsewhere does not make the lease
// a bad one.
func (m *machine) took(got *Lease, t Target) error {
	err := m.change(t, func(l *Lease) {
		v6, ll := l.V6, l.LinkLocal
		*l = *got
		l.V6, l.LinkLocal = v6, ll
	})
	if err != nil && holds(t.Name, got.Address) {
		m.log.Warn("network steps failed", "err", err)
		return nil
	}
	return err
}

// holds says whether the link has the address.
func holds(link string, p netip.Prefix) bool {
	have, err := Read()
	if err != nil {
		return false
	}
	l := have.link(link)
	return l != nil && slices.ContainsFunc(l.Addresses, func(a Addr) bool { return a.Prefix == p })
}

// took6 notes an IPv6 lease beside it.
func (m *machine) took6(got *Lease6, t Target) error {
	return m.change(t, func(l *Lease) { l.V6 = got })
}

func (m *machine) client(t Target) dhcp4 {
	d := dhcp4{link: t.Name, mac: macOf(t.Name)}
	if o := t.Config.DHCP4Overrides; !off(o.SendHostname) {
		d.hostname = m.opts.Hostname
		if o.Hostname != "" {
			d.hostname = o.Hostname
		}
	}
	return d
}

func macOf(link string) net.HardwareAddr {
	i, err := net.InterfaceByName(link)
	if err != nil {
		return nil
	}
	return i.HardwareAddr
}
