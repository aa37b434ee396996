package userdata

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"rancheros/cloudconfig/userdata/document"
)

// maxCopied is how many values a patch may copy: a few lines of copies, each of
// the one before, would else make billions.
const maxCopied = 200_000

// applyPatch applies a JSON patch to a copy of doc. Wrote is told of values that
// come from the patch.
//
// https://www.rfc-editor.org/rfc/rfc6902
func applyPatch(doc *yaml.Node, patch []byte, wrote func(*yaml.Node)) (*yaml.Node, error) {
	ops, _, err := document.Parse(patch) // JSON is YAML, and this knows the lines
	if err != nil {
		return nil, err
	}
	if ops == nil || ops.Kind != yaml.SequenceNode {
		return nil, errors.New("it must be a list of operations")
	}
	// The root is held in a list, so that "" can be replaced like any other.
	hold := document.List(shallow(doc))
	wrote(ops)
	left := maxCopied
	for i, op := range ops.Content {
		if err := patchOne(hold, op, &left); err != nil {
			return nil, fmt.Errorf("operation %d: %w", i+1, err)
		}
	}
	return hold.Content[0], nil
}

// shallow copies the shape of a tree and keeps its scalars, whose origin is known.
func shallow(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.ScalarNode {
		return n
	}
	c := *n
	c.Content = make([]*yaml.Node, len(n.Content))
	for i := range n.Content {
		c.Content[i] = shallow(n.Content[i])
	}
	return &c
}

// patchOne does one operation; left is how many values may still be copied.
func patchOne(hold, op *yaml.Node, left *int) error {
	field := func(name string) (*yaml.Node, error) {
		if v := document.Get(op, name); v != nil {
			return v, nil
		}
		return nil, fmt.Errorf("%q is missing", name)
	}
	verb, err := field("op")
	if err != nil {
		return err
	}
	pathNode, err := field("path")
	if err != nil {
		return err
	}
	path := pathNode.Value
	switch verb.Value {
	case "add", "replace", "test":
		v, err := field("value")
		if err != nil {
			return err
		}
		return change(hold, verb.Value, path, v)
	case "remove":
		_, err := remove(hold, path)
		return err
	case "move", "copy":
		from, err := field("from")
		if err != nil {
			return err
		}
		if verb.Value == "move" {
			if path != from.Value && strings.HasPrefix(path, from.Value+"/") {
				return fmt.Errorf("%s cannot move into itself", from.Value)
			}
			v, err := remove(hold, from.Value)
			if err != nil {
				return err
			}
			return change(hold, "add", path, v)
		}
		s, err := find(hold, from.Value)
		if err != nil {
			return err
		}
		v, err := s.get()
		if err != nil {
			return err
		}
		if *left -= size(v); *left < 0 {
			return fmt.Errorf("copies more than %d values", maxCopied)
		}
		return change(hold, "add", path, document.Copy(v))
	}
	return fmt.Errorf("op %q is not known", verb.Value)
}

// size counts the values of a tree.
func size(n *yaml.Node) int {
	sum := 1
	for _, c := range n.Content {
		sum += size(c)
	}
	return sum
}

// A spot is a place in a tree: a key of a mapping or an index of a list.
type spot struct {
	in   *yaml.Node
	key  string
	at   int // the index of the value in in.Content; -1 if it is not there
	path string
}

// find follows a JSON pointer to its last step, which need not be there.
//
// https://www.rfc-editor.org/rfc/rfc6901
func find(hold *yaml.Node, path string) (spot, error) {
	s := spot{in: hold, at: 0, path: path}
	if path == "" {
		return s, nil
	}
	if path[0] != '/' {
		return s, fmt.Errorf("path %q must start with /", path)
	}
	for step := range strings.SplitSeq(path[1:], "/") {
		n, err := s.get()
		if err != nil {
			return s, err
		}
		step = strings.ReplaceAll(strings.ReplaceAll(step, "~1", "/"), "~0", "~")
		s = spot{in: n, key: step, at: -1, path: path}
		switch n.Kind {
		case yaml.MappingNode:
			for i := 0; i+1 < len(n.Content); i += 2 {
				if n.Content[i].Value == step {
					s.at = i + 1
				}
			}
		case yaml.SequenceNode:
			i, err := strconv.Atoi(step)
			if step == "-" {
				i = len(n.Content)
			} else if err != nil || i < 0 || strconv.Itoa(i) != step || i > len(n.Content) {
				return s, fmt.Errorf("path %s: a list has no index %q", path, step)
			}
			s.at = i
		default:
			return s, fmt.Errorf("path %s: %q is below a plain value", path, step)
		}
	}
	return s, nil
}

func (s spot) get() (*yaml.Node, error) {
	if s.at < 0 || s.at >= len(s.in.Content) {
		return nil, fmt.Errorf("path %s is not there", s.path)
	}
	return s.in.Content[s.at], nil
}

func change(hold *yaml.Node, verb, path string, v *yaml.Node) error {
	s, err := find(hold, path)
	if err != nil {
		return err
	}
	old, missing := s.get()
	switch {
	case verb == "test":
		if missing != nil {
			return missing
		}
		if !same(old, v) {
			return fmt.Errorf("test of %s failed", path)
		}
	case verb == "replace" || s.in == hold || s.in.Kind == yaml.MappingNode && missing == nil:
		if missing != nil {
			return missing
		}
		s.in.Content[s.at] = shallow(v)
	case s.in.Kind == yaml.MappingNode:
		s.in.Content = append(s.in.Content, document.String(s.key), shallow(v))
	default:
		s.in.Content = slices.Insert(s.in.Content, s.at, shallow(v))
	}
	return nil
}

func remove(hold *yaml.Node, path string) (*yaml.Node, error) {
	s, err := find(hold, path)
	if err != nil {
		return nil, err
	}
	v, err := s.get()
	if err != nil {
		return nil, err
	}
	switch {
	case s.in == hold:
		return nil, errors.New("the whole config cannot be removed")
	case s.in.Kind == yaml.MappingNode:
		s.in.Content = slices.Delete(s.in.Content, s.at-1, s.at+1)
	default:
		s.in.Content = slices.Delete(s.in.Content, s.at, s.at+1)
	}
	return v, nil
}

// same compares as data: the order of keys does not count.
func same(a, b *yaml.Node) bool {
	if a.Kind != b.Kind || len(a.Content) != len(b.Content) {
		return false
	}
	switch a.Kind {
	case yaml.ScalarNode:
		return a.Tag == b.Tag && reflect.DeepEqual(document.Value(a), document.Value(b))
	case yaml.MappingNode:
		for i := 0; i+1 < len(a.Content); i += 2 {
			v := document.Get(b, a.Content[i].Value)
			if v == nil || !same(a.Content[i+1], v) {
				return false
			}
		}
		return true
	}
	return slices.EqualFunc(a.Content, b.Content, same)
}
