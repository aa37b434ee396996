package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"rancheros/cloudconfig"
	"rancheros/cloudconfig/userdata"
	"rancheros/cloudconfig/userdata/document"
	"rancheros/cloudinit/command"
	"rancheros/cloudinit/distro"
	"rancheros/cloudinit/execute"
	"rancheros/cloudinit/save"
	"rancheros/cloudinit/state"
	"rancheros/cloudinit/tree"
)

// printEvents is one way to show a record.
type printEvents = func(io.Writer, []state.Event) error

// Programs are those that cloud-init runs.
type Programs struct {
	// Save is cloud-init-save, Execute is cloud-init-execute.
	Save, Execute func(ctx context.Context, args []string) int
}

// CloudInitMain is the program cloud-init as callers of upstream's know it.
// Exit codes are upstream's.
func CloudInitMain(ctx context.Context, args []string, p Programs) int {
	root := newUpstream(p)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	if e, ok := errors.AsType[*ExitError](err); ok {
		// status has said it on standard output; callers parse that.
		if !strings.Contains(e.Error(), "status --long") {
			fmt.Fprintln(os.Stderr, "cloud-init:", err)
		}
		return e.Code
	}
	fmt.Fprintln(os.Stderr, "cloud-init:", err)
	return 1
}

func newUpstream(p Programs) *cobra.Command {
	root := &cobra.Command{Use: "cloud-init", Short: "Provision this machine as its cloud and user-data say",
		SilenceUsage: true, SilenceErrors: true, Version: strings.TrimPrefix(Version, "v")}
	root.SetVersionTemplate(os.Args[0] + " {{.Version}} (ros)\n")
	root.PersistentFlags().BoolP("debug", "d", false, "accepted, and of no effect")
	root.PersistentFlags().Bool("force", false, "accepted, and of no effect")
	var allStages bool
	root.Flags().BoolVar(&allStages, "all-stages", false, "run all stages")
	root.RunE = func(c *cobra.Command, _ []string) error {
		if !allStages {
			return c.Help()
		}
		return errors.Join(exitOf(p.Save(c.Context(), nil)), exitOf(p.Execute(c.Context(), nil)))
	}
	root.AddCommand(upstreamInit(p), upstreamModules(p), upstreamSingle(p), upstreamSchema(), upstreamFeatures(), newCollectLogs())
	for _, sub := range cloudInitCommands {
		root.AddCommand(sub())
	}
	strict(root)
	return root
}

// exitOf makes an error of a program's exit code; the program has said why.
func exitOf(code int) error {
	if code == 0 {
		return nil
	}
	return &ExitError{code, fmt.Errorf("exit code %d", code)}
}

// upstreamInit is `init --local`, which saves, and `init`, which does all that
// comes before scripts.
func upstreamInit(p Programs) *cobra.Command {
	var local bool
	c := &cobra.Command{Use: "init", Short: "Find the datasource (--local), then prepare the machine", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			t, err := tree.Open("/")
			if err != nil {
				return err
			}
			if local {
				// Where the network is somebody's, it is he who brings it up.
				args := []string{"-early"}
				if distro.Configured(t) {
					args = []string{"-local"}
				}
				return errors.Join(t.Close(), exitOf(p.Save(c.Context(), args)))
			}
			// Whatever fails, users and keys must come: nobody gets in without.
			var errs []error
			if save.Pending(t) {
				errs = append(errs, distro.WaitOnline(c.Context(), t), exitOf(p.Save(c.Context(), nil)))
			}
			errs = append(errs, t.Close(), applyUnlessOff(c, p, "-pre-console", "-config"))
			return errors.Join(errs...)
		}}
	c.Flags().BoolVarP(&local, "local", "l", false, "only find the datasource")
	c.Flags().StringSliceP("file", "f", nil, "accepted, and of no effect")
	return c
}

// applyUnlessOff applies phases, at a boot at which there is something to apply.
func applyUnlessOff(c *cobra.Command, p Programs, phases ...string) error {
	t, err := tree.Open("/")
	if err != nil {
		return err
	}
	off, why := state.SwitchedOff(t)
	if err := t.Close(); err != nil {
		return err
	}
	if off != "" {
		_, err := fmt.Fprintln(c.OutOrStdout(), "cloud-init is switched off:", why)
		return err
	}
	return exitOf(p.Execute(c.Context(), phases))
}

func upstreamModules(p Programs) *cobra.Command {
	var mode string
	c := &cobra.Command{Use: "modules", Short: "Apply users and files (config), or run scripts (final)", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			switch mode {
			case "init":
				return applyUnlessOff(c, p, "-pre-console")
			case "config":
				return applyUnlessOff(c, p, "-config")
			case "final":
				return applyUnlessOff(c, p, "-final")
			}
			return &ExitError{2, fmt.Errorf("--mode is %q; init, config and final are possible", mode)}
		}}
	c.Flags().StringVarP(&mode, "mode", "m", "config", "init, config or final")
	c.Flags().StringSliceP("file", "f", nil, "accepted, and of no effect")
	return c
}

// upstreamNames are our appliers for upstream's names of modules.
var upstreamNames = map[string]string{
	"users_groups": "users", "set_passwords": "passwords,sshd", "ssh": "ssh_host_keys,ssh_keys,sshd", "set_hostname": "hostname",
	"update_hostname": "hostname", "update_etc_hosts": "etc_hosts", "growpart": "resize", "resizefs": "resize",
	"power_state_change": "power_state", "scripts_user": "scripts_user,runcmd", "disk_setup": "disk_setup,fs_setup",
	"ssh_authkey_fingerprints": "authkey_fingerprints", "install_hotplug": "hotplug",
}

func upstreamSingle(p Programs) *cobra.Command {
	var name, frequency, file string
	c := &cobra.Command{Use: "single", Short: "Run one module", Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			name = strings.ReplaceAll(strings.TrimPrefix(name, "cc_"), "-", "_")
			if name == "" {
				return &ExitError{2, errors.New("want --name MODULE")}
			}
			if ours, ok := upstreamNames[name]; ok {
				name = ours
			}
			if err := execute.CheckNames(strings.Split(name, ",")); err != nil {
				return err
			}
			if file == "" {
				args := []string{"-only", name}
				if frequency == "always" || frequency == "" {
					args = append(args, "-again")
				}
				return exitOf(p.Execute(c.Context(), args))
			}
			o := documentOptions{root: "/", only: name, output: "text"}
			return o.run(c, file, command.Apply)
		}}
	f := c.Flags()
	f.StringVarP(&name, "name", "n", "", "the module")
	f.StringVar(&frequency, "frequency", "", "instance, always or once")
	f.StringVarP(&file, "file", "f", "", "use this config")
	f.Bool("report", false, "accepted, and of no effect")
	return c
}

func upstreamSchema() *cobra.Command {
	var file, as, instance string
	var system, annotate bool
	c := &cobra.Command{Use: "schema", Short: "Check a cloud-config", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if system {
				file = state.Instance + "/cloud-config.txt"
			}
			if file == "" {
				return &ExitError{2, errors.New("want --config-file FILE or --system")}
			}
			name, doc, err := readInput(c, file)
			if err != nil {
				return err
			}
			ps, err := schemaProblems(c, name, doc, cloudconfig.DocKind(as), instance)
			if err != nil {
				return err
			}
			for _, p := range ps {
				fmt.Fprintln(c.OutOrStdout(), p)
			}
			if len(ps.Errors()) > 0 {
				return fmt.Errorf("invalid schema: %s", name)
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "Valid schema %s\n", name)
			return err
		}}
	f := c.Flags()
	f.StringVarP(&file, "config-file", "c", "", "the file to check")
	f.StringVarP(&as, "schema-type", "t", string(cloudconfig.CloudConfig), "cloud-config or network-config")
	f.StringVarP(&instance, "instance-data", "i", "", "fill templates in with this `FILE` instead of "+state.InstanceData)
	f.BoolVar(&system, "system", false, "check what this machine was given")
	f.BoolVar(&annotate, "annotate", false, "accepted: lines are always named")
	completeFlag(c, "schema-type", string(cloudconfig.CloudConfig), string(cloudconfig.NetworkConfig))
	return c
}

// schemaProblems finds what is wrong with user-data. What only leads to a
// cloud-config, as a template does, is checked by what comes out of it; nothing
// is fetched for that.
func schemaProblems(c *cobra.Command, name string, doc []byte, as cloudconfig.DocKind, instance string) (cloudconfig.Problems, error) {
	if as != cloudconfig.CloudConfig || !slices.Contains([]string{userdata.Jinja, userdata.Archive, ""}, userdata.Detect(doc)) {
		return cloudconfig.Validate(name, doc, as), nil
	}
	in := userdata.Input{UserData: doc}
	var err error
	if instance != "" {
		_, in.InstanceData, err = readInput(c, instance)
	} else if in.InstanceData, err = os.ReadFile(state.InstanceDataFull); err != nil {
		in.InstanceData, err = os.ReadFile(state.InstanceData)
		if errors.Is(err, fs.ErrNotExist) {
			err = nil // a template without it is said to be one
		}
	}
	if err != nil {
		return nil, err
	}
	r, err := userdata.Parse(c.Context(), in, userdata.Options{})
	if err != nil {
		return nil, err
	}
	var ps cloudconfig.Problems
	for _, p := range r.Problems {
		found := cloudconfig.Problem{File: name, Line: max(p.Line, 1), Column: max(p.Column, 1), Message: p.Message, Severity: cloudconfig.Warning}
		if p.Severity == userdata.Error {
			found.Severity = cloudconfig.Error
		}
		ps = append(ps, found)
	}
	meant, err := document.YAML(r.Config)
	if err != nil || len(ps.Errors()) > 0 {
		return ps, err
	}
	return append(ps, cloudconfig.Validate(name+" as it is meant", meant, as)...), nil
}

func upstreamFeatures() *cobra.Command {
	return &cobra.Command{Use: "features", Short: "List what callers may rely on", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(c.OutOrStdout(), "NETWORK_CONFIG_V1\nNETWORK_CONFIG_V2")
			return err
		}}
}

// CloudInitPerMain is the program cloud-init-per.
func CloudInitPerMain(ctx context.Context, args []string) int {
	t, err := tree.Open("/")
	if err == nil {
		target := execute.New(t)
		target.Output = os.Stdout
		err = errors.Join(execute.Per(ctx, target, args), t.Close())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "cloud-init-per:", err)
		return 1
	}
	return 0
}
