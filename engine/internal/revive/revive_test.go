package revive

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/events"
)

// fake is an engine with one container. fails is how often its start fails.
type fake struct {
	state  container.ContainerState
	keep   bool
	fails  int
	starts int
}

func (f *fake) State(context.Context, string) (container.ContainerState, bool, error) {
	return f.state, f.keep, nil
}

func (f *fake) Start(context.Context, string) error {
	f.starts++
	if f.fails > 0 {
		f.fails--
		return errors.New("ttrpc: closed")
	}
	f.state = container.StateRunning
	return nil
}

func event(action events.Action, attributes map[string]string) events.Message {
	return events.Message{Action: action, Actor: events.Actor{ID: "1", Attributes: attributes}}
}

func TestWhoIsStartedAgain(t *testing.T) {
	die, stop, start := event(events.ActionDie, nil), event(events.ActionStop, nil), event(events.ActionStart, nil)
	kill := func(signal string) events.Message {
		return event(events.ActionKill, map[string]string{"signal": signal})
	}
	for _, c := range []struct {
		name   string
		docker fake
		events []events.Message
		starts int
		within time.Duration
	}{
		{"one that Docker gave up", fake{state: container.StateExited, keep: true}, []events.Message{die}, 1, patience + time.Second},
		{"not before Docker had its time", fake{state: container.StateExited, keep: true}, []events.Message{die}, 0, patience - time.Second},
		{"again and again until it starts", fake{state: container.StateExited, keep: true, fails: 3}, []events.Message{die}, 4, 3 * time.Minute},
		{"not one that Docker started", fake{state: container.StateExited, keep: true}, []events.Message{die, start}, 0, time.Hour},
		{"not one that is up whatever the events say", fake{state: container.StateRunning, keep: true}, []events.Message{die}, 0, time.Hour},
		{"not one that Docker is still at", fake{state: container.StateRestarting, keep: true}, []events.Message{die}, 0, time.Hour},
		{"not one without a policy", fake{state: container.StateExited}, []events.Message{die}, 0, time.Hour},
		{"not one that was killed by docker kill", fake{state: container.StateExited, keep: true}, []events.Message{kill("9"), die}, 0, time.Hour},
		{"not one that was stopped", fake{state: container.StateExited, keep: true}, []events.Message{kill("15"), die, stop}, 0, time.Hour},
		{"not one that was stopped while it was down", fake{state: container.StateExited, keep: true}, []events.Message{die, stop}, 0, time.Hour},
		{"one that got SIGHUP once", fake{state: container.StateExited, keep: true}, []events.Message{kill("1"), die}, 1, time.Hour},
		{"one that was stopped and started before", fake{state: container.StateExited, keep: true}, []events.Message{kill("15"), die, stop, start, die}, 1, time.Hour},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				messages, ended := make(chan events.Message), make(chan error)
				go (&ward{docker: &c.docker, log: slog.New(slog.DiscardHandler)}).run(t.Context(), messages, ended)
				for _, m := range c.events {
					messages <- m
				}
				time.Sleep(c.within)
				synctest.Wait()
				if c.docker.starts != c.starts {
					t.Errorf("started %d times, want %d", c.docker.starts, c.starts)
				}
				close(ended)
			})
		})
	}
}
