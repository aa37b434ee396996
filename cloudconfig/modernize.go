package cloudconfig

import (
	"fmt"
	"strconv"

	"go.yaml.in/yaml/v4"
)

// A rename is a key that has a new name. Old names still load, with a warning.
type rename struct {
	from, to string
	since    string
}

// renames at the top level, by the version of cloud-init that renamed them.
var renames = []rename{
	{"ca-certs", "ca_certs", "22.3"},
}

// userRenames are those below users and user.
var userRenames = []rename{
	{"lock-passwd", "lock_passwd", "22.3"},
	{"no-create-home", "no_create_home", "24.2"},
	{"no-log-init", "no_log_init", "24.2"},
	{"no-user-group", "no_user_group", "24.2"},
	{"ssh-authorized-keys", "ssh_authorized_keys", "18.3"},
	{"ssh-import-id", "ssh_import_id", "24.2"},
	{"ssh-redirect-user", "ssh_redirect_user", "24.2"},
	{"selinux-user", "selinux_user", "24.2"},
	{"primary-group", "primary_group", "24.2"},
	{"plain-text-passwd", "plain_text_passwd", "24.2"},
	{"hashed-passwd", "hashed_passwd", "24.2"},
	{"create-groups", "create_groups", "24.2"},
}

var caRenames = []rename{{"remove-defaults", "remove_defaults", "22.3"}}

// modernize gives old keys of a tree their new names.
func modernize(file string, root *yaml.Node) Problems {
	ps := renameKeys(file, root, "", renames)
	for i := 0; i+1 < len(root.Content); i += 2 {
		v := root.Content[i+1]
		switch key := root.Content[i].Value; key {
		case "ca_certs":
			ps = append(ps, renameKeys(file, v, key, caRenames)...)
		case "vendor_data", "vendor_data2":
			unquoteBool(child(v, "enabled"))
		case "user":
			ps = append(ps, renameKeys(file, v, key, userRenames)...)
		case "users":
			for j, u := range v.Content {
				at := fmt.Sprintf("users[%d]", j)
				if v.Kind == yaml.MappingNode && j%2 == 1 {
					at = join("users", v.Content[j-1].Value)
				}
				ps = append(ps, renameKeys(file, u, at, userRenames)...)
			}
		}
	}
	return ps
}

// unquoteBool makes a bool of a string, where strings were allowed once: what
// does not say yes says no.
func unquoteBool(n *yaml.Node) {
	if n == nil || n.Kind != yaml.ScalarNode || n.Tag != "!!str" {
		return
	}
	n.Tag, n.Style, n.Value = "!!bool", 0, strconv.FormatBool(Choice(n.Value).Bool(false))
}

func renameKeys(file string, m *yaml.Node, path string, table []rename) Problems {
	var ps Problems
	if m.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(m.Content); i += 2 {
		for _, r := range table {
			k := m.Content[i]
			if k.Value != r.from {
				continue
			}
			ps = append(ps, Problem{File: file, Line: k.Line, Column: k.Column, Path: join(path, r.from), Severity: Warning,
				Message: "an old name since cloud-init " + r.since, Suggestion: r.to})
			if index(m, r.to) < 0 {
				k.Value = r.to
			} else {
				m.Content = append(m.Content[:i:i], m.Content[i+2:]...)
				i -= 2
			}
			break
		}
	}
	return ps
}
