package save

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"rancheros/datasources"
)

// An attempt is one datasource that was looked at.
type attempt struct {
	Datasource string  `json:"datasource"`
	Match      string  `json:"match"`
	Evidence   string  `json:"evidence,omitempty"`
	Seconds    float64 `json:"seconds"`
	Err        string  `json:"error,omitempty"`
	Picked     bool    `json:"picked,omitempty"`
}

// candidate is a kind that may be asked.
type candidate struct {
	kind    datasources.Kind
	arg     string
	finding datasources.Finding
	needs   datasources.Needs
	order   int
}

// pick finds the datasource that answers; nil when none does.
func (s *saver) pick(ctx context.Context) (*picked, error) {
	var n atomic.Int64
	list, err := s.candidates()
	if err != nil {
		return nil, err
	}
	var tried []attempt
	var errs []error
	var found *picked
	for _, c := range list {
		start := time.Now()
		a := attempt{Datasource: c.kind.Name, Match: [...]string{"no", "maybe", "yes"}[c.finding.Match], Evidence: c.finding.Evidence}
		in, err := s.fetchFrom(ctx, c, &n)
		a.Seconds = time.Since(start).Seconds()
		if err != nil {
			a.Err = err.Error()
			errs = append(errs, fmt.Errorf("%s: %w", c.kind.Name, err))
		}
		a.Picked = err == nil
		tried = append(tried, a)
		if err == nil {
			found = &picked{c.kind, in}
			break
		}
	}
	s.report.Requests += int(n.Load())
	if err := s.attempts(map[string]any{"version": 1, "attempts": tried}); err != nil {
		errs = append(errs, err)
	}
	if found != nil {
		return found, nil
	}
	return nil, errors.Join(errs...)
}

// candidates are the kinds to ask, the surest and nearest first.
func (s *saver) candidates() ([]candidate, error) {
	var list []candidate
	add := func(k datasources.Kind, arg string, named bool) {
		c := candidate{kind: k, arg: arg, needs: k.Needs, order: len(list)}
		if k.Detect != nil {
			c.finding = k.Detect(s.Host)
		}
		if k.NeedsOn != nil {
			c.needs = k.NeedsOn(s.Host)
		}
		if named && c.finding.Match == datasources.No && arg == "" && s.Endpoint == "" && len(s.Names) > 1 {
			return
		}
		if !named && (c.finding.Match == datasources.No || k.Explicit) {
			return
		}
		list = append(list, c)
	}
	for _, n := range s.Names {
		name, arg, _ := strings.Cut(n, ":")
		if name == "*" {
			for _, k := range s.Kinds {
				add(k, "", false)
			}
			continue
		}
		i := slices.IndexFunc(s.Kinds, func(k datasources.Kind) bool {
			return strings.EqualFold(k.Name, name) || strings.EqualFold(k.Upstream, name) || slices.Contains(k.Aliases, name)
		})
		if i < 0 {
			return nil, fmt.Errorf("rancher.cloud_init.datasources: there is no datasource %q; see `ros datasource list`", name)
		}
		add(s.Kinds[i], arg, true)
	}
	if len(s.Names) == 0 {
		for _, k := range s.Kinds {
			add(k, "", false)
		}
	}
	slices.SortStableFunc(list, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(b.finding.Match, a.finding.Match), cmp.Compare(a.needs, b.needs), cmp.Compare(a.order, b.order))
	})
	return list, nil
}

func (s *saver) fetchFrom(ctx context.Context, c candidate, n *atomic.Int64) (*datasources.Instance, error) {
	if c.needs != datasources.Local && s.BringUp != nil {
		if err := s.BringUp(ctx, c.needs); err != nil {
			return nil, fmt.Errorf("bring the network up: %w", err)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	return c.kind.Fetch(ctx, datasources.Env{Host: s.Host, Arg: c.arg, HTTP: counted(s.HTTP, n), Endpoint: s.Endpoint, Log: s.Log})
}
