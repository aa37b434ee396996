package save

import (
	"context"
	"errors"
	"net/http/httptrace"
	"slices"
	"sync/atomic"

	"go.yaml.in/yaml/v4"

	"rancheros/cloudconfig"
	"rancheros/cloudinit/state"
	"rancheros/datasources"
	"rancheros/paths"
)

// pick finds the datasource that answers, and keeps how that came about.
func (s *saver) pick(ctx context.Context, known *state.Known) (*datasources.Result, error) {
	var n atomic.Int64
	in := datasources.PickInput{Host: s.Host, Kinds: s.Kinds, Named: s.Names, BringUp: s.BringUp, Saved: s.saved(known),
		Env: datasources.Env{HTTP: s.HTTP, Endpoint: s.Endpoint, Version: s.Version, Pool: s.Pool, Log: s.Log}}
	r, err := datasources.Pick(counting(ctx, &n), in)
	s.report.Requests += int(n.Load())
	report, rerr := r.Report(err)
	if rerr == nil {
		_, rerr = s.tree.WriteFile(paths.DatasourceReport, append(report, '\n'), public)
	}
	return &r, errors.Join(err, rerr)
}

// saved is the identity that Pick may prove to be still ours. A drive or file
// is read again at every boot: that costs nothing, and people change them. So
// for these the proof is taken away and only the name of the datasource stays.
func (s *saver) saved(known *state.Known) *datasources.Identity {
	if known == nil || s.Fresh {
		return nil
	}
	id := known.Identity
	if k, ok := datasources.Find(s.Kinds, id.Datasource); ok && k.Needs == datasources.Local && (k.NeedsOn == nil || k.NeedsOn(s.Host) == datasources.Local) {
		id.InstanceID = ""
	}
	if s.everyBoot() {
		id.InstanceID = ""
	}
	return &id
}

// everyBoot says whether the config wants the network config asked for again at
// every boot: updates.network.when names boot.
func (s *saver) everyBoot() bool {
	var doc struct {
		Updates cloudconfig.Updates `yaml:"updates"`
	}
	b, err := s.tree.ReadFile(state.Instance + "/cloud-config.txt")
	if err != nil || yaml.Unmarshal(b, &doc) != nil {
		return false // what is wrong with it is said elsewhere
	}
	when := doc.Updates.Network.When
	return slices.Contains(when, "boot") || slices.Contains(when, "boot-legacy")
}

// hostOf is the machine whose root is a folder.
func hostOf(dir string) *datasources.Host {
	h, err := datasources.RecordedHost(dir)
	if err != nil {
		return datasources.ThisHost()
	}
	return h
}

// counting is a context whose HTTP requests are counted, whoever makes them.
func counting(ctx context.Context, n *atomic.Int64) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) { n.Add(1) }})
}
