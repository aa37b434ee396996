// Ros-image builds the OS image and runs it in QEMU.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	root := &cobra.Command{
		Use:           "ros-image",
		Short:         "Build the OS image, and run it in QEMU",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(newBuild(), newRun(), newIMDS(), newDeb(), newDeps(), newReproducible(), newTrace())
	if err := root.ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "ros-image:", err)
		os.Exit(1)
	}
}
