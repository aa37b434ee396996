// Package execute makes the machine what its config says: users, files,
// mounts, commands. It is a table of appliers that each look, compare and
// change; a second run changes nothing.
package execute

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"rancheros/cloudconfig"
	"rancheros/cloudinit/state"
	"rancheros/cloudinit/tree"
)

// A Phase is when in the boot an applier runs.
type Phase int

const (
	// PreConsole is before the console's container: the kernel, disks, mounts.
	PreConsole Phase = iota
	// Console is in the console, where users live. On any other Linux it is
	// simply later.
	Console
	// Final is the end of Console: what users wrote to run.
	Final
)

// Every is how often an applier runs.
type Every string

const (
	// Boot is every boot, Instance once for each instance, Once one time only.
	Boot     Every = "boot"
	Instance Every = "instance"
	Once     Every = "once"
	// Never is for users who turn an applier off.
	Never Every = "never"
)

// An Applier makes one part of the config true.
type Applier struct {
	Name  string
	Phase Phase
	Every Every
	Apply func(ctx context.Context, t *Target, c *cloudconfig.Config) error
}

// A Result is how one applier went.
type Result struct {
	Name string `json:"name"`
	// Outcome is changed, unchanged, skipped or failed.
	Outcome string `json:"outcome"`
	// Why it was skipped or failed.
	Why      string   `json:"why,omitempty"`
	Warnings []string `json:"warnings,omitempty"`
	Seconds  float64  `json:"seconds"`
	Changes  []Change `json:"changes,omitempty"`

	start time.Time
	full  []tree.Change
	phase Phase
}

// A Change is one line of what an applier did.
type Change struct {
	Op     string `json:"op"`
	Path   string `json:"path,omitempty"`
	Target string `json:"target,omitempty"`
	Mode   string `json:"mode,omitempty"`
	// Diff is there in a plan only.
	Diff string `json:"diff,omitempty"`
}

// Outcomes of an applier.
const (
	Changed   = "changed"
	Unchanged = "unchanged"
	Skipped   = "skipped"
	Failed    = "failed"
)

// A Report is what a run did.
type Report struct {
	Version    int      `json:"version"`
	InstanceID string   `json:"instance_id,omitempty"`
	Results    []Result `json:"results"`

	// warnings belong to no applier.
	warnings []string
}

// Options choose among the appliers; empty means all.
type Options struct {
	Phases []Phase
	Only   []string
	// Again runs what runs once per instance although it has run, and leaves no
	// stamp: a person asked for it.
	Again bool
}

// A skip is why an applier has nothing to do.
type skip string

func (s skip) Error() string { return string(s) }

// Skip is returned by an applier that has nothing to do; reason is for people.
func Skip(reason string) error { return skip(reason) }

// Run applies c. Every applier gets its turn whatever becomes of the others;
// the error joins theirs. The report is whole in any case.
func Run(ctx context.Context, t *Target, c *cloudconfig.Config, o Options) (*Report, error) {
	r := &Report{Version: 1, InstanceID: t.InstanceID, Results: []Result{}}
	var errs []error
	every, err := frequencies(c)
	if err != nil {
		errs = append(errs, err)
	}
	for _, a := range Appliers(t.Ours) {
		if len(o.Phases) > 0 && !slices.Contains(o.Phases, a.Phase) || len(o.Only) > 0 && !slices.Contains(o.Only, a.Name) {
			continue
		}
		if f, ok := every[a.Name]; ok {
			a.Every = f
		}
		if o.Again {
			a.Every = Boot
		}
		res, err := t.apply(ctx, a, c)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", a.Name, err))
			t.failed = errors.Join(errs...)
		}
		r.Results = append(r.Results, res)
	}
	errs = append(errs, t.settle())
	return r, errors.Join(errs...)
}

// settle makes what was done survive a power cut, and only then the stamps of
// those who have had their turn.
func (t *Target) settle() error {
	errs := []error{t.Tree.Sync()}
	for _, a := range t.turns {
		errs = append(errs, t.stamp(a))
	}
	t.turns = nil
	return errors.Join(append(errs, t.Tree.Sync())...)
}

// apply runs one applier and says how it went.
func (t *Target) apply(ctx context.Context, a Applier, c *cloudconfig.Config) (Result, error) {
	start := t.Now()
	res := Result{Name: a.Name, start: start, phase: a.Phase}
	before := len(t.Tree.Changes())
	t.warnings, t.applier = nil, a.Name
	event, text := eventOf(a)
	t.reports.Start(event, text)
	why, err := t.turn(ctx, a, c)
	res.full = t.Tree.Changes()[before:]
	res.Changes = t.show(res.full)
	res.Warnings = t.warnings
	res.Seconds = t.Now().Sub(start).Seconds()
	switch {
	case err != nil:
		res.Outcome, res.Why = Failed, err.Error()
	case len(res.full) > 0:
		res.Outcome = Changed
	case why != "":
		res.Outcome, res.Why = Skipped, why
	default:
		res.Outcome = Unchanged
	}
	if err == nil {
		why = strings.Join(res.Warnings, "; ")
	}
	t.reports.Finish(event, because(text, cmp.Or(res.Why, why)), resultOf(res.Outcome, res.Warnings))
	return res, err
}

// turn gives an applier its turn, if it is due; why it had nothing to do is no
// error.
func (t *Target) turn(ctx context.Context, a Applier, c *cloudconfig.Config) (why string, err error) {
	if err := t.due(a); err != nil {
		return skipped(err)
	}
	t.undone, t.starting = false, nil
	if a.atMostOnce() {
		// A command may restart the machine: it must not do so at every boot.
		t.starting = sync.OnceValue(func() error { return errors.Join(t.stamp(a), t.Tree.Sync()) })
	}
	why, err = skipped(guard(func() error { return a.Apply(ctx, t, c) }))
	// What had nothing to do, or could not run its programs here, has not had
	// its turn.
	if why != "" || t.undone {
		return why, err
	}
	if err == nil || a.atMostOnce() {
		t.turns = append(t.turns, a)
	}
	return "", err
}

// skipped takes the reason out of an error that is none.
func skipped(err error) (why string, _ error) {
	if s, ok := errors.AsType[skip](err); ok {
		return string(s), nil
	}
	return "", err
}

func unskipped(err error) error {
	_, err = skipped(err)
	return err
}

// guard turns a panic into an error: one applier never takes the others down.
func guard(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("it broke off: %v", p)
		}
	}()
	return f()
}

func (t *Target) show(all []tree.Change) []Change {
	var out []Change
	for _, c := range all {
		s := Change{Op: c.Op, Path: c.Path, Target: c.Target}
		if c.Mode != 0 {
			s.Mode = fmt.Sprintf("%04o", c.Mode)
		}
		if t.Tree.Planned() {
			s.Diff = c.Diff()
		}
		out = append(out, s)
	}
	return out
}

// Events are the report as lines of this boot's record.
func (r *Report) Events() []state.Event {
	var all []state.Event
	for _, res := range r.Results {
		end := res.start.Add(time.Duration(res.Seconds * float64(time.Second)))
		all = append(all, state.NewEvent(stageOf(res.phase), res.Name, res.start, end, res.Outcome, res.Why))
	}
	return all
}

func stageOf(p Phase) string {
	switch p {
	case PreConsole:
		return state.Init
	case Console:
		return state.ModulesConfig
	}
	return state.ModulesFinal
}

// Problems are the errors and warnings of one phase, for status.json.
func (r *Report) Problems(p Phase) (errs, warnings []string) {
	for _, res := range r.Results {
		if res.phase != p {
			continue
		}
		if res.Outcome == Failed {
			errs = append(errs, res.Name+": "+res.Why)
		}
		for _, w := range res.Warnings {
			warnings = append(warnings, res.Name+": "+w)
		}
	}
	return errs, warnings
}

// Save keeps the report where `ros cloud-init` and tests find it. Two phases of
// one boot are two runs: what an earlier one said stays.
func (r *Report) Save(t *tree.Tree) error {
	merged := Report{Version: r.Version, InstanceID: r.InstanceID}
	if old, err := LoadReport(t); err == nil && old.InstanceID == r.InstanceID {
		for _, res := range old.Results {
			if !slices.ContainsFunc(r.Results, func(n Result) bool { return n.Name == res.Name }) {
				merged.Results = append(merged.Results, res)
			}
		}
	}
	merged.Results = append(merged.Results, r.Results...)
	return state.WriteJSON(t, state.Report, merged, true)
}

// LoadReport reads what the last run of this boot did.
func LoadReport(t *tree.Tree) (*Report, error) {
	b, err := t.ReadFile(state.Report)
	if err != nil {
		return nil, err
	}
	r := &Report{}
	if err := json.Unmarshal(b, r); err != nil {
		return nil, fmt.Errorf("read %s: %w", state.Report, err)
	}
	return r, nil
}
