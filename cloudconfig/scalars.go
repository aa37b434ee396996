package cloudconfig

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

// A Secret is a value that is never shown: not by fmt, not by slog, not in
// YAML or JSON. Ask for it by Reveal.
type Secret string

const hidden = "(secret)"

// Reveal is the value itself.
func (s Secret) Reveal() string { return string(s) }

func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return hidden
}

// GoString keeps %#v from showing it.
func (s Secret) GoString() string { return strconv.Quote(s.String()) }

// LogValue keeps slog from showing it.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalYAML keeps it out of documents.
func (s Secret) MarshalYAML() (any, error) { return s.String(), nil }

// MarshalText keeps it out of JSON.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalYAML reads any scalar.
func (s *Secret) UnmarshalYAML(n *yaml.Node) error {
	text, err := scalarText(n)
	*s = Secret(text)
	return err
}

// A SecretList is one secret with many lines, or a list of them.
type SecretList []Secret

// UnmarshalYAML reads a list, or a text with one entry per line.
func (l *SecretList) UnmarshalYAML(n *yaml.Node) error {
	var lines StringList
	if n.Kind == yaml.ScalarNode && n.Tag != "!!null" {
		lines = strings.Split(strings.TrimRight(n.Value, "\n"), "\n")
	} else if err := lines.UnmarshalYAML(n); err != nil {
		return err
	}
	*l = nil
	for _, line := range lines {
		*l = append(*l, Secret(line))
	}
	return nil
}

// A StringList is a list of strings; one string alone is a list of one.
type StringList []string

// UnmarshalYAML reads a list of scalars or one scalar.
func (l *StringList) UnmarshalYAML(n *yaml.Node) error {
	*l = nil
	switch {
	case n.Kind == yaml.ScalarNode && n.Tag == "!!null":
		return nil
	case n.Kind == yaml.ScalarNode:
		text, err := scalarText(n)
		*l = StringList{text}
		return err
	case n.Kind != yaml.SequenceNode:
		return fmt.Errorf("want a list of strings, not a %s", kindName(n))
	}
	for _, item := range n.Content {
		text, err := scalarText(item)
		if err != nil {
			return err
		}
		*l = append(*l, text)
	}
	return nil
}

// A Command is a line for the shell, or a list that is run without one.
type Command struct {
	// Shell is given to `sh -c`. Empty when Args is set.
	Shell string
	// Args is the program and its arguments.
	Args []string
}

// Argv is what to exec.
func (c Command) Argv() []string {
	if len(c.Args) > 0 {
		return c.Args
	}
	return []string{"sh", "-c", c.Shell}
}

func (c Command) String() string {
	if len(c.Args) > 0 {
		return strings.Join(c.Args, " ")
	}
	return c.Shell
}

// UnmarshalYAML reads a string or a list.
func (c *Command) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		*c = Command{Shell: n.Value}
		return nil
	}
	return (*StringList)(&c.Args).UnmarshalYAML(n)
}

// MarshalYAML writes what was read.
func (c Command) MarshalYAML() (any, error) {
	if len(c.Args) > 0 {
		return c.Args, nil
	}
	return c.Shell, nil
}

// A Mode is the permissions of a file. Zero means that none were given.
type Mode fs.FileMode

// UnmarshalYAML reads '0644', 0644, 0o644 and 644, all of them octal. Only a
// bare number that makes no sense in octal and does in decimal (420, which JSON
// makes of 0644) is decimal.
func (m *Mode) UnmarshalYAML(n *yaml.Node) error {
	text, err := scalarText(n)
	if err != nil {
		return err
	}
	digits := strings.TrimPrefix(strings.TrimPrefix(text, "0o"), "0O")
	octal, err := strconv.ParseUint(digits, 8, 12)
	bare := n.Style == 0 && n.ShortTag() == "!!int" && !strings.HasPrefix(text, "0")
	if bare && (err != nil || !sensible(octal)) {
		if decimal, derr := strconv.ParseUint(text, 10, 12); derr == nil && sensible(decimal) {
			octal, err = decimal, nil
		}
	}
	if err != nil {
		return fmt.Errorf("%q is no file mode; write it in octal, as '0644'", text)
	}
	*m = Mode(octal)
	return nil
}

// sensible says whether the owner may read, and nobody may more than he.
func sensible(mode uint64) bool {
	owner := mode >> 6 & 7
	return owner&4 != 0 && (mode>>3&7)&^owner == 0 && (mode&7)&^owner == 0
}

func (m Mode) String() string { return fmt.Sprintf("%04o", uint32(m)) }

// MarshalYAML writes a quoted octal number.
func (m Mode) MarshalYAML() (any, error) { return m.String(), nil }

// Perm is the mode, or fallback when none was given. Set-user-id, set-group-id
// and sticky bits are translated to Go's.
func (m Mode) Perm(fallback fs.FileMode) fs.FileMode {
	if m == 0 {
		return fallback
	}
	mode := fs.FileMode(m) & fs.ModePerm
	for bit, flag := range map[Mode]fs.FileMode{0o4000: fs.ModeSetuid, 0o2000: fs.ModeSetgid, 0o1000: fs.ModeSticky} {
		if m&bit != 0 {
			mode |= flag
		}
	}
	return mode
}

// A Seconds is a duration in whole seconds.
type Seconds int

// UnmarshalYAML reads a number of seconds, or one with a unit: 90s, 2m.
func (s *Seconds) UnmarshalYAML(n *yaml.Node) error {
	text, err := scalarText(n)
	if err != nil {
		return err
	}
	if v, err := strconv.Atoi(text); err == nil && v >= 0 {
		*s = Seconds(v)
		return nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return fmt.Errorf("want a number of seconds, not %s", describe(n))
	}
	*s = Seconds(d.Round(time.Second) / time.Second)
	return nil
}

// Duration is the same for package time.
func (s Seconds) Duration() time.Duration { return time.Duration(s) * time.Second }

// A Choice is one of a few words, of which true and false may be written as
// bools of any spelling. Empty means unset.
type Choice string

// The choices that bools become.
const (
	True  Choice = "true"
	False Choice = "false"
)

// UnmarshalYAML reads a scalar.
func (c *Choice) UnmarshalYAML(n *yaml.Node) error {
	text, err := scalarText(n)
	if err != nil {
		return err
	}
	var b bool
	if n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) == 0 && n.Decode(&b) == nil {
		text = strconv.FormatBool(b)
	}
	*c = Choice(text)
	return nil
}

// Bool is the choice as a bool: true, yes, on and 1, else false, no, off and 0,
// else fallback.
func (c Choice) Bool(fallback bool) bool {
	switch strings.ToLower(string(c)) {
	case "true", "yes", "on", "1":
		return true
	case "false", "no", "off", "0":
		return false
	}
	return fallback
}

// A Condition is true, false, or a command that decides.
type Condition struct {
	Command Command
	// Never is true for the literal false.
	Never bool
}

// UnmarshalYAML reads a bool, a string or a list.
func (c *Condition) UnmarshalYAML(n *yaml.Node) error {
	var b bool
	if n.Kind == yaml.ScalarNode && n.Decode(&b) == nil {
		*c = Condition{Never: !b}
		return nil
	}
	*c = Condition{}
	return c.Command.UnmarshalYAML(n)
}

// MarshalYAML writes what was read.
func (c Condition) MarshalYAML() (any, error) {
	if c.Never || c.Command.Shell == "" && len(c.Command.Args) == 0 {
		return !c.Never, nil
	}
	return c.Command.MarshalYAML()
}

// A Size is a number of bytes, or "auto".
type Size string

// UnmarshalYAML reads `auto`, a number, or a number with B, K, M, G or T.
func (s *Size) UnmarshalYAML(n *yaml.Node) error {
	text, err := scalarText(n)
	if err != nil {
		return err
	}
	*s = Size(text)
	if _, err := s.Bytes(); err != nil && text != "auto" {
		return err
	}
	return nil
}

// Bytes is the size as a number; 0 for "" and "auto". K is 1024.
func (s Size) Bytes() (int64, error) {
	text := strings.TrimSpace(string(s))
	if text == "" || text == "auto" {
		return 0, nil
	}
	shift := 0
	if i := strings.IndexByte("BKMGT", text[len(text)-1]); i >= 0 {
		shift, text = 10*i, text[:len(text)-1]
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || v < 0 || v*float64(int64(1)<<shift) > 1<<62 {
		return 0, fmt.Errorf("%q is no size; write a number of bytes, or one with K, M, G or T", string(s))
	}
	return int64(v * float64(int64(1)<<shift)), nil
}

// scalarText is the text of a scalar; null is "".
func scalarText(n *yaml.Node) (string, error) {
	if n.Kind != yaml.ScalarNode {
		return "", fmt.Errorf("want one value, not a %s", kindName(n))
	}
	switch n.ShortTag() {
	case "!!null":
		return "", nil
	case "!!binary":
		b, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(n.Value), ""))
		if err != nil {
			return "", errors.New("!!binary is not followed by base64")
		}
		return string(b), nil
	}
	return n.Value, nil
}

// kindName is what a person calls the kind of a node.
func kindName(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "map"
	case yaml.SequenceNode:
		return "list"
	case yaml.AliasNode:
		return "alias"
	}
	switch n.ShortTag() {
	case "!!bool":
		return "bool"
	case "!!int", "!!float":
		return "number"
	case "!!null":
		return "null"
	}
	return "string"
}
