package userdata

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"rancheros/cloudconfig/ignition"
	"rancheros/cloudconfig/ignition/unit"
	"rancheros/cloudconfig/userdata/document"
	"rancheros/cloudconfig/userdata/merge"
)

// overlay lays a tree that a part wrote over the config so far.
func (p *parser) overlay(l leaf, n *yaml.Node, out *outcome) {
	p.wrote(n, l.part)
	out.config = merge.LastWins(out.config, n)
}

// compose: the document is services, in either form of compose files.
func (p *parser) compose(l leaf, out *outcome) {
	n, ok := p.mapping(l)
	if !ok || n == nil {
		return
	}
	if inner := document.Get(n, "services"); inner != nil && inner.Kind == yaml.MappingNode && document.Get(inner, "image") == nil {
		for _, key := range []string{"networks", "volumes", "configs", "secrets"} {
			if v := document.Get(n, key); v != nil {
				p.warn(l.part, v.Line, v.Column, "compose: top-level %q is not used", key)
			}
		}
		n = inner
	}
	rancher, root := document.Map(), document.Map()
	document.Set(rancher, "services", n)
	document.Set(root, "rancher", rancher)
	p.overlay(l, root, out)
}

// ignition: what cloud-config can say joins the config, the rest is an import.
func (p *parser) ignition(l leaf, out *outcome) {
	im, err := ignition.Parse(p.ctx, p.text(l), ignition.Options{Fetch: p.opts.Fetch, Systemd: p.opts.Systemd, MaxBytes: max(p.left, 1)})
	if bad, ok := errors.AsType[*ignition.InvalidError](err); ok && len(bad.Problems) > 0 {
		for _, pr := range bad.Problems {
			p.refuseAt(l.part, Problem{Line: pr.Line, Column: pr.Column, Message: "ignition: " + pr.String()})
		}
		return
	}
	if err != nil {
		p.refuse(l.part, fmt.Errorf("ignition: %w", err))
		return
	}
	for _, pr := range im.Problems {
		p.warn(l.part, pr.Line, pr.Column, "ignition: %s", pr)
	}
	p.result.Imports = append(p.result.Imports, im)
	if len(im.Config.Content) > 0 {
		p.wrote(im.Config, l.part)
		addLists(im.Config, out.config)
		out.config = merge.LastWins(out.config, im.Config)
	}
}

// addLists puts the lists of what is there before those of the same key: files
// and commands of an Ignition config come beside those of other parts.
func addLists(n, there *yaml.Node) {
	for _, key := range []string{"users", "groups", "write_files", "runcmd", "fs_setup", "mounts"} {
		was, is := document.Get(there, key), document.Get(n, key)
		if was == nil || is == nil || was.Kind != yaml.SequenceNode || is.Kind != yaml.SequenceNode {
			continue
		}
		items := slices.Clone(was.Content)
		for _, c := range is.Content {
			if key != "users" || c.Kind != yaml.ScalarNode {
				items = append(items, c)
			}
		}
		is.Content = items
	}
}

// lintCoreOS turns the coreos: key of a CoreOS cloud-config into what we have
// for it, in place.
//
// https://github.com/coreos/coreos-cloudinit/blob/master/Documentation/cloud-config.md
func (p *parser) lintCoreOS(l leaf, n *yaml.Node) {
	coreos := document.Get(n, "coreos")
	if coreos == nil {
		return
	}
	if coreos.Kind != yaml.MappingNode {
		p.warn(l.part, coreos.Line, coreos.Column, "coreos: must be a mapping; it is left out")
		document.Delete(n, "coreos")
		return
	}
	for i := 0; i+1 < len(coreos.Content); i += 2 {
		key, v := coreos.Content[i], coreos.Content[i+1]
		if key.Value == "units" && v.Kind == yaml.SequenceNode {
			for _, u := range v.Content {
				p.coreosUnit(l, n, u)
			}
			continue
		}
		p.warn(l.part, key.Line, key.Column, "coreos.%s: %s", key.Value, coreosInstead(key.Value))
	}
	document.Delete(n, "coreos")
}

func coreosInstead(key string) string {
	switch strings.ReplaceAll(key, "-", "_") {
	case "etcd", "etcd2", "fleet", "flannel":
		return "is not part of this system; run it as a service in rancher.services"
	case "update", "locksmith":
		return "updates are set in rancher.upgrade and done by `ros os upgrade`"
	case "oem":
		return "has no meaning here"
	}
	return "is not known"
}

// coreosUnit: a unit with `docker run` becomes a service.
func (p *parser) coreosUnit(l leaf, n, u *yaml.Node) {
	name, content := document.Get(u, "name"), document.Get(u, "content")
	if name == nil {
		p.warn(l.part, u.Line, u.Column, "coreos.units: a unit without a name is left out")
		return
	}
	if content == nil {
		p.warn(l.part, u.Line, u.Column, "coreos.units: %s has no content, and there is no systemd: it does nothing here", name.Value)
		return
	}
	service, err := unit.Service(content.Value)
	if err != nil || !strings.HasSuffix(name.Value, ".service") {
		if err == nil {
			err = errors.New("it is no service")
		}
		p.warn(l.part, u.Line, u.Column, "coreos.units: %s does not become a service: %v", name.Value, err)
		return
	}
	node, err := document.Of(service)
	if err != nil {
		p.warn(l.part, u.Line, u.Column, "coreos.units: %s: %v", name.Value, err)
		return
	}
	p.wrote(node, l.part)
	services := child(child(n, "rancher"), "services")
	document.Set(services, strings.TrimSuffix(name.Value, ".service"), node)
}

// child is the mapping under a key, made if it is not there.
func child(n *yaml.Node, key string) *yaml.Node {
	c := document.Get(n, key)
	if c == nil || c.Kind != yaml.MappingNode {
		c = document.Map()
		document.Set(n, key, c)
	}
	return c
}
