package main

import (
	"os"

	"github.com/spf13/cobra"

	"rancheros/image/golines"
)

func newTrace() *cobra.Command {
	return &cobra.Command{
		Use:   "trace PROGRAM < TRACE",
		Short: "Put source lines into the trace of a program of the image",
		Long: `The programs in the image have no source lines, so that it is smaller: their
traces say "?:0 +0x1d". Those in out/ have them. Trace copies what it reads and
puts the lines in. PROGRAM must be of the same build as the one that failed.`,
		Example: `  system-docker logs docker 2>&1 | ros-image trace out/engine/dockerd
  out/ros-image trace out/ros < console.txt`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			program, err := os.ReadFile(args[0])
			if err != nil {
				return err
			}
			return golines.Resolve(os.Stdout, program, os.Stdin)
		},
	}
}
