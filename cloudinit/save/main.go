package save

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"rancheros/cloudconfig/network"
	"rancheros/datasources"
)

const usage = `cloud-init-save [FLAGS]

Find out which cloud this machine is in and what it says, and keep that on the
disk. cloud-init-execute then does it. A machine that was saved before and has
not changed asks nobody.

  cloud-init-save
  cloud-init-save --datasource nocloud --root /mnt/new --output json
  cloud-init-save --datasource url:https://example.com/user-data

Exit code: 0 done, 1 something went wrong (see the report), 2 wrong usage.

`

// A Defaults is what the program does where no flag says otherwise; cmd/ros
// fills it in, because only it knows every datasource and the network.
type Defaults struct {
	Kinds   []datasources.Kind
	BringUp func(ctx context.Context, needs datasources.Needs) error
	Rename  func(*network.Config) error
	// Names are the datasources that the machine's config names.
	Names func(root string) []string
}

// list is a flag that may be given more than once.
type list []string

func (l *list) String() string { return strings.Join(*l, ",") }

// Set adds one value.
func (l *list) Set(s string) error {
	*l = append(*l, s)
	return nil
}

// Main is the program cloud-init-save.
func (d Defaults) Main(ctx context.Context, args []string) int {
	var o Options
	var names list
	var output string
	fs := flag.NewFlagSet("cloud-init-save", flag.ContinueOnError)
	fs.Usage = func() {
		fmt.Fprint(os.Stderr, usage)
		fs.PrintDefaults()
	}
	fs.StringVar(&o.Root, "root", "/", "the machine's file system is `DIR`")
	fs.Var(&names, "datasource", "ask only `NAME[:ARG]`; may be given more than once")
	fs.StringVar(&o.Endpoint, "endpoint", "", "ask `URL` instead of the cloud's own address")
	fs.BoolVar(&o.Local, "local", false, "ask only what needs no network: a drive, a folder, firmware")
	fs.BoolVar(&o.Early, "early", false, "before the network is up: leave what user-data includes to a later run")
	fs.BoolVar(&o.Fresh, "fresh", false, "ask even if the machine has not changed")
	fs.StringVar(&output, "output", "text", "print the report as `text or json`")
	err := fs.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err == nil && fs.NArg() > 0:
		err = fmt.Errorf("unexpected argument %q", fs.Arg(0))
	case err == nil && output != "text" && output != "json":
		err = fmt.Errorf("--output %s: want text or json", output)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "cloud-init-save:", err)
		return 2
	}
	o.Kinds, o.Names = d.Kinds, names
	if len(names) == 0 && d.Names != nil {
		o.Names = d.Names(o.Root)
	}
	if o.Root == "/" && o.Endpoint == "" {
		o.BringUp, o.Rename, o.Pool = d.BringUp, d.Rename, true
	}
	report, err := Run(ctx, o)
	if report != nil {
		err = errors.Join(err, report.Print(os.Stdout, output == "json"))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "cloud-init-save:", err)
		return 1
	}
	if len(report.Problems) > 0 {
		return 1
	}
	return 0
}

// Print writes the report for people or for programs.
func (r *Report) Print(w io.Writer, asJSON bool) error {
	if asJSON {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(r)
	}
	line := r.Outcome
	if r.Datasource != "" {
		line += fmt.Sprintf(": %s from %s", r.InstanceID, r.Datasource)
	}
	_, err := fmt.Fprintf(w, "%s, in %.3f s with %d requests\n", line, r.Seconds, r.Requests)
	for _, p := range r.Problems {
		if _, err := fmt.Fprintln(w, "problem:", p); err != nil {
			return err
		}
	}
	for _, f := range r.Files {
		if _, err := fmt.Fprintln(w, "wrote", f); err != nil {
			return err
		}
	}
	return err
}
