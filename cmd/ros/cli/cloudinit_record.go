package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"rancheros/cloudinit/record"
	"rancheros/cloudinit/save"
	"rancheros/datasources"
	"rancheros/datasources/all"
)

func newCloudInitRecord() *cobra.Command {
	var o record.Options
	var root, output string
	c := &cobra.Command{
		Use:   "record OUT.tar",
		Short: "Write what the datasource saw of this machine and its cloud, secrets removed",
		Long: `Record asks this machine's datasource once more and keeps every file it reads and
every answer it gets: for a report of what went wrong, and to play it back.
User-data, vendor-data, passwords, tokens and seeds are removed. The contents of
drives are not in the recording, only their names and labels.

Exit code 1 says that the datasource failed; the recording is whole all the same.
--output json prints {"version": 1, "file", "error"}.`,
		Example: `  sudo ros cloud-init record machine-7.tar
  ros cloud-init record --datasource ec2 - | tar -tv`,
		Args: exactly(1, "one file to write, or - for standard output"),
		RunE: func(c *cobra.Command, args []string) error {
			err := checkEndpoint(o.Endpoint)
			if err != nil {
				return err
			}
			if o.Host, err = hostAt(root); err != nil {
				return err
			}
			o.Kinds, o.Version = all.Kinds(), Version
			fetched, err := recordTo(c, args[0], o)
			if err != nil {
				return err
			}
			if output == "json" && args[0] != "-" {
				doc := map[string]any{"version": 1, "file": args[0]}
				if fetched != nil {
					doc["error"] = fetched.Error()
				}
				fetched = errors.Join(fetched, printJSON(c.OutOrStdout(), doc))
			}
			return fetched
		},
	}
	f := c.Flags()
	f.StringSliceVar(&o.Named, "datasource", nil, "ask only `NAME[:ARGUMENT]`")
	f.StringVar(&o.Endpoint, "endpoint", "", "ask `URL` instead of the cloud's own address")
	f.BoolVar(&o.Secrets, "secrets", false, "keep secrets: do not give such a file away")
	f.StringVar(&root, "root", "/", "the machine's file system is this `DIR`")
	outputFlag(c, &output)
	return c
}

// recordTo writes the recording; a file is readable for its owner only.
func recordTo(c *cobra.Command, file string, o record.Options) (fetched, err error) {
	if file == "-" {
		return record.Record(c.Context(), c.OutOrStdout(), o)
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	fetched, err = record.Record(c.Context(), f, o)
	return fetched, errors.Join(err, f.Close())
}

// replayed is what `ros cloud-init replay --output json` prints.
type replayed struct {
	Version int `json:"version"`
	// Then is how the datasource was picked when it was recorded.
	Then     json.RawMessage       `json:"then"`
	Save     *save.Report          `json:"save"`
	Instance *datasources.Document `json:"instance,omitempty"`
}

func newCloudInitReplay() *cobra.Command {
	var named []string
	var output string
	c := &cobra.Command{
		Use:   "replay IN.tar",
		Short: "Do again what a recorded machine did, and print what we make of it",
		Long: `Replay picks the datasource and reads what it says, from a recording instead of
this machine and its cloud. Nothing is kept and no socket is opened.

--output json prints {"version": 1, "then": what was picked when it was recorded,
"save": the report of cloud-init-save, "instance": as ros datasource fetch}.`,
		Example: `  ros cloud-init replay machine-7.tar`,
		Args:    exactly(1, "one recording"),
		RunE: func(c *cobra.Command, args []string) error {
			f, err := os.Open(args[0])
			if err != nil {
				return err
			}
			defer f.Close()
			rec, err := record.Read(f)
			if err != nil {
				return err
			}
			return replay(c, rec, named, output == "json")
		},
	}
	c.Flags().StringSliceVar(&named, "datasource", nil, "ask only `NAME[:ARGUMENT]`")
	outputFlag(c, &output)
	return c
}

func replay(c *cobra.Command, rec *record.Recording, named []string, asJSON bool) error {
	dir, err := os.MkdirTemp("", "ros-replay-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	report, saved := save.Run(c.Context(), save.Options{Root: filepath.Clean(dir), Host: rec.Host, HTTP: rec.Client, Endpoint: rec.Endpoint, Kinds: all.Kinds(), Names: named, Version: Version})
	if report == nil {
		return saved
	}
	out := replayed{Version: 1, Then: rec.Pick, Save: report}
	r, err := datasources.Pick(c.Context(), datasources.PickInput{Host: rec.Host, Kinds: all.Kinds(), Named: named,
		Env: datasources.Env{HTTP: rec.Client, Endpoint: rec.Endpoint, Version: Version}})
	if err == nil {
		d, err := r.Instance.Document()
		if err != nil {
			return err
		}
		out.Instance = &d
	}
	if asJSON {
		return errors.Join(saved, printJSON(c.OutOrStdout(), out))
	}
	fmt.Fprintf(c.OutOrStdout(), "then: %s\n\nnow:\n", rec.Pick)
	err = report.Print(c.OutOrStdout(), false)
	if out.Instance != nil {
		err = errors.Join(err, printInstance(c.OutOrStdout(), *out.Instance))
	}
	return errors.Join(saved, err)
}
