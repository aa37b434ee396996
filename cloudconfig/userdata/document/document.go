// Package document reads YAML with the meaning that cloud-config has always
// had: YAML 1.1 as PyYAML's safe loader understands it.
//
// What comes back is a tree of yaml nodes without aliases, anchors or merge
// keys, in which each scalar carries its resolved tag and a spelling that every
// YAML reader understands the same way. Keys keep their order, nodes their line.
//
// https://yaml.org/type/
package document

import (
	"errors"
	"fmt"
	"io"

	"go.yaml.in/yaml/v4"

	"rancheros/cloudconfig/yamlerr"
)

// Bounds on what a document may unfold to.
const (
	maxNodes = 200_000
	maxDepth = 100
	maxBytes = 64 << 20
	// maxMarks bounds what the parser may be asked to hold before anything is known.
	maxMarks = 1_000_000
)

// A Problem is something that is accepted although it is likely a mistake.
type Problem struct {
	Line, Column int
	Message      string
}

// An Error says where a document is not valid. Line is 0 if it is not known.
type Error struct {
	Line, Column int
	Message      string
}

func (e *Error) Error() string {
	if e.Line == 0 {
		return e.Message
	}
	return fmt.Sprintf("line %d: %s", e.Line, e.Message)
}

// Parse reads exactly one document. An empty document is a nil node.
// The error is an *Error.
func Parse(data []byte) (*yaml.Node, []Problem, error) {
	if n := marks(data); n > maxMarks {
		return nil, nil, &Error{Message: fmt.Sprintf("more than %d lines and elements", maxMarks)}
	}
	root, second, err := yamlerr.Read(data)
	switch {
	case errors.Is(err, io.EOF):
		return nil, nil, nil
	case err != nil:
		return nil, nil, syntaxError(err)
	case len(root.Content) == 0:
		return nil, nil, nil
	case second != nil:
		line := 0
		if len(second.Content) > 0 {
			line = second.Content[0].Line
		}
		return nil, nil, &Error{Line: line, Message: "a second document starts here; join the two, or make each a part of its own"}
	}
	r := resolver{}
	n, err := r.resolve(root.Content[0], 0)
	if err != nil {
		return nil, nil, err
	}
	if n.Tag == "!!null" {
		return nil, r.problems, nil
	}
	return n, r.problems, nil
}

// marks counts what values of a document begin or end with.
func marks(data []byte) int {
	n := 0
	for _, c := range data {
		if c == '\n' || c == ',' || c == '[' || c == '{' {
			n++
		}
	}
	return n
}

func syntaxError(err error) *Error {
	line, column, message := yamlerr.Split(err)
	return &Error{Line: line, Column: column, Message: message}
}

// A resolver unfolds one document.
type resolver struct {
	nodes, bytes int
	problems     []Problem
}

func (r *resolver) warn(n *yaml.Node, format string, args ...any) {
	if len(r.problems) < 100 {
		r.problems = append(r.problems, Problem{n.Line, n.Column, fmt.Sprintf(format, args...)})
	}
}

func fail(n *yaml.Node, format string, args ...any) *Error {
	return &Error{n.Line, n.Column, fmt.Sprintf(format, args...)}
}

func (r *resolver) resolve(n *yaml.Node, depth int) (*yaml.Node, error) {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
		if depth++; depth > maxDepth {
			return nil, fail(n, "alias refers to itself")
		}
	}
	r.nodes++
	r.bytes += len(n.Value)
	if depth > maxDepth {
		return nil, fail(n, "nested more than %d deep", maxDepth)
	}
	if r.nodes > maxNodes || r.bytes > maxBytes {
		return nil, fail(n, "aliases unfold to more than %d values or %d MB", maxNodes, maxBytes>>20)
	}
	switch n.Kind {
	case yaml.MappingNode:
		return r.mapping(n, depth)
	case yaml.SequenceNode:
		return r.sequence(n, depth)
	case yaml.ScalarNode:
		return r.scalar(n)
	}
	return nil, fail(n, "not a value")
}

func (r *resolver) sequence(n *yaml.Node, depth int) (*yaml.Node, error) {
	if n.Style&yaml.TaggedStyle != 0 && n.ShortTag() != "!!seq" {
		return nil, fail(n, "tag %s is not supported here", n.Tag)
	}
	out := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Style: n.Style & yaml.FlowStyle, Line: n.Line, Column: n.Column}
	for _, c := range n.Content {
		v, err := r.resolve(c, depth+1)
		if err != nil {
			return nil, err
		}
		out.Content = append(out.Content, v)
	}
	return out, nil
}

func (r *resolver) mapping(n *yaml.Node, depth int) (*yaml.Node, error) {
	if n.Style&yaml.TaggedStyle != 0 && n.ShortTag() != "!!map" && n.ShortTag() != "!!set" {
		return nil, fail(n, "tag %s is not supported here", n.Tag)
	}
	out := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Style: n.Style & yaml.FlowStyle, Line: n.Line, Column: n.Column}
	var merged []*yaml.Node
	index := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		v, err := r.resolve(n.Content[i+1], depth+1)
		if err != nil {
			return nil, err
		}
		if isMergeKey(k) {
			if merged, err = mergeSources(merged, k, v); err != nil {
				return nil, err
			}
			continue
		}
		key, err := r.resolve(k, depth+1)
		if err != nil {
			return nil, err
		}
		if key.Kind != yaml.ScalarNode {
			return nil, fail(k, "a key must be a plain value, not a list or a mapping")
		}
		id := key.Tag + " " + key.Value
		if at, ok := index[id]; ok {
			r.warn(k, "key %q is there twice (first on line %d); the last one counts", key.Value, out.Content[at].Line)
			out.Content[at], out.Content[at+1] = key, v
			continue
		}
		index[id] = len(out.Content)
		out.Content = append(out.Content, key, v)
	}
	return addMerged(out, merged, index), nil
}

func isMergeKey(k *yaml.Node) bool {
	return k.Kind == yaml.ScalarNode && k.Value == "<<" && k.ShortTag() == "!!merge"
}

func mergeSources(have []*yaml.Node, k, v *yaml.Node) ([]*yaml.Node, error) {
	switch v.Kind {
	case yaml.MappingNode:
		return append(have, v), nil
	case yaml.SequenceNode:
		for _, c := range v.Content {
			if c.Kind != yaml.MappingNode {
				return nil, fail(k, "<< needs a mapping or a list of mappings")
			}
			have = append(have, c)
		}
		return have, nil
	}
	return nil, fail(k, "<< needs a mapping or a list of mappings")
}

// addMerged adds the keys that the mapping itself does not have; the first
// source that has a key wins.
func addMerged(out *yaml.Node, sources []*yaml.Node, index map[string]int) *yaml.Node {
	for _, m := range sources {
		for i := 0; i+1 < len(m.Content); i += 2 {
			id := m.Content[i].Tag + " " + m.Content[i].Value
			if _, ok := index[id]; ok {
				continue
			}
			index[id] = len(out.Content)
			out.Content = append(out.Content, m.Content[i], m.Content[i+1])
		}
	}
	return out
}
