package cli

import "github.com/spf13/cobra"

// cloudInitCommands are the subcommands of `ros cloud-init`, in the order of its
// help.
var cloudInitCommands = []func() *cobra.Command{
	newCloudInitRender,
	newCloudInitPlan,
	newCloudInitApply,
	newCloudInitStatus,
	newCloudInitQuery,
	newCloudInitAnalyze,
	newCloudInitClean,
	newCloudInitRecord,
	newCloudInitReplay,
}

func newCloudInit() *cobra.Command {
	c := &cobra.Command{
		Use:   "cloud-init",
		Short: "Read, plan and apply what this machine was told at its first boot",
	}
	for _, sub := range cloudInitCommands {
		c.AddCommand(sub())
	}
	return c
}
