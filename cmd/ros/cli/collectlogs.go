package cli

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"rancheros/cloudinit/command"
	"rancheros/cloudinit/tree"
)

func newCollectLogs() *cobra.Command {
	var file, root string
	var withUserData, verbose bool
	c := &cobra.Command{
		Use:   "collect-logs",
		Short: "Pack what a report of a problem needs into one file",
		Long: `Collect-logs packs logs, status, record and instance-data of this machine into a
.tar.gz. Secrets are left out: instance-data is the one that everybody may read,
and user-data comes along only with --include-userdata.

Look into it before you give it away: what programs printed is in the log.`,
		Example: `  sudo cloud-init collect-logs
  sudo cloud-init collect-logs --tarfile /tmp/machine-7.tar.gz --include-userdata`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			t, err := tree.Open(root)
			if err != nil {
				return err
			}
			defer t.Close()
			f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
			if err != nil {
				return err
			}
			names, err := command.CollectLogs(t, f, withUserData)
			if err = errors.Join(err, f.Close()); err != nil {
				return errors.Join(err, os.Remove(file))
			}
			return printCollected(c.OutOrStdout(), file, names, verbose)
		},
	}
	f := c.Flags()
	f.StringVarP(&file, "tarfile", "t", "cloud-init.tar.gz", "write to this `FILE`")
	f.BoolVarP(&withUserData, "include-userdata", "u", false, "with the user-data, which may hold secrets")
	f.BoolP("redact-sensitive", "r", false, "accepted: secrets are left out in any case")
	f.BoolVarP(&verbose, "verbose", "v", false, "say what was packed")
	f.StringVar(&root, "root", "/", "the machine's file system is this `DIR`")
	return c
}

func printCollected(w io.Writer, file string, names []string, verbose bool) error {
	if verbose {
		for _, n := range names {
			fmt.Fprintln(w, n)
		}
	}
	_, err := fmt.Fprintf(w, "Wrote %s\n", file)
	return err
}
