package cloudconfig

import (
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Users are accounts.
type Users []User

// UnmarshalYAML reads a list of names and maps, a comma separated text, or a
// map by name.
func (u *Users) UnmarshalYAML(n *yaml.Node) error {
	*u = nil
	switch n.Kind {
	case yaml.ScalarNode:
		for _, name := range splitNames(n.Value) {
			*u = append(*u, User{Name: name})
		}
		return nil
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			var one User
			if n.Content[i+1].Kind == yaml.MappingNode {
				if err := n.Content[i+1].Decode(&one); err != nil {
					return err
				}
			}
			one.Name = n.Content[i].Value
			*u = append(*u, one)
		}
		return nil
	case yaml.SequenceNode:
		*u = Users{} // an empty list says something
		return u.fromList(n)
	}
	return fmt.Errorf("want a list of users, not a %s", kindName(n))
}

func (u *Users) fromList(n *yaml.Node) error {
	for _, item := range n.Content {
		if item.Kind != yaml.MappingNode {
			var more Users
			if item.Kind == yaml.SequenceNode {
				for _, name := range item.Content {
					more = append(more, User{Name: name.Value})
				}
			} else if err := more.UnmarshalYAML(item); err != nil {
				return err
			}
			*u = append(*u, more...)
			continue
		}
		var one User
		if err := item.Decode(&one); err != nil {
			return err
		}
		*u = append(*u, one)
	}
	return nil
}

// UnmarshalYAML reads a map, or a name alone.
func (u *User) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		*u = User{Name: n.Value}
		return nil
	}
	type plain User
	return n.Decode((*plain)(u))
}

// A UID is the number of a user.
type UID int

// UnmarshalYAML reads a number, quoted or not.
func (u *UID) UnmarshalYAML(n *yaml.Node) error {
	v, err := strconv.Atoi(n.Value)
	if n.Kind != yaml.ScalarNode || err != nil || v < 0 {
		return fmt.Errorf("want a whole number, not %s", describe(n))
	}
	*u = UID(v)
	return nil
}

// UserGroups are names of groups.
type UserGroups []string

// UnmarshalYAML reads a list, a comma separated text, or the keys of a map.
func (g *UserGroups) UnmarshalYAML(n *yaml.Node) error {
	*g = nil
	switch n.Kind {
	case yaml.ScalarNode:
		if n.Tag != "!!null" {
			*g = splitNames(n.Value)
		}
		return nil
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			*g = append(*g, n.Content[i].Value)
		}
		return nil
	}
	return (*StringList)(g).UnmarshalYAML(n)
}

// SudoRules are lines of a sudoers file. False and null mean none.
type SudoRules []string

// UnmarshalYAML reads a line, a list, false or null.
func (r *SudoRules) UnmarshalYAML(n *yaml.Node) error {
	var b bool
	if n.Kind == yaml.ScalarNode && n.Decode(&b) == nil {
		*r = nil
		return nil
	}
	return (*StringList)(r).UnmarshalYAML(n)
}

// Groups are groups with members.
type Groups []Group

// UnmarshalYAML reads a comma separated text, a list of names and maps, or a
// map of members by group.
func (g *Groups) UnmarshalYAML(n *yaml.Node) error {
	*g = nil
	switch n.Kind {
	case yaml.ScalarNode:
		for _, name := range splitNames(n.Value) {
			*g = append(*g, Group{Name: name})
		}
		return nil
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			var members UserGroups
			if err := members.UnmarshalYAML(n.Content[i+1]); err != nil {
				return err
			}
			*g = append(*g, Group{n.Content[i].Value, members})
		}
		return nil
	case yaml.SequenceNode:
		for _, item := range n.Content {
			var more Groups
			if item.Kind == yaml.SequenceNode {
				return fmt.Errorf("want a group, not a list")
			}
			if err := more.UnmarshalYAML(item); err != nil {
				return err
			}
			*g = append(*g, more...)
		}
		return nil
	}
	return fmt.Errorf("want groups, not a %s", kindName(n))
}

// MarshalYAML writes a list of maps.
func (g Group) MarshalYAML() (any, error) {
	return map[string][]string{g.Name: g.Members}, nil
}

func splitNames(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' || r == '\n' || r == '\t' })
}

// A Mount is a line of fstab: device, directory, type, options, dump, pass.
// Fewer are allowed.
type Mount []string

// UnmarshalYAML reads a list of scalars, in which null and None are "".
func (m *Mount) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind != yaml.SequenceNode {
		return fmt.Errorf("want a list [device, directory, type, options], not a %s", kindName(n))
	}
	if len(n.Content) > 6 {
		return fmt.Errorf("want at most 6 fields, not %d", len(n.Content))
	}
	*m = nil
	for _, item := range n.Content {
		text, err := scalarText(item)
		if err != nil {
			return err
		}
		if text == "None" {
			text = ""
		}
		*m = append(*m, text)
	}
	return nil
}

// A Layout is how a disk is divided.
type Layout struct {
	// Whole is one partition over all of the disk.
	Whole bool
	// Remove clears the disk.
	Remove bool
	// Parts are partitions by percent.
	Parts []Partition
}

// A Partition is a part of a disk.
type Partition struct {
	Percent int
	// Type is an MBR type in hex, a GPT type GUID, or empty.
	Type string
}

// UnmarshalYAML reads a bool, `remove`, or a list of percents, each alone or
// as [percent, type].
func (l *Layout) UnmarshalYAML(n *yaml.Node) error {
	*l = Layout{}
	if n.Kind == yaml.ScalarNode {
		if n.Value == "remove" {
			l.Remove = true
			return nil
		}
		return n.Decode(&l.Whole)
	}
	if n.Kind != yaml.SequenceNode {
		return fmt.Errorf("want true, remove or a list of percents, not a %s", kindName(n))
	}
	for _, item := range n.Content {
		var p Partition
		percent := item
		if item.Kind == yaml.SequenceNode && len(item.Content) > 0 && len(item.Content) <= 2 {
			percent = item.Content[0]
			if len(item.Content) == 2 {
				p.Type = item.Content[1].Value
			}
		}
		v, err := strconv.Atoi(percent.Value)
		if err != nil {
			return fmt.Errorf("%q is no percent; write a number or [number, type]", percent.Value)
		}
		p.Percent = v
		l.Parts = append(l.Parts, p)
	}
	return nil
}

// MarshalYAML writes what was read.
func (l Layout) MarshalYAML() (any, error) {
	if l.Remove {
		return "remove", nil
	}
	if len(l.Parts) == 0 {
		return l.Whole, nil
	}
	list := make([][]any, 0, len(l.Parts))
	for _, p := range l.Parts {
		list = append(list, []any{p.Percent, p.Type})
	}
	return list, nil
}

// A RsyslogConfig is a piece of rsyslog's config.
type RsyslogConfig struct {
	// Filename below config_dir; empty means config_filename.
	Filename string `yaml:"filename"`
	// Content of the file.
	Content string `yaml:"content"`
}

// UnmarshalYAML reads a map, or the content alone.
func (c *RsyslogConfig) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		*c = RsyslogConfig{Content: n.Value}
		return nil
	}
	type plain RsyslogConfig
	return n.Decode((*plain)(c))
}
