package execute

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"rancheros/cloudconfig"
	"rancheros/cloudinit/state"
)

// Machine applies the machine's own config in the given phases, keeps status
// and record, and last starts what waits for that. The error joins all that
// went wrong; the report is whole in any case.
func Machine(ctx context.Context, t *Target, o Options) (*Report, error) {
	c, cerr := t.LoadConfig()
	return t.machine(ctx, c, cerr, o)
}

// Config is Machine with a config that the caller has loaded.
func Config(ctx context.Context, t *Target, c *cloudconfig.Config, o Options) (*Report, error) {
	if t.Ours {
		t.fromMetadata()
	}
	return t.machine(ctx, c, nil, o)
}

func (t *Target) machine(ctx context.Context, c *cloudconfig.Config, cerr error, o Options) (*Report, error) {
	status, told, err := state.LoadStatus(t.Tree)
	// One applier that a person runs again does not tell anew how the boot went.
	silent := told && len(o.Only) > 0
	errs := []error{err, cerr}
	whole := &Report{Version: 1, InstanceID: t.InstanceID, Results: []Result{}}
	lerr := t.openLedger()
	if lerr != nil {
		errs = append(errs, lerr)
	}
	t.Doubt = t.Doubt || cerr != nil || lerr != nil || len(status.Stages[state.InitLocal].Errors) > 0
	if err := t.openReports(ctx, c); err != nil {
		t.Log.Warn("reporting", "err", err)
		cerr = errors.Join(cerr, err)
		errs = append(errs, err)
	}
	for _, p := range []Phase{PreConsole, Console, Final} {
		if len(o.Phases) > 0 && !slices.Contains(o.Phases, p) {
			continue
		}
		if !t.Tree.Planned() && !silent {
			errs = append(errs, t.begin(status, p))
		}
		r, err := t.phase(ctx, c, p, o)
		whole.Results = append(whole.Results, r.Results...)
		errs = append(errs, err)
		if t.Tree.Planned() {
			continue
		}
		lines, warnings := r.Problems(p)
		if cerr != nil && p == firstOf(o.Phases) {
			lines = append(strings.Split(cerr.Error(), "\n"), lines...)
		}
		if silent {
			errs = append(errs, t.quietly(func() error { return state.Append(t.Tree, r.Events()) }))
			continue
		}
		errs = append(errs, t.quietly(func() error {
			return errors.Join(status.End(t.Tree, stageOf(p), t.Now(), lines, append(r.warnings, warnings...)), state.Append(t.Tree, r.Events()))
		}))
	}
	if !t.Tree.Planned() {
		errs = append(errs, t.saveLedger(), t.quietly(func() error { return whole.Save(t.Tree) }), t.Tree.Sync())
		t.ledger = nil
		// Who hears of it must hear it before the machine goes down.
		t.closeReports(ctx)
		errs = append(errs, t.later(ctx))
	}
	return whole, errors.Join(errs...)
}

// phase is one part of the run: told, and with its output where it belongs.
func (t *Target) phase(ctx context.Context, c *cloudconfig.Config, p Phase, o Options) (*Report, error) {
	var errs []error
	if p == PreConsole {
		errs = append(errs, t.tellSaved())
	}
	end := t.tellStage(p)
	done, warnings := t.Redirect(ctx, c, p)
	r, err := Run(ctx, t, c, Options{Phases: []Phase{p}, Only: o.Only, Again: o.Again})
	done()
	r.warnings = warnings
	end(r)
	return r, errors.Join(append(errs, err)...)
}

// begin notes that a phase starts. Stages before it that nothing has noted,
// because nothing was saved, have nothing to do.
func (t *Target) begin(s *state.Status, p Phase) error {
	return t.quietly(func() error {
		for _, name := range state.Stages() {
			if name == stageOf(p) {
				break
			}
			if st := s.Stages[name]; st.Finished == nil {
				if err := s.End(t.Tree, name, t.Now(), nil, nil); err != nil {
					return err
				}
			}
		}
		return s.Begin(t.Tree, stageOf(p), t.Now())
	})
}

func firstOf(phases []Phase) Phase {
	if len(phases) == 0 {
		return PreConsole
	}
	return slices.Min(phases)
}

// later starts what waited for the record to be whole.
func (t *Target) later(ctx context.Context) error {
	var errs []error
	for _, argv := range t.Later {
		if !t.Live && !t.Chroot {
			continue
		}
		if err := t.Run(t.Command(ctx, argv...)); err != nil {
			errs = append(errs, fmt.Errorf("run %s: %w", argv[0], err))
		}
	}
	t.Later = nil
	return errors.Join(errs...)
}
