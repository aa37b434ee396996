package services

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"rancheros/cloudconfig"
)

// labelWhen is a pattern of files: without one that matches, the service is
// left out.
const labelWhen = "io.rancher.os.when"

// LoadOnline is Load with definitions that have to be fetched. Only where there
// are any does it wait for the network, and then no longer than patience: a
// console must not wait for a server that does not answer.
func LoadOnline(ctx context.Context, c *cloudconfig.Config, online func(context.Context) error, patience time.Duration) (Project, []error) {
	p, problems := Load(ctx, c, false)
	if !errors.Is(errors.Join(problems...), errOffline) {
		return p, problems
	}
	_ = online(ctx) // a mirror may be near, without a default route
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return Load(ctx, c, true)
}

// Load makes the machine's project of its config: rancher.services, what
// rancher.services_include adds to them, and the console and engine that were
// chosen. online says whether definitions may be fetched; without it only what
// the image or the cache has is found. What is wrong with one service is in
// problems and leaves the others as they are.
func Load(ctx context.Context, c *cloudconfig.Config, online bool) (Project, []error) {
	p := Project{Name: "os", Auths: auths(c)}
	env := Environment(c)
	defs := maps.Clone(c.Rancher.Services)
	if defs == nil {
		defs = map[string]yaml.Node{}
	}
	cat := NewCatalogue(c)
	cat.Online = online
	var problems []error
	for _, name := range included(c) {
		more, err := cat.Definition(ctx, name)
		if err != nil {
			problems = append(problems, fmt.Errorf("services_include: %s: %w", hideUser(name), err))
			continue
		}
		maps.Copy(defs, more)
	}
	for _, name := range ordered(defs) {
		node := defs[name]
		if isNull(&node) { // a layer above took it away
			continue
		}
		s, errs := Parse(name, &node, env)
		problems = append(problems, errs...)
		if s != nil && s.Console != "" && c.Rancher.ForceConsoleRebuild {
			s.Rebuild = "always"
		}
		if s != nil && wanted(s) {
			p.Services = append(p.Services, *s)
		}
	}
	return p, problems
}

// included lists what is to be loaded beside rancher.services, the choice of
// console and engine last: they replace services of the same name.
func included(c *cloudconfig.Config) []string {
	var out []string
	for name, on := range c.Rancher.ServicesInclude {
		if on {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	if name := c.Rancher.Console; name != "" && name != "default" {
		out = append(out, name)
	}
	if name := c.Rancher.Docker.Engine; name != "" && name != "default" && name != "latest" {
		out = append(out, name)
	}
	return out
}

// wanted is false for a service that has nothing to do.
func wanted(s *Service) bool {
	pattern := s.Config.Labels[labelWhen]
	if pattern == "" {
		return true
	}
	found, err := filepath.Glob(pattern)
	return err == nil && len(found) > 0
}

// Environment is what service definitions may refer to: rancher.environment,
// and the proxies of rancher.network.
func Environment(c *cloudconfig.Config) Env {
	env := Env{}
	n := c.Rancher.Network
	for key, value := range map[string]string{"HTTP_PROXY": n.HTTPProxy, "HTTPS_PROXY": n.HTTPSProxy, "NO_PROXY": n.NoProxy} {
		if value != "" {
			env[key], env[strings.ToLower(key)] = value, value
		}
	}
	if release, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		env["KERNEL_VERSION"] = strings.TrimSpace(string(release))
	}
	maps.Copy(env, c.Rancher.Environment)
	return env
}

func auths(c *cloudconfig.Config) map[string]RegistryAuth {
	out := map[string]RegistryAuth{}
	for name, a := range c.Rancher.RegistryAuths {
		out[name] = RegistryAuth{
			Username: a.Username, Password: a.Password.Reveal(), Auth: a.Auth.Reveal(), ServerAddress: a.ServerAddress,
			IdentityToken: a.IdentityToken.Reveal(), RegistryToken: a.RegistryToken.Reveal(),
		}
	}
	return out
}

// ordered lists the names of services, the machine's own first: where services
// wait for each other in a circle, what a user added gives way.
func ordered(defs map[string]yaml.Node) []string {
	own := builtin()
	out := slices.DeleteFunc(slices.Clone(own), func(name string) bool { _, ok := defs[name]; return !ok })
	for _, name := range slices.Sorted(maps.Keys(defs)) {
		if !slices.Contains(own, name) {
			out = append(out, name)
		}
	}
	return out
}

// builtin are the services of os-config.yml.
func builtin() []string {
	return []string{
		"udev", "syslog", "acpid", "logrotate", "system-cron", "network", "ntp",
		"cloud-init-execute", "console", "docker", "preload-user-images",
	}
}
