package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"rancheros/sys/blkdev"
)

func newDev() *cobra.Command {
	return &cobra.Command{
		Use:     "dev SPEC",
		Short:   "Print the device that LABEL=, UUID=, PARTUUID= or a path means",
		Example: "  ros dev LABEL=RANCHER_STATE",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			dev, err := blkdev.Resolve("/", args[0])
			if err != nil {
				return err
			}
			fmt.Fprintln(c.OutOrStdout(), dev.Path)
			return nil
		},
	}
}
