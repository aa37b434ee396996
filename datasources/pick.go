package datasources

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// ErrNone says that there is no datasource: nobody has anything to say to this
// machine.
var ErrNone = errors.New("no datasource found")

// ErrDisabled says that somebody has switched cloud-init off.
var ErrDisabled = errors.New("cloud-init is disabled")

// defaultTimeout is how long one datasource may take.
const defaultTimeout = 3 * time.Minute

// A PickInput is what Pick goes by.
type PickInput struct {
	Host  *Host
	Kinds []Kind
	// Named is rancher.cloud_init.datasources.
	Named []string
	// Only: what the machine's own config says of datasources does not count; a
	// person has asked for Named here and now.
	Only bool
	// Saved is the identity that an earlier boot has saved, if one has.
	Saved *Identity
	// Env is what every Fetch gets; Host and Arg are filled in.
	Env Env
	// BringUp makes links or the network work. It is called before the first
	// datasource that needs it, and once for each level. Nil: all works already.
	BringUp func(ctx context.Context, needs Needs) error
	// Timeout of one datasource: 3 min.
	Timeout time.Duration
}

// An Attempt is one datasource that was tried.
type Attempt struct {
	Kind     string    `json:"kind"`
	Match    Match     `json:"match"`
	Evidence string    `json:"evidence,omitempty"`
	Needs    Needs     `json:"needs"`
	Started  time.Time `json:"started"`
	// Took is how long Fetch took, BringUp how long the network took before it.
	Took    time.Duration `json:"took_ns"`
	BringUp time.Duration `json:"bring_up_ns,omitempty"`
	Error   string        `json:"error,omitempty"`
	// Problems are what was left out of an answer that was good otherwise.
	Problems []string `json:"problems,omitempty"`
}

// A Result is the datasource that was picked, and what it said.
type Result struct {
	Kind Kind
	// Instance is nil when Unchanged.
	Instance *Instance
	Identity Identity
	// Unchanged: this is still the saved instance, by local proof. Nothing was
	// asked, and what was saved holds.
	Unchanged bool
	Choice    Choice
	Attempts  []Attempt
}

// Pick finds the datasource of this machine and what it says. The same machine
// always gives the same answer, and Result.Attempts says how it came about, also
// when there is an error: ErrDisabled, ErrNone, or why what was found could not
// be read.
//
// When a saved identity's datasource is one of the candidates and cannot be
// read now, the error is returned and no other is tried: an outage is no new
// instance.
func Pick(ctx context.Context, in PickInput) (Result, error) {
	var r Result
	var err error
	if r.Choice, err = choose(in.Host, in.Kinds, in.Named, in.Only); err != nil {
		return r, err
	}
	if r.Choice.Disabled != "" {
		return r, fmt.Errorf("%w by %s", ErrDisabled, r.Choice.Disabled)
	}
	if r.Choice.Unknown != nil {
		return r, r.Choice.Unknown
	}
	if k, ok := unchanged(in, r.Choice); ok {
		r.Kind, r.Identity, r.Unchanged = k, *in.Saved, true
		return r, nil
	}
	return r, r.try(ctx, in, toTry(in, r.Choice))
}

// toTry leaves the datasource of the saved identity alone if it is a candidate:
// what it says of identity counts.
func toTry(in PickInput, c Choice) []Candidate {
	if in.Saved != nil {
		i := slices.IndexFunc(c.Candidates, func(c Candidate) bool { return c.Name == in.Saved.Datasource })
		if i >= 0 {
			return c.Candidates[i : i+1]
		}
	}
	if c.Policy.Set && c.Policy.Maybe == "none" {
		return slices.DeleteFunc(slices.Clone(c.Candidates), func(c Candidate) bool { return c.Match == Maybe && !c.Named })
	}
	return c.Candidates
}

// unchanged proves without any network that this is the saved instance.
func unchanged(in PickInput, c Choice) (Kind, bool) {
	if in.Saved == nil || in.Saved.InstanceID == "" {
		return Kind{}, false
	}
	k, ok := Find(in.Kinds, in.Saved.Datasource)
	if !ok || c.By != "" && !slices.ContainsFunc(c.Candidates, func(c Candidate) bool { return c.Name == k.Name }) {
		return Kind{}, false // a person wants another one now
	}
	same := k.Same
	if same == nil {
		same = SameDMI
	}
	return k, same(in.Host, *in.Saved)
}

// try fetches from one candidate after the other.
func (r *Result) try(ctx context.Context, in PickInput, candidates []Candidate) error {
	var errs []error
	up := &level{bring: in.BringUp}
	for _, c := range candidates {
		a, instance, err := attempt(ctx, in, c, up)
		r.Attempts = append(r.Attempts, a)
		if err == nil {
			instance.Datasource = c.Name
			r.Kind, r.Instance, r.Identity = c.Kind, instance, IdentityOf(in.Host, instance)
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("datasource %s: %w", c.Name, err)
		}
		errs = append(errs, fmt.Errorf("datasource %s: %w", c.Name, err))
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	return ErrNone
}

func attempt(ctx context.Context, in PickInput, c Candidate, up *level) (Attempt, *Instance, error) {
	a := Attempt{Kind: c.Name, Match: c.Match, Evidence: c.Evidence, Needs: c.NeedsHere(in.Host), Started: time.Now()}
	instance, err := func() (*Instance, error) {
		if err := up.reach(ctx, a.Needs); err != nil {
			return nil, fmt.Errorf("bring the network up: %w", err)
		}
		a.BringUp = time.Since(a.Started)
		for {
			instance, err := fetchOnce(ctx, in, c)
			if _, waiting := errors.AsType[*Waiting](err); !waiting || !in.Env.Pool || ctx.Err() != nil {
				return instance, err
			}
			in.Env.Log.Info("waiting", "datasource", c.Name, "why", err)
			// The user's network is another one than the pool's.
			if err := up.again(ctx, a.Needs); err != nil {
				in.Env.Log.Warn("bring the network up again", "err", err)
			}
		}
	}()
	a.Took = time.Since(a.Started) - a.BringUp
	if err != nil {
		a.Error = err.Error()
	} else {
		a.Problems = instance.Problems
	}
	return a, instance, err
}

func fetchOnce(ctx context.Context, in PickInput, c Candidate) (*Instance, error) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(in.Timeout, defaultTimeout))
	defer cancel()
	env := in.Env
	env.Host, env.Arg = in.Host, c.Arg
	instance, err := c.Fetch(ctx, env)
	if err == nil && instance == nil {
		err = errors.New("it says nothing")
	}
	return instance, err
}

// A level is how far the network is up.
type level struct {
	bring func(context.Context, Needs) error
	have  Needs
}

// again brings up what is up already.
func (l *level) again(ctx context.Context, needs Needs) error {
	l.have = Local
	return l.reach(ctx, needs)
}

func (l *level) reach(ctx context.Context, needs Needs) error {
	if needs <= l.have || l.bring == nil {
		return nil
	}
	if err := l.bring(ctx, needs); err != nil {
		return err
	}
	l.have = needs
	return nil
}

// String is local, link or network.
func (n Needs) String() string {
	return [...]string{"local", "link", "network"}[min(max(n, Local), Network)]
}

// MarshalText writes String.
func (n Needs) MarshalText() ([]byte, error) { return []byte(n.String()), nil }

// String is no, maybe or yes.
func (m Match) String() string { return [...]string{"no", "maybe", "yes"}[min(max(m, No), Yes)] }

// MarshalText writes String.
func (m Match) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// Report is what DatasourceReport holds: the picked datasource and how it came
// about.
func (r Result) Report(err error) ([]byte, error) {
	v := struct {
		Version   int       `json:"version"`
		Picked    string    `json:"picked,omitempty"`
		Unchanged bool      `json:"unchanged,omitempty"`
		By        string    `json:"limited_by,omitempty"`
		Disabled  string    `json:"disabled,omitempty"`
		Identity  *Identity `json:"identity,omitempty"`
		Attempts  []Attempt `json:"attempts"`
		Error     string    `json:"error,omitempty"`
	}{Version: 1, Picked: r.Kind.Name, Unchanged: r.Unchanged, By: r.Choice.By, Disabled: r.Choice.Disabled, Attempts: r.Attempts}
	if r.Kind.Name != "" {
		v.Identity = &r.Identity
	}
	if v.Attempts == nil {
		v.Attempts = []Attempt{}
	}
	if err != nil {
		v.Error = strings.ReplaceAll(err.Error(), "\n", "; ")
	}
	return json.MarshalIndent(v, "", "  ")
}
