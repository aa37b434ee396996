package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"rancheros/cloudconfig"
	"rancheros/cloudconfig/schema"
	"rancheros/paths"
)

// newConfig is `ros config`.
func newConfig() *cobra.Command {
	var root string
	c := &cobra.Command{
		Use:     "config",
		Aliases: []string{"c"},
		Short:   "Read, change, explain and check the config of this machine",
		Long: `Config is merged from layers, lowest first: what the image says, the OEM
partition, cloud-config.d (user-data is boot.yml there), cloud-config.yml, the
kernel command line. The cloud's metadata fills what none of them sets.

Keys are paths. A name with dots in it may be quoted:
rancher.network.interfaces."eth1.100".address`,
		Example: `  ros config get rancher.network
  sudo ros config set rancher.ssh.port 2222
  sudo ros config merge -i more.yml
  ros config explain hostname
  ros config validate user-data.yml`,
	}
	c.PersistentFlags().StringVar(&root, "root", "/", "the machine's file system is below this folder")
	c.AddCommand(newConfigGet(&root), newConfigSet(&root), newConfigMerge(&root), newConfigExport(&root),
		newConfigValidate(&root), newConfigExplain(&root), newConfigImages(&root), newConfigGenerate(), newConfigSchema())
	return c
}

// mayRead is an error for who may not read all layers: no answer is better than
// a wrong one.
func mayRead(root string) error {
	f, err := os.Open(filepath.Join(root, paths.LocalConfig))
	if err == nil {
		err = f.Close()
	}
	if errors.Is(err, fs.ErrPermission) {
		return needRoot()
	}
	return nil
}

// loadConfig loads the layers and says on w what of them is broken.
func loadConfig(w io.Writer, root string) (*cloudconfig.Trace, error) {
	if err := mayRead(root); err != nil {
		return nil, err
	}
	_, tr, err := cloudconfig.Load(root)
	if err != nil {
		fmt.Fprintln(w, err)
	}
	if left := tr.LeftOut(); len(left) > 0 {
		fmt.Fprintln(w, "ros: left out:", strings.Join(left, ", "))
	}
	return tr, nil
}

// completeKey completes paths of keys.
func completeKey(root *string) func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return func(_ *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		_, tr, _ := cloudconfig.Load(*root) // what is broken does not matter here
		prefix := ""
		if at := strings.LastIndexByte(typed, '.'); at >= 0 {
			prefix = typed[:at]
		}
		return tr.Keys(prefix), cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	}
}

func newConfigGet(root *string) *cobra.Command {
	var output string
	var private bool
	c := &cobra.Command{
		Use:   "get KEY",
		Short: "Print one value of the merged config",
		Long: `Get prints a value as it is, and a list or map as YAML. A key that is not set
prints an empty line; so does a secret, unless --private is given. A key that
does not exist is an error.

--output json prints {"version": 1, "key": "…", "value": …}.`,
		Example: `  ros config get hostname
  ros config get rancher.network.dns.nameservers`,
		Args:              exactly(1, "the key"),
		ValidArgsFunction: completeKey(root),
		RunE: func(c *cobra.Command, args []string) error {
			tr, err := loadConfig(c.ErrOrStderr(), *root)
			if err != nil {
				return err
			}
			if output == "json" {
				v, err := tr.GetValue(args[0], private)
				if err != nil {
					return err
				}
				return printJSON(c.OutOrStdout(), map[string]any{"version": 1, "key": args[0], "value": v})
			}
			text, err := tr.GetText(args[0], private)
			if err != nil {
				return err
			}
			fmt.Fprintln(c.OutOrStdout(), strings.TrimSuffix(text, "\n"))
			return nil
		},
	}
	outputFlag(c, &output)
	c.Flags().BoolVarP(&private, "private", "p", false, "print secrets too")
	return c
}

func newConfigSet(root *string) *cobra.Command {
	return &cobra.Command{
		Use:   "set KEY VALUE",
		Short: "Write one value into /var/lib/rancher/conf/cloud-config.yml",
		Long: `Set writes a value, which is read as YAML: true, 5, [a, b], text. The value null
takes away what lower layers say. A value that is not valid is refused.
Comments in the file stay.`,
		Example: `  sudo ros config set hostname box
  sudo ros config set rancher.modules '[btrfs, nfs]'
  sudo ros config set 'rancher.network.interfaces."eth1.100".dhcp' true`,
		Args:              exactly(2, "the key and the value"),
		ValidArgsFunction: completeKey(root),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := needRootFor(*root); err != nil {
				return err
			}
			return cloudconfig.Set(*root, args[0], args[1])
		},
	}
}

func newConfigMerge(root *string) *cobra.Command {
	var input string
	c := &cobra.Command{
		Use:   "merge",
		Short: "Merge a document into /var/lib/rancher/conf/cloud-config.yml",
		Long: `Merge checks the document first and changes nothing if there is an error in it.
Maps merge key by key; values and lists replace.`,
		Example: `  sudo ros config merge -i more.yml
  echo 'rancher: {debug: true}' | sudo ros config merge`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := needRootFor(*root); err != nil {
				return err
			}
			name, doc, err := readInput(c, input)
			if err != nil {
				return err
			}
			return cloudconfig.Merge(*root, name, doc)
		},
	}
	c.Flags().StringVarP(&input, "input", "i", "", "file to read; default: standard input")
	return c
}

func newConfigExport(root *string) *cobra.Command {
	var file string
	var o cloudconfig.ExportOptions
	c := &cobra.Command{
		Use:   "export",
		Short: "Print the merged config as YAML",
		Long: `Export prints what was configured on top of the image. Secrets are left out
unless --private is given; what was meant for one boot only (rancher.password,
rancher.autologin) always is.`,
		Example: `  ros config export > backup.yml
  sudo ros config export --full --private -o all.yml`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			tr, err := loadConfig(c.ErrOrStderr(), *root)
			if err != nil {
				return err
			}
			out, err := tr.Export(o)
			if err != nil {
				return err
			}
			if file != "" {
				return cloudconfig.WriteFile(file, out, 0o400)
			}
			_, err = c.OutOrStdout().Write(out)
			return err
		},
	}
	f := c.Flags()
	f.StringVarP(&file, "output", "o", "", "file to write, readable by its owner only; default: standard output")
	f.BoolVarP(&o.Private, "private", "p", false, "keep keys, passwords and other secrets")
	f.BoolVarP(&o.Full, "full", "f", false, "add what the image and the OEM partition say")
	return c
}

func newConfigExplain(root *string) *cobra.Command {
	var output string
	c := &cobra.Command{
		Use:   "explain KEY",
		Short: "Print a value and every layer that wrote it",
		Long: `Explain lists all layers that wrote a value, lowest first, with file and line. A
star marks what is in force.

--output json prints {"version": 1, "key": "…", "value": …, "origins": [{"layer",
"file", "line", "value", "removes", "in_force"}]}.`,
		Example:           "  ros config explain rancher.network.dns",
		Args:              exactly(1, "the key"),
		ValidArgsFunction: completeKey(root),
		RunE: func(c *cobra.Command, args []string) error {
			tr, err := loadConfig(c.ErrOrStderr(), *root)
			if err != nil {
				return err
			}
			origins, err := tr.Explain(args[0])
			if err != nil {
				return err
			}
			if output == "json" {
				v, err := tr.GetValue(args[0], false)
				if err != nil {
					return err
				}
				return printJSON(c.OutOrStdout(), map[string]any{"version": 1, "key": args[0], "value": v, "origins": origins})
			}
			return printOrigins(c.OutOrStdout(), args[0], origins)
		},
	}
	outputFlag(c, &output)
	return c
}

func printOrigins(w io.Writer, key string, origins []cloudconfig.Origin) error {
	fmt.Fprintln(w, key)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, o := range origins {
		mark, place := " ", o.File
		if o.InForce {
			mark = "*"
		}
		if o.Line > 0 {
			place = fmt.Sprintf("%s:%d", o.File, o.Line)
		}
		value := o.Value
		if o.Removes {
			value = "(removed)"
		}
		fmt.Fprintf(t, "  %s %s\t%s\t%s\n", mark, o.Layer, place, value)
	}
	return t.Flush()
}

func newConfigSchema() *cobra.Command {
	return &cobra.Command{
		Use:     "schema",
		Short:   "Print the JSON schema of cloud-config documents, for editors",
		Example: "  ros config schema > cloud-config.schema.json",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			_, err := io.WriteString(c.OutOrStdout(), schema.JSON)
			return err
		},
	}
}

// exactly asks for n arguments, named for the message.
func exactly(n int, what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) != n {
			return &ExitError{2, fmt.Errorf("want %s; see `%s --help`", what, c.CommandPath())}
		}
		return nil
	}
}

// outputFlag adds --output text|json.
func outputFlag(c *cobra.Command, output *string) {
	c.Flags().StringVar(output, "output", "text", "text or json")
	c.PreRunE = func(*cobra.Command, []string) error {
		if *output != "text" && *output != "json" {
			return &ExitError{2, fmt.Errorf("--output is %q; text and json are possible", *output)}
		}
		return nil
	}
	completeFlag(c, "output", "text", "json")
}

func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// needRootFor is needRoot unless another folder than / is changed.
func needRootFor(root string) error {
	if root != "/" && root != "" {
		return nil
	}
	return needRoot()
}

// readInput reads a file, or standard input for "" and "-".
func readInput(c *cobra.Command, file string) (name string, doc []byte, err error) {
	r := c.InOrStdin()
	name = "standard input"
	if file != "" && file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return "", nil, err
		}
		defer f.Close()
		r, name = f, file
	}
	doc, err = io.ReadAll(io.LimitReader(r, cloudconfig.MaxDocument+1))
	if err == nil && len(doc) > cloudconfig.MaxDocument {
		err = fmt.Errorf("read %s: more than %d bytes", name, cloudconfig.MaxDocument)
	}
	return name, doc, err
}

var errNotValid = errors.New("not valid")
