package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"rancheros/init/step"
	"rancheros/paths"
)

func newOS() *cobra.Command {
	c := &cobra.Command{Use: "os", Short: "The version of this OS and what it did at boot"}
	c.AddCommand(newOSVersion(), newOSBoot())
	return c
}

func newOSVersion() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version of this OS", Args: cobra.NoArgs,
		Run: func(c *cobra.Command, _ []string) { fmt.Fprintln(c.OutOrStdout(), Version) },
	}
}

func newOSBoot() *cobra.Command {
	var output, file string
	c := &cobra.Command{
		Use:   "boot",
		Short: "Show every step of this boot, when it began, how long it took and how it ended",
		Long: `Boot shows every step of this boot in order: seconds since the kernel
started, how long the step took, and whether it was done, skipped or failed.

With --output json it prints {"version": 1, "steps": [{"phase", "name",
"start_s", "took_s", "outcome", "detail"}]}.`,
		Example: "  ros os boot\n  ros os boot --output json | jq '.steps[] | select(.outcome == \"failed\")'",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			results, err := step.ReadRecord(file)
			if errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("no record of a boot at %s: this machine was not booted by ros", file)
			}
			if err != nil {
				return err
			}
			if output == "json" {
				return writeJSON(c.OutOrStdout(), map[string]any{"version": 1, "steps": results})
			}
			return bootTable(c.OutOrStdout(), results)
		},
	}
	addOutput(c, &output)
	c.Flags().StringVar(&file, "record", paths.BootRecord, "the record to show")
	return c
}

func bootTable(w io.Writer, results []step.Result) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "PHASE\tSTEP\tAT\tTOOK\tOUTCOME\tWHY")
	for _, r := range results {
		fmt.Fprintf(t, "%s\t%s\t%.2fs\t%.3fs\t%s\t%s\n", r.Phase, r.Name, r.Start, r.Took, r.Outcome, r.Detail)
	}
	return t.Flush()
}

// addOutput adds --output text|json.
func addOutput(c *cobra.Command, to *string) {
	c.Flags().StringVar(to, "output", "text", "how to print: text or json")
	c.PreRunE = func(*cobra.Command, []string) error {
		if *to != "text" && *to != "json" {
			return &ExitError{2, fmt.Errorf("--output is text or json, not %q", *to)}
		}
		return nil
	}
	completeFlag(c, "output", "text", "json")
}

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}
