package netconf

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"rancheros/cloudconfig/network"
	"rancheros/paths"
)

// Options of Up and LinkUp.
type Options struct {
	// Timeout bounds the wait for addresses. Zero: the config's own, or ten
	// seconds.
	Timeout time.Duration
	// All waits for every link that is not optional; otherwise the first
	// usable one ends the wait.
	All bool
	// Hostname is told to DHCP servers, if set.
	Hostname string
	// LeaseDir is where leases are kept; empty means paths.Leases.
	LeaseDir string
	// Hooks: run the config's commands.
	Hooks bool
	// Linger: links that have not answered when Up returns go on asking until
	// Result.Stop. What the caller looks for may be behind another link than the
	// first one.
	Linger bool
	Log    *slog.Logger
}

// A Result says what Up did, link by link.
type Result struct {
	Links []LinkRecord `json:"links"`
	// First is the link that was usable first; empty if none was.
	First  string            `json:"first,omitempty"`
	Leases map[string]*Lease `json:"leases,omitempty"`
	// DNS is what config and leases say; the caller writes it (WriteResolvConf).
	DNS network.DNS `json:"dns"`
	// Hostname is what a DHCP server calls us; empty if none did.
	Hostname string `json:"hostname,omitempty"`
	// Problems are parts of the config that make no sense on this machine.
	Problems []string      `json:"problems,omitempty"`
	Took     time.Duration `json:"took"`
	// Stop ends what lingers and waits for it.
	Stop func() `json:"-"`
}

// A LinkRecord says how one link fared.
type LinkRecord struct {
	Name string `json:"name"`
	// Method is static, dhcp4, dhcp6, slaac, ipv4ll.
	Method    string         `json:"method"`
	Addresses []netip.Prefix `json:"addresses,omitempty"`
	Gateway   netip.Addr     `json:"gateway,omitzero"`
	Took      time.Duration  `json:"took"`
	// Err says why there is no address.
	Err string `json:"error,omitempty"`

	bonus bool
}

// ErrNoAddress is what Up returns when no link got an address in time.
var ErrNoAddress = errors.New("no link has an address")

const (
	defaultTimeout = 10 * time.Second
	// grace is how long a link that can reach only its own network waits for
	// one with a gateway.
	grace = time.Second
)

// Up brings the network up and returns when one link is usable: a static
// address and a carrier, or a lease; or when the time is over. What other links
// are still waiting for is left to the network service, which finds the leases
// in LeaseDir. A nil or empty config means DHCP on every network card.
func Up(ctx context.Context, cfg *network.Config, o Options) (*Result, error) {
	start := time.Now()
	m := newMachine(cfg, o)
	timeout := o.Timeout
	if timeout == 0 {
		timeout = m.timeout()
	}
	work, stop := context.WithCancel(ctx)
	ctx, cancel := context.WithTimeout(work, timeout)
	defer cancel()
	if !o.Linger {
		work = ctx
	}
	if err := m.start(ctx); err != nil {
		stop()
		return nil, err
	}
	if err := m.keepHooks(); err != nil {
		m.log.Warn("network commands will be run again by the network service", "err", err)
	}
	targets, _ := m.snapshot()
	res := &Result{Problems: m.problems}
	events := make(chan LinkRecord, maxMethods*len(targets))
	var wg sync.WaitGroup
	c := collector{all: o.All}
	for _, t := range targets {
		for _, w := range m.ways(t) {
			c.waiting++
			if !w.bonus {
				c.need++
			}
			wg.Go(func() {
				began := time.Now()
				r := w.ask(work)
				r.Name, r.Took, r.bonus = t.Name, time.Since(began), w.bonus
				events <- r
			})
		}
	}
	c.collect(ctx, res, events)
	res.Stop = sync.OnceFunc(func() {
		stop()
		wg.Wait()
	})
	if !o.Linger || res.First == "" {
		res.Stop()
		close(events)
		for r := range events { // Those that were done in the same moment.
			res.Links = append(res.Links, r)
		}
	}
	targets, res.Leases = m.snapshot()
	res.Took = time.Since(start)
	res.DNS = DNS(m.cfg, targets, res.Leases, network.DNS{})
	res.Hostname = Hostname("", targets, res.Leases, "")
	if res.First == "" {
		return res, fmt.Errorf("network: %w after %s; links asked: %s", ErrNoAddress, res.Took.Round(time.Millisecond), linkNames(targets))
	}
	return res, nil
}

// A collector counts the answers of Up.
type collector struct {
	all bool
	// waiting is how many are to come, need how many of them matter.
	waiting, need int
}

// collect takes the answers until enough links are usable.
func (c *collector) collect(ctx context.Context, res *Result, events <-chan LinkRecord) {
	var late <-chan time.Time
	for c.waiting > 0 && (c.need > 0 || res.First == "") {
		select {
		case r := <-events:
			res.Links = append(res.Links, r)
			c.waiting--
			if !r.bonus {
				c.need--
			}
			if r.Err != "" {
				continue
			}
			if res.First == "" {
				res.First = r.Name
			}
			if c.all {
				continue
			}
			if r.Gateway.IsValid() {
				res.First = r.Name
				return
			}
			if late == nil {
				late = time.After(grace)
			}
		case <-late:
			return
		case <-ctx.Done():
			return
		}
	}
}

// start applies what needs no answer from anybody and takes over leases that
// an earlier run left.
func (m *machine) start(ctx context.Context) error {
	if m.opts.Hooks {
		m.before(ctx, "", m.cfg.PreCommands)
	}
	if err := m.match(); err != nil {
		return err
	}
	m.adopt()
	if m.opts.Hooks {
		for _, t := range m.targets {
			if t.Config.Kind == network.Loopback {
				continue // It is up before anybody could do anything.
			}
			m.before(ctx, t.Name, t.Config.PreUp)
		}
	}
	// A step that failed is logged; the links that are good go on.
	if err := m.converge(); err != nil {
		m.log.Warn("applying network config", "err", err)
	}
	return nil
}

// maxMethods is the length of the longest list that ways returns.
const maxMethods = 5

// A way is one in which a link may become usable. Nobody waits for a bonus
// while there is another.
type way struct {
	ask   func(context.Context) LinkRecord
	bonus bool
}

// ways in which a link becomes usable.
func (m *machine) ways(t Target) []way {
	var out []way
	c := t.Config
	if c.Manual || c.Kind == network.Loopback {
		return nil
	}
	if c.DHCP4 {
		out = append(out, way{func(ctx context.Context) LinkRecord { return m.first4(ctx, t) }, c.Optional})
	}
	if c.DHCP6 || c.IPv6Mode == "dhcp-stateless" {
		out = append(out, way{func(ctx context.Context) LinkRecord { return m.first6(ctx, t) }, c.Optional})
	}
	if c.IPv4LL {
		out = append(out, way{func(ctx context.Context) LinkRecord { return m.linkLocal(ctx, t) }, c.Optional})
	}
	if len(c.Addresses) > 0 {
		out = append(out, way{func(ctx context.Context) LinkRecord { return static(ctx, t) }, c.Optional})
	}
	if (c.DHCP4 || c.IPv6Mode == "slaac") && !off(c.AcceptRA) && !off(c.IPv6LL) {
		out = append(out, way{func(ctx context.Context) LinkRecord { return autoconf(ctx, t.Name) }, c.Optional || c.IPv6Mode != "slaac"})
	}
	return out
}

// first4 gets the first lease of a link, unless one was taken over.
func (m *machine) first4(ctx context.Context, t Target) LinkRecord {
	r := LinkRecord{Method: "dhcp4"}
	l := m.lease(t.Name)
	if l == nil || !l.Address.IsValid() {
		if err := waitCarrier(ctx, t.Name); err != nil {
			r.Err = err.Error()
			return r
		}
		got, err := m.client(t).acquire(ctx)
		if err != nil {
			r.Err = err.Error()
			return r
		}
		if err := m.took(got, t); err != nil {
			r.Err = err.Error()
			return r
		}
		l = got
	}
	r.Addresses = []netip.Prefix{l.Address}
	if g := l.gateways(); len(g) > 0 {
		r.Gateway = g[0]
	}
	return r
}

// static links are usable when they have a carrier.
func static(ctx context.Context, t Target) LinkRecord {
	r := LinkRecord{Method: "static", Addresses: t.Config.Addresses}
	for _, route := range t.Config.Routes {
		if route.To.Bits() == 0 && route.Via.IsValid() {
			r.Gateway = route.Via
		}
	}
	if err := waitCarrier(ctx, t.Name); err != nil {
		r.Err = err.Error()
	}
	return r
}

func linkNames(ts []Target) string {
	s := ""
	for _, t := range ts {
		if t.Config.Kind != network.Loopback {
			s += " " + t.Name
		}
	}
	if s == "" {
		return "none, there is no network card"
	}
	return s[1:]
}

func leaseDir(o Options) string {
	if o.LeaseDir != "" {
		return o.LeaseDir
	}
	return paths.Leases
}
