package state

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"rancheros/cloudinit/tree"
)

// The stages of one boot, in order, as upstream calls them.
const (
	InitLocal     = "init-local"
	Init          = "init"
	ModulesConfig = "modules-config"
	ModulesFinal  = "modules-final"
)

var stages = []string{InitLocal, Init, ModulesConfig, ModulesFinal}

// Stages are the names of the stages of one boot, in order.
func Stages() []string { return slices.Clone(stages) }

// A Stage is how one part of provisioning went.
type Stage struct {
	// Start and Finished are seconds since 1970; nil: not yet.
	Start    *float64 `json:"start"`
	Finished *float64 `json:"finished"`
	Errors   []string `json:"errors"`
	// Recoverable are problems by level (WARNING, DEPRECATED) that stopped
	// nothing.
	Recoverable map[string][]string `json:"recoverable_errors"`
}

// A Status is the content of status.json below its version.
type Status struct {
	// Datasource is what was picked, as upstream prints it:
	// "DataSourceNoCloud [seed=/dev/vdb]". Nil: none yet.
	Datasource *string
	// Stage is what runs now; nil: nothing.
	Stage  *string
	Stages map[string]*Stage
}

// NewStatus is the status before anything has run.
func NewStatus() *Status {
	s := &Status{Stages: map[string]*Stage{}}
	for _, name := range stages {
		s.Stages[name] = &Stage{Errors: []string{}, Recoverable: map[string][]string{}}
	}
	return s
}

// MarshalJSON writes upstream's shape.
func (s *Status) MarshalJSON() ([]byte, error) {
	v1 := map[string]any{"datasource": s.Datasource, "stage": s.Stage}
	for name, st := range s.Stages {
		v1[name] = st
	}
	return json.Marshal(map[string]any{"v1": v1})
}

// UnmarshalJSON reads upstream's shape; stages that are missing have not run.
func (s *Status) UnmarshalJSON(b []byte) error {
	var doc struct {
		V1 map[string]json.RawMessage `json:"v1"`
	}
	if err := json.Unmarshal(b, &doc); err != nil {
		return err
	}
	*s = *NewStatus()
	for key, raw := range doc.V1 {
		var err error
		switch {
		case key == "datasource":
			err = json.Unmarshal(raw, &s.Datasource)
		case key == "stage":
			err = json.Unmarshal(raw, &s.Stage)
		case slices.Contains(stages, key):
			err = json.Unmarshal(raw, s.Stages[key])
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// LoadStatus reads status.json; ok is false when nothing has run yet.
func LoadStatus(t *tree.Tree) (s *Status, ok bool, err error) {
	s = NewStatus()
	ok, err = readJSON(t, StatusFile, s)
	if err != nil || !ok {
		return NewStatus(), false, err
	}
	return s, true, nil
}

// Begin notes that a stage starts, and saves.
func (s *Status) Begin(t *tree.Tree, stage string, now time.Time) error {
	at := seconds(now)
	s.Stage = &stage
	s.Stages[stage] = &Stage{Start: &at, Errors: []string{}, Recoverable: map[string][]string{}}
	return WriteJSON(t, StatusFile, s, false)
}

// End notes how a stage went, and saves; the last one also writes result.json.
func (s *Status) End(t *tree.Tree, stage string, now time.Time, errs, warnings []string) error {
	st := s.Stages[stage]
	at := seconds(now)
	st.Finished = &at
	if st.Start == nil {
		st.Start = &at
	}
	st.Errors = append(st.Errors, errs...)
	if len(warnings) > 0 {
		st.Recoverable["WARNING"] = append(st.Recoverable["WARNING"], warnings...)
	}
	s.Stage = nil
	if stage == ModulesFinal {
		if err := s.writeResult(t); err != nil {
			return err
		}
	}
	return WriteJSON(t, StatusFile, s, false)
}

func (s *Status) writeResult(t *tree.Tree) error {
	result := map[string]any{"v1": map[string]any{"datasource": s.Datasource, "errors": s.Errors()}}
	for name, doc := range map[string]any{"/result.json": result, "/status.json": s} {
		if err := WriteJSON(t, Data+name, doc, false); err != nil {
			return err
		}
	}
	return WriteJSON(t, ResultFile, result, false)
}

// Errors are those of all stages, in order.
func (s *Status) Errors() []string {
	all := []string{}
	for _, name := range stages {
		all = append(all, s.Stages[name].Errors...)
	}
	return all
}

// Recoverable are the problems of all stages that stopped nothing, by level.
func (s *Status) Recoverable() map[string][]string {
	all := map[string][]string{}
	for _, name := range stages {
		for level, msgs := range s.Stages[name].Recoverable {
			all[level] = append(all[level], msgs...)
		}
	}
	return all
}

// States of a boot, as `cloud-init status` prints them.
const (
	NotStarted = "not started"
	Running    = "running"
	Done       = "done"
	Failed     = "error"
	Off        = "disabled"
)

// State is where provisioning stands.
func (s *Status) State() string {
	running, finished := s.Stage != nil, true
	for _, name := range stages {
		st := s.Stages[name]
		if st.Start != nil && st.Finished == nil {
			running = true
		}
		if st.Finished == nil {
			finished = false
		}
	}
	switch {
	case running || !finished:
		return Running
	case len(s.Errors()) > 0:
		return Failed
	}
	return Done
}

// LastUpdate is when something last began or ended; zero: never.
func (s *Status) LastUpdate() time.Time {
	last := 0.0
	for _, st := range s.Stages {
		for _, at := range []*float64{st.Start, st.Finished} {
			if at != nil {
				last = max(last, *at)
			}
		}
	}
	if last == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(last * 1000)).UTC()
}

// DatasourceName is the bare name in lower case: nocloud, ec2.
func (s *Status) DatasourceName() string {
	if s.Datasource == nil {
		return ""
	}
	name, _, _ := strings.Cut(strings.TrimPrefix(*s.Datasource, "DataSource"), " ")
	return strings.ToLower(name)
}

func seconds(t time.Time) float64 { return float64(t.UnixMicro()) / 1e6 }
