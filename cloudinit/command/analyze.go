package command

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"io/fs"
	"os"
	"slices"

	"rancheros/cloudinit/state"
	"rancheros/cloudinit/tree"
)

// Blame lists what was done, the slowest first.
func Blame(w io.Writer, events []state.Event) error {
	events = slices.Clone(events)
	slices.SortStableFunc(events, func(a, b state.Event) int { return cmp.Compare(b.Seconds, a.Seconds) })
	if _, err := fmt.Fprintln(w, "-- Boot Record 01 --"); err != nil {
		return err
	}
	for _, e := range events {
		if _, err := fmt.Fprintf(w, "     %08.5fs (%s/%s) %s\n", e.Seconds, e.Stage, e.Name, e.Outcome); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintln(w, "\n1 boot records analyzed")
	return err
}

// Show lists what was done in its order, stage by stage, with the gaps between.
func Show(w io.Writer, events []state.Event) error {
	stage, total := "", 0.0
	var last float64
	for _, e := range events {
		if e.Stage != stage {
			stage = e.Stage
			if _, err := fmt.Fprintf(w, "Starting stage: %s\n", stage); err != nil {
				return err
			}
		}
		gap := ""
		if last > 0 && e.Start-last > 0.01 {
			gap = fmt.Sprintf("  (after a gap of %.3f s)", e.Start-last)
		}
		if _, err := fmt.Fprintf(w, "|`->%s %s @%.5fs +%.5fs%s\n", e.Name, e.Outcome, e.Start-events[0].Start, e.Seconds, gap); err != nil {
			return err
		}
		total += e.Seconds
		last = e.Start + e.Seconds
	}
	_, err := fmt.Fprintf(w, "Total Time: %.5f seconds\n", total)
	return err
}

// CriticalPath lists what the end waited for: the work that lies one after the
// other, without what took less than a hundredth of the whole.
func CriticalPath(w io.Writer, events []state.Event) error {
	if len(events) == 0 {
		return nil
	}
	first, end := events[0].Start, 0.0
	for _, e := range events {
		end = max(end, e.Start+e.Seconds)
	}
	whole := end - first
	if _, err := fmt.Fprintf(w, "%.3f s from the first to the last\n", whole); err != nil {
		return err
	}
	at := first
	for _, e := range events {
		if wait := e.Start - at; wait > whole/100 {
			if _, err := fmt.Fprintf(w, "@%8.3f s  +%8.3f s  (waiting: something else ran)\n", at-first, wait); err != nil {
				return err
			}
		}
		if e.Seconds > whole/100 {
			if _, err := fmt.Fprintf(w, "@%8.3f s  +%8.3f s  %s/%s\n", e.Start-first, e.Seconds, e.Stage, e.Name); err != nil {
				return err
			}
		}
		at = max(at, e.Start+e.Seconds)
	}
	return nil
}

// Dump writes the events as JSON: {"version":1,"events":[...]}.
func Dump(w io.Writer, events []state.Event) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(map[string]any{"version": 1, "events": events})
}

// Timeline writes a page that shows the events as bars. It needs nothing from
// anywhere else.
func Timeline(w io.Writer, events []state.Event) error {
	if len(events) == 0 {
		return fmt.Errorf("nothing was recorded this boot")
	}
	first, end := events[0].Start, 0.0
	for _, e := range events {
		end = max(end, e.Start+e.Seconds)
	}
	whole := max(end-first, 1e-6)
	const width, row = 900, 20
	fmt.Fprintf(w, `<!doctype html><meta charset="utf-8"><title>cloud-init</title>
<style>body{font:13px sans-serif}rect{fill:#7aa6da}rect.failed{fill:#d9534f}rect.changed{fill:#5cb85c}rect.skipped{fill:#ccc}text{dominant-baseline:middle}</style>
<h1>cloud-init: %.3f s</h1><svg width="%d" height="%d" role="img" aria-label="timeline">
`, whole, width+420, row*len(events)+10)
	for i, e := range events {
		x, y := 320+(e.Start-first)/whole*width, i*row+5
		fmt.Fprintf(w, `<text x="310" y="%d" text-anchor="end">%s/%s</text><rect class="%s" x="%.1f" y="%d" width="%.1f" height="%d"><title>%s</title></rect><text x="%.1f" y="%d">%.1f ms</text>
`, y+row/2, html.EscapeString(e.Stage), html.EscapeString(e.Name), html.EscapeString(e.Outcome),
			x, y, max(1, e.Seconds/whole*width), row-4, html.EscapeString(e.Outcome+" "+e.Why), x+max(1, e.Seconds/whole*width)+4, y+row/2, e.Seconds*1000)
	}
	_, err := fmt.Fprintln(w, "</svg>")
	return err
}

// Events are those of this boot in their order, or of a record that was copied
// from another machine.
func Events(root, file string) ([]state.Event, error) {
	events, err := readEvents(root, file)
	slices.SortStableFunc(events, func(a, b state.Event) int { return cmp.Compare(a.Start, b.Start) })
	return events, err
}

func readEvents(root, file string) ([]state.Event, error) {
	if file != "" {
		b, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		events, err := state.ParseEvents(b)
		if err == nil && len(events) == 0 {
			err = fmt.Errorf("%s: there is no event in it; it should be a copy of %s", file, state.Record)
		}
		return events, err
	}
	t, err := tree.Open(root)
	if err != nil {
		return nil, err
	}
	defer t.Close()
	events, err := state.Events(t)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errors.New("nothing was recorded this boot: cloud-init has not run")
	}
	return events, err
}
