// Package kmsg writes to the kernel's log, so that what happens before there
// is a syslog is in `dmesg` and on the console, between the kernel's own lines.
package kmsg

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
)

// Priorities of the kernel's log; see syslog(2).
const (
	Error   = 3
	Warning = 4
	Notice  = 5
	Info    = 6
	Debug   = 7
)

// Write adds one line: "ros: …". A line that cannot be written is lost: there
// is nowhere to complain.
func Write(priority int, format string, a ...any) {
	f, err := os.OpenFile("/dev/kmsg", os.O_WRONLY, 0)
	if err != nil {
		return
	}
	defer f.Close()
	// The kernel cuts records at about 1,000 bytes; a newline would end one.
	line := strings.ReplaceAll(fmt.Sprintf(format, a...), "\n", "; ")
	if len(line) > 900 {
		line = line[:900] + "…"
	}
	fmt.Fprintf(f, "<%d>ros: %s\n", priority, line)
}

// Logger is a slog.Logger over the kernel's log.
func Logger(level slog.Leveler) *slog.Logger { return slog.New(&handler{level: level}) }

type handler struct {
	level slog.Leveler
	attrs []slog.Attr
}

func (h *handler) Enabled(_ context.Context, l slog.Level) bool { return l >= h.level.Level() }

func (h *handler) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	b.WriteString(r.Message)
	add := func(a slog.Attr) bool {
		v := a.Value.Resolve().String()
		if strings.ContainsAny(v, " \t") {
			v = fmt.Sprintf("%q", v)
		}
		fmt.Fprintf(&b, " %s=%s", a.Key, v)
		return true
	}
	for _, a := range h.attrs {
		add(a)
	}
	r.Attrs(add)
	Write(priority(r.Level), "%s", b.String())
	return nil
}

func priority(l slog.Level) int {
	switch {
	case l >= slog.LevelError:
		return Error
	case l >= slog.LevelWarn:
		return Warning
	case l >= slog.LevelInfo:
		return Notice
	}
	return Debug
}

func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &handler{h.level, append(h.attrs[:len(h.attrs):len(h.attrs)], attrs...)}
}

func (h *handler) WithGroup(string) slog.Handler { return h }
