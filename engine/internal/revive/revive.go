// Package revive starts containers again that Docker has given up.
//
// After each death of a container with a restart policy Docker starts it once.
// When that start fails, for instance because the shim that several services
// share dies in the same moment, the container stays down for good, whatever
// its policy. On a machine whose every service is a container nobody may be
// left to notice, so System Docker looks after itself.
package revive

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/client"
)

const (
	// patience is how long Docker has to start a container again by itself. It
	// tries after 100 ms, later after up to a minute, which shows as "restarting".
	patience = 5 * time.Second
	// longest wait between two tries to start the same container.
	longest = time.Minute
	// retry is how long to wait for an engine that does not answer (yet).
	retry = time.Second
)

// Watch revives containers of the engine at host (unix:///path) until ctx ends.
func Watch(ctx context.Context, host string, log *slog.Logger) {
	c, err := client.New(client.WithHost(host))
	if err != nil {
		log.Error("containers that Docker gives up stay down", "engine", host, "err", err)
		return
	}
	defer c.Close()
	filters := make(client.Filters).Add("type", string(events.ContainerEventType))
	for ctx.Err() == nil {
		stream, cancel := context.WithCancel(ctx)
		e := c.Events(stream, client.EventsListOptions{Filters: filters})
		(&ward{docker: engine{c}, log: log}).run(stream, e.Messages, e.Err)
		cancel()
		wait(ctx, retry)
	}
}

func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// docker is the little of the engine that is needed here.
type docker interface {
	// State is what became of a container. Keep says whether its policy wants it
	// to run until somebody stops it.
	State(ctx context.Context, id string) (state container.ContainerState, keep bool, err error)
	Start(ctx context.Context, id string) error
}

// A ward watches over containers that died and were not stopped by anybody.
type ward struct {
	docker docker
	log    *slog.Logger
	down   map[string]*patient
	// stopped are those that somebody ended; Docker leaves them down on purpose.
	stopped map[string]bool
}

// A patient is a container that died.
type patient struct {
	name string
	look time.Time // when to look at it next
	wait time.Duration
}

// run follows the engine's events until their stream ends.
func (w *ward) run(ctx context.Context, messages <-chan events.Message, ended <-chan error) {
	w.down, w.stopped = map[string]*patient{}, map[string]bool{}
	timer := time.NewTimer(longest)
	defer timer.Stop()
	for {
		timer.Reset(w.next(time.Now()))
		select {
		case m := <-messages:
			w.note(m, time.Now())
		case <-ended:
			return
		case <-timer.C:
			w.visit(ctx, time.Now())
		}
	}
}

func (w *ward) next(now time.Time) time.Duration {
	d := longest
	for _, p := range w.down {
		d = min(d, p.look.Sub(now))
	}
	return max(d, 0)
}

// note takes an event in. Docker says "kill" before "die" when it was asked.
func (w *ward) note(m events.Message, now time.Time) {
	id := m.Actor.ID
	switch m.Action {
	case events.ActionKill:
		if s := m.Actor.Attributes["signal"]; s == "9" || s == "15" {
			w.stopped[id] = true
		}
	case events.ActionStop:
		w.stopped[id] = true
		delete(w.down, id)
	case events.ActionDie:
		if !w.stopped[id] {
			w.down[id] = &patient{m.Actor.Attributes["name"], now.Add(patience), patience}
		}
	case events.ActionStart, events.ActionDestroy:
		delete(w.down, id)
		delete(w.stopped, id)
	}
}

// visit looks after those whose time has come.
func (w *ward) visit(ctx context.Context, now time.Time) {
	for id, p := range w.down {
		if p.look.After(now) {
			continue
		}
		err := w.revive(ctx, id)
		if err == nil {
			delete(w.down, id)
			continue
		}
		if !errors.Is(err, errRestarting) {
			p.wait = min(2*p.wait, longest)
			w.log.Warn("container does not start; it is tried again", "container", p.name, "in", p.wait, "err", err)
		}
		p.look = now.Add(p.wait)
	}
}

var errRestarting = errors.New("it is being restarted")

// revive starts a container that should run and does not.
func (w *ward) revive(ctx context.Context, id string) error {
	state, keep, err := w.docker.State(ctx, id)
	switch {
	case err != nil:
		return err
	case state == container.StateRestarting:
		return errRestarting
	case state != container.StateExited || !keep:
		return nil
	}
	if err := w.docker.Start(ctx, id); err != nil {
		return err
	}
	w.log.Warn("Docker had given up a container; it was started again", "container", w.down[id].name)
	return nil
}

// engine is the real one.
type engine struct{ client *client.Client }

func (e engine) State(ctx context.Context, id string) (container.ContainerState, bool, error) {
	r, err := e.client.ContainerInspect(ctx, id, client.ContainerInspectOptions{})
	if err != nil {
		return "", false, err
	}
	c := r.Container
	if c.State == nil || c.HostConfig == nil {
		return "", false, nil
	}
	policy := c.HostConfig.RestartPolicy
	return c.State.Status, policy.IsAlways() || policy.IsUnlessStopped(), nil
}

func (e engine) Start(ctx context.Context, id string) error {
	_, err := e.client.ContainerStart(ctx, id, client.ContainerStartOptions{})
	return err
}
