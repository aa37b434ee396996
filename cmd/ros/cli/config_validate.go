package cli

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"text/template"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v4"

	"rancheros/cloudconfig"
)

func newConfigValidate(root *string) *cobra.Command {
	var input, as, output string
	c := &cobra.Command{
		Use:   "validate [FILE]",
		Short: "Print all that is wrong with a document, or with this machine's config",
		Long: `Validate checks a file or standard input. With neither, or with --root, it checks
all layers of the machine. Each problem is one line:

  file:line:column: key: message; did you mean X?

Warnings do not change the exit code; errors make it 1.

--output json prints {"version": 1, "valid": true, "problems": [{"file", "line",
"column", "path", "message", "suggestion", "severity"}]}.`,
		Example: `  ros config validate user-data.yml
  ros config validate --as network-config netplan.yaml
  sudo ros config validate`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 1 {
				input = args[0]
			}
			ps, err := validateInput(c, *root, input, cloudconfig.DocKind(as))
			if err != nil {
				return err
			}
			return printProblems(c.OutOrStdout(), ps, output)
		},
	}
	f := c.Flags()
	f.StringVarP(&input, "input", "i", "", "file to check, - for standard input")
	f.StringVar(&as, "as", string(cloudconfig.CloudConfig), "cloud-config or network-config")
	completeFlag(c, "as", string(cloudconfig.CloudConfig), string(cloudconfig.NetworkConfig))
	outputFlag(c, &output)
	return c
}

func validateInput(c *cobra.Command, root, input string, as cloudconfig.DocKind) (cloudconfig.Problems, error) {
	if as != cloudconfig.CloudConfig && as != cloudconfig.NetworkConfig {
		return nil, &ExitError{2, fmt.Errorf("--as is %q; cloud-config and network-config are possible", as)}
	}
	if input == "" && (c.Flags().Changed("root") || isTerminal(c.InOrStdin())) {
		return cloudconfig.ValidateMachine(root), nil
	}
	name, doc, err := readInput(c, input)
	if err != nil {
		return nil, err
	}
	if input == "" && len(doc) == 0 { // `ssh machine ros config validate`
		return cloudconfig.ValidateMachine(root), nil
	}
	return cloudconfig.Validate(name, doc, as), nil
}

// isTerminal says whether nobody hands us a document.
func isTerminal(r io.Reader) bool {
	f, ok := r.(*os.File)
	if !ok {
		return false
	}
	st, err := f.Stat()
	return err == nil && st.Mode()&os.ModeCharDevice != 0
}

func printProblems(w io.Writer, ps cloudconfig.Problems, output string) error {
	valid := len(ps.Errors()) == 0
	if output == "json" {
		if ps == nil {
			ps = cloudconfig.Problems{}
		}
		if err := printJSON(w, map[string]any{"version": 1, "valid": valid, "problems": ps}); err != nil {
			return err
		}
	} else if len(ps) > 0 {
		fmt.Fprintln(w, ps.Error())
	}
	if !valid {
		return &ExitError{1, errNotValid}
	}
	return nil
}

func newConfigImages(root *string) *cobra.Command {
	var input, output string
	c := &cobra.Command{
		Use:     "images",
		Short:   "Print the images that the system services use, sorted",
		Example: "  ros config images -i os-config.yml",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			var config *cloudconfig.Config
			if input == "" {
				config, _, _ = cloudconfig.Load(*root) // broken layers name no images
			} else {
				name, doc, err := readInput(c, input)
				if err != nil {
					return err
				}
				if config, _, err = cloudconfig.Resolve(cloudconfig.Layer{Name: name, File: name, YAML: doc}); err != nil {
					return err
				}
			}
			images := imageNames(config)
			if output == "json" {
				return printJSON(c.OutOrStdout(), map[string]any{"version": 1, "images": images})
			}
			for _, image := range images {
				fmt.Fprintln(c.OutOrStdout(), image)
			}
			return nil
		},
	}
	c.Flags().StringVarP(&input, "input", "i", "", "config file; default: this machine's config")
	outputFlag(c, &output)
	return c
}

// imageNames are the images of the bootstrap and system services, each once.
func imageNames(config *cloudconfig.Config) []string {
	names := map[string]bool{}
	for _, services := range []map[string]yaml.Node{config.Rancher.Bootstrap, config.Rancher.Services} {
		for _, service := range services {
			var s struct {
				Image string `yaml:"image"`
			}
			if service.Decode(&s) == nil && s.Image != "" {
				names[s.Image] = true
			}
		}
	}
	return append([]string{}, slices.Sorted(maps.Keys(names))...)
}

func newConfigGenerate() *cobra.Command {
	return &cobra.Command{
		Use:     "generate",
		Short:   "Fill a Go template from standard input with the environment",
		Example: "  VERSION=v1 ros config generate < os-config.tpl.yml > os-config.yml",
		Hidden:  true,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			name, doc, err := readInput(c, "")
			if err != nil {
				return err
			}
			t, err := template.New(name).Parse(string(doc))
			if err != nil {
				return err
			}
			env := map[string]string{}
			for _, kv := range os.Environ() {
				k, v, _ := strings.Cut(kv, "=")
				env[k] = v
			}
			var out bytes.Buffer
			if err := t.Execute(&out, env); err != nil {
				return err
			}
			_, err = c.OutOrStdout().Write(out.Bytes())
			return err
		},
	}
}
