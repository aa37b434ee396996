// Package cron starts containers at the times that their label cron.schedule
// says.
package cron

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/moby/moby/client"
	"github.com/robfig/cron/v3"

	"rancheros/services"
)

// label holds five fields, six with seconds first, or @hourly and its like.
const label = "cron.schedule"

// socket is where Docker is seen from the container that this runs in.
const socket = "/var/run/system-docker.sock"

// Main is `ros system-cron [SOCKET]`.
func Main(ctx context.Context, args []string) int {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	at := socket
	if len(args) > 0 {
		at = args[0]
	}
	e, err := services.Connect(at)
	if err == nil {
		defer e.Close()
		err = e.Ready(ctx, 5*time.Minute)
	}
	if err != nil {
		log.Error("system-cron", "err", err)
		return 1
	}
	changed := make(chan struct{}, 1)
	go watch(ctx, e, changed, log)
	(&table{docker: e, log: log}).run(ctx, changed)
	return 0
}

// watch tells when containers come and go.
func watch(ctx context.Context, e *services.Engine, changed chan<- struct{}, log *slog.Logger) {
	retry := time.NewTicker(5 * time.Second)
	defer retry.Stop()
	for {
		stream, cancel := context.WithCancel(ctx)
		events := e.Client().Events(stream, client.EventsListOptions{
			Filters: make(client.Filters).Add("type", "container").Add("event", "create", "destroy", "rename"),
		})
		tell(changed) // whatever happened while nobody watched
		for watching := true; watching; {
			select {
			case <-events.Messages:
				tell(changed)
			case err := <-events.Err:
				log.Warn("events", "err", err)
				watching = false
			}
		}
		cancel()
		select {
		case <-ctx.Done():
			return
		case <-retry.C:
		}
	}
}

func tell(changed chan<- struct{}) {
	select {
	case changed <- struct{}{}:
	default: // it has been told
	}
}

// A docker is the little of Docker that is needed here.
type docker interface {
	Containers(ctx context.Context) ([]services.Container, error)
	Start(ctx context.Context, id string) error
}

// A job is a container and its schedule.
type job struct {
	services.Container
	spec     string
	schedule cron.Schedule
	next     time.Time
}

// A table holds the jobs by the containers' identities.
type table struct {
	docker docker
	log    *slog.Logger
	jobs   map[string]*job
}

// nap is how long to sleep at most: the clock of a machine may be set while we
// wait, and a timer does not see that.
const nap = time.Minute

func (t *table) run(ctx context.Context, changed <-chan struct{}) {
	t.read(ctx, time.Now())
	for {
		timer := time.NewTimer(t.wait(time.Now()))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-changed:
			timer.Stop()
			t.read(ctx, time.Now())
		case <-timer.C:
			t.fire(ctx, time.Now())
		}
	}
}

func (t *table) wait(now time.Time) time.Duration {
	d := nap
	for _, j := range t.jobs {
		d = min(d, j.next.Sub(now))
	}
	return max(d, 0)
}

// read takes over the containers that there are now. A job that stays keeps its
// time.
func (t *table) read(ctx context.Context, now time.Time) {
	list, err := t.docker.Containers(ctx)
	if err != nil {
		t.log.Warn("containers", "err", err)
		return
	}
	jobs := map[string]*job{}
	for _, c := range list {
		spec := c.Labels[label]
		if spec == "" {
			continue
		}
		if old, ok := t.jobs[c.ID]; ok && old.spec == spec {
			old.Container = c
			jobs[c.ID] = old
			continue
		}
		schedule, err := parse(spec)
		if err != nil {
			t.log.Warn("schedule", "container", c.Name, "err", err)
			continue
		}
		jobs[c.ID] = &job{c, spec, schedule, schedule.Next(now)}
		t.log.Info("schedule", "container", c.Name, "at", spec, "next", jobs[c.ID].next)
	}
	t.jobs = jobs
}

// fire starts what is due. One that still runs is left alone, by Docker itself.
func (t *table) fire(ctx context.Context, now time.Time) {
	for _, id := range slices.Sorted(maps.Keys(t.jobs)) {
		j := t.jobs[id]
		if j.next.After(now) {
			continue
		}
		j.next = j.schedule.Next(now)
		t.log.Info("start", "container", j.Name, "next", j.next)
		if err := t.docker.Start(ctx, id); err != nil {
			t.log.Warn("start", "container", j.Name, "err", err)
		}
	}
}

func parse(spec string) (cron.Schedule, error) {
	s, err := cron.NewParser(cron.SecondOptional | cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor).Parse(spec)
	if err != nil {
		return nil, fmt.Errorf("%s: %q: %w", label, spec, err)
	}
	if s.Next(time.Now()).IsZero() {
		return nil, fmt.Errorf("%s: %q: that day never comes", label, spec)
	}
	return s, nil
}
