package shape

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// A Finding is something about a value that does not fit its shape.
type Finding struct {
	// Node is where: the key for an unknown key, else the value.
	Node *yaml.Node
	Path string
	// Message says what; Nearest is the word that was probably meant.
	Message string
	Nearest string
	// Warn: the value is allowed, but outdated.
	Warn bool
	// other: it is of another kind than is wanted, or another word.
	other bool
}

// Join is the path of key below path. A key with a dot in it is quoted.
func Join(path, key string) string {
	if key == "" || strings.ContainsAny(key, `.[]" `) {
		key = strconv.Quote(key)
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

// Check holds a value without aliases against a shape.
func Check(n *yaml.Node, s *Shape, path string) []Finding {
	var c checker
	c.check(n, s, path)
	return c.found
}

type checker struct{ found []Finding }

func (c *checker) bad(n *yaml.Node, path, format string, a ...any) {
	c.found = append(c.found, Finding{Node: n, Path: path, Message: fmt.Sprintf(format, a...)})
}

func (c *checker) check(n *yaml.Node, s *Shape, path string) {
	if s.Old != "" {
		c.found = append(c.found, Finding{Node: n, Path: path, Message: s.Old, Warn: true})
	}
	if len(s.Any) > 0 {
		c.any(n, s, path)
		return
	}
	kind := KindOf(n)
	if s.Kinds != 0 && s.Kinds&kind == 0 && !(kind == Int && s.Kinds&Float != 0) {
		c.found = append(c.found, Finding{Node: n, Path: path, Nearest: s.converted(n, kind, path), other: true,
			Message: fmt.Sprintf("want %s, not %s", s.Kinds, describe(n, kind, path))})
		return
	}
	if len(s.Enum) > 0 && !s.enumHas(n, kind) {
		c.found = append(c.found, Finding{Node: n, Path: path, Nearest: Nearest(n.Value, s.words()), other: true,
			Message: fmt.Sprintf("want %s, not %s", s.enumText(), describe(n, kind, path))})
		return
	}
	switch kind {
	case Map:
		c.object(n, s, path)
	case List:
		c.list(n, s, path)
	case String:
		if s.Match != nil && !s.Match(n.Value) {
			c.found = append(c.found, Finding{Node: n, Path: path, other: true,
				Message: fmt.Sprintf("want %s, not %s", s.Format, describe(n, kind, path))})
		}
	case Int:
		if v, err := strconv.Atoi(n.Value); s.Min != nil && err == nil && v < *s.Min {
			c.bad(n, path, "want at least %d, not %d", *s.Min, v)
		}
	}
}

// converted is the value as the kind that is wanted, if that is easy: quoted,
// without quotes, or as a bool.
func (s *Shape) converted(n *yaml.Node, kind Kind, path string) string {
	switch {
	case secret(path) || len(n.Value) > 40:
		return ""
	case s.Kinds&String != 0 && kind&(Int|Float|Bool|Date) != 0:
		return "'" + n.Value + "'"
	case kind == String && s.Kinds&Bool != 0 && isBool(n.Value):
		return strconv.FormatBool(truth(n.Value))
	case kind == String && s.Kinds&(Int|Float) != 0 && isInt(n.Value):
		return n.Value
	}
	return ""
}

// any takes the first alternative that fits without a warning, else the first
// that fits; if none does, it tells what the likeliest wants.
func (c *checker) any(n *yaml.Node, s *Shape, path string) {
	var fits, best []Finding
	found := false
	for _, alt := range s.Any {
		got := Check(n, alt, path)
		failed := slices.ContainsFunc(got, func(f Finding) bool { return !f.Warn })
		switch {
		case len(got) == 0:
			return
		case !failed && !found:
			fits, found = got, true
		case failed && (best == nil || weight(got, n) < weight(best, n)):
			best = got
		}
	}
	switch {
	case found:
		c.found = append(c.found, fits...)
	case weight(best, n) < another:
		c.found = append(c.found, best...)
	default:
		c.bad(n, path, "want %s, not %s", s.want(), describe(n, KindOf(n), path))
	}
}

// another is the weight of a value that is something else altogether.
const another = 1000

// weight is how far a value is from an alternative: a key that is missing is
// nearer than one that is wrong.
func weight(fs []Finding, n *yaml.Node) int {
	sum := 0
	for _, f := range fs {
		switch {
		case f.Warn:
		case f.Node != n:
			sum += 3
		case f.other:
			sum += another
		default:
			sum++
		}
	}
	return sum
}

func (c *checker) object(n *yaml.Node, s *Shape, path string) {
	have := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		have[k.Value] = true
		here := Join(path, k.Value)
		switch sub, named := s.key(k.Value); {
		case named:
			at := len(c.found)
			c.check(v, sub, here)
			for j := at; j < len(c.found); j++ { // a key is outdated where it stands
				if c.found[j].Warn && c.found[j].Node == v && sub.Old != "" {
					c.found[j].Node = k
				}
			}
		case s.Kinds != 0 && s.Keys != nil && !s.Open:
			near := ""
			if len(c.found) < MaxGuesses {
				near = Nearest(k.Value, s.Names())
			}
			c.found = append(c.found, Finding{Node: k, Path: here, Message: "no such key", Nearest: near})
		case s.KeyMatch != nil && !s.KeyMatch(k.Value):
			c.bad(k, here, "not a valid name")
		case s.Rest != nil:
			c.check(v, s.Rest, here)
		}
	}
	if len(have) < s.MinKeys {
		c.bad(n, path, "empty; it needs at least %d of its keys", s.MinKeys)
		return
	}
	if missing := s.missing(have); missing != "" {
		c.bad(n, path, "%s is missing", missing)
	} else if both := s.both(have); both != "" {
		c.bad(n, path, "has %s; only one of them is allowed", both)
	}
}

// both names the keys of which a map should have only one.
func (s *Shape) both(have map[string]bool) string {
	var there []string
	for _, keys := range s.Requires {
		if have[keys[0]] {
			there = append(there, keys[0])
		}
	}
	if !s.Only || len(there) < 2 {
		return ""
	}
	return strings.Join(there, " and ")
}

// missing names the keys that a map lacks, of the first alternative.
func (s *Shape) missing(have map[string]bool) string {
	first := ""
	for _, keys := range s.Requires {
		var lacks []string
		for _, k := range keys {
			if !have[k] {
				lacks = append(lacks, k)
			}
		}
		if len(lacks) == 0 {
			return ""
		}
		if first != "" {
			first += ", or "
		}
		first += strings.Join(lacks, " and ")
	}
	return first
}

func (c *checker) list(n *yaml.Node, s *Shape, path string) {
	if len(n.Content) < s.MinItems {
		c.bad(n, path, "has %d items; it needs at least %d", len(n.Content), s.MinItems)
	}
	if s.MaxItems > 0 && len(n.Content) > s.MaxItems {
		c.bad(n, path, "has %d items; at most %d are allowed", len(n.Content), s.MaxItems)
	}
	seen := map[string]bool{}
	for i, item := range n.Content {
		here := path + "[" + strconv.Itoa(i) + "]"
		if s.Unique && item.Kind == yaml.ScalarNode {
			if seen[item.Value] {
				c.bad(item, here, "stands there twice")
			}
			seen[item.Value] = true
		}
		switch {
		case i < len(s.Items):
			c.check(item, s.Items[i], here)
		case s.Item != nil:
			c.check(item, s.Item, here)
		}
	}
}

func (s *Shape) enumHas(n *yaml.Node, kind Kind) bool {
	for _, e := range s.Enum {
		switch e := e.(type) {
		case bool:
			if kind == Bool && truth(n.Value) == e {
				return true
			}
		case int:
			if kind == Int && n.Value == strconv.Itoa(e) {
				return true
			}
		case string:
			if kind == String && n.Value == e {
				return true
			}
		}
	}
	return false
}

func (s *Shape) words() []string {
	var out []string
	for _, e := range s.Enum {
		out = append(out, fmt.Sprint(e))
	}
	return out
}

func (s *Shape) enumText() string {
	words := s.words()
	if len(words) == 1 {
		return words[0]
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}

// want says in words what a shape takes.
func (s *Shape) want() string {
	switch {
	case len(s.Any) > 0:
		var parts []string
		for _, a := range s.Any {
			if w := a.want(); a.Old == "" && !slices.Contains(parts, w) {
				parts = append(parts, w)
			}
		}
		return strings.Join(parts, " or ")
	case len(s.Enum) > 0:
		return s.enumText()
	case s.Format != "":
		return s.Format
	case s.Kinds == 0:
		return "anything"
	}
	return s.Kinds.String()
}

// String is "a string or a list".
func (k Kind) String() string {
	names := []struct {
		kind Kind
		name string
	}{{String, "a string"}, {Bool, "true or false"}, {Int, "a whole number"}, {Float, "a number"}, {Date, "a date"},
		{List, "a list"}, {Map, "a map"}, {Null, "nothing"}}
	var out []string
	for _, n := range names {
		if k&n.kind != 0 && !(n.kind == Int && k&Float != 0) {
			out = append(out, n.name)
		}
	}
	return strings.Join(out, " or ")
}

// describe is a value as messages show it: short, and only what is one word.
func describe(n *yaml.Node, kind Kind, path string) string {
	switch kind {
	case Map, List:
		return kind.String()
	case Null:
		return "nothing"
	}
	if secret(path) {
		return "this one"
	}
	text := n.Value
	if len(text) > 40 {
		text = strings.ToValidUTF8(text[:40], "") + "…"
	}
	name := map[Kind]string{Bool: "the bool", Int: "the number", Float: "the number", Date: "the date", String: "the string"}[kind]
	if kind == String {
		text = strconv.Quote(text)
	}
	return name + " " + text
}

// secret says whether a value at path is not shown. Rather one too many.
func secret(path string) bool {
	path = strings.ToLower(path)
	for _, word := range []string{"passw", "chpasswd", "secret", "token", "private", "ssh_keys", "_key", "random_seed", "wireguard", "headers"} {
		if strings.Contains(path, word) {
			return true
		}
	}
	return false
}
