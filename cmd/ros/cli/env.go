package cli

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"rancheros/cloudconfig"
)

func newEnv() *cobra.Command {
	c := &cobra.Command{
		Use:     "env COMMAND [ARG]...",
		Short:   "Run a command with rancher.environment added to its environment",
		Example: "  sudo ros env printenv VERSION",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := mayRead("/"); err != nil {
				return err
			}
			config, _, err := cloudconfig.Load("/")
			if config == nil {
				return err
			}
			path, err := exec.LookPath(args[0])
			if err != nil {
				return err
			}
			env := os.Environ()
			for _, k := range slices.Sorted(maps.Keys(config.Rancher.Environment)) {
				env = append(env, k+"="+config.Rancher.Environment[k])
			}
			if err := unix.Exec(path, args, env); err != nil {
				return fmt.Errorf("exec %s: %w", path, err)
			}
			return nil
		},
	}
	c.Flags().SetInterspersed(false) // flags behind the command are its own
	return c
}
