package execute

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"sync"
	"time"

	"rancheros/cloudconfig"
)

// stageNames are the phases as `output` names them.
var stageNames = map[Phase]string{PreConsole: "init", Console: "config", Final: "final"}

// pipePatience is how long a command that reads our programs' output may go on
// after them.
const pipePatience = 5 * time.Second

// Redirect sends what the programs of a phase print to where `output` says.
// Until done, Output and Errors are those; a redirection that cannot be had is
// a warning and leaves them as they are.
func (t *Target) Redirect(ctx context.Context, c *cloudconfig.Config, p Phase) (done func(), warnings []string) {
	r := c.Output.Of(stageNames[p])
	if r == (cloudconfig.Redirect{}) || t.Tree.Planned() || !t.Live && !t.Chroot {
		return func() {}, nil
	}
	oldOut, oldErr := t.Output, t.Errors
	sinks := map[string]*sink{}
	open := func(spec string, to *io.Writer) {
		spec = strings.TrimSpace(spec)
		s, ok := sinks[spec]
		if !ok && spec != "" {
			var err error
			if s, err = t.openSink(ctx, spec, oldOut); err != nil {
				warnings = append(warnings, fmt.Sprintf("output.%s: %v", stageNames[p], err))
			}
			sinks[spec] = s
		}
		if s != nil {
			*to = s.file
		}
	}
	open(r.Output, &t.Output)
	if t.Errors == nil {
		t.Errors = oldOut
	}
	open(r.Error, &t.Errors)
	return func() {
		t.Output, t.Errors = oldOut, oldErr
		for spec, s := range sinks {
			if s == nil {
				continue // it could not be had
			}
			if err := s.close(); err != nil {
				t.Log.Warn("output", "to", spec, "err", err)
			}
		}
	}, warnings
}

// A sink is a file or a pipe that programs write to. It is a real file, so that
// one they leave behind can go on writing.
type sink struct {
	file *os.File
	// ended is when the command that reads the pipe has; nil for a file.
	ended chan error
}

func (s *sink) close() error {
	err := s.file.Close()
	if s.ended == nil {
		return err
	}
	select {
	case rerr := <-s.ended:
		return errors.Join(err, rerr)
	case <-time.After(pipePatience):
		return err // a program that stays behind holds it open: not our concern
	}
}

// tee is what most distributions have in their cloud.cfg; it is the same as to
// append, for there is no terminal at boot.
var tee = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^tee\s+(?:-a|--append)\s+(/\S+)$`) })

func (t *Target) openSink(ctx context.Context, spec string, rest io.Writer) (*sink, error) {
	mode, arg := ">>", spec
	for _, m := range []string{">>", ">", "|"} {
		if a, ok := strings.CutPrefix(spec, m); ok {
			mode, arg = m, strings.TrimSpace(a)
			break
		}
	}
	if mode == "|" {
		m := tee().FindStringSubmatch(arg)
		if m == nil {
			return t.openPipe(ctx, arg, rest)
		}
		mode, arg = ">>", m[1]
	}
	if !strings.HasPrefix(arg, "/") {
		return nil, fmt.Errorf("%q: the file must begin with a slash", spec)
	}
	f, err := t.appendTo(arg)
	if err == nil && mode == ">" {
		if err = f.Truncate(0); err != nil {
			return nil, errors.Join(err, f.Close())
		}
	}
	if err != nil {
		return nil, err
	}
	return &sink{file: f}, nil
}

// openPipe starts a command that reads what the programs print. What it prints
// itself goes where their output went before.
func (t *Target) openPipe(ctx context.Context, command string, rest io.Writer) (*sink, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd := t.Command(context.WithoutCancel(ctx), "sh", "-c", command)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = r, rest, rest
	s := &sink{file: w, ended: make(chan error, 1)}
	go func() {
		err := t.start(cmd)
		if err != nil {
			err = fmt.Errorf("run %q: %w", command, err)
		}
		// Whoever still writes must not wait for a reader that is gone.
		s.ended <- errors.Join(err, r.Close())
	}()
	return s, nil
}
