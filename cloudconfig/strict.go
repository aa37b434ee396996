package cloudconfig

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"rancheros/cloudconfig/modules"
	"rancheros/cloudconfig/shape"
	"rancheros/cloudconfig/yamlerr"
)

// These ask the compiler, not the reflect package, so they cost nothing.
var (
	nodeType        = reflect.TypeFor[yaml.Node]()
	secretType      = reflect.TypeFor[Secret]()
	unmarshalerType = reflect.TypeFor[yaml.Unmarshaler]()
)

// strict holds a tree against our types: every key must be known and every
// value must fit. These are the problems for which a layer is set aside.
type strict struct {
	file     string
	problems Problems
}

func (s *strict) problem(n *yaml.Node, path, suggestion, format string, a ...any) {
	s.problems = append(s.problems, Problem{File: s.file, Line: n.Line, Column: n.Column, Path: path,
		Severity: Error, Message: fmt.Sprintf(format, a...), Suggestion: suggestion})
}

// mistake is what a type's own reader says about a value.
func (s *strict) mistake(n *yaml.Node, path string, err error) {
	_, _, message := yamlerr.Split(err)
	s.problem(n, path, "", "%s", message)
}

func (s *strict) check(n *yaml.Node, t reflect.Type, path string) {
	if isNull(n) || t == nodeType {
		return
	}
	lenient := reflect.PointerTo(t).Implements(unmarshalerType)
	switch {
	case t.Kind() == reflect.Pointer:
		s.check(n, t.Elem(), path)
	case tagged(t) && n.Kind == yaml.MappingNode:
		s.fields(n, t, path)
	case t.Kind() == reflect.Slice && n.Kind == yaml.SequenceNode && (!lenient || tagged(t.Elem())):
		s.items(n, t, path, lenient)
	case t.Kind() == reflect.Map && n.Kind == yaml.MappingNode,
		t.Kind() == reflect.Slice && n.Kind == yaml.MappingNode && lenient && tagged(t.Elem()):
		for i := 0; i+1 < len(n.Content); i += 2 {
			if v := n.Content[i+1]; t.Kind() == reflect.Map || v.Kind == yaml.MappingNode {
				s.check(v, t.Elem(), join(path, n.Content[i].Value))
			}
		}
	case lenient:
		if err := n.Decode(reflect.New(t).Interface()); err != nil {
			s.mistake(n, path, err)
		}
	default:
		s.plain(n, t, path)
	}
}

// items checks a list. A lenient type takes items that are no map in its own
// way, so it is asked.
func (s *strict) items(n *yaml.Node, t reflect.Type, path string, lenient bool) {
	for i, item := range n.Content {
		here := path + "[" + strconv.Itoa(i) + "]"
		if !lenient || item.Kind == yaml.MappingNode {
			s.check(item, t.Elem(), here)
			continue
		}
		alone := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Content: []*yaml.Node{item}}
		if err := alone.Decode(reflect.New(t).Interface()); err != nil {
			s.mistake(item, here, err)
		}
	}
}

// tagged says whether t is a struct whose fields are keys.
func tagged(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && t.NumField() > 0 && t.Field(0).Tag.Get("yaml") != ""
}

// fields checks the keys of a map that is a struct.
func (s *strict) fields(n *yaml.Node, t reflect.Type, path string) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		here := join(path, k.Value)
		f, ok := fieldOf(t, k.Value)
		if !ok {
			if _, ok := modules.Find(k.Value); ok && path == "" {
				continue // cloud-init's, but not ours
			}
			s.problem(k, here, s.nearest(k.Value, t, path), "no such key")
			continue
		}
		s.check(v, f.Type, here)
	}
}

// nearest is the key of t at path that was probably meant, for the first
// problems: to look for all of a hostile document's would hold the boot up.
func (s *strict) nearest(key string, t reflect.Type, path string) string {
	if len(s.problems) >= shape.MaxGuesses {
		return ""
	}
	names := fieldNames(t)
	if path == "" {
		for _, m := range modules.Keys {
			names = append(names, m.Name)
		}
	}
	return shape.Nearest(key, names)
}

// plain checks a value of one of Go's own types.
func (s *strict) plain(n *yaml.Node, t reflect.Type, path string) {
	want := ""
	switch t.Kind() {
	case reflect.Struct, reflect.Map:
		want = "a map"
	case reflect.Slice:
		want = "a list"
	case reflect.String:
		if n.Kind == yaml.ScalarNode {
			return
		}
		want = "a string"
	case reflect.Bool:
		want = "true or false"
	case reflect.Int:
		want = "a whole number"
	default:
		want = "a number"
	}
	if n.Kind == yaml.ScalarNode && n.Decode(reflect.New(t).Interface()) == nil {
		return
	}
	s.problem(n, path, "", "want %s, not %s", want, describe(n))
}

// describe is a value as it is shown in a message: short.
func describe(n *yaml.Node) string {
	if n.Kind != yaml.ScalarNode {
		return "a " + kindName(n)
	}
	text := n.Value
	if len(text) > 40 {
		text = strings.ToValidUTF8(text[:40], "") + "…"
	}
	return "the " + kindName(n) + " " + strconv.Quote(text)
}

// fieldOf is the field of struct t whose key is name, looked for in inlined
// structs too.
func fieldOf(t reflect.Type, name string) (reflect.StructField, bool) {
	for i := range t.NumField() {
		f := t.Field(i)
		tag := f.Tag.Get("yaml")
		if tag == ",inline" {
			if in, ok := fieldOf(f.Type, name); ok {
				return in, true
			}
		} else if tag == name && tag != "-" {
			return f, true
		}
	}
	return reflect.StructField{}, false
}

// fieldNames are the keys of struct t.
func fieldNames(t reflect.Type) []string {
	var names []string
	for i := range t.NumField() {
		f := t.Field(i)
		switch tag := f.Tag.Get("yaml"); tag {
		case ",inline":
			names = append(names, fieldNames(f.Type)...)
		case "-", "":
		default:
			names = append(names, tag)
		}
	}
	return names
}

// typeBelow is the type of what key holds in a t, or nil when nobody knows.
func typeBelow(t reflect.Type, key string) reflect.Type {
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t == nil || t == nodeType:
		return nil
	case t.Kind() == reflect.Map:
		return t.Elem()
	case t.Kind() == reflect.Struct:
		if f, ok := fieldOf(t, key); ok {
			return f.Type
		}
	}
	return nil
}

// elem is the type of the items of a t, or nil.
func elem(t reflect.Type) reflect.Type {
	if t != nil && t.Kind() == reflect.Slice {
		return t.Elem()
	}
	return nil
}
