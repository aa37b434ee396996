package netconf

import (
	"context"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"time"
)

// retryAfter is the pause between two rounds of asking for a lease.
const retryAfter = 5 * time.Second

// askFor bounds one round: the questions of a round get rarer and rarer.
const askFor = time.Minute

// keep4 gets a lease for the link and keeps it, until ctx ends. Carrier is told
// when the link has a carrier again. Each new lease and each first failure is
// told to done.
func (m *machine) keep4(ctx context.Context, t Target, carrier <-chan struct{}, done func(LinkRecord)) {
	for ctx.Err() == nil {
		round, cancel := context.WithTimeout(ctx, askFor)
		r := m.first4(round, t)
		cancel()
		if ctx.Err() != nil {
			return
		}
		r.Name = t.Name
		done(r)
		if r.Err != "" {
			m.log.Warn("no lease", "link", t.Name, "err", r.Err)
			if pause(ctx, retryAfter) != nil {
				return
			}
			continue
		}
		m.hold4(ctx, t, carrier, done)
	}
}

// hold4 renews the lease until it is lost or ctx ends.
func (m *machine) hold4(ctx context.Context, t Target, carrier <-chan struct{}, done func(LinkRecord)) {
	select {
	case <-carrier: // That was before the lease.
	default:
	}
	for ctx.Err() == nil {
		l := m.lease(t.Name)
		if l == nil || !l.Address.IsValid() {
			return
		}
		moved := waitToRenew(ctx, l, carrier)
		if ctx.Err() != nil {
			return
		}
		got, err := m.renew4(ctx, t, l, moved)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			m.log.Warn("lease lost", "link", t.Name, "address", l.Address, "err", err)
			m.drop4(t)
			return
		}
		if got == nil { // After a carrier came back: nobody answered, the lease still runs.
			continue
		}
		if err := m.took(got, t); err != nil {
			m.log.Error("lease not applied", "link", t.Name, "err", err)
		}
		m.log.Info("lease renewed", "link", t.Name, "address", got.Address, "for", got.Duration)
		done(LinkRecord{Name: t.Name, Method: "dhcp4", Addresses: []netip.Prefix{got.Address}})
	}
}

// waitToRenew waits for the time to renew. It says true when the carrier went
// and came instead: we may be on another network now.
func waitToRenew(ctx context.Context, l *Lease, carrier <-chan struct{}) (moved bool) {
	var due <-chan time.Time
	if l.Duration > 0 {
		t := time.NewTimer(time.Until(l.Got.Add(l.Renew)))
		defer t.Stop()
		due = t.C
	}
	select {
	case <-ctx.Done():
	case <-due:
	case <-carrier:
		return true
	}
	return false
}

// movedWait is how long we ask whether the network is still the same one.
const movedWait = 5 * time.Second

// renew4 asks the lease's server until it is time to ask all, and all until the
// lease ends. An error means that the lease is lost.
func (m *machine) renew4(ctx context.Context, t Target, l *Lease, moved bool) (*Lease, error) {
	client := m.client(t)
	ask := func(until time.Time, rebind bool) (*Lease, error) {
		ctx, cancel := context.WithDeadline(ctx, until)
		defer cancel()
		return client.renew(ctx, l, rebind)
	}
	if moved {
		got, err := ask(time.Now().Add(movedWait), true)
		if err == nil || errors.Is(err, errNak) || l.expired(time.Now()) {
			return got, err
		}
		// A server that does not know the address may keep silent: ask as a
		// stranger. While nobody answers, the lease holds.
		ctx, cancel := context.WithTimeout(ctx, movedWait)
		defer cancel()
		if got, err := client.acquire(ctx); err == nil {
			return got, nil
		}
		return nil, nil
	}
	got, err := ask(l.Got.Add(l.Rebind), false)
	if err == nil || errors.Is(err, errNak) {
		return got, err
	}
	m.log.Warn("lease not renewed; asking every server", "link", t.Name, "err", err)
	return ask(l.Got.Add(l.Duration), true)
}

// drop4 takes the leased address away.
func (m *machine) drop4(t Target) {
	err := m.change(t, func(l *Lease) {
		*l = Lease{Link: l.Link, MAC: l.MAC, V6: l.V6, LinkLocal: l.LinkLocal, lost: true}
	})
	if err != nil {
		m.log.Error("lost lease not removed", "link", t.Name, "err", err)
	}
	if err := os.Remove(leasePath(leaseDir(m.opts), t.Name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		m.log.Warn("lost lease not removed", "link", t.Name, "err", err)
	}
}

// keep6 is keep4 for DHCPv6.
func (m *machine) keep6(ctx context.Context, t Target, done func(LinkRecord)) {
	for ctx.Err() == nil {
		round, cancel := context.WithTimeout(ctx, askFor)
		r := m.first6(round, t)
		cancel()
		if ctx.Err() != nil {
			return
		}
		r.Name = t.Name
		done(r)
		if r.Err != "" {
			m.log.Warn("no IPv6 lease", "link", t.Name, "err", r.Err)
			if pause(ctx, retryAfter) != nil {
				return
			}
			continue
		}
		m.hold6(ctx, t, done)
	}
}

// statelessRefresh is how often names are asked for again (RFC 8415, 21.23).
const statelessRefresh = 24 * time.Hour

func (m *machine) hold6(ctx context.Context, t Target, done func(LinkRecord)) {
	for ctx.Err() == nil {
		l := m.lease(t.Name)
		if l == nil || l.V6 == nil {
			return
		}
		wait := l.V6.Renew
		if len(l.V6.Addresses) == 0 {
			wait = statelessRefresh
		}
		if pause(ctx, time.Until(l.V6.Got.Add(wait))) != nil {
			return
		}
		got, err := m.renew6(ctx, t, l.V6)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			m.log.Warn("IPv6 lease lost", "link", t.Name, "err", err)
			if err := m.change(t, func(l *Lease) { l.V6 = nil }); err != nil {
				m.log.Error("lost IPv6 lease not removed", "link", t.Name, "err", err)
			}
			return
		}
		if err := m.took6(got, t); err != nil {
			m.log.Error("IPv6 lease not applied", "link", t.Name, "err", err)
		}
		done(LinkRecord{Name: t.Name, Method: "dhcp6"})
	}
}

func (m *machine) renew6(ctx context.Context, t Target, l *Lease6) (*Lease6, error) {
	client := m.client6(t)
	if len(l.Addresses) == 0 {
		return client.acquire(ctx)
	}
	ask := func(until time.Time, rebind bool) (*Lease6, error) {
		ctx, cancel := context.WithDeadline(ctx, until)
		defer cancel()
		return client.renew(ctx, l, rebind)
	}
	got, err := ask(l.Got.Add(l.Rebind), false)
	if err == nil {
		return got, nil
	}
	end := l.Got
	for _, a := range l.Addresses {
		if e := l.Got.Add(a.Valid); e.After(end) {
			end = e
		}
	}
	return ask(end, true)
}
