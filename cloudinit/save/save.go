// Package save finds out what this machine was told and keeps it: it picks the
// datasource, fetches, reads the user-data and stores the result, so that
// everything after it, this boot and the next, works from the disk.
package save

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"rancheros/cloudconfig/network"
	"rancheros/cloudconfig/userdata"
	"rancheros/cloudconfig/userdata/fetch"
	"rancheros/cloudinit/state"
	"rancheros/cloudinit/tree"
	"rancheros/datasources"
	"rancheros/paths"
)

// Options of Run. The zero value saves this machine from whatever cloud it is
// in, without bringing a network up.
type Options struct {
	// Root is the machine's file system; "" means "/".
	Root string
	// Host is what is known of the machine; nil looks.
	Host *datasources.Host
	// Kinds are the datasources there are.
	Kinds []datasources.Kind
	// Names are those that the config or a person names, as NAME or NAME:ARG;
	// empty means all that need no argument.
	Names []string
	// Endpoint replaces the address of the cloud's own service.
	Endpoint string
	// HTTP replaces the client of every datasource; nil: each has its own.
	HTTP *http.Client
	// Version is what requests call themselves.
	Version string
	// BringUp makes what a datasource needs of the network work. Nil: it works
	// already, or there is none.
	BringUp func(ctx context.Context, needs datasources.Needs) error
	// Local asks only datasources that need no network: the others are asked
	// later in this boot, by another run.
	Local bool
	// Pool: a machine that its cloud has made in advance tells that it is there
	// and waits for its user, however long that takes.
	Pool bool
	// Early says that the machine's own network services have not run yet. What
	// the user-data includes is then left to a later run of this boot, unless the
	// datasource itself has needed the network. Local means it too.
	Early bool
	// Rename gives links the names that the config has for them; nil: it is left
	// to others.
	Rename func(*network.Config) error
	// Fresh ignores what was saved: the datasource is asked in any case.
	Fresh bool
	// InRun: /run belongs to this boot, as that of the running machine does. Set by
	// Run when Root is "/".
	InRun bool
	// Hook is called before every step of every change; for tests.
	Hook func(step, path string) error
	Log  *slog.Logger
	Now  func() time.Time
}

// A Report is what a run did, the JSON that --output json prints.
type Report struct {
	Version int `json:"version"`
	// Datasource is the kind that was picked, empty when there is none.
	Datasource string `json:"datasource,omitempty"`
	InstanceID string `json:"instance_id,omitempty"`
	// Outcome is new, updated, unchanged, kept (the datasource failed and what
	// was saved before still holds), later (the user-data includes what only the
	// network has), none or disabled.
	Outcome string `json:"outcome"`
	// Requests that were made over the network.
	Requests int      `json:"requests"`
	Seconds  float64  `json:"seconds"`
	Problems []string `json:"problems,omitempty"`
	// Parts of the user-data and vendor-data, and what was kept of them.
	Parts []userdata.Part `json:"parts,omitempty"`
	Files []string        `json:"files,omitempty"`

	events []state.Event
}

// Outcomes.
const (
	New       = "new"
	Updated   = "updated"
	Unchanged = "unchanged"
	Kept      = "kept"
	Later     = "later"
	None      = "none"
	Disabled  = "disabled"
)

// saver is one run.
type saver struct {
	Options
	tree   *tree.Tree
	ours   bool
	report *Report
	// said is what the datasource says of the network, whether or not the rest
	// could be saved; needs is what it needed of it.
	said  *network.Config
	needs datasources.Needs
	later bool
	// off: cloud-init is to do nothing at this boot.
	off bool
	// stage is the part of the run that is timed now.
	began time.Time
}

// Run saves. The machine is as good to boot after an error as before: what was
// saved earlier still holds, and what could be saved was.
func Run(ctx context.Context, o Options) (*Report, error) {
	o.setDefaults()
	tr, err := tree.OpenWithHook(o.Root, o.Hook)
	if err != nil {
		return nil, err
	}
	s := &saver{Options: o, tree: tr, ours: state.IsOurs(tr), report: &Report{Version: 1}, began: o.Now()}
	start := o.Now()
	err = s.run(ctx)
	s.report.Seconds = o.Now().Sub(start).Seconds()
	if err != nil {
		s.problem(err)
	}
	return s.report, errors.Join(err, s.books(start), tr.Close())
}

func (o *Options) setDefaults() {
	if o.Root == "" {
		o.Root = "/"
	}
	o.InRun = o.InRun || o.Root == "/"
	if o.Local {
		o.Early = true
		o.BringUp = func(context.Context, datasources.Needs) error { return errLater }
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Host == nil {
		if o.Root == "/" {
			o.Host = datasources.ThisHost()
		} else {
			o.Host = hostOf(o.Root)
		}
	}
}

// errLater is why a datasource is not asked before the network is up.
var errLater = errors.New("the network is not up yet")

func (s *saver) run(ctx context.Context) error {
	if err := s.finish(); err != nil {
		s.problem(fmt.Errorf("finish what an earlier boot began: %w", err))
	}
	known, err := state.Load(s.tree)
	if err != nil {
		s.problem(err) // what cannot be read is asked for again
	}
	if _, err := s.tree.Remove(state.Disabled); err != nil {
		s.problem(err)
	}
	if err := s.ask(ctx, known); err != nil || s.off {
		return err
	}
	if err := s.network(ctx); err != nil {
		return fmt.Errorf("network config: %w", err)
	}
	return nil
}

// ask picks a datasource and keeps what it says.
func (s *saver) ask(ctx context.Context, known *state.Known) error {
	picked, err := s.pick(ctx, known)
	s.event("pick", err)
	switch {
	case errors.Is(err, datasources.ErrDisabled):
		s.report.Outcome = Disabled
		return s.switchOff(err)
	case errors.Is(err, errLater):
		// This may be another machine: only the network can tell.
		s.report.Outcome = Later
		return nil
	case errors.Is(err, datasources.ErrNone) && known == nil && !s.ours:
		// A package that somebody installed on his laptop leaves it alone.
		s.report.Outcome = None
		return s.switchOff(err)
	case errors.Is(err, datasources.ErrNone):
		return s.keep(known, nil)
	case err != nil:
		return s.keep(known, err)
	case picked.Unchanged:
		s.report.Outcome = Unchanged
		s.report.Datasource, s.report.InstanceID = known.Identity.Datasource, known.Identity.InstanceID
		return s.show(known, nil)
	}
	next := s.know(picked)
	s.said, s.needs = next.Instance.Network, datasources.Candidate{Kind: picked.Kind}.NeedsHere(s.Host)
	s.report.Datasource, s.report.InstanceID = next.Identity.Datasource, next.Identity.InstanceID
	s.report.Outcome = Updated
	if known == nil || known.Identity.InstanceID != next.Identity.InstanceID {
		s.report.Outcome = New
	}
	result, err := s.read(ctx, next)
	s.event("read user-data", err)
	if errors.Is(err, errLater) {
		return s.postpone(known, next)
	}
	if err != nil {
		return err
	}
	err = s.store(known, next, result)
	s.event("keep", err)
	return err
}

// switchOff makes all that comes after us at this boot do nothing.
func (s *saver) switchOff(why error) error {
	s.off = true
	return state.WriteJSON(s.tree, state.Disabled, map[string]string{"why": why.Error()}, false)
}

// postpone leaves the rest to a later run of this boot, when the network is
// there; unless it would only find what was saved before.
func (s *saver) postpone(known, next *state.Known) error {
	if s.report.Outcome == Updated && sameData(known.Instance, next.Instance) {
		s.report.Outcome = Unchanged
		return s.show(known, nil)
	}
	s.report.Outcome = Later
	return nil
}

func sameData(a, b datasources.Instance) bool {
	return bytes.Equal(a.UserData, b.UserData) && bytes.Equal(a.VendorData, b.VendorData) && bytes.Equal(a.VendorData2, b.VendorData2)
}

// keep goes on with what was saved before: a datasource that does not answer
// is no proof that this is another machine.
func (s *saver) keep(known *state.Known, err error) error {
	if known == nil {
		s.report.Outcome = None
		return err
	}
	if err != nil {
		s.problem(fmt.Errorf("%w; what was saved before is used", err))
	}
	s.report.Outcome = Kept
	s.report.Datasource, s.report.InstanceID = known.Identity.Datasource, known.Identity.InstanceID
	return s.show(known, nil)
}

// read makes one config and scripts of what the datasource gave.
func (s *saver) read(ctx context.Context, k *state.Known) (*userdata.Result, error) {
	in := k.Instance
	data, err := s.instanceData(k, nil)
	if err != nil {
		return nil, err
	}
	var n atomic.Int64
	for _, p := range in.Problems {
		s.problem(errors.New(p))
	}
	r, err := userdata.Parse(counting(ctx, &n),
		userdata.Input{UserData: in.UserData, VendorData: in.VendorData, VendorData2: in.VendorData2, InstanceData: data},
		userdata.Options{Fetch: s.fetcher(), Store: urlCache{s.tree, k.Identity.InstanceID}, Systemd: state.HasSystemd(s.tree)})
	s.report.Requests += int(n.Load())
	if s.later {
		return nil, errLater
	}
	if err != nil {
		return nil, fmt.Errorf("read user-data: %w", err)
	}
	for _, p := range r.Problems {
		if p.Severity == userdata.Error {
			s.problem(errors.New(problemText(p)))
		}
	}
	s.report.Parts = r.Parts
	return r, nil
}

// fetcher gets what user-data includes, once the network works.
func (s *saver) fetcher() fetch.Fetcher {
	get := fetch.HTTP(fetch.Options{Retries: 3})
	return func(ctx context.Context, r fetch.Request) ([]byte, error) {
		if s.Early && s.needs < datasources.Network {
			s.later = true
			return nil, errLater
		}
		if s.BringUp != nil {
			if err := s.BringUp(ctx, datasources.Network); err != nil {
				return nil, fmt.Errorf("bring the network up: %w", err)
			}
		}
		return get(ctx, r)
	}
}

func problemText(p userdata.Problem) string {
	where := "user-data"
	if p.Name != "" {
		where += " " + p.Name
	}
	if p.Line > 0 {
		where += fmt.Sprintf(":%d:%d", p.Line, max(p.Column, 1))
	}
	return where + ": " + p.Message
}

func (s *saver) problem(err error) {
	for line := range strings.SplitSeq(err.Error(), "\n") {
		if strings.TrimSpace(line) == "" {
			continue
		}
		s.report.Problems = append(s.report.Problems, line)
	}
}

// event notes how long the part of the run since the last event took.
func (s *saver) event(name string, err error) {
	outcome, why := "done", ""
	if err != nil {
		outcome, why = "failed", err.Error()
	}
	now := s.Now()
	s.report.events = append(s.report.events, state.NewEvent(state.InitLocal, name, s.began, now, outcome, why))
	s.began = now
}

// afterBoot says whether all stages of this boot have ended. Only /run of the
// running machine is made anew at each.
func (s *saver) afterBoot() bool {
	status, ok, err := state.LoadStatus(s.tree)
	return err == nil && ok && s.InRun && status.Stages[state.ModulesFinal].Finished != nil
}

// books writes status and record of this run.
func (s *saver) books(start time.Time) error {
	if s.report.Outcome == Disabled {
		return nil
	}
	if s.afterBoot() {
		// A card was plugged in: the boot, which is over, is not told anew.
		return errors.Join(state.Append(s.tree, s.report.events), state.WriteJSON(s.tree, paths.RunDir+"/save.json", s.report, false))
	}
	status := state.NewStatus()
	if known, err := state.Load(s.tree); err == nil && known != nil {
		name := known.Datasource()
		status.Datasource = &name
	} else {
		none := "DataSourceNone"
		status.Datasource = &none
	}
	return errors.Join(
		status.Begin(s.tree, state.InitLocal, start),
		status.End(s.tree, state.InitLocal, s.Now(), s.report.Problems, nil),
		state.Append(s.tree, s.report.events),
		state.WriteJSON(s.tree, reportFile, s.report, false),
	)
}

const reportFile = paths.RunDir + "/save.json"

// Pending says whether a run of this boot that knows the network is still to
// come.
func Pending(t *tree.Tree) bool {
	if off, _ := state.SwitchedOff(t); off != "" {
		return false
	}
	var r Report
	b, err := t.ReadFile(reportFile)
	return err != nil || json.Unmarshal(b, &r) != nil || r.Outcome == Later
}
