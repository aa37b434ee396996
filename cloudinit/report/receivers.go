package report

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"rancheros/cloudconfig"
	"rancheros/cloudinit/state"
	"rancheros/sys/kvp"
)

// A logFile writes a line of each event.
type logFile struct {
	w     io.WriteCloser
	level string
}

func newLog(_ context.Context, r cloudconfig.Reporter, e Edges) (receiver, error) {
	if e.OpenLog == nil {
		return nil, nil
	}
	w, err := e.OpenLog(state.LogFile)
	if err != nil {
		return nil, err
	}
	level := strings.ToUpper(r.Level)
	if level == "" {
		level = "DEBUG"
	}
	return logFile{w, level}, nil
}

func (l logFile) tell(e Event) error {
	stamp := strings.Replace(e.At.UTC().Format("2006-01-02 15:04:05.000"), ".", ",", 1)
	_, err := fmt.Fprintf(l.w, "%s - ros[%s]: %s\n", stamp, l.level, oneLine(e.String()))
	return err
}

func (l logFile) close(context.Context) error { return l.w.Close() }

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// A printer shows events to who sees the console.
type printer struct{ w io.Writer }

func newPrint(_ context.Context, _ cloudconfig.Reporter, e Edges) (receiver, error) {
	if e.Console == nil {
		return nil, nil
	}
	return printer{e.Console}, nil
}

func (p printer) tell(e Event) error {
	_, err := fmt.Fprintln(p.w, oneLine(e.String()))
	return err
}

func (printer) close(context.Context) error { return nil }

// A hyperV writes events where the host of a Hyper-V machine, as Azure is one,
// reads them.
type hyperV struct {
	file  string
	types []string
	// boot tells this run's keys from those of others.
	boot int64
}

func newHyperV(_ context.Context, r cloudconfig.Reporter, e Edges) (receiver, error) {
	if !e.Live {
		return nil, nil
	}
	file := r.KVPFilePath
	if file == "" {
		file = kvp.Pool
	}
	if e.File != nil {
		file = e.File(file)
	}
	return hyperV{file, r.EventTypes, e.Now().Unix()}, nil
}

func (h hyperV) tell(e Event) error {
	if len(h.types) > 0 && !slices.Contains(h.types, e.kind()) {
		return nil
	}
	value := map[string]any{"name": e.Name, "type": e.kind(), "ts": e.At.UTC().Format(time.RFC3339Nano)}
	if e.Result != "" {
		value["result"] = e.Result
	}
	room := kvp.MaxValue - len(compact(value)) - len(`,"msg":""`)
	msg := e.Description
	value["msg"] = msg
	// JSON may need more bytes than the text has.
	for len(compact(value)) > kvp.MaxValue && room > 0 {
		msg = kvp.Cut(msg, min(room, len(msg)-1))
		value["msg"] = msg
	}
	key := fmt.Sprintf("CLOUD_INIT|%d|%s|%s|%s", h.boot, e.kind(), e.Name, rand.Text())
	return kvp.Append(h.file, kvp.Record{Key: key, Value: compact(value)})
}

func compact(v any) string {
	b, _ := json.Marshal(v) // strings and numbers always can be
	return string(b)
}

func (hyperV) close(context.Context) error { return nil }

// errBehind says that the server was too slow to hear all of it.
var errBehind = errors.New("not all events were told: the server does not keep up")
