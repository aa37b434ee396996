package cloudconfig

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"rancheros/cloudconfig/yamlerr"
)

// What a document may be. More is a mistake or an attack.
const (
	// MaxDocument is the size of a document in bytes.
	MaxDocument = 4 << 20
	// maxMarks is how many lines, commas and brackets it may have: the parser
	// needs some 250 bytes for what each of them may begin.
	maxMarks = 200_000
	// maxNodes is how many values it may have when its aliases are expanded.
	maxNodes = 200_000
	// maxDepth is how deep they may be nested.
	maxDepth = 64
)

// parse reads one document into a tree without aliases, merge keys or
// duplicate keys. An empty document is an empty map. With a tree there may be
// warnings; without one there are errors.
func parse(file string, doc []byte) (*yaml.Node, Problems) {
	fail := func(line, column int, format string, a ...any) (*yaml.Node, Problems) {
		return nil, Problems{{File: file, Line: line, Column: column, Severity: Error, Message: fmt.Sprintf(format, a...)}}
	}
	if len(doc) > MaxDocument {
		return fail(0, 0, "document of %d bytes; at most %d are read", len(doc), MaxDocument)
	}
	marks := 0
	for _, c := range doc {
		if c == '\n' || c == ',' || c == '[' || c == '{' {
			marks++
		}
	}
	if marks > maxMarks {
		return fail(0, 0, "document of more than %d lines and values", maxMarks)
	}
	doc = bytes.TrimPrefix(doc, []byte("\ufeff"))
	if !utf8.Valid(doc) {
		line := 1 + bytes.Count(doc[:firstInvalid(doc)], []byte("\n"))
		return fail(line, 1, "not UTF-8 text")
	}
	top, second, err := yamlerr.Read(doc)
	switch {
	case errors.Is(err, io.EOF):
		return &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}, nil
	case err != nil:
		return nil, Problems{syntaxProblem(file, doc, err)}
	case second != nil:
		return fail(second.Line, second.Column, "a second document; write all in one")
	}
	root := top.Content[0]
	if root.Kind == yaml.ScalarNode && root.Tag == "!!null" {
		return &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}, nil
	}
	if root.Kind != yaml.MappingNode {
		return fail(root.Line, root.Column, "want `key: value` lines, not a %s", kindName(root))
	}
	x := expander{file: file, left: maxNodes, open: map[*yaml.Node]bool{}}
	root = x.expand(root, "", 0)
	if len(x.problems.Errors()) > 0 {
		return nil, x.problems
	}
	return root, x.problems
}

// Expanded is a document as a tree without aliases and merge keys; nil where it
// is no map or not valid YAML.
func Expanded(doc []byte) *yaml.Node {
	root, _ := parse("", doc)
	return root
}

func firstInvalid(doc []byte) int {
	for i := 0; i < len(doc); {
		r, n := utf8.DecodeRune(doc[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return len(doc)
}

// syntaxProblem finds the place in yaml's error, and says more where the error
// says little.
func syntaxProblem(file string, doc []byte, err error) Problem {
	line, column, message := yamlerr.Split(err)
	p := Problem{File: file, Line: max(line, 1), Column: max(column, 1), Severity: Error, Message: message}
	lines := strings.Split(string(doc), "\n")
	if p.Line > len(lines) {
		return p
	}
	text := lines[p.Line-1]
	indent := text[:len(text)-len(strings.TrimLeft(text, " \t"))]
	if at := strings.IndexByte(indent, '\t'); at >= 0 {
		p.Column = at + 1
		p.Message = "a tab at the start of a line; YAML indents with spaces"
	}
	return p
}

// An expander copies a tree and resolves what refers to other places.
type expander struct {
	file     string
	left     int
	open     map[*yaml.Node]bool
	problems Problems
}

func (x *expander) problem(n *yaml.Node, path, format string, a ...any) {
	x.problems = append(x.problems, Problem{File: x.file, Line: n.Line, Column: n.Column, Path: path,
		Severity: Error, Message: fmt.Sprintf(format, a...)})
}

func (x *expander) warn(n *yaml.Node, path, format string, a ...any) {
	x.problem(n, path, format, a...)
	x.problems[len(x.problems)-1].Severity = Warning
}

func (x *expander) expand(n *yaml.Node, path string, depth int) *yaml.Node {
	x.left--
	switch {
	case x.left < 0:
		if x.left == -1 {
			x.problem(n, path, "more than %d values with its aliases expanded", maxNodes)
		}
		return n
	case depth > maxDepth:
		x.problem(n, path, "nested more than %d deep", maxDepth)
		x.left = -2 // one such problem is enough
		return n
	case n.Kind == yaml.AliasNode:
		if x.open[n.Alias] {
			x.problem(n, path, "alias *%s holds itself", n.Value)
			return n
		}
		x.open[n.Alias] = true
		defer delete(x.open, n.Alias)
		return x.expand(n.Alias, path, depth+1)
	}
	if wrong := wrongTag(n); wrong != "" {
		x.problem(n, path, "%s", wrong)
		return n
	}
	c := *n
	c.Anchor, c.Alias = "", nil
	switch n.Kind {
	case yaml.SequenceNode:
		if n.Anchor != "" {
			x.open[n] = true
			defer delete(x.open, n)
		}
		c.Content = make([]*yaml.Node, len(n.Content))
		for i, item := range n.Content {
			c.Content[i] = x.expand(item, path, depth+1)
		}
	case yaml.MappingNode:
		if n.Anchor != "" {
			x.open[n] = true
			defer delete(x.open, n)
		}
		c.Content = x.pairs(n, path, depth)
	case yaml.ScalarNode:
		c.Tag = c.ShortTag()
	}
	return &c
}

// knownTags are the tags that a writer may give, as cloud-init knows them.
var knownTags = map[yaml.Kind][]string{
	yaml.ScalarNode:   {"!", "!!str", "!!int", "!!float", "!!bool", "!!null", "!!timestamp", "!!binary"},
	yaml.SequenceNode: {"!!seq"},
	yaml.MappingNode:  {"!!map", "!!set"},
}

// wrongTag says why a value does not go with the tag that its writer gave it:
// such a one could be decoded by nobody. It is empty if it does.
func wrongTag(n *yaml.Node) string {
	if n.Style&yaml.TaggedStyle == 0 {
		return ""
	}
	tag := n.ShortTag()
	if !slices.Contains(knownTags[n.Kind], tag) {
		return fmt.Sprintf("the tag %s is not known for a %s", tag, kindName(n))
	}
	var v any
	if n.Kind == yaml.ScalarNode && n.Decode(&v) != nil {
		return "the value does not fit its tag " + tag
	}
	return ""
}

// pairs are the keys and values of a map, first its own, then those that `<<`
// brings and that it does not have itself.
func (x *expander) pairs(n *yaml.Node, path string, depth int) []*yaml.Node {
	out := make([]*yaml.Node, 0, len(n.Content))
	first := make(map[string]*yaml.Node, len(n.Content)/2)
	place := make(map[string]int, len(n.Content)/2)
	var merges []*yaml.Node
	for i := 0; i+1 < len(n.Content) && x.left >= 0; i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		for k.Kind == yaml.AliasNode {
			k = k.Alias
		}
		if k.Kind != yaml.ScalarNode {
			x.problem(k, path, "a %s as a key; a key is a word", kindName(k))
			continue
		}
		if k.Tag == "!!merge" {
			merges = append(merges, v)
			continue
		}
		here := join(path, k.Value)
		if wrong := wrongTag(k); wrong != "" {
			x.problem(k, here, "%s", wrong)
			continue
		}
		key := *k
		key.Anchor = ""
		if was, ok := first[k.Value]; ok {
			x.warn(n.Content[i], here, "given twice, first in line %d; this one counts", was.Line)
			out[place[k.Value]], out[place[k.Value]+1] = &key, x.expand(v, here, depth+1)
			continue
		}
		first[k.Value], place[k.Value] = &key, len(out)
		out = append(out, &key, x.expand(v, here, depth+1))
	}
	for _, m := range merges {
		out = x.mergeKey(m, path, depth, first, out)
	}
	return out
}

func (x *expander) mergeKey(m *yaml.Node, path string, depth int, have map[string]*yaml.Node, out []*yaml.Node) []*yaml.Node {
	m = x.expand(m, path, depth+1)
	sources := []*yaml.Node{m}
	if m.Kind == yaml.SequenceNode {
		sources = m.Content
	}
	for _, s := range sources {
		if s.Kind != yaml.MappingNode {
			if x.left >= 0 {
				x.problem(m, path, "`<<` wants a map or a list of maps, not a %s", kindName(s))
			}
			return out
		}
		for i := 0; i+1 < len(s.Content); i += 2 {
			if k := s.Content[i]; have[k.Value] == nil {
				have[k.Value] = k
				out = append(out, k, s.Content[i+1])
			}
		}
	}
	return out
}

// index is where key stands in mapping m, or -1. Keys are at even places.
func index(m *yaml.Node, key string) int {
	if m == nil || m.Kind != yaml.MappingNode {
		return -1
	}
	for i := 0; i+1 < len(m.Content); i += 2 {
		if m.Content[i].Value == key {
			return i
		}
	}
	return -1
}

// child is the value of key in mapping m, or nil.
func child(m *yaml.Node, key string) *yaml.Node {
	if at := index(m, key); at >= 0 {
		return m.Content[at+1]
	}
	return nil
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }
