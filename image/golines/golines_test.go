package golines

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// fails is a program with what traces have: methods, generics, inlined calls,
// closures, goroutines and their makers.
const fails = `package main

import ("fmt"; "os"; "runtime")

type T struct{ n int }

func (t *T) fail(m map[string]int) { m["x"] = t.n }

func each[V any](list []V, do func(V)) { for _, v := range list { do(v) } }

func main() {
	if len(os.Args) > 1 {
		_, file, line, ok := runtime.Caller(0)
		fmt.Println("works", file, line, ok)
		return
	}
	done := make(chan bool)
	go func() {
		defer close(done)
		each([]int{1}, func(n int) { (&T{n}).fail(nil) })
	}()
	<-done
}
`

// buildFails builds it, without inlining as our programs are, unless flags say else.
func buildFails(t *testing.T, flags ...string) []byte {
	t.Helper()
	dir := t.TempDir()
	src, out := filepath.Join(dir, "main.go"), filepath.Join(dir, "fails")
	if err := os.WriteFile(src, []byte(fails), 0o644); err != nil {
		t.Fatal(err)
	}
	args := append([]string{"build", "-trimpath", "-gcflags=-l", "-ldflags", "-s -w"}, flags...)
	build := exec.Command("go", append(args, "-o", out, src)...)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if b, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, b)
	}
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func run(t *testing.T, program []byte, args ...string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(name, program, 0o755); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil && len(args) > 0 {
		t.Fatalf("%v: %v\n%s", args, err, out)
	}
	return string(out)
}

func TestAProgramWithoutLinesWorksAndTellsFunctions(t *testing.T) {
	whole := buildFails(t)
	bare, err := Drop(whole)
	if err != nil {
		t.Fatal(err)
	}
	if got := run(t, whole, "x"); !strings.Contains(got, "main.go 13 true") {
		t.Errorf("the whole program says %q", got)
	}
	if got := run(t, bare, "x"); !strings.Contains(got, "works ? 0 true") {
		t.Errorf("without lines it says %q", got)
	}
	trace := run(t, bare)
	for _, want := range []string{"main.(*T).fail", "main.each[...]", "main.main.func1", "created by main.main", "\t?:0 +0x"} {
		if !strings.Contains(trace, want) {
			t.Errorf("its trace has no %q:\n%s", want, trace)
		}
	}
	if strings.Contains(trace, ".go:") {
		t.Errorf("its trace has lines:\n%s", trace)
	}
	if bytes.Contains(bare, []byte("main.go\x00")) || len(bare) != len(whole) {
		t.Error("names of files are left, or the size is another")
	}
}

func TestATraceGetsItsLinesBack(t *testing.T) {
	for name, c := range map[string]struct {
		flags  string
		places map[string]string
	}{
		"as ours": {"-gcflags=-l", map[string]string{
			"main.(*T).fail(": "main.go:7 +0x", "main.main.func1.1(": "main.go:20 +0x", "main.main.func1(": "main.go:20 +0x", "created by main.main": "main.go:18 +0x",
		}},
		"inlined": {"-gcflags=", map[string]string{"main.(*T).fail(": "main.go:7", "created by main.main": "main.go:18 +0x"}},
	} {
		whole := buildFails(t, c.flags)
		bare, err := Drop(whole)
		if err != nil {
			t.Fatal(err)
		}
		var got strings.Builder
		if err := Resolve(&got, whole, strings.NewReader("before\n"+run(t, bare)+"after\n")); err != nil {
			t.Fatal(err)
		}
		for call, place := range c.places {
			_, rest, _ := strings.Cut(got.String(), "\n"+call)
			_, rest, _ = strings.Cut(rest, "\n\t")
			if line, _, _ := strings.Cut(rest, "\n"); !strings.Contains(line, place) {
				t.Errorf("%s: %s is not at %s:\n%s", name, call, place, got.String())
			}
		}
		if !strings.HasPrefix(got.String(), "before\n") || !strings.HasSuffix(got.String(), "after\n") {
			t.Errorf("%s: what is around the trace is not kept:\n%s", name, got.String())
		}
	}
}

func TestWhatIsNoGoProgramIsRefused(t *testing.T) {
	sh, err := os.ReadFile("/bin/sh")
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{"text": []byte("#!/bin/sh\n"), "an ELF of C": sh, "nothing": nil} {
		if _, err := Drop(b); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestBrokenTablesAreAnErrorAndNoPanic(t *testing.T) {
	whole := buildFails(t)
	at, size, err := section(whole, ".gopclntab")
	if err != nil {
		t.Fatal(err)
	}
	for off := uint64(0); off < size; off += 1 + off/16 {
		b := bytes.Clone(whole)
		copy(b[at+off:at+size], bytes.Repeat([]byte{0xff}, 8))
		_, _ = Drop(b) // must return
	}
	other := bytes.Clone(whole)
	other[at] = 0xf2
	if _, err := Drop(other); err == nil || !strings.Contains(err.Error(), "this Go") {
		t.Errorf("tables of another Go: %v", err)
	}
}

// Offsets of tables that are gone would still be a sixth of what is saved, and
// those of tables that are kept for another use would tell wrong lines.
func TestNoFunctionPointsToATableOfLines(t *testing.T) {
	bare, err := Drop(buildFails(t))
	if err != nil {
		t.Fatal(err)
	}
	at, size, err := section(bare, ".gopclntab")
	if err != nil {
		t.Fatal(err)
	}
	tab := tables{b: bare[at : at+size]}
	if _, err := binary.Decode(tab.b, binary.LittleEndian, &tab.header); err != nil {
		t.Fatal(err)
	}
	for i := range tab.Funcs {
		var f function
		at := tab.FuncTab + uint64(binary.LittleEndian.Uint32(tab.b[tab.FuncTab+8*i+4:]))
		if _, err := binary.Decode(tab.b[at:], binary.LittleEndian, &f); err != nil {
			t.Fatal(err)
		}
		if f.PCFile != 0 || f.PCLine != 0 || f.StartLine != 0 {
			t.Fatalf("function %d: %+v", i, f)
		}
	}
}
