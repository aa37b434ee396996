package respawn

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rancheros/init/reap"
)

func TestReadJoinsDropInsAndSkipsComments(t *testing.T) {
	dir := t.TempDir()
	conf := filepath.Join(dir, "respawn.conf")
	if err := os.MkdirAll(conf+".d", 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{conf: "# a\n\n/bin/a -x\n", conf + ".d/b": "/bin/b\n"} {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := Read(conf)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"/bin/a -x", "/bin/b"}, got); d != "" {
		t.Error(d)
	}
}

func TestADropInThatCannotBeReadCostsItsOwnLinesOnly(t *testing.T) {
	conf := filepath.Join(t.TempDir(), "respawn.conf")
	if err := os.MkdirAll(conf+".d/folder", 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{conf: "/bin/a\n", conf + ".d/z": "/bin/z\n"} {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := Read(conf)
	if err == nil || !strings.Contains(err.Error(), conf+".d/folder") {
		t.Errorf("Read() error = %v, want one that names the folder", err)
	}
	if d := cmp.Diff([]string{"/bin/a", "/bin/z"}, got); d != "" {
		t.Error(d)
	}
}

func TestALineThatWasGivenUpIsTriedAgain(t *testing.T) {
	count := filepath.Join(t.TempDir(), "n")
	script := filepath.Join(t.TempDir(), "s")
	// It ends at once until the address is there, so to say; then it stays.
	text := fmt.Sprintf("#!/bin/sh\necho x >>%s\n[ $(wc -l <%[1]s) -le %d ] || exec sleep 60\n", count, limit+1)
	if err := os.WriteFile(script, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	r := reap.New()
	go r.Loop(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		keep(ctx, r, slog.New(slog.DiscardHandler), script, time.Millisecond)
	}()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for lines := 0; lines < limit+2; <-tick.C {
		if ctx.Err() != nil {
			t.Fatalf("ran %d times, want one more after the rest", lines)
		}
		b, _ := os.ReadFile(count)
		lines = strings.Count(string(b), "x")
	}
	cancel()
	<-done
}

func TestALineThatEndsAgainAndAgainIsGivenUp(t *testing.T) {
	var log bytes.Buffer
	count := filepath.Join(t.TempDir(), "n")
	script := filepath.Join(t.TempDir(), "s")
	if err := os.WriteFile(script, []byte("#!/bin/sh\necho x >>"+count+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	Run(ctx, slog.New(slog.NewTextHandler(&log, nil)), []string{script})
	b, err := os.ReadFile(count)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(b), "x"); n != limit+1 {
		t.Errorf("ran %d times, want %d", n, limit+1)
	}
	if !strings.Contains(log.String(), "given up") {
		t.Errorf("log = %q", log.String())
	}
}
