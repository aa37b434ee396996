package services

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"
)

// ErrAbsent is returned for a service that has no container.
var ErrAbsent = errors.New("it has no container; make one with `ros service up`")

// A Control does to services by name what a person asks for.
type Control struct {
	Project Project
	System  Docker
	// User returns User Docker. It is called when a service of it is named.
	User func(context.Context) (Docker, error)
	// Files is that of Options.
	Files func(ctx context.Context, service string) (io.Reader, error)
}

// A State is a service and what is there of it.
type State struct {
	Name string `json:"name"`
	// Scope is system or user.
	Scope string `json:"scope"`
	Image string `json:"image"`
	// State is running, exited, created, absent, or unknown when User Docker does
	// not answer.
	State string `json:"state"`
	// Status is for people: Up 3 minutes.
	Status string `json:"status,omitempty"`
	ID     string `json:"id,omitempty"`
}

// A found is a service with its container, if it has one.
type found struct {
	*Service
	docker Docker
	Container
	there bool
	// err says why it is not known whether there is one.
	err error
}

// find looks for the containers of the named services, or of all: these are
// also found where User Docker does not answer, for that may be the question.
func (c *Control) find(ctx context.Context, names []string) ([]found, error) {
	p, unknown := c.Project.Only(names...)
	if len(unknown) > 0 {
		return nil, fmt.Errorf("no service %s; see `ros service list --all`", strings.Join(unknown, ", "))
	}
	system, err := byName(ctx, c.System)
	if err != nil {
		return nil, err
	}
	user := sync.OnceValues(func() (map[string]found, error) {
		d, err := c.User(ctx)
		if err != nil {
			return nil, err
		}
		return byName(ctx, d)
	})
	var out []found
	for i := range p.Services {
		s := &p.Services[i]
		have, err := system, error(nil)
		if !s.System {
			have, err = user()
		}
		if err != nil && len(names) > 0 {
			return nil, fmt.Errorf("service %s runs in user docker: %w", s.Name, err)
		}
		f := have[s.Name]
		f.Service, f.err = s, err
		out = append(out, f)
	}
	return out, nil
}

func byName(ctx context.Context, d Docker) (map[string]found, error) {
	list, err := d.Containers(ctx)
	if err != nil {
		return nil, err
	}
	out := map[string]found{}
	for _, c := range list {
		out[c.Name] = found{docker: d, Container: c, there: true}
	}
	return out, nil
}

// Ps tells the state of the named services, or of all.
func (c *Control) Ps(ctx context.Context, names ...string) ([]State, error) {
	all, err := c.find(ctx, names)
	if err != nil {
		return nil, err
	}
	var out []State
	for _, f := range all {
		s := State{Name: f.Service.Name, Scope: "user", Image: f.Service.Image(), State: "absent", Status: f.Container.Status, ID: f.ID}
		if f.System {
			s.Scope = "system"
		}
		switch {
		case f.err != nil:
			s.State, s.Status = "unknown", "user docker does not answer"
		case !f.there:
		case f.Running:
			s.State = "running"
		case strings.HasPrefix(f.Container.Status, "Created"):
			s.State = "created"
		default:
			s.State = "exited"
		}
		out = append(out, s)
	}
	return out, nil
}

// each does one thing to the containers of the named services, those that came
// up last first when backwards is set. One that fails does not keep back the
// others.
func (c *Control) each(ctx context.Context, names []string, backwards bool, do func(found) error) error {
	all, err := c.find(ctx, names)
	if err != nil {
		return err
	}
	o, _ := newOrder(c.Project.Services)
	place := map[string]int{}
	for i, name := range o.sorted() {
		place[name] = i
	}
	slices.SortStableFunc(all, func(a, b found) int {
		if backwards {
			a, b = b, a
		}
		return place[a.Service.Name] - place[b.Service.Name]
	})
	var errs []error
	for _, f := range all {
		switch {
		case f.err != nil:
			errs = append(errs, fmt.Errorf("service %s runs in user docker: %w", f.Service.Name, f.err))
		case f.there:
			if err := do(f); err != nil {
				errs = append(errs, fmt.Errorf("service %s: %w", f.Service.Name, err))
			}
		case len(names) > 0:
			errs = append(errs, fmt.Errorf("service %s: %w", f.Service.Name, ErrAbsent))
		}
	}
	return errors.Join(errs...)
}

// Start starts containers that are there.
func (c *Control) Start(ctx context.Context, names ...string) error {
	return c.each(ctx, names, false, func(f found) error { return c.start(ctx, f) })
}

// Stop stops containers; a negative timeout means what each one's definition
// says.
func (c *Control) Stop(ctx context.Context, timeout time.Duration, names ...string) error {
	return c.each(ctx, names, true, func(f found) error { return f.docker.Stop(ctx, f.ID, timeout) })
}

// Restart stops and starts containers.
func (c *Control) Restart(ctx context.Context, timeout time.Duration, names ...string) error {
	return c.each(ctx, names, false, func(f found) error {
		if f.Running {
			if err := f.docker.Stop(ctx, f.ID, timeout); err != nil {
				return err
			}
		}
		return c.start(ctx, f)
	})
}

func (c *Control) start(ctx context.Context, f found) error {
	missing := putFiles(ctx, f.docker, c.Files, f.Service.Name, f.ID)
	return errors.Join(missing, f.docker.Start(ctx, f.ID))
}

// Kill sends a signal to what runs.
func (c *Control) Kill(ctx context.Context, signal string, names ...string) error {
	return c.each(ctx, names, true, func(f found) error {
		if !f.Running {
			return nil
		}
		return f.docker.Kill(ctx, f.ID, signal)
	})
}

// Rm removes containers. One that runs is only removed by force.
func (c *Control) Rm(ctx context.Context, force, volumes bool, names ...string) error {
	return c.each(ctx, names, true, func(f found) error {
		if f.Running && !force {
			return errors.New("it runs; stop it first, or use --force")
		}
		return f.docker.Remove(ctx, f.ID, volumes)
	})
}

// Pull fetches the images of services.
func (c *Control) Pull(ctx context.Context, told func(service, image string), names ...string) error {
	all, err := c.find(ctx, names)
	if err != nil {
		return err
	}
	user := sync.OnceValues(func() (Docker, error) { return c.User(ctx) })
	var errs []error
	for _, f := range all {
		d := c.System
		if !f.System {
			if d, err = user(); err != nil {
				errs = append(errs, fmt.Errorf("service %s runs in user docker: %w", f.Service.Name, err))
				continue
			}
		}
		told(f.Service.Name, f.Service.Image())
		errs = append(errs, pull(ctx, d, f.Service.Image(), authFor(c.Project.Auths, f.Service.Image())))
	}
	return errors.Join(errs...)
}

// Logs copies what services have written, each line with the service's name
// when there are several.
func (c *Control) Logs(ctx context.Context, lines int, follow bool, out io.Writer, names ...string) error {
	all, err := c.find(ctx, names)
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(f found) bool { return !f.there })
	if len(all) == 0 {
		return errors.New("none of these services has a container")
	}
	var (
		mu   sync.Mutex
		wg   sync.WaitGroup
		errs = make([]error, len(all))
	)
	for i, f := range all {
		prefix := ""
		if len(all) > 1 {
			prefix = f.Service.Name + " | "
		}
		show := func() {
			w := &lineWriter{to: out, mu: &mu, prefix: prefix}
			if errs[i] = f.docker.Logs(ctx, f.ID, lines, follow, w, w); ctx.Err() != nil {
				errs[i] = nil // Ctrl-C is how one stops following
			}
			w.flush()
		}
		if follow {
			wg.Go(show)
		} else {
			show()
		}
	}
	wg.Wait()
	return errors.Join(errs...)
}

// A lineWriter puts a name before every line, and lets no two writers mix in
// one.
type lineWriter struct {
	to     io.Writer
	mu     *sync.Mutex
	prefix string
	rest   []byte
}

// maxLine is where a line without an end is broken.
const maxLine = 1 << 16

func (w *lineWriter) Write(p []byte) (int, error) {
	w.rest = append(w.rest, p...)
	for {
		i := slices.Index(w.rest, '\n')
		if i < 0 && len(w.rest) < maxLine {
			return len(p), nil
		}
		if i < 0 {
			i = len(w.rest) - 1
		}
		if err := w.line(w.rest[:i+1]); err != nil {
			return 0, err
		}
		w.rest = w.rest[i+1:]
	}
}

func (w *lineWriter) line(b []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, err := fmt.Fprintf(w.to, "%s%s", w.prefix, b)
	return err
}

func (w *lineWriter) flush() {
	if len(w.rest) > 0 {
		_ = w.line(append(w.rest, '\n'))
	}
}
