// Package merge joins cloud-configs exactly as upstream cloud-init does: part
// with part by the mergers that merge_how names, and user-data with vendor data
// by "the first that says it wins".
//
// https://docs.cloud-init.io/en/latest/reference/merging.html
package merge

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"rancheros/cloudconfig/userdata/document"
)

// Default is what a part without merge_how or Merge-Type means: each top-level
// key replaces the earlier one whole.
const Default = "dict(replace)+list()+str()"

// Mergers say how to join two values. The first one that knows the type of the
// old value does it.
type Mergers []merger

type merger struct {
	kind string // dict, list or str
	opts []string
	// text is set where the options came as one string: upstream then looks
	// for each option anywhere in it.
	text *string
}

func (m merger) has(opts ...string) bool {
	for _, o := range opts {
		if m.text != nil && strings.Contains(*m.text, o) || slices.Contains(m.opts, o) {
			return true
		}
	}
	return false
}

// Parse reads the text form: dict(recurse_array,no_replace)+list(append).
func Parse(s string) (Mergers, error) {
	var ms Mergers
	for name := range strings.SplitSeq(s, "+") {
		name = strings.ReplaceAll(strings.TrimSpace(strings.ToLower(name)), "-", "_")
		if name == "" {
			continue
		}
		kind, rest, ok := strings.Cut(name, "(")
		opts, closed := strings.CutSuffix(rest, ")")
		if !ok || !closed || kind == "" || strings.Trim(kind, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" {
			return nil, fmt.Errorf("merge_how: %q is not of the form name(option,option)", name)
		}
		m, err := newMerger(kind)
		if err != nil {
			return nil, err
		}
		for o := range strings.SplitSeq(opts, ",") {
			if o = strings.TrimSpace(o); o != "" {
				m.opts = append(m.opts, o)
			}
		}
		ms = append(ms, m)
	}
	return ms, nil
}

func newMerger(name string) (merger, error) {
	kind := strings.TrimPrefix(name, "m_")
	if !slices.Contains([]string{"dict", "list", "str"}, kind) {
		return merger{}, fmt.Errorf("merge_how: no merger is called %q; there are dict, list and str", name)
	}
	return merger{kind: kind}, nil
}

// Take removes merge_how (or else merge_type) from a part and reads it. It is
// text, or a list of {name, settings} or of [name, option, ...].
func Take(part *yaml.Node) (Mergers, error) {
	raw := document.Get(part, "merge_how")
	document.Delete(part, "merge_how")
	if raw == nil || raw.Tag == "!!null" {
		raw = document.Get(part, "merge_type")
		document.Delete(part, "merge_type")
	}
	switch {
	case raw == nil || raw.Tag == "!!null" || raw.Kind == yaml.MappingNode && len(raw.Content) == 0:
		return nil, nil
	case raw.Tag == "!!str":
		return Parse(raw.Value)
	case raw.Kind != yaml.SequenceNode:
		return nil, fmt.Errorf("line %d: merge_how must be text or a list", raw.Line)
	}
	var ms Mergers
	for _, item := range raw.Content {
		m, ok, err := listForm(item)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", item.Line, err)
		}
		if ok {
			ms = append(ms, m)
		}
	}
	return ms, nil
}

func listForm(item *yaml.Node) (m merger, ok bool, err error) {
	var name string
	var settings *yaml.Node
	switch {
	case item.Kind == yaml.MappingNode:
		n := document.Get(item, "name")
		if settings = document.Get(item, "settings"); n == nil || settings == nil || settings.Tag == "!!null" {
			return m, false, fmt.Errorf("merge_how: an entry needs name and settings")
		}
		name = strings.TrimSpace(strings.ReplaceAll(n.Value, "-", "_"))
	case item.Kind == yaml.SequenceNode && len(item.Content) > 0:
		name = item.Content[0].Value
		settings = document.List(item.Content[1:]...)
	default:
		return m, false, fmt.Errorf("merge_how: an entry is {name, settings} or [name, option, ...]")
	}
	if name == "" {
		return m, false, nil
	}
	if m, err = newMerger(name); err != nil {
		return m, false, err
	}
	if settings.Kind == yaml.ScalarNode {
		m.text = &settings.Value
	}
	for _, s := range settings.Content {
		m.opts = append(m.opts, s.Value)
	}
	return m, true, nil
}

// Merge joins new into old. Neither is changed.
func (ms Mergers) Merge(old, new *yaml.Node) (*yaml.Node, error) {
	kind := kindOf(old)
	for _, m := range ms {
		if m.kind != kind {
			continue
		}
		switch kind {
		case "dict":
			return ms.dict(m, old, new)
		case "list":
			return ms.list(m, old, new)
		default:
			return mergeText(m, old, new)
		}
	}
	return old, nil
}

func kindOf(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "dict"
	case n.Kind == yaml.SequenceNode:
		return "list"
	case n.Tag == "!!str":
		return "str"
	}
	return ""
}

func (ms Mergers) dict(m merger, old, new *yaml.Node) (*yaml.Node, error) {
	if new.Kind != yaml.MappingNode {
		return old, nil
	}
	out := *old
	out.Content = slices.Clone(old.Content)
	for i := 0; i+1 < len(new.Content); i += 2 {
		k, v := new.Content[i], new.Content[i+1]
		at := find(&out, k)
		switch {
		case at < 0:
			out.Content = append(out.Content, k, v)
		case v.Tag == "!!null" && m.has("allow_delete"):
			out.Content = slices.Delete(out.Content, at, at+2)
		case m.has("replace") && !m.onlyNoReplace():
			out.Content[at], out.Content[at+1] = k, v
		case ms.recurses(m, v):
			joined, err := ms.Merge(out.Content[at+1], v)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", k.Value, err)
			}
			out.Content[at+1] = joined
		}
	}
	return &out, nil
}

// onlyNoReplace: in a list of options no_replace is a word of its own.
func (m merger) onlyNoReplace() bool { return m.text == nil && !slices.Contains(m.opts, "replace") }

// recurses: a mapping joins what it has under the same key only for these.
func (ms Mergers) recurses(m merger, v *yaml.Node) bool {
	switch kindOf(v) {
	case "dict":
		return true
	case "list":
		return m.has("recurse_array", "recurse_list")
	case "str":
		return m.has("recurse_str")
	}
	return false
}

func find(n, key *yaml.Node) int {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key.Value && n.Content[i].Tag == key.Tag {
			return i
		}
	}
	return -1
}

func (ms Mergers) list(m merger, old, new *yaml.Node) (*yaml.Node, error) {
	appends, prepends := m.has("append"), m.has("prepend")
	replaces := !appends && !prepends && (m.has("replace") && !m.onlyNoReplace() || !m.has("no_replace"))
	if replaces && new.Kind != yaml.SequenceNode {
		return new, nil
	}
	items, err := elements(new)
	if err != nil {
		return nil, err
	}
	out := *old
	switch {
	case appends:
		out.Content = slices.Concat(old.Content, items)
		return &out, nil
	case prepends:
		out.Content = slices.Concat(items, old.Content)
		return &out, nil
	case !replaces:
		if new.Kind == yaml.MappingNode && len(old.Content) > 0 && len(items) > 0 {
			return nil, fmt.Errorf("line %d: a mapping cannot be joined with a list", new.Line)
		}
		return old, nil
	}
	out.Content = slices.Clone(old.Content)
	for i := range min(len(out.Content), len(items)) {
		if !listRecurses(m, items[i]) {
			out.Content[i] = items[i]
			continue
		}
		if out.Content[i], err = ms.Merge(out.Content[i], items[i]); err != nil {
			return nil, fmt.Errorf("[%d]: %w", i, err)
		}
	}
	return &out, nil
}

func listRecurses(m merger, v *yaml.Node) bool {
	switch kindOf(v) {
	case "dict":
		return m.has("recurse_dict")
	case "list":
		return m.has("recurse_array", "recurse_list")
	case "str":
		return m.has("recurse_str")
	}
	return false
}

// elements are what a list grows by: upstream takes the keys of a mapping and
// the letters of a text.
func elements(n *yaml.Node) ([]*yaml.Node, error) {
	switch kindOf(n) {
	case "list":
		return n.Content, nil
	case "dict":
		var keys []*yaml.Node
		for i := 0; i < len(n.Content); i += 2 {
			keys = append(keys, n.Content[i])
		}
		return keys, nil
	case "str":
		var letters []*yaml.Node
		for _, r := range n.Value {
			letters = append(letters, document.String(string(r)))
		}
		return letters, nil
	}
	return nil, fmt.Errorf("line %d: %s cannot be joined with a list", n.Line, n.Value)
}

func mergeText(m merger, old, new *yaml.Node) (*yaml.Node, error) {
	if !m.has("append") {
		return new, nil
	}
	if new.Tag != "!!str" {
		return nil, fmt.Errorf("line %d: only text can be appended to text", new.Line)
	}
	out := *new
	out.Style = 0
	out.Value = old.Value + new.Value
	return &out, nil
}

// FirstWins layers b below a: keys of a stay, mappings in both are layered the
// same way, lists are not joined. Only a mapping of b takes the place of a text
// or a list of a, as upstream has it. Either may be nil.
func FirstWins(a, b *yaml.Node) *yaml.Node {
	if a == nil {
		return b
	}
	if b == nil {
		return a
	}
	out, err := Mergers{{kind: "dict"}, {kind: "list"}, {kind: "str"}}.Merge(a, b)
	if err != nil { // only options make it fail
		return a
	}
	return out
}

// LastWins lays b over a: mappings in both are joined the same way, anything
// else of b replaces what a has. Either may be nil.
func LastWins(a, b *yaml.Node) *yaml.Node {
	if a == nil || b == nil || a.Kind != yaml.MappingNode || b.Kind != yaml.MappingNode {
		if b == nil {
			return a
		}
		return b
	}
	out := *a
	out.Content = slices.Clone(a.Content)
	for i := 0; i+1 < len(b.Content); i += 2 {
		at := find(&out, b.Content[i])
		if at < 0 {
			out.Content = append(out.Content, b.Content[i], b.Content[i+1])
			continue
		}
		out.Content[at+1] = LastWins(out.Content[at+1], b.Content[i+1])
	}
	return &out
}
