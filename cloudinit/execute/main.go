package execute

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"rancheros/cloudinit/distro"
	"rancheros/cloudinit/state"
	"rancheros/cloudinit/tree"
	"rancheros/sys/kmsg"
)

const usage = `cloud-init-execute [FLAGS]

Make this machine what its config says: users, files, mounts, commands. Without
a phase, all phases run in their order. A second run changes nothing.

  cloud-init-execute -pre-console
  cloud-init-execute --root /mnt/new --output json
  cloud-init-execute --dry-run --only write_files,users

Exit code: 0 done, 1 something could not be applied, 2 wrong usage.

`

// flags of the program.
type flags struct {
	root, only, output                 string
	preConsole, console, config, final bool
	dryRun, chroot, again              bool
}

func parse(args []string, stderr io.Writer) (*flags, error) {
	f := &flags{}
	fs := flag.NewFlagSet("cloud-init-execute", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.Usage = func() {
		fmt.Fprint(stderr, usage)
		fs.PrintDefaults()
	}
	fs.StringVar(&f.root, "root", "/", "the machine's file system is `DIR`")
	fs.StringVar(&f.only, "only", "", "run only these appliers: `NAME,NAME`")
	fs.StringVar(&f.output, "output", "text", "print the report as `text or json`")
	fs.BoolVar(&f.preConsole, "pre-console", false, "only what comes before the console: kernel, disks")
	fs.BoolVar(&f.console, "console", false, "only the console's half: users, files, mounts, commands")
	fs.BoolVar(&f.config, "config", false, "only the console's half without its end")
	fs.BoolVar(&f.again, "again", false, "run what has run for this instance once more")
	fs.BoolVar(&f.final, "final", false, "only the end of the console's half: scripts and runcmd")
	fs.BoolVar(&f.dryRun, "dry-run", false, "say what would change and change nothing")
	fs.BoolVar(&f.chroot, "chroot", false, "with --root: run commands inside of it")
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	if fs.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q", fs.Arg(0))
	}
	if f.only != "" {
		if err := CheckNames(strings.Split(f.only, ",")); err != nil {
			return nil, fmt.Errorf("-only: %w", err)
		}
	}
	if f.output != "text" && f.output != "json" {
		return nil, fmt.Errorf("--output %s: want text or json", f.output)
	}
	return f, nil
}

// A Program is cloud-init-execute with what only cmd/ros knows.
type Program struct {
	// CheckIn is Target.CheckIn.
	CheckIn func(ctx context.Context, failed error) (told bool, err error)
	// Publish is Target.Publish.
	Publish func(ctx context.Context, keys map[string]string) (told bool, err error)
}

// Main is the program cloud-init-execute.
func (p Program) Main(ctx context.Context, args []string) int {
	f, err := parse(args, os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "cloud-init-execute:", err)
		return 2
	}
	report, err := f.run(ctx, p)
	if report != nil {
		if perr := report.Print(os.Stdout, f.output == "json"); perr != nil {
			err = errors.Join(err, perr)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "cloud-init-execute:", err)
		return 1
	}
	return 0
}

func (f *flags) run(ctx context.Context, p Program) (*Report, error) {
	open := tree.Open
	if f.dryRun {
		open = tree.Plan
	}
	tr, err := open(f.root)
	if err != nil {
		return nil, err
	}
	t := New(tr)
	t.Chroot, t.CheckIn, t.Publish = f.chroot, p.CheckIn, p.Publish
	if t.Live && !t.Ours {
		t.Online = func(ctx context.Context) error { return distro.WaitOnline(ctx, tr) }
	}
	done := t.OpenOutput()
	defer done()
	o := Options{Again: f.again}
	if f.only != "" {
		o.Only = strings.Split(f.only, ",")
	}
	if f.preConsole {
		o.Phases = append(o.Phases, PreConsole)
	}
	if f.console {
		o.Phases = append(o.Phases, Console, Final)
	}
	if f.config && !f.console {
		o.Phases = append(o.Phases, Console)
	}
	if f.final && !f.console {
		o.Phases = append(o.Phases, Final)
	}
	report, err := Machine(ctx, t, o)
	return report, errors.Join(err, tr.Close())
}

// OpenOutput sends what programs print into the log file and what is for
// people to the console.
func (t *Target) OpenOutput() (done func()) {
	if t.Tree.Planned() {
		return func() {}
	}
	var closers []io.Closer
	if f, err := t.appendTo(state.OutputFile); err == nil {
		t.Output = f
		closers = append(closers, f)
	}
	if t.Live && os.Getpid() != 1 {
		if f, err := os.OpenFile("/dev/console", os.O_WRONLY, 0); err == nil {
			t.Console = f
			closers = append(closers, f)
		}
	}
	if t.Console == nil {
		t.Console = t.Output
	}
	if t.Live && t.Ours {
		t.Log = kmsg.Logger(slog.LevelInfo)
	}
	return func() {
		for _, c := range closers {
			_ = c.Close() // a log: there is nobody left to tell
		}
	}
}

// appendTo opens a log below the root.
func (t *Target) appendTo(name string) (*os.File, error) {
	dir := name[:strings.LastIndex(name, "/")]
	if err := t.quietly(func() error { _, err := t.Tree.MkdirAll(dir, tree.Perm{Mode: 0o755}); return err }); err != nil {
		return nil, err
	}
	p, err := t.Tree.Resolve(name, true)
	if err != nil {
		return nil, err
	}
	return os.OpenFile(t.host(p), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o640)
}

// Print writes the report for people or for programs.
func (r *Report) Print(w io.Writer, asJSON bool) error {
	if asJSON {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(r)
	}
	b := bufio.NewWriter(w)
	for _, res := range r.Results {
		if res.Outcome == Skipped {
			continue
		}
		fmt.Fprintln(b, strings.TrimRight(fmt.Sprintf("%-9s %-20s %s", res.Outcome, res.Name, res.Why), " "))
		for _, c := range res.Changes {
			c.print(b)
		}
		for _, warning := range res.Warnings {
			fmt.Fprintf(b, "          warning: %s\n", warning)
		}
	}
	return b.Flush()
}

func (c Change) print(b *bufio.Writer) {
	if c.Diff != "" {
		fmt.Fprint(b, "          ", strings.ReplaceAll(strings.TrimRight(c.Diff, "\n"), "\n", "\n          "), "\n")
		return
	}
	line := c.Op + " " + c.Path
	if c.Target != "" {
		line += " " + c.Target
	}
	fmt.Fprintf(b, "          %s\n", strings.Join(strings.Fields(line), " "))
}
