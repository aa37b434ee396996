package cli

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v4"

	"rancheros/cloudconfig"
	"rancheros/services"
)

// A listed service is a line of `ros service list`.
type listed struct {
	Name string `json:"name"`
	// State is enabled or disabled.
	State string `json:"state"`
	// Origin is catalogue, config or os.
	Origin string `json:"origin"`
}

func newServiceList() *cobra.Command {
	var (
		all, update bool
		output      string
	)
	c := &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Args: cobra.NoArgs,
		Short: "List services that can be enabled, and whether they are",
		Long: `List prints a line for each service of the catalogue and each that config
includes: "enabled NAME" or "disabled NAME". With --all the services of
rancher.services are listed as well, the machine's own among them.

With --output json it prints {"version": 1, "services": [{"name", "state",
"origin"}]}; origin is catalogue, config or os.`,
		Example: "  sudo ros service list\n  sudo ros service list --all --output json",
		RunE: func(c *cobra.Command, _ []string) error {
			if err := mayRead("/"); err != nil {
				return err
			}
			config, _, err := cloudconfig.Load("/")
			if config == nil {
				return err
			}
			cat := services.NewCatalogue(config)
			cat.Online, cat.Refresh = true, update
			index, err := cat.Index(c.Context())
			warn(c, err)
			lines := listServices(config, index, all)
			if output == "json" {
				return writeJSON(c.OutOrStdout(), map[string]any{"version": 1, "services": lines})
			}
			return printListed(c.OutOrStdout(), lines)
		},
	}
	c.Flags().BoolVarP(&all, "all", "a", false, "the services of rancher.services as well")
	c.Flags().BoolVarP(&update, "update", "u", false, "fetch the catalogue again")
	addOutput(c, &output)
	return c
}

func printListed(w io.Writer, lines []listed) error {
	for _, l := range lines {
		if _, err := fmt.Fprintf(w, "%-8s %s\n", l.State, l.Name); err != nil {
			return err
		}
	}
	return nil
}

func listServices(c *cloudconfig.Config, index services.Index, all bool) []listed {
	lines := []listed{}
	state := func(on bool) string {
		if on {
			return "enabled"
		}
		return "disabled"
	}
	for _, name := range index.Services {
		lines = append(lines, listed{name, state(c.Rancher.ServicesInclude[name]), "catalogue"})
	}
	for _, name := range slices.Sorted(maps.Keys(c.Rancher.ServicesInclude)) {
		if !slices.Contains(index.Services, name) {
			lines = append(lines, listed{name, state(c.Rancher.ServicesInclude[name]), "config"})
		}
	}
	if all {
		for _, name := range slices.Sorted(maps.Keys(c.Rancher.Services)) {
			lines = append(lines, listed{name, "enabled", "os"})
		}
	}
	return lines
}

func newServiceEnable() *cobra.Command {
	c := needNames(&cobra.Command{
		Use: "enable NAME...", Aliases: []string{"enabled"}, // docker-machine's spelling
		Short: "Have services of the catalogue run from the next boot on",
		Long: `Enable adds services to rancher.services_include and fetches their images. A
name is one of the catalogue, the path of a service file below
/var/lib/rancher/conf, or a URL. ` + "`ros service up NAME`" + ` starts one now.`,
		Example:           "  sudo ros service enable qemu-guest-agent\n  sudo ros service enable /var/lib/rancher/conf/mine.yml",
		ValidArgsFunction: catalogueNames,
	})
	c.RunE = func(c *cobra.Command, names []string) error {
		if err := needRoot(); err != nil {
			return err
		}
		config, _, err := cloudconfig.Load("/")
		if config == nil {
			return err
		}
		cat := services.NewCatalogue(config)
		cat.Online = true
		var added []string
		for _, name := range names {
			defs, err := cat.Definition(c.Context(), name)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			for service := range defs {
				added = append(added, service)
			}
		}
		if err := include(names, "true"); err != nil {
			return err
		}
		stage(c, added)
		return nil
	}
	return c
}

// stage fetches the images of services that run in System Docker, so that the
// next boot need not.
func stage(c *cobra.Command, names []string) {
	ctl, err := control(c)
	if err != nil {
		warn(c, fmt.Errorf("the images are not fetched: %w", err))
		return
	}
	names = slices.DeleteFunc(names, func(name string) bool {
		s := ctl.Project.Find(name)
		if s == nil || !s.System {
			return true
		}
		id, err := ctl.System.ImageID(c.Context(), s.Image())
		return err == nil && id != ""
	})
	if len(names) == 0 {
		return
	}
	if err := ctl.Pull(c.Context(), func(service, image string) { fmt.Fprintf(c.OutOrStdout(), "%s: pulling %s\n", service, image) }, names...); err != nil {
		warn(c, fmt.Errorf("the images are fetched at the next boot: %w", err))
	}
}

// include writes rancher.services_include.
func include(names []string, value string) error {
	values := &yaml.Node{Kind: yaml.MappingNode}
	for _, name := range names {
		values.Content = append(values.Content,
			&yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: name}, &yaml.Node{Kind: yaml.ScalarNode, Value: value})
	}
	doc, err := yaml.Marshal(map[string]any{"rancher": map[string]any{"services_include": values}})
	if err != nil {
		return err
	}
	return cloudconfig.Merge("/", "ros service", doc)
}

// included refuses names that config does not include.
func included(names []string) error {
	config, _, err := cloudconfig.Load("/")
	if config == nil {
		return err
	}
	var errs []error
	for _, name := range names {
		if _, ok := config.Rancher.ServicesInclude[name]; !ok {
			errs = append(errs, fmt.Errorf("%s is not in rancher.services_include; see `ros service list`", name))
		}
	}
	return errors.Join(errs...)
}

func newServiceDisable() *cobra.Command {
	c := needNames(&cobra.Command{
		Use: "disable NAME...", Short: "Have services not run from the next boot on", ValidArgsFunction: includedNames,
	})
	c.RunE = func(_ *cobra.Command, names []string) error {
		if err := errors.Join(needRoot(), included(names)); err != nil {
			return err
		}
		return include(names, "false")
	}
	return c
}

func newServiceDelete() *cobra.Command {
	c := needNames(&cobra.Command{
		Use: "delete NAME...", Short: "Take services out of config and remove their containers", ValidArgsFunction: includedNames,
	})
	c.RunE = func(c *cobra.Command, names []string) error {
		if err := errors.Join(needRoot(), included(names)); err != nil {
			return err
		}
		config, _, err := cloudconfig.Load("/")
		if config == nil {
			return err
		}
		cat := services.NewCatalogue(config)
		gone := services.Project{Name: "os"}
		for _, name := range names {
			defs, err := cat.Definition(c.Context(), name)
			warn(c, err) // gone from the catalogue: the config goes all the same
			for service, node := range defs {
				if s, _ := services.Parse(service, &node, services.Environment(config)); s != nil {
					gone.Services = append(gone.Services, *s)
				}
			}
		}
		if err := remove(c, gone); err != nil {
			return err
		}
		return include(names, "null")
	}
	return c
}

// remove takes away the containers of services, which may not be in force any
// more.
func remove(c *cobra.Command, gone services.Project) error {
	if len(gone.Services) == 0 {
		return nil
	}
	ctl, err := control(c)
	if err != nil {
		return err
	}
	ctl.Project = gone
	return ctl.Rm(c.Context(), true, false)
}

func catalogueNames(c *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	config, _, _ := cloudconfig.Load("/")
	if config == nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	index, _ := services.NewCatalogue(config).Index(c.Context())
	return index.Services, cobra.ShellCompDirectiveDefault
}

func includedNames(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	config, _, _ := cloudconfig.Load("/")
	if config == nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return slices.Sorted(maps.Keys(config.Rancher.ServicesInclude)), cobra.ShellCompDirectiveNoFileComp
}
