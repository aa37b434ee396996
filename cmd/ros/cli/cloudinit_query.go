package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"rancheros/cloudconfig/userdata/jinja"
	"rancheros/cloudinit/command"
	"rancheros/cloudinit/state"
	"rancheros/cloudinit/tree"
)

// queryOptions say where query looks.
type queryOptions struct {
	// instance, user and vendor are files to read instead of those of the machine.
	instance, user, vendor string
	list, asJSON           bool
}

// data is the instance-data.
func (o queryOptions) data(c *cobra.Command, t *tree.Tree) (map[string]any, error) {
	if o.instance == "" {
		return command.InstanceData(t)
	}
	return readInstanceData(c, o.instance)
}

// readInstanceData reads a file that the caller names.
func readInstanceData(c *cobra.Command, file string) (map[string]any, error) {
	name, b, err := readInput(c, file)
	if err != nil {
		return nil, err
	}
	return command.ParseInstanceData(name, b)
}

func newCloudInitQuery() *cobra.Command {
	var o queryOptions
	var all bool
	var format, root, output string
	c := &cobra.Command{
		Use:   "query [VARIABLE]",
		Short: "Print what is known of this instance",
		Long: `Query reads instance-data: what the cloud says (ds), what all clouds have in
common (v1, whose keys are known without the prefix) and what was configured.
Secrets are shown to root only.

Strings are printed bare, all else as JSON; --output json quotes strings too.
A template has CI_MISSING_JINJA_VAR/NAME in place of what is not known, and a
warning goes to standard error.`,
		Example: `  cloud-init query instance_id
  cloud-init query ds.meta_data
  cloud-init query --list-keys v1
  cloud-init query --format 'http://{{ local_hostname }}/'`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			at := strings.Join(args, "")
			if at == "" && !all && !o.list && format == "" {
				return &ExitError{2, fmt.Errorf("want a variable, --all, --list-keys or --format; see `%s --help`", c.CommandPath())}
			}
			t, err := tree.Open(root)
			if err != nil {
				return err
			}
			defer t.Close()
			o.asJSON = output == "json"
			var text string
			if format != "" {
				text, err = o.fill(c, t, format)
			} else {
				text, err = o.query(c, t, at)
			}
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(c.OutOrStdout(), text)
			return err
		},
	}
	f := c.Flags()
	f.BoolVarP(&all, "all", "a", false, "everything")
	f.BoolVarP(&o.list, "list-keys", "l", false, "only the keys of the variable")
	f.StringVarP(&format, "format", "f", "", "fill in this Jinja `template`")
	f.StringVarP(&o.instance, "instance-data", "i", "", "read this `FILE` instead of "+state.InstanceData)
	f.StringVarP(&o.user, "user-data", "u", "", "read this `FILE` as userdata")
	f.StringVarP(&o.vendor, "vendor-data", "v", "", "read this `FILE` as vendordata")
	f.StringVar(&root, "root", "/", "the machine's file system is this `DIR`")
	outputFlag(c, &output)
	return c
}

// fill fills in a template. What is not known is said as a warning and is no
// error: callers of upstream have the rest.
func (o queryOptions) fill(c *cobra.Command, t *tree.Tree, template string) (string, error) {
	doc, err := o.data(c, t)
	if err != nil {
		return "", err
	}
	text, missing, err := command.Format(doc, template)
	if len(missing) > 0 {
		fmt.Fprintf(c.ErrOrStderr(), "warning: template: instance-data has no %s; %s stands there instead\n",
			strings.Join(missing, ", "), jinja.MissingPrefix+missing[0])
	}
	return text, err
}

func (o queryOptions) query(c *cobra.Command, t *tree.Tree, at string) (string, error) {
	switch at {
	case "userdata":
		return raw(c, t, o.user, state.Instance+"/user-data.txt")
	case "vendordata":
		return raw(c, t, o.vendor, state.Instance+"/vendor-data.txt")
	}
	doc, err := o.data(c, t)
	switch {
	case err != nil:
		return "", err
	case o.list:
		keys, err := command.ListKeys(doc, at)
		if o.asJSON && err == nil {
			return jsonText(keys)
		}
		return strings.Join(keys, "\n"), err
	}
	v, err := command.Lookup(doc, at)
	if err != nil {
		return "", err
	}
	if o.asJSON {
		return jsonText(v)
	}
	return command.Text(v)
}

// raw is a file that the caller names, or else the machine's own.
func raw(c *cobra.Command, t *tree.Tree, named, own string) (string, error) {
	var b []byte
	var err error
	if named != "" {
		_, b, err = readInput(c, named)
	} else {
		b, err = t.ReadFile(own)
	}
	return strings.TrimSuffix(string(b), "\n"), err
}

func jsonText(v any) (string, error) {
	var b strings.Builder
	err := printJSON(&b, v)
	return strings.TrimSuffix(b.String(), "\n"), err
}
