package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"rancheros/cloudconfig"
	"rancheros/paths"
	"rancheros/services"
	"rancheros/services/writefiles"
)

func newService() *cobra.Command {
	c := &cobra.Command{
		Use:     "service",
		Aliases: []string{"s", "services"},
		Short:   "The services of this machine: which there are, which run, what they say",
		Long: `A service is a container that the machine keeps running: its own, as console
and docker, those of the catalogue that you enable, and those that you write in
rancher.services. Services with the label io.rancher.os.scope: system run in
System Docker, the others in User Docker.`,
		Example: `  sudo ros service list --all
  sudo ros service enable qemu-guest-agent && sudo ros service up qemu-guest-agent
  sudo ros service logs --follow network`,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return &ExitError{2, fmt.Errorf("%s: no such command; see `ros service --help`", args[0])}
			}
			return c.Help()
		},
	}
	for _, old := range []string{"tls", "tlsverify", "verbose", "debug"} {
		c.PersistentFlags().Bool(old, false, "")
		_ = c.PersistentFlags().MarkHidden(old) // scripts of RancherOS pass them
	}
	for _, old := range []string{"tlscacert", "tlscert", "tlskey", "configdir"} {
		c.PersistentFlags().String(old, "", "")
		_ = c.PersistentFlags().MarkHidden(old)
	}
	c.AddCommand(
		newServiceList(), newServiceEnable(), newServiceDisable(), newServiceDelete(),
		newServiceUp(), newServiceCreate(), newServiceStart(), newServiceStop(), newServiceRestart(), newServiceRm(), newServiceKill(),
		newServiceLogs(), newServicePull(), newServicePs(), newServiceBuild(),
	)
	return c
}

// control loads the machine's project and connects to its engines.
func control(c *cobra.Command) (*services.Control, error) {
	if err := needRoot(); err != nil {
		return nil, err
	}
	config, _, err := cloudconfig.Load("/")
	if config == nil {
		return nil, err
	}
	warn(c, err)
	here := func(context.Context) error { return nil } // a person is: what there is of a network is up
	project, problems := services.LoadOnline(c.Context(), config, here, 30*time.Second)
	warn(c, problems...)
	system, err := services.Connect(paths.SystemDockerSocket)
	if err != nil {
		return nil, err
	}
	return &services.Control{Project: project, System: system, User: userWithin(time.Minute), Files: writefiles.For(config)}, nil
}

// userWithin returns User Docker, which may be about to start.
func userWithin(patience time.Duration) func(context.Context) (services.Docker, error) {
	return func(ctx context.Context) (services.Docker, error) {
		user, err := services.Connect(paths.DockerSocket)
		if err != nil {
			return nil, err
		}
		return user, user.Ready(ctx, patience)
	}
}

func warn(c *cobra.Command, problems ...error) {
	for _, p := range problems {
		if p != nil {
			fmt.Fprintln(c.ErrOrStderr(), "warning:", p)
		}
	}
}

// serviceNames completes names of services.
func serviceNames(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	config, _, _ := cloudconfig.Load("/")
	if config == nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	p, _ := services.Load(c.Context(), config, false)
	var names []string
	for _, s := range p.Services {
		if !slices.Contains(args, s.Name) {
			names = append(names, s.Name)
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

func newServiceUp() *cobra.Command {
	c := upCommand("up", "Make services run: create, replace what changed, start", false)
	c.Long = `Up creates services that are not there, replaces those whose definition or
image changed, and starts those that do not run, each after the ones it waits
for. Without names it does so for all.`
	c.Example = "  sudo ros service up\n  sudo ros service up --force-recreate ntp"
	return c
}

func newServiceCreate() *cobra.Command {
	return upCommand("create", "Create services without starting them", true)
}

func upCommand(use, short string, noStart bool) *cobra.Command {
	var never, force, foreground bool
	c := &cobra.Command{
		Use: use + " [NAME...]", Short: short, ValidArgsFunction: serviceNames,
		RunE: func(c *cobra.Command, names []string) error {
			ctl, err := control(c)
			if err != nil {
				return err
			}
			p, unknown := ctl.Project.Only(names...)
			if len(unknown) > 0 {
				return fmt.Errorf("no service %q; see `ros service list --all`", unknown)
			}
			out := c.OutOrStdout()
			_, err = services.Up(c.Context(), p, services.Options{
				System: ctl.System, User: ctl.User, Files: ctl.Files,
				Policy: services.Policy{Force: force, Never: never, NoStart: noStart},
				Report: func(r services.Result) {
					if r.Err == nil {
						fmt.Fprintf(out, "%s: %s, because %s\n", r.Name, r.Verb, r.Why)
					}
				},
			})
			if err == nil && foreground {
				err = ctl.Logs(c.Context(), 10, true, out, names...)
			}
			return err
		},
	}
	c.Flags().BoolVar(&never, "no-recreate", false, "leave containers that are there, even if their definition changed")
	c.Flags().BoolVar(&force, "force-recreate", false, "replace containers even if nothing changed")
	c.Flags().Bool("no-build", false, "")
	_ = c.Flags().MarkHidden("no-build") // nothing is built here
	if !noStart {
		c.Flags().BoolVar(&foreground, "foreground", false, "show what the services write, until Ctrl-C")
	}
	c.MarkFlagsMutuallyExclusive("no-recreate", "force-recreate")
	return c
}

// onServices is a command that does one thing to services by name.
func onServices(use, short string, do func(context.Context, *services.Control, []string) error) *cobra.Command {
	return &cobra.Command{
		Use: use + " [NAME...]", Short: short, ValidArgsFunction: serviceNames,
		RunE: func(c *cobra.Command, names []string) error {
			ctl, err := control(c)
			if err != nil {
				return err
			}
			return do(c.Context(), ctl, names)
		},
	}
}

// needNames refuses to do it to the whole machine by a slip.
func needNames(c *cobra.Command) *cobra.Command {
	c.Args = func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return &ExitError{2, fmt.Errorf("name the services; see `%s --help`", c.CommandPath())}
		}
		return nil
	}
	return c
}

func newServiceStart() *cobra.Command {
	c := onServices("start", "Start services that are there", func(ctx context.Context, ctl *services.Control, names []string) error {
		return ctl.Start(ctx, names...)
	})
	c.Flags().Bool("foreground", false, "")
	_ = c.Flags().MarkHidden("foreground")
	return c
}

func newServiceStop() *cobra.Command {
	var timeout int
	c := needNames(onServices("stop", "Stop services", func(ctx context.Context, ctl *services.Control, names []string) error {
		return ctl.Stop(ctx, time.Duration(timeout)*time.Second, names...)
	}))
	c.Flags().IntVarP(&timeout, "timeout", "t", 10, "seconds until a service is killed")
	return c
}

func newServiceRestart() *cobra.Command {
	var timeout int
	c := needNames(onServices("restart", "Stop services and start them again", func(ctx context.Context, ctl *services.Control, names []string) error {
		return ctl.Restart(ctx, time.Duration(timeout)*time.Second, names...)
	}))
	c.Flags().IntVarP(&timeout, "timeout", "t", 10, "seconds until a service is killed")
	return c
}

func newServiceRm() *cobra.Command {
	var force, volumes bool
	c := needNames(onServices("rm", "Remove the containers of services", func(ctx context.Context, ctl *services.Control, names []string) error {
		return ctl.Rm(ctx, force, volumes, names...)
	}))
	c.Flags().BoolVarP(&force, "force", "f", false, "even if they run")
	c.Flags().BoolVarP(&volumes, "volumes", "v", false, "remove their anonymous volumes as well")
	return c
}

func newServiceKill() *cobra.Command {
	var signal string
	c := needNames(onServices("kill", "Send a signal to services", func(ctx context.Context, ctl *services.Control, names []string) error {
		return ctl.Kill(ctx, signal, names...)
	}))
	c.Flags().StringVarP(&signal, "signal", "s", "SIGKILL", "the signal")
	return c
}

func newServicePull() *cobra.Command {
	var ignore bool
	c := onServices("pull", "Fetch the images of services", nil)
	c.RunE = func(c *cobra.Command, names []string) error {
		ctl, err := control(c)
		if err != nil {
			return err
		}
		err = ctl.Pull(c.Context(), func(service, image string) {
			fmt.Fprintf(c.OutOrStdout(), "%s: pulling %s\n", service, image)
		}, names...)
		if ignore {
			warn(c, err)
			return nil
		}
		return err
	}
	c.Flags().BoolVar(&ignore, "ignore-pull-failures", false, "warn only")
	return c
}

func newServiceLogs() *cobra.Command {
	var (
		lines  int
		follow bool
	)
	c := onServices("logs", "Show what services have written", nil)
	c.RunE = func(c *cobra.Command, names []string) error {
		ctl, err := control(c)
		if err != nil {
			return err
		}
		return ctl.Logs(c.Context(), lines, follow, c.OutOrStdout(), names...)
	}
	c.Flags().IntVar(&lines, "lines", 100, "how many of the last lines; -1 for all")
	c.Flags().BoolVarP(&follow, "follow", "f", false, "go on until Ctrl-C")
	return c
}

func newServicePs() *cobra.Command {
	var (
		output string
		quiet  bool
	)
	c := onServices("ps", "Show which services run", nil)
	c.Long = `Ps shows the services of this machine and the state of their containers.

With --output json it prints {"version": 1, "services": [{"name", "scope",
"image", "state", "status", "id"}]}; state is running, exited, created, absent,
or unknown where User Docker does not answer.`
	c.RunE = func(c *cobra.Command, names []string) error {
		ctl, err := control(c)
		if err != nil {
			return err
		}
		ctl.User = userWithin(5 * time.Second) // that it does not answer is an answer
		states, err := ctl.Ps(c.Context(), names...)
		switch {
		case err != nil:
			return err
		case output == "json":
			return writeJSON(c.OutOrStdout(), map[string]any{"version": 1, "services": states})
		case quiet:
			for _, s := range states {
				if s.ID != "" {
					fmt.Fprintln(c.OutOrStdout(), s.ID)
				}
			}
			return nil
		}
		return stateTable(c.OutOrStdout(), states)
	}
	addOutput(c, &output)
	c.Flags().BoolVarP(&quiet, "quiet", "q", false, "identities of containers only")
	return c
}

func stateTable(w io.Writer, states []services.State) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "NAME\tSCOPE\tSTATE\tSTATUS\tIMAGE")
	for _, s := range states {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", s.Name, s.Scope, s.State, s.Status, s.Image)
	}
	return t.Flush()
}

func newServiceBuild() *cobra.Command {
	return &cobra.Command{
		Use: "build", Hidden: true, DisableFlagParsing: true,
		RunE: func(*cobra.Command, []string) error {
			return errors.New("services are not built here: build the image with `docker build` and name it in the service")
		},
	}
}
