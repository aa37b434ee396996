package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v4"

	"rancheros/cloudconfig"
	"rancheros/cloudconfig/modules"
)

const introduction = `# Config keys

<!-- Generated from the types in cloudconfig/ by ` + "`go generate ./cloudconfig/...`" + `. Do not edit. -->

Config is merged from layers, lowest first: ` + "`/usr/share/ros/os-config.yml`" + `, the OEM partition's
` + "`oem-config.yml`, `/var/lib/rancher/conf/cloud-config.d/*.yml`" + ` by name (user-data is ` + "`boot.yml`" + ` there),
` + "`/var/lib/rancher/conf/cloud-config.yml`" + ` (what ` + "`ros config set`" + ` writes), and the kernel command line
(` + "`rancher.KEY=VALUE`, `cc.KEY=VALUE`" + `). What the cloud's metadata says fills what none of them sets.

- Maps merge key by key. Values and lists replace what was there.
- Lists marked "adds up" are joined over all layers.
- ` + "`key: null`" + ` removes what lower layers say.
- ` + "`$public_ipv4`, `$private_ipv4`, `$public_ipv6` and `$private_ipv6`" + ` stand for this machine's addresses;
  ` + "`\\$public_ipv4`" + ` is the text itself.

` + "`ros config explain KEY`" + ` says where a value was written, ` + "`ros config validate`" + ` what is wrong.
The default is what the image's own config says; an empty one means that the text tells.
`

// A row is a key as the reference shows it.
type row struct{ key, kind, dflt, text string }

// reference is docs/config.md.
func reference(top string) ([]byte, error) {
	c, err := readComments(top)
	if err != nil {
		return nil, err
	}
	var defaults yaml.Node
	doc, err := os.ReadFile(filepath.Join(top, "templates", "os-config.yml"))
	if err == nil {
		err = yaml.Unmarshal(doc, &defaults)
	}
	if err != nil {
		return nil, err
	}
	r := referee{comments: c, defaults: defaults.Content[0]}
	var b bytes.Buffer
	b.WriteString(introduction)
	config := reflect.TypeFor[cloudconfig.Config]()
	for f := range config.Fields() {
		switch f.Tag.Get("yaml") {
		case ",inline":
			section(&b, f.Type.Name()+": "+c[f.Type.Name()], r.rows(f.Type, f.Type.Name(), "", 0))
		case "rancher":
			section(&b, "Rancher: The keys that only this operating system has.", r.rows(f.Type, f.Type.Name(), "rancher", 0))
		}
	}
	for _, t := range []reflect.Type{reflect.TypeFor[cloudconfig.Docker](), reflect.TypeFor[cloudconfig.Network]()} {
		section(&b, t.Name()+": "+c[t.Name()], r.rows(t, t.Name(), "…", 0))
	}
	b.WriteString("\n## Keys of cloud-init that do nothing here\n\nThey are checked, and a warning says what to do instead.\n\n| key | instead |\n|---|---|\n")
	for _, m := range modules.Keys {
		if m.Instead != "" {
			fmt.Fprintf(&b, "| `%s` | %s |\n", m.Name, cell(m.Instead))
		}
	}
	return b.Bytes(), nil
}

// section writes a table under the first words of a comment.
func section(b *bytes.Buffer, text string, rows []row) {
	name, text, _ := strings.Cut(text, ": ")
	title, _, _ := strings.Cut(text, ".")
	for _, article := range []string{"", "A ", "An "} {
		if rest, ok := strings.CutPrefix(title, article+name+" "); ok {
			title = sentence(rest)
		}
	}
	title = name + ": " + strings.ToLower(title[:1]) + title[1:]
	fmt.Fprintf(b, "\n## %s\n\n| key | type | default | meaning |\n|---|---|---|---|\n", title)
	for _, r := range rows {
		dflt := r.dflt
		if dflt != "" {
			dflt = "`" + dflt + "`"
		}
		fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", r.key, r.kind, cell(dflt), cell(r.text))
	}
}

func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }

type referee struct {
	comments comments
	defaults *yaml.Node
}

// apart are types that have a section of their own.
var apart = map[reflect.Type]string{
	reflect.TypeFor[cloudconfig.Docker]():  "a Docker",
	reflect.TypeFor[cloudconfig.Network](): "a Network",
}

func (r referee) rows(t reflect.Type, owner, path string, depth int) []row {
	var out []row
	for f := range t.Fields() {
		key := f.Tag.Get("yaml")
		if key == "-" || key == "" {
			continue
		}
		here := key
		if path != "" {
			here = path + "." + key
		}
		text := r.comments.of(owner, f)
		if f.Tag.Get("merge") == "append" && !strings.Contains(text, "add up") {
			text += " Adds up."
		}
		out = append(out, row{here, kindOf(f.Type), r.dflt(here), text})
		below := elemType(f.Type)
		if _, ok := apart[below]; ok || !keyed(below) || depth > 4 {
			continue
		}
		switch f.Type.Kind() {
		case reflect.Slice:
			here += "[]"
		case reflect.Map:
			here += ".NAME"
		}
		out = append(out, r.rows(below, ownerName(below, owner, f), here, depth+1)...)
	}
	return out
}

// keyed says whether t is a struct with keys.
func keyed(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && t.NumField() > 0 && t.Field(0).Tag.Get("yaml") != ""
}

// dflt is what the image's own config says of a key.
func (r referee) dflt(path string) string {
	n := r.defaults
	for key := range strings.SplitSeq(path, ".") {
		var next *yaml.Node
		for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == key {
				next = n.Content[i+1]
			}
		}
		if next == nil {
			return ""
		}
		n = next
	}
	switch n.Kind {
	case yaml.ScalarNode:
		return n.Value
	case yaml.SequenceNode:
		var items []string
		for _, i := range n.Content {
			items = append(items, i.Value)
		}
		return "[" + strings.Join(items, ", ") + "]"
	}
	return ""
}

// kindOf is the type of a key in a person's words.
func kindOf(t reflect.Type) string {
	if name, ok := apart[t]; ok {
		return "map: " + name
	}
	switch t {
	case reflect.TypeFor[yaml.Node]():
		return "any"
	case reflect.TypeFor[cloudconfig.Command]():
		return "string or list"
	case reflect.TypeFor[cloudconfig.StringList](), reflect.TypeFor[cloudconfig.UserGroups](), reflect.TypeFor[cloudconfig.SudoRules]():
		return "list or string"
	case reflect.TypeFor[cloudconfig.Choice]():
		return "bool or word"
	case reflect.TypeFor[cloudconfig.Mode]():
		return "octal mode"
	case reflect.TypeFor[cloudconfig.Seconds]():
		return "seconds"
	case reflect.TypeFor[cloudconfig.Secret]():
		return "secret"
	case reflect.TypeFor[cloudconfig.Condition]():
		return "bool or command"
	case reflect.TypeFor[cloudconfig.Layout]():
		return "bool, word or list"
	case reflect.TypeFor[cloudconfig.Size]():
		return "bytes"
	case reflect.TypeFor[cloudconfig.UID]():
		return "number"
	}
	switch t.Kind() {
	case reflect.Pointer:
		return kindOf(t.Elem())
	case reflect.Bool:
		return "bool"
	case reflect.Int, reflect.Float64:
		return "number"
	case reflect.Slice:
		return "list of " + plural(kindOf(t.Elem()))
	case reflect.Map:
		return "map of " + plural(kindOf(t.Elem()))
	case reflect.Struct:
		return "map"
	}
	return "string"
}

func plural(s string) string {
	if s == "string or list" {
		return "commands"
	}
	return strings.TrimSuffix(s, "s") + "s"
}
