package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"rancheros/cloudinit/command"
	"rancheros/cloudinit/state"
	"rancheros/cloudinit/tree"
)

func newCloudInitClean() *cobra.Command {
	var o command.CleanOptions
	var root, output string
	c := &cobra.Command{
		Use:   "clean",
		Short: "Forget this instance, so that the next boot is a first one",
		Long: `Clean removes what cloud-init knows of this instance: run it before you make an
image of the machine. What was done to the machine (users, files) stays.

--output json prints {"version": 1, "removed": [path]}.`,
		Example: `  sudo cloud-init clean --logs --machine-id
  sudo ros cloud-init clean --reboot`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			for _, kind := range o.Configs {
				if !slices.Contains(command.ConfigKinds(), kind) {
					return &ExitError{2, fmt.Errorf("--configs %s: want one of %s", kind, strings.Join(command.ConfigKinds(), ", "))}
				}
			}
			if err := needRootFor(root); err != nil {
				return err
			}
			t, err := tree.Open(root)
			if err != nil {
				return err
			}
			changes, err := command.Clean(c.Context(), t, o)
			err = errors.Join(err, t.Close())
			if output != "json" {
				return err
			}
			removed := []string{}
			for _, ch := range changes {
				if ch.Op == tree.Remove {
					removed = append(removed, ch.Path)
				}
			}
			return errors.Join(err, printJSON(c.OutOrStdout(), map[string]any{"version": 1, "removed": removed}))
		},
	}
	f := c.Flags()
	f.BoolVarP(&o.Logs, "logs", "l", false, "remove the logs too")
	f.BoolVarP(&o.Seed, "seed", "s", false, "remove the seed folder too")
	f.BoolVar(&o.MachineID, "machine-id", false, "give the machine a new /etc/machine-id at the next boot")
	f.BoolVarP(&o.Reboot, "reboot", "r", false, "restart the machine then")
	f.StringSliceVarP(&o.Configs, "configs", "c", nil, "remove what was written too: "+strings.Join(command.ConfigKinds(), ", "))
	completeFlag(c, "configs", command.ConfigKinds()...)
	f.StringVar(&root, "root", "/", "the machine's file system is this `DIR`")
	outputFlag(c, &output)
	return c
}

func newCloudInitAnalyze() *cobra.Command {
	var root, output, input, outfile string
	c := &cobra.Command{
		Use:   "analyze {blame|show|critical-path|dump|boot|timeline}",
		Short: "Print what took how long in provisioning this boot",
		Long: `  blame          the slowest first
  show, boot     in the order in which it ran
  critical-path  what the end waited for
  dump           JSON: {"version": 1, "events": [{"stage", "name", "start", "seconds", "outcome", "why"}]}
  timeline       an HTML page with bars`,
		Example: `  ros cloud-init analyze blame
  ros cloud-init analyze timeline >boot.html
  ros cloud-init analyze blame --infile record.jsonl   # of another machine`,
		Args:              exactly(1, "one of blame, show, critical-path, dump, boot, timeline"),
		ValidArgsFunction: oneWord(func() []string { return []string{"blame", "show", "critical-path", "dump", "boot", "timeline"} }),
		RunE: func(c *cobra.Command, args []string) error {
			what := args[0]
			if output == "json" {
				what = "dump"
			}
			if outfile == "" || outfile == "-" {
				return analyze(c.OutOrStdout(), root, input, what)
			}
			f, err := os.Create(outfile)
			if err != nil {
				return err
			}
			return errors.Join(analyze(f, root, input, what), f.Close())
		},
	}
	f := c.Flags()
	f.StringVar(&root, "root", "/", "the machine's file system is this `DIR`")
	f.StringVarP(&input, "infile", "i", "", "read this `FILE` instead of "+state.Record)
	f.StringVarP(&outfile, "outfile", "o", "", "write to this `FILE`")
	outputFlag(c, &output)
	return c
}

func analyze(w io.Writer, root, input, what string) error {
	print, ok := map[string]printEvents{"blame": command.Blame, "show": command.Show, "boot": command.Show,
		"critical-path": command.CriticalPath, "critical-chain": command.CriticalPath, "dump": command.Dump, "timeline": command.Timeline}[what]
	if !ok {
		return &ExitError{2, fmt.Errorf("analyze %s: want one of blame, show, critical-path, dump, boot, timeline", what)}
	}
	events, err := command.Events(root, input)
	if err != nil {
		return err
	}
	return print(w, events)
}
