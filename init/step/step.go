// Package step runs the phases of boot: tables of named steps that a person
// can read, each graded, timed and recorded.
package step

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// A Step is one thing boot does. Make one with Must or Should.
type Step[M any] struct {
	name string
	run  func(context.Context, M) error
	must bool
}

// Must is a step without which boot cannot go on.
func Must[M any](name string, run func(context.Context, M) error) Step[M] {
	return Step[M]{name: name, run: run, must: true}
}

// Should is a step whose failure is noted and lived with.
func Should[M any](name string, run func(context.Context, M) error) Step[M] {
	return Step[M]{name: name, run: run}
}

// Outcomes of a step.
const (
	Done    = "done"
	Skipped = "skipped"
	Failed  = "failed"
)

// A Result is the record of one step.
type Result struct {
	Phase string `json:"phase"`
	Name  string `json:"name"`
	// Start is in seconds since the kernel started.
	Start float64 `json:"start_s"`
	Took  float64 `json:"took_s"`
	// Outcome is done, skipped or failed; Detail says why it was not done.
	Outcome string `json:"outcome"`
	Detail  string `json:"detail,omitempty"`
}

type skip string

func (s skip) Error() string { return string(s) }

// Skip is what a step returns when there was nothing to do, and why.
func Skip(format string, a ...any) error { return skip(fmt.Sprintf(format, a...)) }

// A Runner runs phases and keeps their record.
type Runner struct {
	Log *slog.Logger
	// Record gets one JSON object a line. May be nil.
	Record io.Writer
	// Still is how often a step that does not end says so; 0 means 10 s.
	Still time.Duration
}

// Run runs steps in order until one that Must succeed does not.
func Run[M any](ctx context.Context, r Runner, phase string, m M, steps []Step[M]) error {
	for i, s := range steps {
		log := r.Log.With("step", s.name)
		start, at := time.Now(), Uptime()
		err := watch(ctx, r, log, s, m)
		res := Result{Phase: phase, Name: s.name, Start: at, Took: time.Since(start).Seconds(), Outcome: Done}
		pos := fmt.Sprintf("[%d/%d]", i+1, len(steps))
		switch why, skipped := errors.AsType[skip](err); {
		case skipped:
			res.Outcome, res.Detail = Skipped, string(why)
			r.Log.Debug(pos + " " + s.name + ": skipped, " + string(why))
		case err == nil:
			r.Log.Info(fmt.Sprintf("%s %s (%.0f ms)", pos, s.name, res.Took*1000))
		default:
			res.Outcome, res.Detail = Failed, err.Error()
			// Joined errors, such as every problem of a config, a line each: the
			// kernel's log cuts long ones.
			for line := range strings.Lines(err.Error()) {
				r.Log.Warn(pos + " " + s.name + ": " + strings.TrimSpace(line))
			}
		}
		r.Write(res)
		if res.Outcome == Failed && s.must {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return nil
}

// watch runs one step and says that it is still running when it does not end.
func watch[M any](ctx context.Context, r Runner, log *slog.Logger, s Step[M], m M) error {
	still := r.Still
	if still == 0 {
		still = 10 * time.Second
	}
	done := make(chan error, 1)
	start := time.Now()
	go func() {
		defer func() {
			// A bug in one step must not take PID 1 down.
			if p := recover(); p != nil {
				done <- fmt.Errorf("panic: %v", p)
			}
		}()
		done <- s.run(ctx, m)
	}()
	tick := time.NewTicker(still)
	defer tick.Stop()
	for {
		select {
		case err := <-done:
			return err
		case <-tick.C:
			log.Warn("still running", "for", time.Since(start).Round(time.Second))
		}
	}
}

// Write adds a result that no step made to the record.
func (r Runner) Write(res Result) {
	if r.Record == nil {
		return
	}
	b, err := json.Marshal(res)
	if err != nil {
		return // strings and numbers always marshal
	}
	if _, err := r.Record.Write(append(b, '\n')); err != nil {
		r.Log.Debug("record not written", "err", err)
	}
}

// Uptime is how long the kernel has run, in seconds.
func Uptime() float64 {
	b, err := os.ReadFile("/proc/uptime")
	if err != nil {
		return 0
	}
	var up float64
	if _, err := fmt.Sscan(string(b), &up); err != nil {
		return 0
	}
	return up
}

// OpenRecord opens a record for appending.
func OpenRecord(path string) (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	return os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
}

// ReadRecord reads the record of this boot. A line that is cut short by a
// crash ends it.
func ReadRecord(path string) ([]Result, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var all []Result
	for dec := json.NewDecoder(f); ; {
		var r Result
		if err := dec.Decode(&r); err != nil {
			return all, nil
		}
		all = append(all, r)
	}
}
