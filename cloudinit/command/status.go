package command

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"rancheros/cloudconfig/userdata/document"
	"rancheros/cloudinit/state"
	"rancheros/cloudinit/tree"
)

// Exit codes of status, as upstream's callers know them.
const (
	ExitDone     = 0
	ExitFailed   = 1
	ExitDegraded = 2
)

// A Status is what `cloud-init status` says. Keys are upstream's.
type Status struct {
	BootStatusCode string              `json:"boot_status_code" yaml:"boot_status_code"`
	Datasource     string              `json:"datasource" yaml:"datasource"`
	Detail         string              `json:"detail" yaml:"detail"`
	Errors         []string            `json:"errors" yaml:"errors"`
	ExtendedStatus string              `json:"extended_status" yaml:"extended_status"`
	LastUpdate     string              `json:"last_update" yaml:"last_update"`
	Recoverable    map[string][]string `json:"recoverable_errors" yaml:"recoverable_errors"`
	Stage          *string             `json:"stage" yaml:"stage"`
	State          string              `json:"status" yaml:"status"`

	stages map[string]*state.Stage
}

// StatusOf is where this boot stands. ok is whether status.json is there.
func StatusOf(t *tree.Tree, s *state.Status, ok bool) *Status {
	out := &Status{BootStatusCode: "enabled-by-generator", Datasource: s.DatasourceName(), Errors: s.Errors(),
		Recoverable: s.Recoverable(), Stage: s.Stage, State: s.State(), stages: s.Stages}
	if s.Datasource != nil {
		out.Detail = *s.Datasource
	}
	if at := s.LastUpdate(); !at.IsZero() {
		out.LastUpdate = at.Format(time.RFC1123Z)
	}
	off, why := state.SwitchedOff(t)
	switch {
	case off != "":
		out.BootStatusCode, out.State, out.Detail = off, state.Off, "cloud-init is switched off: "+why
	case !ok:
		out.State, out.BootStatusCode = state.NotStarted, "unknown"
	}
	out.ExtendedStatus = extended(out)
	return out
}

// extended is the state with the problems in it: "degraded done".
func extended(s *Status) string {
	switch {
	case s.State == state.Failed:
		return "error - done"
	case s.State == state.Running && len(s.Errors) > 0:
		return "error - running"
	case len(s.Recoverable) > 0 && (s.State == state.Running || s.State == state.Done):
		return "degraded " + s.State
	}
	return s.State
}

// Exit is the exit code of the state.
func (s *Status) Exit() int {
	switch {
	case s.State == state.Failed || len(s.Errors) > 0:
		return ExitFailed
	case len(s.Recoverable) > 0:
		return ExitDegraded
	}
	return ExitDone
}

// Print writes the status as tabular (or text), json or yaml.
func (s *Status) Print(w io.Writer, format string, long bool) error {
	switch format {
	case "json":
		b, err := json.MarshalIndent(s.doc(), "", "  ")
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(w, "%s\n", b)
		return err
	case "yaml":
		b, err := json.Marshal(s.doc()) // so that both have the same keys
		if err != nil {
			return err
		}
		var doc any
		if err := json.Unmarshal(b, &doc); err != nil {
			return err
		}
		out, err := document.Encode(doc)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(w, "---\n%s...\n", out)
		return err
	}
	return s.table(w, long)
}

// doc is the document of json and yaml: the keys with the stages beside them.
func (s *Status) doc() map[string]any {
	doc := map[string]any{"boot_status_code": s.BootStatusCode, "datasource": s.Datasource, "detail": s.Detail, "errors": s.Errors,
		"extended_status": s.ExtendedStatus, "last_update": s.LastUpdate, "recoverable_errors": s.Recoverable,
		"stage": s.Stage, "status": s.State}
	for name, st := range s.stages {
		if st.Start != nil {
			doc[name] = st
		}
	}
	return doc
}

func (s *Status) table(w io.Writer, long bool) error {
	if _, err := fmt.Fprintf(w, "status: %s\n", s.State); err != nil || !long {
		return err
	}
	fmt.Fprintf(w, "extended_status: %s\nboot_status_code: %s\n", s.ExtendedStatus, s.BootStatusCode)
	if s.LastUpdate != "" {
		fmt.Fprintf(w, "last_update: %s\n", s.LastUpdate)
	}
	fmt.Fprintf(w, "detail: %s\n", s.Detail)
	if len(s.Errors) == 0 {
		fmt.Fprintln(w, "errors: []")
	} else {
		fmt.Fprintln(w, "errors:")
		for _, e := range s.Errors {
			fmt.Fprintf(w, "\t- %s\n", e)
		}
	}
	if len(s.Recoverable) == 0 {
		_, err := fmt.Fprintln(w, "recoverable_errors: {}")
		return err
	}
	fmt.Fprintln(w, "recoverable_errors:")
	for _, level := range slices.Sorted(maps.Keys(s.Recoverable)) {
		fmt.Fprintf(w, "%s:\n", level)
		for _, m := range s.Recoverable[level] {
			if _, err := fmt.Fprintf(w, "\t- %s\n", m); err != nil {
				return err
			}
		}
	}
	return nil
}
