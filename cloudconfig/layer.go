package cloudconfig

import (
	"reflect"

	"go.yaml.in/yaml/v4"
)

// A Layer is one document of config.
type Layer struct {
	// Name as a person calls it: os, oem, cloud-config.d, local, cmdline,
	// metadata, ...
	Name string
	// File it was read from, for messages.
	File string
	YAML []byte

	// tree is the parsed document, for layers that never were text.
	tree *yaml.Node
	// private layers are never exported.
	private bool
	// dropped is what was wrong with parts of it that are left out already.
	dropped Problems
}

// A parsed layer is one that is in force.
type parsed struct {
	Layer
	root *yaml.Node
}

// Resolve merges layers, lowest first:
//
//   - maps merge key by key;
//   - scalars and lists replace what was there;
//   - the few lists marked merge:"append" add up, each item once;
//   - `key: null` removes what lower layers said;
//   - a key that no layer has is the zero value.
//
// A layer that is not valid (syntax, unknown key, wrong type) is left out. All
// that is wrong is named in the error, which then is a Problems; the Config
// returned is good to boot with all the same.
func Resolve(layers ...Layer) (*Config, *Trace, error) {
	tr, problems := mergeLayers(layers)
	c, ps := tr.decode()
	return c, tr, append(problems, ps...).Errors().AsError()
}

func mergeLayers(layers []Layer) (*Trace, Problems) {
	var problems Problems
	tr := &Trace{merged: &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}}
	for _, l := range layers {
		root, ps := read(l)
		problems = append(append(problems, l.dropped...), ps...)
		if len(ps.Errors()) > 0 {
			tr.leftOut = append(tr.leftOut, l.Name)
			continue
		}
		tr.add(l, root)
	}
	return tr, problems
}

func (tr *Trace) add(l Layer, root *yaml.Node) {
	tr.layers = append(tr.layers, parsed{l, root})
	merge(tr.merged, root, reflect.TypeFor[Config]())
}

func (tr *Trace) decode() (*Config, Problems) {
	c := &Config{}
	if err := tr.merged.Decode(c); err != nil {
		// Each layer was checked alone, so this is a fault of ours.
		return c, Problems{{Severity: Error, Message: "decode the merged config: " + err.Error()}}
	}
	return c, nil
}

// read parses and checks one layer.
func read(l Layer) (*yaml.Node, Problems) {
	root, ps := l.tree, Problems(nil)
	if root == nil {
		if root, ps = parse(l.File, l.YAML); root == nil {
			return nil, ps
		}
	}
	s := strict{file: l.File, problems: append(ps, modernize(l.File, root)...)}
	s.check(root, reflect.TypeFor[Config](), "")
	return root, s.problems
}

// merge puts src over dst, which it changes. It never changes src.
func merge(dst, src *yaml.Node, t reflect.Type) {
	for i := 0; i+1 < len(src.Content); i += 2 {
		k, v := src.Content[i], src.Content[i+1]
		ft, appends := fieldRule(t, k.Value)
		at := index(dst, k.Value)
		switch {
		case isNull(v) && at >= 0:
			dst.Content = append(dst.Content[:at:at], dst.Content[at+2:]...)
		case isNull(v) && ft != nil:
			// Nothing to remove. What has no type of ours (services) keeps its
			// null: in compose `NAME:` means something.
		case at < 0 && v.Kind == yaml.MappingNode:
			sub := &yaml.Node{Kind: yaml.MappingNode, Tag: v.Tag, Style: v.Style, Line: v.Line, Column: v.Column}
			dst.Content = append(dst.Content, k, sub)
			merge(sub, v, ft)
		case at < 0:
			dst.Content = append(dst.Content, k, v)
		case v.Kind == yaml.MappingNode && dst.Content[at+1].Kind == yaml.MappingNode:
			merge(dst.Content[at+1], v, ft)
		case appends:
			dst.Content[at+1] = appended(dst.Content[at+1], v)
		default:
			dst.Content[at+1] = v
		}
	}
}

// appended is a new list of the items of both, each once.
func appended(have, more *yaml.Node) *yaml.Node {
	list := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Line: have.Line, Column: have.Column}
	seen := map[string]bool{}
	for _, n := range []*yaml.Node{have, more} {
		for _, item := range items(n) {
			if !seen[item.Value] {
				seen[item.Value] = true
				list.Content = append(list.Content, item)
			}
		}
	}
	return list
}

// items are those of a list; a scalar is one item.
func items(n *yaml.Node) []*yaml.Node {
	if n.Kind == yaml.SequenceNode {
		return n.Content
	}
	return []*yaml.Node{n}
}

// fieldRule is the type below key in a t (nil: not one of ours), and whether
// lists under that key add up.
func fieldRule(t reflect.Type, key string) (reflect.Type, bool) {
	if t != nil && t.Kind() == reflect.Struct && t != nodeType {
		if f, ok := fieldOf(t, key); ok {
			if f.Type == nodeType {
				return nil, false
			}
			return f.Type, f.Tag.Get("merge") == "append"
		}
		return nil, false
	}
	below := typeBelow(t, key)
	if below == nodeType {
		below = nil
	}
	return below, false
}
