package cli

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"rancheros/cloudinit/command"
	"rancheros/cloudinit/state"
	"rancheros/cloudinit/tree"
)

func newCloudInitStatus() *cobra.Command {
	var wait, long bool
	var format, output, root string
	c := &cobra.Command{
		Use:   "status",
		Short: "Print where provisioning stands, or wait for its end",
		Long: `Status says whether cloud-init is "not started", "running", "done", "disabled" or
ended in "error".

Exit code: 0 all is well, 1 something failed, 2 done with warnings. Keys of json
and yaml are those of cloud-init: boot_status_code, datasource, detail, errors,
extended_status, last_update, recoverable_errors, stage, status, and one for each
stage with start, finished, errors and recoverable_errors.`,
		Example: `  cloud-init status --wait
  ros cloud-init status --long --format json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if output != "" {
				format = output
			}
			switch format {
			case "text", "tabular", "json", "yaml":
			default:
				return &ExitError{2, fmt.Errorf("--format is %q; tabular, json and yaml are possible", format)}
			}
			return cloudInitStatus(c, root, format, wait, long)
		},
	}
	f := c.Flags()
	f.BoolVarP(&wait, "wait", "w", false, "return when all is done")
	f.BoolVarP(&long, "long", "l", false, "print errors and details too")
	f.StringVar(&format, "format", "tabular", "tabular, json or yaml")
	f.StringVar(&output, "output", "", "the same as --format")
	f.StringVar(&root, "root", "/", "the machine's file system is this `DIR`")
	completeFlag(c, "format", "tabular", "json", "yaml")
	return c
}

func cloudInitStatus(c *cobra.Command, root, format string, wait, long bool) error {
	t, err := tree.Open(root)
	if err != nil {
		return err
	}
	defer t.Close()
	s, ok, err := state.LoadStatus(t)
	if err == nil && wait {
		s, ok, err = state.Wait(c.Context(), t, dots(c.OutOrStdout(), format))
		if format == "tabular" {
			fmt.Fprintln(c.OutOrStdout())
		}
	}
	if err != nil {
		return err
	}
	out := command.StatusOf(t, s, ok)
	if err := out.Print(c.OutOrStdout(), format, long); err != nil {
		return err
	}
	if code := out.Exit(); code != 0 {
		return &ExitError{code, errors.New(out.ExtendedStatus + "; `cloud-init status --long` says more")}
	}
	return nil
}

// dots prints one for each thing that happened, where a person looks.
func dots(w io.Writer, format string) func(*state.Status) {
	return func(*state.Status) {
		if format == "tabular" {
			fmt.Fprint(w, ".")
		}
	}
}
