package cloudconfig

import (
	"errors"

	"go.yaml.in/yaml/v4"
)

// Output says where what programs print goes.
type Output struct {
	// All stands for the stages that are not named.
	All Redirect `yaml:"all"`
	// Init is for bootcmd and what else comes before the console.
	Init Redirect `yaml:"init"`
	// Config is for users, files and mounts.
	Config Redirect `yaml:"config"`
	// Final is for scripts and runcmd.
	Final Redirect `yaml:"final"`
}

// Of is what is said for a stage.
func (o Output) Of(stage string) Redirect {
	r := map[string]Redirect{"init": o.Init, "config": o.Config, "final": o.Final}[stage]
	if r == (Redirect{}) {
		return o.All
	}
	return r
}

// A Redirect is where standard output and standard error go: `> FILE` (made
// anew), `>> FILE` or `FILE` (appended to), `| COMMAND`.
type Redirect struct {
	// Output of programs.
	Output string `yaml:"output"`
	// Error is for standard error; `&1` means: as output.
	Error string `yaml:"error"`
}

// UnmarshalYAML reads a text for both, a list of both, or a map.
func (r *Redirect) UnmarshalYAML(n *yaml.Node) error {
	*r = Redirect{}
	switch n.Kind {
	case yaml.ScalarNode:
		if err := n.Decode(&r.Output); err != nil {
			return err
		}
		r.Error = r.Output
	case yaml.SequenceNode:
		var both []string
		if err := n.Decode(&both); err != nil {
			return err
		}
		if len(both) != 2 {
			return errors.New("want a list of two: where output goes and where errors go")
		}
		r.Output, r.Error = both[0], both[1]
	default:
		type plain Redirect
		if err := n.Decode((*plain)(r)); err != nil {
			return err
		}
	}
	if r.Error == "&1" {
		r.Error = r.Output
	}
	return nil
}
