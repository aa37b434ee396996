package cron

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"rancheros/services"
)

// A fakeDocker notes what is started and when.
type fakeDocker struct {
	mu         sync.Mutex
	containers []services.Container
	started    []string
}

func (f *fakeDocker) Containers(context.Context) ([]services.Container, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.containers), nil
}

func (f *fakeDocker) Start(_ context.Context, id string) error {
	f.started = append(f.started, fmt.Sprintf("%s %s", id, time.Now().UTC().Format("15:04:05")))
	return nil
}

func container(id, schedule string) services.Container {
	return services.Container{ID: id, Name: id, Labels: map[string]string{label: schedule}}
}

func TestContainersStartOnTheirSchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeDocker{containers: []services.Container{
			container("hourly", "@hourly"), container("quarter", "*/15 * * * *"), container("seconds", "30 20 0 * * ?"),
			container("broken", "tomorrow"), container("never", "0 0 30 2 *"), {ID: "other"},
		}}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour+time.Second)
		defer cancel()
		(&table{docker: f, log: slog.New(slog.DiscardHandler)}).run(ctx, nil)
		want := []string{
			"quarter 00:15:00", "seconds 00:20:30", "quarter 00:30:00", "quarter 00:45:00", "hourly 01:00:00", "quarter 01:00:00",
		}
		if diff := cmp.Diff(want, f.started); diff != "" {
			t.Errorf("started (-want +got):\n%s", diff)
		}
	})
}

func TestANewContainerIsSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeDocker{}
		changed := make(chan struct{})
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
		defer cancel()
		go func() {
			time.Sleep(90 * time.Second)
			f.mu.Lock()
			f.containers = append(f.containers, container("new", "* * * * *"))
			f.mu.Unlock()
			changed <- struct{}{}
		}()
		(&table{docker: f, log: slog.New(slog.DiscardHandler)}).run(ctx, changed)
		if diff := cmp.Diff([]string{"new 00:02:00"}, f.started[:1]); diff != "" {
			t.Errorf("started (-want +got):\n%s", diff)
		}
	})
}
