package userdata

import (
	"errors"
	"strings"

	"go.yaml.in/yaml/v4"

	"rancheros/cloudconfig/ignition/unit"
	"rancheros/cloudconfig/userdata/document"
)

// importCoreOS turns the coreos: key of a CoreOS cloud-config into what we have
// for it, in place.
//
// https://github.com/coreos/coreos-cloudinit/blob/master/Documentation/cloud-config.md
func (p *parser) importCoreOS(l leaf, n *yaml.Node) {
	coreos := document.Get(n, "coreos")
	if coreos == nil {
		return
	}
	p.coreosUsers(l, document.Get(n, "users"))
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
		return "this version does not update itself; boot an image of the new one with the same state disk"
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
	if p.opts.Systemd {
		p.coreosSystemd(l, n, u)
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

// coreosSystemd writes a unit as it is, and does to it what the config says.
func (p *parser) coreosSystemd(l leaf, n, u *yaml.Node) {
	name := document.Get(u, "name").Value
	file := map[string]any{"path": "/etc/systemd/system/" + cleanName(name), "content": document.Get(u, "content").Value, "permissions": "0644"}
	commands := []any{[]string{"systemctl", "daemon-reload"}}
	if e := document.Get(u, "enable"); e != nil && isTrue(e.Value) {
		commands = append(commands, []string{"systemctl", "enable", name})
	}
	if c := document.Get(u, "command"); c != nil && c.Value != "" {
		commands = append(commands, []string{"systemctl", c.Value, name})
	}
	for key, v := range map[string][]any{"write_files": {file}, "runcmd": commands} {
		more, err := document.Of(v)
		if err != nil {
			p.warn(l.part, u.Line, u.Column, "coreos.units: %s: %v", name, err)
			return
		}
		p.wrote(more, l.part)
		if have := document.Get(n, key); have != nil && have.Kind == yaml.SequenceNode {
			have.Content = append(have.Content, more.Content...)
			continue
		}
		document.Set(n, key, more)
	}
}

// coreosUsers spells the keys of users as cloud-init does: with underscores.
func (p *parser) coreosUsers(l leaf, users *yaml.Node) {
	if users == nil {
		return
	}
	for _, u := range users.Content {
		if u.Kind != yaml.MappingNode {
			continue
		}
		for i := 0; i+1 < len(u.Content); i += 2 {
			key, v := u.Content[i], u.Content[i+1]
			key.Value = strings.ReplaceAll(key.Value, "-", "_")
			switch key.Value {
			case "coreos_ssh_import_github":
				key.Value, u.Content[i+1] = "ssh_import_id", document.List(document.String("gh:"+v.Value))
			case "coreos_ssh_import_github_users":
				key.Value = "ssh_import_id"
				for _, name := range v.Content {
					name.Value = "gh:" + name.Value
				}
			case "coreos_ssh_import_url":
				p.warn(l.part, key.Line, key.Column, "users: coreos-ssh-import-url is not supported; use ssh_import_id or ssh_authorized_keys")
			}
		}
		document.Delete(u, "coreos_ssh_import_url")
	}
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
