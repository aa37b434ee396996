package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"rancheros/cloudinit/command"
	"rancheros/cloudinit/execute"
)

// documentOptions are the flags of plan and apply.
type documentOptions struct {
	root, only, output string
	chroot             bool
}

func (o *documentOptions) add(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&o.root, "root", "/", "the machine's file system is this `DIR`")
	f.StringVar(&o.only, "only", "", "look at these appliers only: `NAME,NAME`")
	completeFlag(c, "only", execute.ApplierNames()...)
	outputFlag(c, &o.output)
}

// run reads the document and hands it on; the report is printed in any case.
func (o *documentOptions) run(c *cobra.Command, file string, do func(context.Context, command.Document) (*execute.Report, error)) error {
	d := command.Document{Root: o.root, Chroot: o.chroot}
	if o.only != "" {
		d.Only = strings.Split(o.only, ",")
	}
	if err := execute.CheckNames(d.Only); err != nil {
		return &ExitError{2, fmt.Errorf("--only: %w", err)}
	}
	var err error
	if d.File, d.Data, err = readInput(c, file); err != nil {
		return err
	}
	report, err := do(c.Context(), d)
	if report != nil {
		err = errors.Join(err, report.Print(c.OutOrStdout(), o.output == "json"))
	}
	return err
}

func newCloudInitPlan() *cobra.Command {
	var o documentOptions
	c := &cobra.Command{
		Use:   "plan FILE",
		Short: "Print what applying user-data would change on this machine, and change nothing",
		Long: `Plan runs every applier on a view of this machine that remembers changes instead
of making them, and prints each with its diff. The contents of files that not
everybody may read are not shown. Nothing is fetched, run or written.

--output json prints {"version": 1, "results": [{"name", "outcome", "why",
"warnings", "seconds", "changes": [{"op", "path", "target", "mode", "diff"}]}]}.
Outcomes are changed, unchanged, skipped and failed.`,
		Example: `  sudo ros cloud-init plan user-data.yml
  ros cloud-init plan --root /mnt/machine --only write_files,users user-data.yml`,
		Args: exactly(1, "one file, or - for standard input"),
		RunE: func(c *cobra.Command, args []string) error { return o.run(c, args[0], command.Plan) },
	}
	o.add(c)
	return c
}

func newCloudInitApply() *cobra.Command {
	var o documentOptions
	c := &cobra.Command{
		Use:   "apply FILE",
		Short: "Make this machine what user-data of any kind says, now",
		Long: `Apply does at once what a first boot with that user-data would do, scripts and
runcmd included, whatever has been applied before. The file is not kept: to make
it part of the machine's config, use ` + "`ros config merge`." + `

Exit code 1 says that something could not be applied; the rest is done.
--output json prints the report of ` + "`ros cloud-init plan`" + `, without diffs.`,
		Example: `  sudo ros cloud-init apply user-data.yml
  sudo ros cloud-init apply --root /mnt/machine --chroot user-data.yml`,
		Args: exactly(1, "one file, or - for standard input"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := needRootFor(o.root); err != nil {
				return err
			}
			return o.run(c, args[0], command.Apply)
		},
	}
	o.add(c)
	c.Flags().BoolVar(&o.chroot, "chroot", false, "with --root: run commands inside of it")
	return c
}
