package services

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// Options say how Up does its work. System is needed; the rest may be left out.
type Options struct {
	// System is System Docker.
	System Docker
	// User returns User Docker once it answers. It is called once the service
	// docker has started. Without it, services of the user's scope are reported as
	// failed.
	User   func(context.Context) (Docker, error)
	Policy Policy
	// Reload reads the config again; it is called when a service with reloadconfig
	// has started.
	Reload func(context.Context) (Project, []error)
	// Online waits until other machines can be reached. Up calls it once, before
	// the first service that comes after the network. Default: Online.
	Online func(context.Context) error
	// Files returns an archive that a service gets before it starts, or nil. See
	// package writefiles.
	Files func(ctx context.Context, service string) (io.Reader, error)
	// OnHost runs services that ask for it as processes of the machine, and waits
	// for their end: a container costs as much as all that cloud-init does. It is
	// for callers outside of all containers; without it they are containers.
	OnHost bool
	// Report is told of every service when it is done, one at a time.
	Report func(Result)
	// Log gets what a person may want to see while it goes on.
	Log *slog.Logger
}

// A Result is what was done for one service.
type Result struct {
	Action
	Took time.Duration
	// Err says why it could not be done.
	Err error
}

// An outcome is a Result, and what the config has become if it was read again.
type outcome struct {
	Result
	reloaded *Project
	problems []error
}

// Services that we know of: the one that brings links up, the one that is User
// Docker, and the one that loads images into it.
const (
	networkService = "network"
	dockerService  = "docker"
	preloadService = "preload-user-images"
)

// Up makes p run: services in their order, side by side where the order lets
// them. One that fails is reported, and the rest go on. The error joins all
// that went wrong.
func Up(ctx context.Context, p Project, opt Options) ([]Result, error) {
	opt.Log = cmp.Or(opt.Log, slog.New(slog.DiscardHandler))
	if opt.Online == nil {
		opt.Online = Online
	}
	r := &run{Options: opt, project: p.Name, auths: p.Auths, ended: make(chan outcome), state: map[string]progress{}}
	r.online = sync.OnceValue(func() error { return r.Online(ctx) })
	r.user = sync.OnceValues(func() (*engine, error) {
		if opt.User == nil {
			return nil, errors.New("user docker is not there")
		}
		d, err := opt.User(ctx)
		if err != nil {
			return nil, err
		}
		return newEngine(ctx, d)
	})
	var err error
	if r.system, err = newEngine(ctx, opt.System); err != nil {
		return nil, err
	}
	r.take(ctx, p)
	r.loop(ctx)
	return r.results, errors.Join(r.errs...)
}

type progress int

const (
	waiting progress = iota
	busy
	done
)

// A run is one Up. All but the fields of the first group belong to the loop.
type run struct {
	Options
	project string
	auths   map[string]RegistryAuth
	online  func() error
	system  *engine
	user    func() (*engine, error)
	ended   chan outcome

	order   *order
	state   map[string]progress
	results []Result
	errs    []error
}

// take makes p what is to be brought up. What has been done already stays so.
func (r *run) take(ctx context.Context, p Project) {
	p.Services = slices.Clone(p.Services)
	for i := range p.Services {
		s := &p.Services[i]
		if !s.System || s.OnHost && r.OnHost || s.Name == networkService || slices.Contains(s.After, networkService) || r.state[s.Name] != waiting {
			continue
		}
		if id, err := r.system.image(ctx, s.Image()); err == nil && id == "" {
			s.After = append(slices.Clone(s.After), networkService) // it has to be pulled
		}
	}
	o, problems := newOrder(p.Services)
	r.order, r.errs = o, append(r.errs, problems...)
}

// loop starts whatever may start, until nothing is left.
func (r *run) loop(ctx context.Context) {
	slow := time.NewTicker(10 * time.Second)
	defer slow.Stop()
	for r.startReady(ctx) > 0 {
		select {
		case <-slow.C:
			r.Log.Info("still waiting", "services", strings.Join(r.busy(), " "))
		case res := <-r.ended:
			r.state[res.Name] = done
			r.results = append(r.results, res.Result)
			if res.Err != nil {
				r.errs = append(r.errs, fmt.Errorf("service %s: %w", res.Name, res.Err))
			}
			if r.Report != nil {
				r.Report(res.Result)
			}
			r.errs = append(r.errs, res.problems...)
			if res.reloaded != nil {
				r.take(ctx, *res.reloaded)
			}
		}
	}
}

// startReady starts what waits for nothing any more, and returns how many are
// being worked on.
func (r *run) startReady(ctx context.Context) int {
	for _, name := range r.order.names() {
		ready := !slices.ContainsFunc(r.order.waitsFor(name), func(other string) bool { return r.state[other] != done })
		if r.state[name] == waiting && ready {
			r.state[name] = busy
			go r.one(ctx, r.order.known[name])
		}
	}
	return len(r.busy())
}

func (r *run) busy() []string {
	var out []string
	for name, p := range r.state {
		if p == busy {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// one brings up one service and says so to the loop.
func (r *run) one(ctx context.Context, s *Service) {
	start := time.Now()
	var res outcome
	res.Action, res.Err = r.bring(ctx, s)
	res.Name = s.Name
	res.Took = time.Since(start)
	if s.Reload && res.Err == nil && r.Reload != nil {
		// Definitions may have to be fetched; who does not wait for s goes on.
		p, problems := r.Reload(ctx)
		res.reloaded, res.problems = &p, problems
	}
	r.ended <- res
}

func (r *run) bring(ctx context.Context, s *Service) (Action, error) {
	if s.OnHost && r.OnHost {
		return Action{Verb: Start, Why: "it runs at every boot"}, r.onHost(ctx, s)
	}
	e := r.system
	if !s.System {
		var err error
		if e, err = r.user(); err != nil {
			return Action{}, err
		}
	}
	id, err := e.image(ctx, s.Image())
	if err != nil {
		return Action{}, err
	}
	if id == "" || s.Online {
		if err := r.online(); err != nil { // the service may do without
			r.Log.Warn("no default route", "service", s.Name, "err", err)
		}
	}
	if id == "" {
		r.Log.Info("pull", "service", s.Name, "image", s.Image())
		if err := pull(ctx, e.Docker, s.Image(), authFor(r.auths, s.Image())); err != nil {
			return Action{}, err
		}
		if id, err = e.image(ctx, s.Image()); err != nil {
			return Action{}, err
		}
	}
	have := Have{Containers: e.containers, Images: map[string]string{s.Image(): id}}
	a := decide(have, s, r.Policy)
	return a, r.apply(ctx, e, s, a)
}

// apply does a.
func (r *run) apply(ctx context.Context, e *engine, s *Service, a Action) (err error) {
	old := e.containers[s.Name]
	id := old.ID
	switch a.Verb {
	case Create:
		id, err = e.Create(ctx, s.Name, r.labelled(s))
	case Replace:
		id, err = r.replace(ctx, e, s, old)
	}
	if err != nil {
		return err
	}
	if s.CreateOnly || r.Policy.NoStart {
		return nil
	}
	if a.Verb != Keep {
		// A service without its files is better than none.
		missing := putFiles(ctx, e, r.Files, s.Name, id)
		defer func() { err = errors.Join(err, missing) }()
		err = e.Start(ctx, id)
		if err != nil && a.Verb == Start && s.Rebuild != "false" {
			// What a power cut left of a container may not start any more.
			r.Log.Warn("start failed, make it anew", "service", s.Name, "err", err)
			if id, err = r.replace(ctx, e, s, old); err == nil {
				err = e.Start(ctx, id)
			}
		}
		if err != nil {
			return fmt.Errorf("start: %w", err)
		}
	}
	if s.Name == dockerService && r.User != nil {
		// What comes after it wants an engine that answers.
		if _, err := r.user(); err != nil {
			return err
		}
	}
	if !s.Wait {
		return nil
	}
	code, err := e.Wait(ctx, id)
	if err != nil {
		return fmt.Errorf("wait for its end: %w", err)
	}
	if code != 0 {
		return fmt.Errorf("it ended with code %d; see `ros service logs %s`", code, s.Name)
	}
	return nil
}

// putFiles gives a container the files that are meant for it.
func putFiles(ctx context.Context, d Docker, files func(context.Context, string) (io.Reader, error), name, id string) error {
	if files == nil {
		return nil
	}
	archive, err := files(ctx, name)
	if archive != nil {
		if perr := d.Put(ctx, id, archive); perr != nil {
			err = errors.Join(err, fmt.Errorf("put files: %w", perr))
		}
	}
	return err
}

// replace makes the new container before the old one goes: when it cannot be
// made, the old one is still there.
func (r *run) replace(ctx context.Context, e *engine, s *Service, old Container) (string, error) {
	next := s.Name + ".new"
	if left, ok := e.containers[next]; ok { // by a power cut
		if err := e.Remove(ctx, left.ID, true); err != nil {
			return "", fmt.Errorf("remove %s: %w", next, err)
		}
	}
	id, err := e.Create(ctx, next, r.labelled(s).withVolumes(e.ownVolumes(s, old)))
	if err != nil {
		return "", err
	}
	if old.Running {
		if err := e.Stop(ctx, old.ID, -1); err != nil {
			r.Log.Warn("stop failed, remove it", "service", s.Name, "err", err)
		}
	}
	if err := e.Remove(ctx, old.ID, true); err != nil {
		return "", fmt.Errorf("remove the old one: %w", err)
	}
	if err := e.Rename(ctx, id, s.Name); err != nil {
		return "", fmt.Errorf("rename %s: %w", next, err)
	}
	return id, nil
}

// labelled is s with the labels by which it is known again.
func (r *run) labelled(s *Service) *Service {
	out, config := *s, *s.Config
	config.Labels = map[string]string{labelHash: s.Hash(), labelProject: r.project}
	for k, v := range s.Config.Labels {
		config.Labels[k] = v
	}
	out.Config = &config
	return &out
}

// An engine is a Docker and what it had when Up began.
type engine struct {
	Docker
	containers map[string]Container

	mu     sync.Mutex
	images map[string]string
}

func newEngine(ctx context.Context, d Docker) (*engine, error) {
	list, err := d.Containers(ctx)
	if err != nil {
		return nil, err
	}
	e := &engine{Docker: d, containers: map[string]Container{}, images: map[string]string{}}
	for _, c := range list {
		e.containers[c.Name] = c
	}
	return e, nil
}

// ownVolumes are the anonymous volumes of a container that it does not have from
// another one by volumes_from.
func (e *engine) ownVolumes(s *Service, c Container) map[string]string {
	own := maps.Clone(c.Volumes)
	for _, from := range s.Host.VolumesFrom {
		name, _, _ := strings.Cut(from, ":")
		for at := range e.containers[name].Volumes {
			delete(own, at)
		}
	}
	return own
}

// image is the identity of an image; it is asked for once, until it is there.
func (e *engine) image(ctx context.Context, name string) (string, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if id := e.images[name]; id != "" {
		return id, nil
	}
	id, err := e.ImageID(ctx, name)
	if err == nil {
		e.images[name] = id
	}
	return id, err
}

// pull tries three times, a moment apart.
func pull(ctx context.Context, d Docker, image string, auth *RegistryAuth) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Minute)
	defer cancel()
	for pause := time.Second; ; pause *= 4 {
		err := d.Pull(ctx, image, auth)
		if err == nil || pause > 4*time.Second {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause):
		}
	}
}
