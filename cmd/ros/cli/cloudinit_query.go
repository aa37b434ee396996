package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"rancheros/cloudconfig/userdata/jinja"
	"rancheros/cloudinit/command"
	"rancheros/cloudinit/state"
	"rancheros/cloudinit/tree"
)

func newCloudInitQuery() *cobra.Command {
	var all, list bool
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
			if at == "" && !all && !list && format == "" {
				return &ExitError{2, fmt.Errorf("want a variable, --all, --list-keys or --format; see `%s --help`", c.CommandPath())}
			}
			t, err := tree.Open(root)
			if err != nil {
				return err
			}
			defer t.Close()
			var text string
			if format != "" {
				text, err = fill(t, format, c.ErrOrStderr())
			} else {
				text, err = query(t, at, list, output == "json")
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
	f.BoolVarP(&list, "list-keys", "l", false, "only the keys of the variable")
	f.StringVarP(&format, "format", "f", "", "fill in this Jinja `template`")
	f.StringVar(&root, "root", "/", "the machine's file system is this `DIR`")
	outputFlag(c, &output)
	return c
}

// fill fills in a template. What is not known is said on warn and is no error:
// callers of upstream have the rest.
func fill(t *tree.Tree, template string, warn io.Writer) (string, error) {
	doc, err := command.InstanceData(t)
	if err != nil {
		return "", err
	}
	text, missing, err := command.Format(doc, template)
	if len(missing) > 0 {
		fmt.Fprintf(warn, "warning: template: instance-data has no %s; %s stands there instead\n",
			strings.Join(missing, ", "), jinja.MissingPrefix+missing[0])
	}
	return text, err
}

func query(t *tree.Tree, at string, list, asJSON bool) (string, error) {
	if at == "userdata" || at == "vendordata" {
		file := map[string]string{"userdata": "user-data.txt", "vendordata": "vendor-data.txt"}[at]
		b, err := t.ReadFile(state.Instance + "/" + file)
		if err != nil {
			return "", fmt.Errorf("read %s: %w", at, err)
		}
		return strings.TrimSuffix(string(b), "\n"), nil
	}
	doc, err := command.InstanceData(t)
	switch {
	case err != nil:
		return "", err
	case list:
		keys, err := command.ListKeys(doc, at)
		if asJSON && err == nil {
			return jsonText(keys)
		}
		return strings.Join(keys, "\n"), err
	}
	v, err := command.Lookup(doc, at)
	if err != nil {
		return "", err
	}
	if asJSON {
		return jsonText(v)
	}
	return command.Text(v)
}

func jsonText(v any) (string, error) {
	var b strings.Builder
	err := printJSON(&b, v)
	return strings.TrimSuffix(b.String(), "\n"), err
}
