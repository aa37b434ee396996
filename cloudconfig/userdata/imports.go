package userdata

import (
	"errors"
	"fmt"
	"slices"

	"go.yaml.in/yaml/v4"

	"rancheros/cloudconfig/ignition"
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
	addTo(n, there, "users", "groups", "write_files", "runcmd", "fs_setup", "mounts")
	ours, theirs := document.Get(n, "rancher"), document.Get(there, "rancher")
	addTo(ours, theirs, "directories", "links")
	addTo(document.Get(ours, "absent"), document.Get(theirs, "absent"), "users", "groups")
}

func addTo(n, there *yaml.Node, keys ...string) {
	for _, key := range keys {
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
