// Package report tells others how provisioning goes: a log, the console, a web
// server, the host of a virtual machine. Nobody who does not listen holds up
// the boot.
package report

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"rancheros/cloudconfig"
	"rancheros/cloudinit/state"
)

// Results of what has ended, as upstream's receivers know them.
const (
	Success = "SUCCESS"
	Warn    = "WARN"
	Fail    = "FAIL"
)

// An Event is the start or the end of something.
type Event struct {
	// Name is a path: modules-config, modules-config/config-users.
	Name, Description string
	// Result is empty for a start.
	Result string
	At     time.Time
}

// kind is the event's type as upstream calls it.
func (e Event) kind() string {
	if e.Result == "" {
		return "start"
	}
	return "finish"
}

// String is the event as a line of a log.
func (e Event) String() string {
	if e.Result == "" {
		return fmt.Sprintf("start: %s: %s", e.Name, e.Description)
	}
	return fmt.Sprintf("finish: %s: %s: %s", e.Name, e.Result, e.Description)
}

// Edges are the parts of the machine that receivers need; nil: not there.
type Edges struct {
	// OpenLog opens /var/log/cloud-init.log for appending.
	OpenLog func(name string) (io.WriteCloser, error)
	// Console is where print writes.
	Console io.Writer
	// Live says that this is the running machine: only then others are told.
	Live bool
	HTTP *http.Client
	// File is the path on this machine of what a config calls path.
	File func(path string) string
	Now  func() time.Time
	Log  *slog.Logger
}

// A receiver hears of events.
type receiver interface {
	tell(e Event) error
	// close waits until all is told, or ctx ends.
	close(ctx context.Context) error
}

// Reports are the receivers of one run. A nil one tells nobody.
type Reports struct {
	edges     Edges
	receivers map[string]receiver
	// gone are those that failed: each is named once.
	gone map[string]bool
}

// kinds are the receivers that there are, by type.
var kinds = map[string]func(ctx context.Context, r cloudconfig.Reporter, e Edges) (receiver, error){
	"log":     newLog,
	"print":   newPrint,
	"webhook": newWebhook,
	"hyperv":  newHyperV,
	"none":    func(context.Context, cloudconfig.Reporter, Edges) (receiver, error) { return nil, nil },
}

// Default is what is told without any config: upstream's has the same name.
const Default = "logging"

// Open makes the receivers of `reporting`. What cannot be made is named by the
// error and left out.
func Open(ctx context.Context, cfg map[string]cloudconfig.Reporter, e Edges) (*Reports, error) {
	r := &Reports{edges: e, receivers: map[string]receiver{}, gone: map[string]bool{}}
	all := map[string]cloudconfig.Reporter{Default: {Type: "log"}}
	for name, c := range cfg {
		all[name] = c
	}
	var errs []error
	for name, c := range all {
		make, ok := kinds[c.Type]
		if !ok {
			errs = append(errs, fmt.Errorf("reporting.%s: type %q is none of log, print, webhook, hyperv, none", name, c.Type))
			continue
		}
		one, err := make(ctx, c, e)
		if err != nil {
			errs = append(errs, fmt.Errorf("reporting.%s: %w", name, err))
		}
		if one != nil {
			r.receivers[name] = one
		}
	}
	return r, errors.Join(errs...)
}

// Start tells that something begins.
func (r *Reports) Start(name, description string) {
	if r != nil {
		r.Tell(Event{Name: name, Description: description, At: r.edges.Now()})
	}
}

// Finish tells how it ended.
func (r *Reports) Finish(name, description, result string) {
	if r != nil {
		r.Tell(Event{Name: name, Description: description, Result: result, At: r.edges.Now()})
	}
}

// Tell tells all. One that fails is not asked again in this run.
func (r *Reports) Tell(e Event) {
	if r == nil {
		return
	}
	for name, one := range r.receivers {
		if r.gone[name] {
			continue
		}
		if err := one.tell(e); err != nil {
			r.gone[name] = true
			r.edges.Log.Warn("reporting."+name+" hears no more of this run", "err", err)
		}
	}
}

// Close waits for receivers that are behind, not for long.
func (r *Reports) Close(ctx context.Context) {
	if r == nil {
		return
	}
	for name, one := range r.receivers {
		if err := one.close(ctx); err != nil && !r.gone[name] {
			r.edges.Log.Warn("reporting."+name, "err", err)
		}
	}
}

// Stage is upstream's name of one of our stages in events.
func Stage(stage string) string {
	if stage == state.Init {
		return "init-network"
	}
	return stage
}
