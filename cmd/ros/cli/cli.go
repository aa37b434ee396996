// Package cli is the `ros` command: one file per subcommand, one line each in
// the table below.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
)

// commands are the subcommands, in the order of `ros --help`.
var commands = []func() *cobra.Command{
	newConfig,
	newDatasource,
	newNetwork,
	newService,
	newCloudInit,
	newOS,
	newDev,
	newEnv,
}

// Version is set by the linker: v0.1.0.
var Version = "v0.0.0-dev"

// An ExitError ends the program with a code of its own.
type ExitError struct {
	Code int
	Err  error
}

func (e *ExitError) Error() string { return e.Err.Error() }
func (e *ExitError) Unwrap() error { return e.Err }

// Main runs `ros ARGS` and returns the exit code: 0 done, 1 it could not be
// done, 2 the command line is wrong.
func Main(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := New()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	fmt.Fprintln(stderr, "ros:", err)
	if e, ok := errors.AsType[*ExitError](err); ok {
		return e.Code
	}
	return 1
}

// New is the whole command tree.
func New() *cobra.Command {
	root := &cobra.Command{
		Use:           "ros",
		Short:         "Manage this machine: its config, services, version and cloud-init",
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       Version,
	}
	root.SetVersionTemplate("version " + Version + " from os image rancheros/os:" + Version + "\n")
	for _, c := range commands {
		root.AddCommand(c())
	}
	strict(root)
	return root
}

// needRoot is for commands that change the machine.
func needRoot() error {
	if os.Geteuid() != 0 {
		return errors.New("need to be root: try it with sudo")
	}
	return nil
}
