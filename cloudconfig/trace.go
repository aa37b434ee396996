package cloudconfig

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"rancheros/cloudconfig/modules"
	"rancheros/cloudconfig/userdata/document"
)

// A Trace knows the merged document and where each value of it was written.
type Trace struct {
	merged  *yaml.Node
	layers  []parsed
	leftOut []string
}

// An Origin is a place where a value was written.
type Origin struct {
	Layer string `json:"layer"`
	File  string `json:"file,omitempty"`
	Line  int    `json:"line,omitempty"`
	// Value is what was written there, as YAML on one line; "(secret)" if it is
	// one.
	Value string `json:"value"`
	// Removes is true for a null, which takes away what stands below.
	Removes bool `json:"removes,omitempty"`
	// InForce says whether the value of the merged config comes from here.
	InForce bool `json:"in_force"`
}

// ErrNotSet means that no layer sets a key.
var ErrNotSet = errors.New("no layer sets it")

// LeftOut are the names of the layers that were not valid.
func (tr *Trace) LeftOut() []string { return tr.leftOut }

// Unsupported are the keys of cloud-init that somebody set and that do nothing
// on this operating system, with what to do instead.
func (tr *Trace) Unsupported() Problems {
	var ps Problems
	for _, l := range tr.layers {
		for i := 0; i+1 < len(l.root.Content); i += 2 {
			k := l.root.Content[i]
			if m, ok := modules.Find(k.Value); ok && m.Instead != "" && asks(l.root.Content[i+1]) {
				ps = append(ps, unsupported(l.File, k, m))
			}
		}
	}
	return ps
}

// asks says whether a value wants anything done: false, null and what is empty
// do not.
func asks(v *yaml.Node) bool {
	if v.Kind == yaml.ScalarNode {
		return v.ShortTag() != "!!null" && v.Value != "false" && v.Value != ""
	}
	return len(v.Content) > 0
}

func unsupported(file string, k *yaml.Node, m modules.Key) Problem {
	return Problem{File: file, Line: k.Line, Column: k.Column, Path: k.Value, Severity: Warning,
		Message: "not supported on this operating system: " + m.Instead}
}

// Explain lists every layer that wrote path, lowest first, with the ones in
// force marked. The error is ErrNotSet when there is none.
func (tr *Trace) Explain(path string) ([]Origin, error) {
	steps, err := resolvePath(path, tr.trees()...)
	if err != nil {
		return nil, err
	}
	var out []Origin
	for _, l := range tr.layers {
		n, line := find(l.root, steps)
		if n == nil {
			continue
		}
		value := hidden
		if !l.private {
			value = show(n, steps)
		}
		out = append(out, Origin{Layer: l.Name, File: l.File, Line: line, Value: value, Removes: isNull(n)})
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s: %w", formatSteps(steps), ErrNotSet)
	}
	markInForce(out, tr.layers, steps)
	return out, nil
}

// markInForce: the last that replaced, and all that merged or appended since.
func markInForce(out []Origin, layers []parsed, steps []pathStep) {
	byName := map[string]*yaml.Node{}
	for _, l := range layers {
		if n, _ := find(l.root, steps); n != nil {
			byName[l.Name+"\x00"+l.File] = n
		}
	}
	adds := appendsAt(steps)
	for i := len(out) - 1; i >= 0 && !out[i].Removes; i-- {
		out[i].InForce = true
		if n := byName[out[i].Layer+"\x00"+out[i].File]; !adds && n.Kind != yaml.MappingNode {
			break
		}
	}
}

// find walks down to a node and says on which line its key stands. A null on
// the way counts as the node: it removes all below.
func find(n *yaml.Node, steps []pathStep) (*yaml.Node, int) {
	line := 0
	for i, s := range steps {
		at := -1
		if s.index < 0 {
			if at = index(n, s.key); at >= 0 {
				line = n.Content[at].Line
			}
		}
		if n = stepInto(n, s); n == nil {
			return nil, 0
		}
		if s.index >= 0 {
			line = n.Line
		}
		if isNull(n) && i < len(steps)-1 {
			break
		}
	}
	return n, line
}

func appendsAt(steps []pathStep) bool {
	t := reflect.TypeFor[Config]()
	adds := false
	for _, s := range steps {
		if s.index >= 0 {
			t, adds = elem(t), false
			continue
		}
		t, adds = fieldRule(t, s.key)
	}
	return adds
}

// show is a value on one line without its secrets.
func show(n *yaml.Node, steps []pathStep) string {
	c := redact(n, typeAt(steps))
	if c == nil {
		return hidden
	}
	if c.Kind == yaml.ScalarNode {
		return c.Value
	}
	flow(c)
	out, err := yaml.Marshal(c)
	if err != nil {
		return err.Error()
	}
	return strings.Join(strings.Fields(string(out)), " ")
}

// flow makes a tree that is written on one line.
func flow(n *yaml.Node) {
	n.HeadComment, n.LineComment, n.FootComment = "", "", ""
	if n.Kind == yaml.ScalarNode {
		n.Style &^= yaml.LiteralStyle | yaml.FoldedStyle
		return
	}
	n.Style = yaml.FlowStyle
	for _, c := range n.Content {
		flow(c)
	}
}

// typeAt is the type of what stands at a path, or nil.
func typeAt(steps []pathStep) reflect.Type {
	t := reflect.TypeFor[Config]()
	for _, s := range steps {
		if s.index >= 0 {
			t = elem(t)
		} else {
			t = typeBelow(t, s.key)
		}
	}
	return t
}

func (tr *Trace) trees() []*yaml.Node {
	trees := []*yaml.Node{tr.merged}
	for _, l := range tr.layers {
		trees = append(trees, l.root)
	}
	return trees
}

// Get is the merged value at path: a copy. The error is ErrNotSet when there
// is none. Secrets are in it; see GetText.
func (tr *Trace) Get(path string) (*yaml.Node, error) {
	steps, err := resolvePath(path, tr.merged)
	if err != nil {
		return nil, err
	}
	n, _ := find(tr.merged, steps)
	if n == nil {
		return nil, fmt.Errorf("%s: %w", formatSteps(steps), ErrNotSet)
	}
	return clone(n), nil
}

// GetText is the merged value as `ros config get` prints it: a scalar as it
// is, a list or map as YAML. What is not set is "", as it was in RancherOS; a
// key that does not exist is a Problem. Without private, secrets are left out.
func (tr *Trace) GetText(path string, private bool) (string, error) {
	n, err := tr.GetShown(path, private)
	if n == nil || err != nil {
		return "", err
	}
	if n.Kind == yaml.ScalarNode {
		return n.Value, nil
	}
	out, err := document.Encode(n)
	return string(out), err
}

// GetShown is the merged value, without secrets unless private; nil when it is
// not set or is a secret itself.
func (tr *Trace) GetShown(path string, private bool) (*yaml.Node, error) {
	if !private {
		shown := clone(tr.merged)
		drop(shown, "rancher", "environment", extraCmdline)
		tr = &Trace{merged: shown}
	}
	n, err := tr.Get(path)
	if errors.Is(err, ErrNotSet) {
		return nil, known(path, tr.merged)
	}
	if err != nil {
		return nil, err
	}
	if !private {
		steps, err := resolvePath(path, tr.merged)
		if err != nil {
			return nil, err
		}
		if n = redact(n, typeAt(steps)); n == nil {
			return nil, nil
		}
	}
	block(n)
	return n, nil
}

// known is an error when no layer could ever set path.
func known(path string, trees ...*yaml.Node) error {
	steps, err := resolvePath(path, trees...)
	if err != nil {
		return err
	}
	ps := checkAlone("", nest(steps, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null"}), true)
	return ps.Errors().AsError()
}

// Keys are the paths one level below prefix, for completion: those that are
// set and those that the types know.
func (tr *Trace) Keys(prefix string) []string {
	at, t := tr.merged, reflect.TypeFor[Config]()
	if prefix != "" {
		steps, err := resolvePath(prefix, tr.merged)
		if err != nil {
			return nil
		}
		at, _ = find(tr.merged, steps)
		t = typeAt(steps)
	}
	var keys []string
	if t != nil && tagged(t) {
		for _, name := range fieldNames(t) {
			keys = append(keys, join(prefix, name))
		}
	}
	if at != nil && at.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(at.Content); i += 2 {
			keys = append(keys, join(prefix, at.Content[i].Value))
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

func clone(n *yaml.Node) *yaml.Node {
	c := *n
	c.Content = make([]*yaml.Node, len(n.Content))
	for i, item := range n.Content {
		c.Content[i] = clone(item)
	}
	return &c
}

// GetValue is what GetShown returns as plain Go values, for JSON. What the config
// takes as text is text, and so is what a reader of JSON would see otherwise than
// it was written: 0644, 1e3, a day.
func (tr *Trace) GetValue(path string, private bool) (any, error) {
	n, err := tr.GetShown(path, private)
	if err != nil {
		return nil, err
	}
	steps, err := resolvePath(path, tr.merged)
	if err != nil {
		return nil, err
	}
	return value(n, typeAt(steps))
}

func value(n *yaml.Node, t reflect.Type) (any, error) {
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case n == nil:
		return nil, nil
	case n.Kind == yaml.SequenceNode:
		list := make([]any, 0, len(n.Content))
		for _, item := range n.Content {
			v, err := value(item, elem(t))
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		return list, nil
	case n.Kind == yaml.MappingNode:
		m := make(map[string]any, len(n.Content)/2)
		for i := 0; i+1 < len(n.Content); i += 2 {
			v, err := value(n.Content[i+1], typeBelow(t, n.Content[i].Value))
			if err != nil {
				return nil, err
			}
			m[n.Content[i].Value] = v
		}
		return m, nil
	}
	var v any
	if err := n.Decode(&v); err != nil {
		return nil, err
	}
	isText := t != nil && t.Kind() == reflect.String
	switch v.(type) {
	case nil, string:
		return v, nil
	case bool:
		if !isText {
			return v, nil
		}
	default:
		if b, err := json.Marshal(v); err == nil && string(b) == n.Value && !isText {
			return v, nil
		}
	}
	return n.Value, nil
}
