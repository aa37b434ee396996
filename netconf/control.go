package netconf

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"rancheros/cloudconfig/network"
)

// What the service's socket can be asked.
const (
	DoApply   = "apply"
	DoConfirm = "confirm"
)

// maxRequest bounds what is read from the socket.
const maxRequest = 4 << 20

// A Request is what `ros network` sends to the service.
type Request struct {
	Do string `json:"do"`
	// Config to apply; nil means to read the machine's own again.
	Config *network.Config `json:"config,omitempty"`
	// Confirm: go back after this time unless DoConfirm comes before. Zero: do
	// not wait for it. A config that loses the gateway goes back at once.
	Confirm time.Duration `json:"confirm,omitempty"`
}

// An Answer is what the service says.
type Answer struct {
	Error string `json:"error,omitempty"`
	// Until is when the service goes back without a confirmation.
	Until time.Time `json:"until,omitzero"`
}

// ErrNoService is what Ask returns when the network service does not run.
var ErrNoService = errors.New("the network service does not run")

// Ask sends a request to the service and waits for its answer.
func Ask(ctx context.Context, socket string, req Request) (Answer, error) {
	c, err := (&net.Dialer{}).DialContext(ctx, "unix", socket)
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ECONNREFUSED) {
		return Answer{}, ErrNoService
	}
	if err != nil {
		return Answer{}, fmt.Errorf("ask the network service: %w", err)
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.SetDeadline(time.Now()) })()
	if err := json.NewEncoder(c).Encode(req); err != nil {
		return Answer{}, fmt.Errorf("ask the network service: %w", err)
	}
	var a Answer
	if err := json.NewDecoder(io.LimitReader(c, maxRequest)).Decode(&a); err != nil {
		return Answer{}, fmt.Errorf("ask the network service: no answer: %w", err)
	}
	if a.Error != "" {
		return a, errors.New(a.Error)
	}
	return a, nil
}

// A task is a request on its way through the service.
type task struct {
	Request
	answer chan Answer
}

// listen serves the socket until ctx ends.
func (r *run) listen(ctx context.Context) error {
	if r.Socket == "" {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(r.Socket), 0o755); err != nil {
		return fmt.Errorf("listen on %s: %w", r.Socket, err)
	}
	// One that an earlier run left.
	if err := os.Remove(r.Socket); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("listen on %s: %w", r.Socket, err)
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "unix", r.Socket)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", r.Socket, err)
	}
	if err := os.Chmod(r.Socket, 0o600); err != nil {
		l.Close()
		return fmt.Errorf("listen on %s: %w", r.Socket, err)
	}
	context.AfterFunc(ctx, func() { l.Close() })
	r.wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			r.wg.Go(func() { r.talk(ctx, c) })
		}
	})
	return nil
}

func (r *run) talk(ctx context.Context, c net.Conn) {
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.SetDeadline(time.Now()) })()
	o := task{answer: make(chan Answer, 1)}
	if err := json.NewDecoder(io.LimitReader(c, maxRequest)).Decode(&o.Request); err != nil {
		return
	}
	select {
	case r.tasks <- o:
	case <-ctx.Done():
		return
	}
	select {
	case a := <-o.answer:
		if err := json.NewEncoder(c).Encode(a); err != nil {
			r.Log.Warn("answer not sent", "err", err)
		}
	case <-ctx.Done():
	}
}

// A trial is a config that has not proven itself yet.
type trial struct {
	before Settings
	// reachable: a gateway answered before.
	reachable bool
	confirm   time.Duration
	answer    chan Answer
	// checked is told whether the gateway still answers.
	checked chan error
	checks  bool
	expired <-chan time.Time
}

// result is where the check of a trial arrives. Nil, if there is none.
func (t *trial) result() <-chan error {
	if t == nil {
		return nil
	}
	return t.checked
}

// end is when a trial is over. Nil, if there is none.
func (t *trial) end() <-chan time.Time {
	if t == nil {
		return nil
	}
	return t.expired
}

// serve does what was asked for.
func (r *run) serve(ctx context.Context, o task) {
	switch o.Do {
	case DoConfirm:
		if r.trial == nil || r.trial.expired == nil {
			o.answer <- Answer{Error: "there is nothing to confirm: no config is on trial"}
			return
		}
		r.Log.Info("config confirmed")
		r.trial = nil
		o.answer <- Answer{}
	case DoApply:
		r.try(ctx, o)
	default:
		o.answer <- Answer{Error: fmt.Sprintf("the request %q is not known", o.Do)}
	}
}

// try takes a config in force on trial.
func (r *run) try(ctx context.Context, o task) {
	if r.trial != nil {
		o.answer <- Answer{Error: "a config is on trial already: confirm it, or wait until it is taken back"}
		return
	}
	t := &trial{before: r.settings, confirm: o.Confirm, answer: o.answer, checked: make(chan error, 1)}
	t.reachable = reachable(ctx) == nil
	next := r.settings
	if o.Config != nil {
		next.Network = o.Config
	} else {
		s, err := r.Load()
		if err != nil {
			o.answer <- Answer{Error: "the config is not applied: " + err.Error()}
			return
		}
		next = s
	}
	r.trial = t
	r.use(ctx, next)
}

// use takes settings in force.
func (r *run) use(ctx context.Context, s Settings) {
	r.stopWorkers()
	r.ready = false
	r.set(s)
	if err := r.apply(ctx); err != nil {
		r.Log.Error("config not applied", "err", err)
	}
	r.write()
}

// check looks for the gateway when the new config is up.
func (r *run) check(ctx context.Context) {
	if t := r.trial; t != nil && !t.checks {
		t.checks = true
		r.wg.Go(func() { t.checked <- reachable(ctx) })
	}
}

// judged keeps a config whose gateway answers, and takes the other back.
func (r *run) judged(ctx context.Context, err error) {
	t := r.trial
	if err != nil && t.reachable {
		r.Log.Error("config taken back", "err", err)
		r.goBack(ctx)
		t.answer <- Answer{Error: fmt.Sprintf("the config was taken back: %v, though one did before", err)}
		return
	}
	if t.confirm <= 0 {
		r.trial = nil
		t.answer <- Answer{}
		return
	}
	t.expired = time.After(t.confirm)
	t.answer <- Answer{Until: time.Now().Add(t.confirm)}
}

func (r *run) goBack(ctx context.Context) {
	before := r.trial.before
	r.trial = nil
	r.use(ctx, before)
}

// gatewayWait bounds the search for a gateway.
const gatewayWait = 3 * time.Second

// reachable asks for the link address of every default gateway. Nil: one
// answered.
func reachable(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, gatewayWait)
	defer cancel()
	routes, err := netlink.RouteList(nil, netlink.FAMILY_ALL)
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
		return fmt.Errorf("list routes: %w", err)
	}
	asked := 0
	answers := make(chan error, len(routes))
	for _, k := range routes {
		r, ok := readRoute(k)
		if !ok || r.To.Bits() != 0 || !r.Via.IsValid() {
			continue
		}
		l, err := netlink.LinkByIndex(k.LinkIndex)
		if err != nil {
			continue
		}
		asked++
		go func() { answers <- neighbour(ctx, l, r.Via) }()
	}
	last := errors.New("there is no default gateway")
	for range asked {
		if last = <-answers; last == nil {
			return nil
		}
	}
	return last
}

// neighbour asks for the link address of a neighbour: by ARP, or for IPv6 by
// making the kernel ask.
func neighbour(ctx context.Context, l netlink.Link, who netip.Addr) error {
	none := fmt.Errorf("the gateway %s does not answer on %s", who, l.Attrs().Name)
	if who.Is4() {
		if _, found, err := askARP(ctx, l.Attrs().Name, ownAddress(l, who), who, 10); err != nil || !found {
			return none
		}
		return nil
	}
	c, err := net.DialUDP("udp6", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(who.WithZone(strconv.Itoa(l.Attrs().Index)), 9)))
	if err != nil {
		return none
	}
	defer c.Close()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := c.Write([]byte{0}); err != nil && ctx.Err() != nil {
			return none
		}
		neighbours, err := netlink.NeighList(l.Attrs().Index, netlink.FAMILY_V6)
		for _, n := range neighbours {
			// Stale is not enough: that was an answer of some time ago.
			if a, ok := addrOf(n.IP); err == nil && ok && a == who && n.State&(netlink.NUD_REACHABLE|netlink.NUD_PERMANENT) != 0 {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return none
		case <-tick.C:
		}
	}
}

// ownAddress is an address of the link on the same network, to ask from.
func ownAddress(l netlink.Link, who netip.Addr) netip.Addr {
	have, err := netlink.AddrList(l, netlink.FAMILY_V4)
	if err != nil {
		return netip.IPv4Unspecified()
	}
	own := netip.IPv4Unspecified()
	for _, a := range have {
		p, ok := prefixOf(a.IPNet)
		if !ok {
			continue
		}
		if own.IsUnspecified() || p.Masked().Contains(who) {
			own = p.Addr()
		}
	}
	return own
}
