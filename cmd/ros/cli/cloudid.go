package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"rancheros/cloudinit/command"
	"rancheros/cloudinit/state"
	"rancheros/cloudinit/tree"
)

// Exit codes of cloud-id, as upstream's callers know them.
const (
	cloudIDDisabled   = 2
	cloudIDNotStarted = 3
)

// CloudIDMain is the program cloud-id.
func CloudIDMain(ctx context.Context, args []string) int {
	c := newCloudID()
	c.SetArgs(args)
	err := c.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	fmt.Fprintln(os.Stderr, "cloud-id:", err)
	if e, ok := errors.AsType[*ExitError](err); ok {
		return e.Code
	}
	return 1
}

func newCloudID() *cobra.Command {
	var asJSON, long bool
	var file, root string
	c := &cobra.Command{
		Use:   "cloud-id",
		Short: "Print the name of the cloud that this machine is in",
		Long: `Print the name of the cloud that this machine is in.

Exit code: 0 it is known, 1 it could not be read, 2 cloud-init is disabled (or the
command line is wrong), 3 it has not run yet.`,
		Example: `  cloud-id
  cloud-id --json
  cloud-id --long      # with the region`,
		SilenceUsage: true, SilenceErrors: true, Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			t, err := tree.Open(root)
			if err != nil {
				return err
			}
			defer t.Close()
			v1, err := standardKeys(c, t, file)
			if err != nil {
				return err
			}
			return printCloudID(c.OutOrStdout(), v1, asJSON, long)
		},
	}
	f := c.Flags()
	f.BoolVarP(&asJSON, "json", "j", false, "all keys that clouds have in common, as JSON")
	f.BoolVarP(&long, "long", "l", false, "the region too")
	f.StringVarP(&file, "instance-data", "i", "", "read this `FILE` instead of "+state.InstanceData)
	f.StringVar(&root, "root", "/", "the machine's file system is this `DIR`")
	strict(c)
	return c
}

func off(t *tree.Tree) bool {
	code, _ := state.SwitchedOff(t)
	return code != ""
}

// standardKeys are the keys of instance-data that all clouds have.
func standardKeys(c *cobra.Command, t *tree.Tree, file string) (map[string]any, error) {
	var doc map[string]any
	var err error
	switch {
	case file != "":
		doc, err = readInstanceData(c, file)
	case off(t):
		return nil, &ExitError{cloudIDDisabled, errors.New("cloud-init is disabled: no cloud was looked for")}
	case !t.Exists(state.InstanceData):
		return nil, &ExitError{cloudIDNotStarted, errors.New("cloud-init has not run yet: `cloud-init status --wait` waits for it")}
	default:
		doc, err = command.PublicInstanceData(t)
	}
	if err != nil {
		return nil, err
	}
	v1, ok := doc["v1"].(map[string]any)
	if !ok {
		return nil, errors.New("instance-data has no v1: it is none of cloud-init's")
	}
	return v1, nil
}

func printCloudID(w io.Writer, v1 map[string]any, asJSON, long bool) error {
	id, _ := v1["cloud_id"].(string)
	if id == "" {
		id, _ = v1["cloud_name"].(string)
	}
	if asJSON {
		v1["cloud_id"] = id
		return printJSON(w, v1)
	}
	if !long {
		_, err := fmt.Fprintln(w, id)
		return err
	}
	region, _ := v1["region"].(string)
	if region == "" {
		region = "unknown"
	}
	_, err := fmt.Fprintf(w, "%s\t%s\n", id, region)
	return err
}
