package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"

	"github.com/containerd/errdefs"
	"github.com/docker/cli/cli"
	pluginmanager "github.com/docker/cli/cli-plugins/manager"
	"github.com/docker/cli/cli/command"
	"github.com/docker/cli/cli/command/commands"
	"github.com/docker/cli/cli/version"
	"github.com/sirupsen/logrus"
	"github.com/spf13/cobra"
)

// systemDocker is where System Docker listens. See paths.SystemDockerSocket in
// the main module.
const systemDocker = "unix:///var/run/system-docker.sock"

// useSystemDocker makes the command line talk to System Docker, whatever the
// user's environment and contexts say of the user's own Docker.
func useSystemDocker() {
	for _, name := range []string{"DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_TLS", "DOCKER_CERT_PATH", "DOCKER_API_VERSION"} {
		os.Unsetenv(name)
	}
	os.Setenv("DOCKER_HOST", systemDocker)
}

// cliMain is the docker command. It returns the exit code.
func cliMain(ctx context.Context) int {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	err := runCLI(ctx)
	if err == nil || errdefs.IsCanceled(err) && ctx.Err() == nil {
		return 0
	}
	if ctx.Err() != nil {
		return 128 + int(syscall.SIGINT)
	}
	if err.Error() != "" {
		fmt.Fprintln(os.Stderr, err)
	}
	// A command that ran in a container ends us with its own exit code.
	if status, ok := errors.AsType[cli.StatusError](err); ok && status.StatusCode != 0 {
		return status.StatusCode
	}
	return 1
}

func runCLI(ctx context.Context) error {
	docker, err := command.NewDockerCli(command.WithBaseContext(ctx))
	if err != nil {
		return err
	}
	logrus.SetOutput(docker.Err())
	top := newRoot(docker)
	root, args, err := top.HandleGlobalFlags()
	if err != nil {
		return err
	}
	if err := top.Initialize(); err != nil {
		return err
	}
	if completing(args) {
		if err := pluginmanager.AddPluginCommandStubs(docker, root); err != nil {
			return err
		}
	}
	if len(args) > 0 {
		args = preferBuildx(docker, root, args)
		found, _, err := root.Find(args)
		if err != nil || pluginmanager.IsPluginCommand(found) {
			err := runPlugin(docker, root, args[0])
			if err == nil || !errdefs.IsNotFound(err) {
				return err
			}
		}
	}
	root.SetArgs(args)
	return root.ExecuteContext(ctx)
}

func newRoot(docker *command.DockerCli) *cli.TopLevelCommand {
	root := &cobra.Command{
		Use:              "docker [OPTIONS] COMMAND [ARG...]",
		Short:            "A self-sufficient runtime for containers",
		SilenceUsage:     true,
		SilenceErrors:    true,
		TraverseChildren: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return command.ShowHelp(docker.Err())(cmd, args)
			}
			return fmt.Errorf("docker: unknown command: docker %s\n\nRun 'docker --help' for more information", args[0])
		},
		Version:               fmt.Sprintf("%s, build %s", version.Version, version.GitCommit),
		DisableFlagsInUseLine: true,
		CompletionOptions:     cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	root.CompletionOptions.SetDefaultShellCompDirective(cobra.ShellCompDirectiveNoFileComp)
	root.SetIn(docker.In())
	root.SetOut(docker.Out())
	root.SetErr(docker.Err())
	opts, _ := cli.SetupRootCommand(root)
	root.Flags().BoolP("version", "v", false, "Print version information and quit")
	commands.AddCommands(root, docker)
	return cli.NewTopLevelCommand(root, docker, opts, root.Flags())
}

// preferBuildx hands `docker build` to the buildx plugin when a person has
// installed it; the engine's own builder needs no plugin.
func preferBuildx(docker *command.DockerCli, root *cobra.Command, args []string) []string {
	if args[0] != "build" || os.Getenv("DOCKER_BUILDKIT") == "0" {
		return args
	}
	if _, err := pluginmanager.GetPlugin("buildx", docker, root); err != nil {
		return args
	}
	// Plugins read the command line of their own process, so it must agree.
	for i, a := range os.Args[1:] {
		if a == "build" {
			os.Args = append(os.Args[:i+1:i+1], append([]string{"buildx"}, os.Args[i+1:]...)...)
			break
		}
	}
	return append([]string{"buildx"}, args...)
}

// runPlugin runs an installed plugin (docker compose, docker buildx). The error
// is a not-found of errdefs when there is none of that name.
func runPlugin(docker *command.DockerCli, root *cobra.Command, name string) error {
	plugin, err := pluginmanager.PluginRunCommand(docker, name, root)
	if err != nil {
		return err
	}
	// The terminal sends Ctrl-C to the plugin as well; it decides when to end.
	err = plugin.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return cli.StatusError{StatusCode: exit.ExitCode()}
	}
	return err
}

func completing(args []string) bool {
	return len(args) > 0 && strings.HasPrefix(args[0], cobra.ShellCompRequestCmd)
}
