// Fuzz runs every fuzz target of the module for a while: `go run ./test/fuzz
// -time 1m`. Go's own command takes one target at a time. A target fails when
// its parser panics, hangs, or wants more memory than there is.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// memory is how much address space one target may have: what Go and its fuzzer
// reserve at their start (1.5 GB), and some room for the parser.
const memory = 4 << 30

// memoryDisk is where targets write files: most of their time went to syncing them.
const memoryDisk = "/dev/shm"

// strangers are the folders whose parsers read what anybody may send: user-data,
// network configs, a kernel command line, XML of a hypervisor. The others read
// what a disk or a person on the machine says, and get a quarter of the time.
var strangers = regexp.MustCompile(`^(cloudconfig|sys/cmdline$|datasources/internal/(eni|wire)$|cloudinit/execute$)`)

// A target is one fuzz function.
type target struct{ dir, name string }

func main() {
	d := flag.Duration("time", time.Minute, "how long to run a target that reads what strangers send; others run a quarter of it")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *d); err != nil {
		fmt.Fprintln(os.Stderr, "fuzz:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, d time.Duration) error {
	targets, err := find(".")
	if err != nil {
		return err
	}
	if len(targets) == 0 {
		return fmt.Errorf("there are no fuzz targets here: run it in the module's folder")
	}
	if err := unix.Setrlimit(unix.RLIMIT_AS, &unix.Rlimit{Cur: memory, Max: memory}); err != nil {
		return fmt.Errorf("limit of memory: %w", err)
	}
	var out sync.Mutex
	var failed []error
	var g errgroup.Group
	g.SetLimit(runtime.NumCPU())
	for _, t := range targets {
		g.Go(func() error {
			text, err := t.run(ctx, d)
			out.Lock()
			defer out.Unlock()
			switch {
			case ctx.Err() != nil:
			case err != nil && !onlyLate(text):
				fmt.Printf("%s %s:\n%s\n", t.dir, t.name, text)
				failed = append(failed, fmt.Errorf("%s in %s: %w", t.name, t.dir, err))
			default:
				fmt.Printf("%-40s %-18s %s\n", t.dir, t.name, last(text))
			}
			return nil
		})
	}
	_ = g.Wait()
	return errors.Join(append(failed, ctx.Err())...)
}

// onlyLate says that the fuzzer found nothing and failed all the same: Go 1.26
// may take the end of -fuzztime for a failure (https://go.dev/issue/75804).
// Whatever it finds, it prints before, with the file that holds it.
func onlyLate(text string) bool {
	_, report, ok := strings.Cut(text, "--- FAIL: ")
	lines := strings.Split(report, "\n")
	return ok && len(lines) > 2 && strings.TrimSpace(lines[1]) == "context deadline exceeded" && lines[2] == "FAIL"
}

func (t target) run(ctx context.Context, d time.Duration) (string, error) {
	if !strangers.MatchString(t.dir) {
		d /= 4
	}
	cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-fuzz", "^"+t.name+"$", "-fuzztime", d.String(),
		"-fuzzminimizetime", "1s", "-parallel", "1", "-timeout", (d + 5*time.Minute).String(), "./"+t.dir)
	if unix.Access(memoryDisk, unix.W_OK) == nil {
		cmd.Env = append(os.Environ(), "TMPDIR="+memoryDisk, "GOTMPDIR="+os.TempDir())
	}
	b, err := cmd.CombinedOutput()
	return string(b), err
}

// last is the fuzzer's last count: "elapsed: 1m0s, execs: 123456 (…), …".
func last(text string) string {
	for _, line := range slices.Backward(strings.Split(text, "\n")) {
		if _, counts, ok := strings.Cut(line, "fuzz: "); ok && strings.Contains(counts, "execs") {
			return counts
		}
	}
	return ""
}

var fuzz = regexp.MustCompile(`(?m)^func (Fuzz\w+)\(`)

func find(root string) ([]target, error) {
	var all []target
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "out" || d.Name() == "engine" || strings.HasPrefix(d.Name(), ".") && d.Name() != "."):
			return filepath.SkipDir
		case !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		b, err := os.ReadFile(path)
		for _, m := range fuzz.FindAllSubmatch(b, -1) {
			all = append(all, target{filepath.Dir(path), string(m[1])})
		}
		return err
	})
	return all, err
}
