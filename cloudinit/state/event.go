package state

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"rancheros/cloudinit/tree"
)

// An Event is one thing that save or execute did, a line of the record.
type Event struct {
	// Stage is a stage of Status: init-local, modules-final.
	Stage string `json:"stage"`
	// Name is an applier, "pick", "fetch", "parse", "keep".
	Name string `json:"name"`
	// Start is seconds since 1970, Seconds how long it took.
	Start   float64 `json:"start"`
	Seconds float64 `json:"seconds"`
	// Outcome is done, changed, skipped or failed.
	Outcome string `json:"outcome"`
	Why     string `json:"why,omitempty"`
}

// NewEvent is what happened since start.
func NewEvent(stage, name string, start, now time.Time, outcome, why string) Event {
	return Event{Stage: stage, Name: name, Start: seconds(start), Seconds: now.Sub(start).Seconds(), Outcome: outcome, Why: why}
}

// Append adds events to the record. The record is a log of this boot: a line
// that a power cut halves is skipped when it is read.
func Append(t *tree.Tree, events []Event) error {
	if t.Planned() || len(events) == 0 {
		return nil
	}
	var buf bytes.Buffer
	for _, e := range events {
		b, err := json.Marshal(e)
		if err != nil {
			return err
		}
		buf.Write(append(b, '\n'))
	}
	p, err := t.Resolve(Record, true)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(t.Dir(), p), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return fmt.Errorf("write the record: %w", err)
	}
	if _, err := f.Write(buf.Bytes()); err != nil {
		f.Close()
		return fmt.Errorf("write the record: %w", err)
	}
	return f.Close()
}

// Events reads the record of this boot.
func Events(t *tree.Tree) ([]Event, error) {
	b, err := t.ReadFile(Record)
	if err != nil {
		return nil, err
	}
	return ParseEvents(b)
}

// ParseEvents reads a record.
func ParseEvents(b []byte) ([]Event, error) {
	var all []Event
	s := bufio.NewScanner(bytes.NewReader(b))
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		var e Event
		if json.Unmarshal(s.Bytes(), &e) == nil {
			all = append(all, e)
		}
	}
	return all, s.Err()
}
