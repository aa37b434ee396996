package document

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Map is a new, empty mapping.
func Map() *yaml.Node { return &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"} }

// String is a new text value.
func String(s string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s} }

// List is a new list of the nodes.
func List(items ...*yaml.Node) *yaml.Node {
	return &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Content: items}
}

// Get is the value of a key, or nil.
func Get(n *yaml.Node, key string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

// Set gives a key a value, in its place if it is there and else at the end.
func Set(n *yaml.Node, key string, v *yaml.Node) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			n.Content[i+1] = v
			return
		}
	}
	n.Content = append(n.Content, String(key), v)
}

// Delete removes a key.
func Delete(n *yaml.Node, key string) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			n.Content = slices.Delete(n.Content, i, i+2)
			return
		}
	}
}

// Of makes a node of a Go value: structs by their yaml tags, maps by sorted key.
func Of(v any) (*yaml.Node, error) {
	var n yaml.Node
	if err := n.Encode(v); err != nil {
		return nil, fmt.Errorf("make a document: %w", err)
	}
	r := resolver{}
	return r.resolve(&n, 0)
}

// JSON writes a resolved node, keys in their order. A nil node is null.
func JSON(n *yaml.Node) (json.RawMessage, error) {
	var b bytes.Buffer
	if err := writeJSON(&b, n); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func writeJSON(b *bytes.Buffer, n *yaml.Node) error {
	switch {
	case n == nil:
		b.WriteString("null")
	case n.Kind == yaml.MappingNode:
		b.WriteByte('{')
		for i := 0; i+1 < len(n.Content); i += 2 {
			if i > 0 {
				b.WriteByte(',')
			}
			if err := writeValue(b, n.Content[i].Value); err != nil {
				return err
			}
			b.WriteByte(':')
			if err := writeJSON(b, n.Content[i+1]); err != nil {
				return err
			}
		}
		b.WriteByte('}')
	case n.Kind == yaml.SequenceNode:
		b.WriteByte('[')
		for i, c := range n.Content {
			if i > 0 {
				b.WriteByte(',')
			}
			if err := writeJSON(b, c); err != nil {
				return err
			}
		}
		b.WriteByte(']')
	default:
		return writeValue(b, Value(n))
	}
	return nil
}

func writeValue(b *bytes.Buffer, v any) error {
	switch x := v.(type) {
	case []byte:
		v = base64.StdEncoding.EncodeToString(x)
	case float64:
		if math.IsInf(x, 0) || math.IsNaN(x) {
			v = strconv.FormatFloat(x, 'g', -1, 64)
		}
	}
	var one bytes.Buffer
	e := json.NewEncoder(&one)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("write json: %w", err)
	}
	b.Write(bytes.TrimRight(one.Bytes(), "\n"))
	return nil
}

// YAML writes a resolved node; a nil node is an empty mapping.
func YAML(n *yaml.Node) ([]byte, error) {
	if n == nil {
		n = Map()
	}
	return Encode(quoted(Copy(n)))
}

// Encode writes YAML as people indent it. No line is broken: whoever looks for
// an ssh key in a config must find it in one.
func Encode(v any) ([]byte, error) {
	out, err := yaml.Dump(v, yaml.WithV3Defaults(), yaml.WithIndent(2), yaml.WithLineWidth(-1))
	if err != nil {
		return nil, fmt.Errorf("write YAML: %w", err)
	}
	return out, nil
}

// quoted puts text into double quotes that would be read as something else
// without them: what YAML 1.1 calls a boolean, what it takes for the end of a
// line, and keys of several lines.
func quoted(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.ScalarNode && n.Tag == "!!str" {
		tag, _ := plain(n.Value)
		if n.Style == 0 && tag != "!!str" || strings.ContainsAny(n.Value, "\r\u0085\u2028\u2029") {
			n.Style = yaml.DoubleQuotedStyle
		}
	}
	for i, c := range n.Content {
		quoted(c)
		if n.Kind == yaml.MappingNode && i%2 == 0 && strings.Contains(c.Value, "\n") {
			c.Style = yaml.DoubleQuotedStyle
		}
	}
	return n
}

// Copy is a deep copy.
func Copy(n *yaml.Node) *yaml.Node {
	if n == nil {
		return nil
	}
	c := *n
	c.Content = make([]*yaml.Node, len(n.Content))
	for i := range n.Content {
		c.Content[i] = Copy(n.Content[i])
	}
	return &c
}
