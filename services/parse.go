package services

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"go.yaml.in/yaml/v4"
)

// Parse reads the definition of one service. What it does not understand it
// names in problems and leaves out; the service is nil only when nothing of use
// can be made of it.
func Parse(name string, def *yaml.Node, env Env) (s *Service, problems []error) {
	if !validName(name) {
		return nil, []error{fmt.Errorf("service %q: the name must be letters, digits, dots, dashes and underscores", name)}
	}
	ps, err := pairs(interpolate(def, env, name))
	if err != nil {
		return nil, []error{fmt.Errorf("service %s: %w", name, err)}
	}
	s = &Service{
		Name:    name,
		Config:  &container.Config{Labels: map[string]string{}},
		Host:    &container.HostConfig{},
		Network: &network.NetworkingConfig{},
	}
	p := &parser{Service: s, env: env}
	table := p.keys()
	for _, kv := range ps {
		set, known := table[kv.key]
		switch {
		case strings.HasPrefix(kv.key, "x-"): // compose's place for notes
		case !known:
			problems = append(problems, fmt.Errorf("service %s: line %d: unknown key %q is left out", name, kv.value.Line, kv.key))
		case isNull(kv.value):
		default:
			if err := set(kv.value); err != nil {
				problems = append(problems, fmt.Errorf("service %s: %s: %w", name, kv.key, err))
			}
		}
	}
	if s.Config.Image == "" {
		return nil, append(problems, fmt.Errorf("service %s: it has no image", name))
	}
	p.finish()
	return s, problems
}

// validName is what Docker takes for the name of a container: at least two
// letters.
func validName(name string) bool {
	for i, r := range name {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		if !letter && (i == 0 || !strings.ContainsRune("_.-", r)) {
			return false
		}
	}
	return len(name) > 1 && len(name) <= 128
}

// composeTop are the keys at the top of a compose file that are no service.
var composeTop = []string{"version", "name", "networks", "volumes", "secrets", "configs", "include"}

// FileDefs is the mapping of names to definitions in a service file.
func FileDefs(data []byte) (*yaml.Node, error) {
	if len(data) > maxFile {
		return nil, fmt.Errorf("service file: more than %d bytes", maxFile)
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		return nil, fmt.Errorf("service file: %w", err)
	}
	if len(doc.Content) == 0 {
		return nil, errors.New("service file: it is empty")
	}
	ps, err := pairs(doc.Content[0])
	if err != nil {
		return nil, fmt.Errorf("service file: %w", err)
	}
	defs := &yaml.Node{Kind: yaml.MappingNode}
	for _, kv := range ps {
		if kv.key == "services" {
			return kv.value, nil
		}
		if !slices.Contains(composeTop, kv.key) && !strings.HasPrefix(kv.key, "x-") {
			defs.Content = append(defs.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: kv.key}, kv.value)
		}
	}
	return defs, nil
}

// maxFile bounds a service file, in bytes.
const maxFile = 1 << 20

// A parser fills in one service.
type parser struct {
	*Service
	env         Env
	volumesFrom []string
	domain      string
}

// finish does what takes several keys together.
func (p *parser) finish() {
	p.readLabels()
	p.Host.Binds = joinBinds(p.Host.Binds, p.volumesFrom)
	for _, name := range p.volumesFrom {
		if _, ok := volumeSet(name); !ok {
			p.Host.VolumesFrom = append(p.Host.VolumesFrom, name)
			base, _, _ := strings.Cut(name, ":")
			p.After = append(p.After, base)
		}
	}
	// System Docker has no bridge: what asks for no network gets the host's.
	if p.System && p.Host.NetworkMode == "" {
		p.Host.NetworkMode = "host"
	}
	if p.Host.LogConfig.Type == "syslog" && p.Name != "syslog" {
		p.After = append(p.After, "syslog")
	}
	if !p.System && p.Name != dockerService {
		// Its image may be one of those that are loaded.
		p.After = append(p.After, dockerService, preloadService)
	}
	if p.Host.UTSMode.IsHost() || p.Host.NetworkMode.IsHost() {
		// Docker refuses a name of its own in the host's namespace.
		if p.Host.UTSMode.IsHost() {
			p.Config.Hostname, p.domain = "", ""
		}
		p.Config.ExposedPorts, p.Host.PortBindings = nil, nil
	}
	p.Config.Domainname = p.domain
	slices.Sort(p.After)
	p.After = slices.Compact(p.After)
	p.After = slices.DeleteFunc(p.After, func(s string) bool { return s == p.Name })
}

// environment reads KEY=VALUE; KEY alone is taken from rancher.environment, and
// so is every key that KEY* stands for. One that is not there is left out.
func (p *parser) environment(n *yaml.Node) error {
	es, err := entries(n)
	if err != nil {
		return err
	}
	env := map[string]string{}
	for _, e := range es {
		if prefix, ok := strings.CutSuffix(e.key, "*"); ok && isNull(e.value) {
			for _, key := range p.env.glob(p.Name, prefix) {
				env[key], _ = p.env.lookup(p.Name, key)
			}
			continue
		}
		if isNull(e.value) {
			if v, ok := p.env.lookup(p.Name, e.key); ok {
				env[e.key] = v
			}
			continue
		}
		if env[e.key], err = str(e.value); err != nil {
			return err
		}
	}
	p.Config.Env = nil
	for _, key := range slices.Sorted(maps.Keys(env)) {
		p.Config.Env = append(p.Config.Env, key+"="+env[key])
	}
	return nil
}
