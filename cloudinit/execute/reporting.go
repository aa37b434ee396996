package execute

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"time"

	"rancheros/cloudconfig"
	"rancheros/cloudinit/report"
	"rancheros/cloudinit/state"
)

// reportTime is how long the end of a run may wait for slow receivers.
const reportTime = 10 * time.Second

// openReports makes the receivers of `reporting`; the error names those that
// cannot be made.
func (t *Target) openReports(ctx context.Context, c *cloudconfig.Config) error {
	if t.Tree.Planned() {
		return nil
	}
	var err error
	t.reports, err = report.Open(ctx, c.Reporting, report.Edges{
		OpenLog: func(name string) (io.WriteCloser, error) { return t.openLog(name) },
		Console: t.Console, Live: t.Live, HTTP: t.HTTP, File: t.host, Now: t.Now, Log: t.Log,
	})
	return err
}

// maxLogFile is how large the log may become before it is begun anew; the one
// before is kept.
const maxLogFile = 8 << 20

func (t *Target) openLog(name string) (io.WriteCloser, error) {
	if n, err := t.Tree.Stat(name); err == nil && n.Size > maxLogFile {
		if p, err := t.Tree.Resolve(name, true); err == nil {
			if err := os.Rename(t.host(p), t.host(p)+".1"); err != nil {
				return nil, err
			}
		}
	}
	return t.appendTo(name)
}

func (t *Target) closeReports(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, reportTime)
	defer cancel()
	t.reports.Close(ctx)
	t.reports = nil
}

// tellSaved tells what cloud-init-save did: it ran before there was a config
// that says to whom.
func (t *Target) tellSaved() error {
	if t.reports == nil {
		return nil
	}
	events, err := state.Events(t.Tree)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, e := range events {
		if e.Stage != state.InitLocal {
			continue
		}
		begin := time.Unix(0, int64(e.Start*1e9))
		name, text := state.InitLocal+"/"+e.Name, "running "+e.Name
		t.reports.Tell(report.Event{Name: name, Description: text, At: begin})
		t.reports.Tell(report.Event{Name: name, Description: because(text, e.Why), Result: resultOf(e.Outcome, nil),
			At: begin.Add(time.Duration(e.Seconds * float64(time.Second)))})
	}
	return err
}

// eventOf is the name and text under which an applier is told of.
func eventOf(a Applier) (name, text string) {
	often := map[Every]string{Boot: "always", Instance: "once-per-instance", Once: "once", Never: "never"}[a.Every]
	return report.Stage(stageOf(a.Phase)) + "/config-" + a.Name, "running config-" + a.Name + " with frequency " + often
}

func resultOf(outcome string, warnings []string) string {
	switch {
	case outcome == Failed:
		return report.Fail
	case len(warnings) > 0:
		return report.Warn
	}
	return report.Success
}

func because(text, why string) string {
	if why == "" {
		return text
	}
	return text + ": " + why
}

// tellStage tells that a phase begins; end tells how it went.
func (t *Target) tellStage(p Phase) (end func(*Report)) {
	name, text := report.Stage(stageOf(p)), "running modules for "+stageNames[p]
	t.reports.Start(name, text)
	return func(r *Report) {
		errs, warnings := r.Problems(p)
		result := resultOf(Unchanged, warnings)
		if len(errs) > 0 {
			result = report.Fail
		}
		t.reports.Finish(name, text, result)
	}
}
