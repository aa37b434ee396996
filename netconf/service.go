package netconf

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"rancheros/cloudconfig/network"
	"rancheros/paths"
)

// A Service keeps the network of this machine as its config says, for as long
// as it runs: it applies the config, renews leases, configures cards that are
// plugged in, and reads the config again on SIGHUP.
type Service struct {
	// Load reads the config.
	Load func() (Settings, error)
	// The files that it keeps.
	ResolvConf, Hosts, State, Leases string
	// Socket is where `ros network apply` asks. Empty: nobody can.
	Socket string
	Log    *slog.Logger
	// Ready is called once, when every link that boot waits for is configured
	// or has had its time. May be nil.
	Ready func()
}

// Main is the program of the network service. Exit codes: 0 it was told to
// stop, 1 the network could not be read or configured at all, 2 wrong usage.
func Main(ctx context.Context, args []string) int {
	flags := flag.NewFlagSet("netconf", flag.ContinueOnError)
	root := flags.String("root", "/", "read the config below this folder")
	once := flags.Bool("once", false, "end when the network is up; leases are not renewed then")
	debug := flags.Bool("debug", false, "log every step")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	if flags.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "netconf: unexpected argument %q; usage: netconf [-once] [-debug] [-root DIR]\n", flags.Arg(0))
		return 2
	}
	level := slog.LevelInfo
	if *debug {
		level = slog.LevelDebug
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	s := Service{
		Load:       func() (Settings, error) { return Load(*root) },
		ResolvConf: paths.ResolvConf, Hosts: paths.Hosts, State: paths.NetworkState, Leases: paths.Leases, Socket: paths.NetworkSocket,
		Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level})),
	}
	if *once {
		s.Ready = stop
	}
	if err := s.Run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "netconf:", err)
		return 1
	}
	return 0
}

// A run is a Service at work. All that is in it belongs to the goroutine of
// Run.
type run struct {
	Service
	settings Settings
	m        *machine
	workers  map[string]*worker               // by link name
	records  map[string]map[string]LinkRecord // by link and method
	events   chan LinkRecord
	indices  map[int]bool // links that are known
	carriers map[int]carrier
	named    string // what the machine was called by us last
	ready    bool
	late     <-chan time.Time // when waiting for links ends
	tasks    chan task
	trial    *trial
	wg       sync.WaitGroup
}

// A worker takes care of one link.
type worker struct {
	target  Target
	stop    context.CancelFunc
	carrier chan struct{}
	waiting map[string]bool // methods that have not answered yet
	up      bool            // post_up has run
	wg      sync.WaitGroup
}

// Run works until ctx ends. The error says why it could not begin.
func (s Service) Run(ctx context.Context) error {
	r := &run{
		Service: s, workers: map[string]*worker{}, records: map[string]map[string]LinkRecord{}, events: make(chan LinkRecord, 64),
		indices: map[int]bool{}, carriers: map[int]carrier{}, tasks: make(chan task),
	}
	if r.Log == nil {
		r.Log = slog.New(slog.DiscardHandler)
	}
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	updates := make(chan netlink.LinkUpdate, 256)
	done := make(chan struct{})
	defer close(done)
	if err := netlink.LinkSubscribeWithOptions(updates, done, netlink.LinkSubscribeOptions{ListExisting: true}); err != nil {
		return fmt.Errorf("watch links: %w", err)
	}
	// Routers speak when they like; the kernel hears them before us.
	routes := make(chan netlink.RouteUpdate, 256)
	if err := netlink.RouteSubscribe(routes, done); err != nil {
		return fmt.Errorf("watch routes: %w", err)
	}
	if err := r.listen(ctx); err != nil {
		return err
	}
	r.set(r.read())
	r.m.ran = takeHooks(r.Leases)
	if err := r.apply(ctx); err != nil {
		return err
	}
	r.loop(ctx, hup, updates, routes)
	r.stopWorkers()
	r.wg.Wait()
	return nil
}

func (r *run) loop(ctx context.Context, hup <-chan os.Signal, updates <-chan netlink.LinkUpdate, routes <-chan netlink.RouteUpdate) {
	// Links come in bursts: look at them together.
	var settled <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-hup:
			r.Log.Info("reading the config again")
			r.use(ctx, r.read())
		case <-r.late:
			r.hear(ctx)
			r.nowReady(ctx, "time is over; nothing yet from "+r.silent())
		case e := <-r.events:
			r.answered(ctx, e)
		case o := <-r.tasks:
			r.serve(ctx, o)
		case err := <-r.trial.result():
			r.judged(ctx, err)
		case <-r.trial.end():
			r.Log.Warn("config taken back: nobody confirmed it")
			r.goBack(ctx)
		case u, ok := <-updates:
			if !ok {
				r.Log.Error("the kernel ended the subscription to links; cards plugged in from now on are not seen")
				updates = nil
				continue
			}
			if r.link(u) && settled == nil {
				settled = time.After(100 * time.Millisecond)
			}
		case u, ok := <-routes:
			if !ok {
				r.Log.Warn("the kernel ended the subscription to routes; what routers say from now on is seen when links change")
				routes = nil
				continue
			}
			if settled == nil && ofTheKernel6(u.Route) {
				settled = time.After(100 * time.Millisecond)
			}
		case <-settled:
			settled = nil
			r.rematch(ctx)
		}
	}
}

// apply takes the machine's settings in force.
func (r *run) apply(ctx context.Context) error {
	if err := r.m.start(ctx); err != nil {
		return err
	}
	// Commands that come before the network do not take of its time.
	r.late = time.After(r.m.timeout())
	r.names()
	r.work(ctx)
	r.checkReady(ctx)
	return nil
}

// read reads the config. One with errors is used as far as it is good.
func (r *run) read() Settings {
	s, err := r.Load()
	if err != nil {
		r.Log.Warn("config has errors; what is good of it is used", "err", err)
	}
	for _, p := range s.Problems {
		r.Log.Warn("network config", "problem", p.String())
	}
	return s
}

// set makes a machine of the settings. Leases of links that stay are kept.
func (r *run) set(s Settings) {
	if s.Network == nil {
		s.Network = &network.Config{}
	}
	old := r.m
	r.settings = s
	r.m = newMachine(s.Network, Options{LeaseDir: r.Leases, Hostname: s.Hostname, Hooks: true, Log: r.Log})
	if old != nil {
		_, r.m.leases = old.snapshot()
	}
}

// stopWorkers ends them all and waits for them.
func (r *run) stopWorkers() {
	for name, w := range r.workers {
		w.stop()
		w.wg.Wait()
		delete(r.workers, name)
	}
}

// work starts a worker for each link that has none, and stops those whose link
// is gone.
func (r *run) work(ctx context.Context) {
	targets, _ := r.m.snapshot()
	for name, w := range r.workers {
		if !slices.ContainsFunc(targets, func(t Target) bool { return t.Name == name }) {
			w.stop()
			w.wg.Wait()
			delete(r.workers, name)
			delete(r.records, name)
			r.m.forget(name)
		}
	}
	for _, t := range targets {
		if r.workers[t.Name] == nil {
			r.workers[t.Name] = r.startWorker(ctx, t)
		}
	}
}

func (r *run) startWorker(ctx context.Context, t Target) *worker {
	ctx, stop := context.WithCancel(ctx)
	w := &worker{target: t, stop: stop, carrier: make(chan struct{}, 1), waiting: map[string]bool{}}
	done := func(e LinkRecord) {
		e.Name = t.Name
		select {
		case r.events <- e:
		case <-ctx.Done():
		}
	}
	c := t.Config
	if c.Manual || c.Kind == network.Loopback {
		return w
	}
	spawn := func(method string, f func()) {
		w.waiting[method] = true
		w.wg.Go(f)
	}
	if n, ok := r.settings.Wifi[c.WifiNetwork]; ok {
		w.wg.Go(func() { r.wifi(ctx, t.Name, n) })
	}
	if c.DHCP4 {
		spawn("dhcp4", func() { r.m.keep4(ctx, t, w.carrier, done) })
	}
	if c.DHCP6 || c.IPv6Mode == "dhcp-stateless" {
		spawn("dhcp6", func() { r.m.keep6(ctx, t, done) })
	}
	if c.IPv4LL {
		spawn("ipv4ll", func() { done(r.m.linkLocal(ctx, t)) })
	}
	if len(c.Addresses) > 0 {
		spawn("static", func() { done(static(ctx, t)) })
	}
	return w
}

// hear takes the answers that are there already.
func (r *run) hear(ctx context.Context) {
	for {
		select {
		case e := <-r.events:
			r.answered(ctx, e)
		default:
			return
		}
	}
}

// answered notes what a worker says. The first good answer runs post_up.
func (r *run) answered(ctx context.Context, e LinkRecord) {
	w := r.workers[e.Name]
	if w == nil {
		return
	}
	if r.records[e.Name] == nil {
		r.records[e.Name] = map[string]LinkRecord{}
	}
	r.records[e.Name][e.Method] = e
	delete(w.waiting, e.Method)
	if e.Err == "" && !w.up {
		w.up = true
		r.m.run(ctx, e.Name, w.target.Config.PostUp)
	}
	r.names()
	r.checkReady(ctx)
	r.write()
}

// checkReady says ready when no link that boot waits for is still waiting.
func (r *run) checkReady(ctx context.Context) {
	for _, w := range r.workers {
		if len(w.waiting) > 0 && !w.target.Config.Optional {
			return
		}
	}
	r.nowReady(ctx, "every link has answered")
}

// silent names the links that boot waits for.
func (r *run) silent() string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(r.workers)) {
		w := r.workers[name]
		if len(w.waiting) > 0 && !w.target.Config.Optional {
			out = append(out, name+" ("+strings.Join(slices.Sorted(maps.Keys(w.waiting)), ", ")+")")
		}
	}
	return strings.Join(out, ", ")
}

func (r *run) nowReady(ctx context.Context, why string) {
	if r.ready {
		return
	}
	r.ready = true
	r.m.run(ctx, "", r.m.cfg.PostCommands)
	r.Log.Info("network is up", "why", why)
	r.write()
	r.check(ctx)
	if r.Ready != nil {
		r.Ready()
		r.Ready = nil
	}
}

// rematch looks at the devices again after some came or went.
func (r *run) rematch(ctx context.Context) {
	if err := r.m.match(); err != nil {
		r.Log.Error("links not read", "err", err)
		return
	}
	targets, _ := r.m.snapshot()
	for _, t := range targets {
		if r.workers[t.Name] == nil {
			r.Log.Info("new link", "link", t.Name)
			r.m.run(ctx, t.Name, t.Config.PreUp)
		}
	}
	r.m.adopt()
	if err := r.m.converge(); err != nil {
		r.Log.Error("new links not configured", "err", err)
	}
	r.work(ctx)
	r.names()
	r.write()
}

// names writes resolv.conf and names the machine.
func (r *run) names() {
	targets, leases := r.m.snapshot()
	d := DNS(r.m.cfg, targets, leases, r.settings.DefaultDNS)
	if _, err := WriteResolvConf(r.ResolvConf, d); err != nil {
		r.Log.Error("name servers not written", "err", err)
	}
	// A name from the config is set by cloud-init-execute.
	if r.settings.KeepHostname || r.settings.Hostname != "" {
		return
	}
	// One that a person or docker-machine has set since stays until ours changes.
	name := Hostname("", targets, leases, r.settings.DefaultHostname)
	if name == r.named {
		return
	}
	r.named = name
	if err := SetHostname(name, r.Hosts); err != nil && !errors.Is(err, unix.EPERM) {
		r.Log.Error("host name not set", "err", err)
	}
}
