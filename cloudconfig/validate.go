package cloudconfig

import (
	"fmt"
	"path/filepath"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v4"

	"rancheros/cloudconfig/modules"
	"rancheros/cloudconfig/network"
	"rancheros/cloudconfig/shape"
	"rancheros/paths"
)

// A DocKind is what a document is meant to be.
type DocKind string

// Kinds of documents.
const (
	CloudConfig   DocKind = "cloud-config"
	NetworkConfig DocKind = "network-config"
)

// Validate finds all that is wrong with a document, by our types and by what
// cloud-init says of its own keys. file names the document in the problems.
func Validate(file string, doc []byte, as DocKind) Problems {
	if what := otherKind(doc); what != "" && as == CloudConfig {
		return Problems{{File: file, Line: 1, Column: 1, Severity: Error,
			Message: "this is " + what + ", not a cloud-config; `ros cloud-init render FILE` prints the config it means"}}
	}
	root, ps := parse(file, doc)
	if root == nil {
		return ps
	}
	if as == NetworkConfig {
		_, found := network.FromV1V2(doc)
		for _, p := range found {
			ps = append(ps, Problem{File: file, Line: p.Line, Column: p.Column, Path: p.Path,
				Message: p.Message, Suggestion: p.Suggestion, Severity: Severity(p.Severity)})
		}
		return ps.Sorted()
	}
	return append(ps, checkAlone(file, root, false)...).Sorted()
}

// ValidateMachine finds all that is wrong with the layers below root.
func ValidateMachine(root string) Problems {
	md, err := ReadMetadata(root)
	var ps Problems
	if err != nil {
		ps = append(ps, toProblems(filepath.Join(root, paths.Metadata), err)...)
	}
	layers, err := Layers(root, md)
	if err != nil {
		ps = append(ps, toProblems(root, err)...)
	}
	for _, l := range layers {
		tree := l.tree
		if tree == nil {
			var found Problems
			tree, found = parse(l.File, l.YAML)
			ps = append(ps, found...)
			if tree == nil {
				continue
			}
		}
		ps = append(append(ps, l.dropped...), checkAlone(l.File, tree, true).Sorted()...)
	}
	return ps
}

// checkAlone checks a tree, which it may change. With removals a null is a
// removal and always allowed.
func checkAlone(file string, root *yaml.Node, removals bool) Problems {
	meant := asCloudInit(file, root, removals)
	modernize(file, root) // its warnings are among those of asCloudInit
	s := strict{file: file}
	s.check(root, reflect.TypeFor[Config](), "")
	return append(append(s.problems, meant...), checkRules(file, root)...)
}

// asCloudInit finds what cloud-init says of its own keys, and which of them do
// nothing here.
func asCloudInit(file string, root *yaml.Node, removals bool) Problems {
	var ps Problems
	for i := 0; i+1 < len(root.Content); i += 2 {
		k, v := root.Content[i], root.Content[i+1]
		m, ok := modules.Find(k.Value)
		if !ok {
			continue
		}
		if m.Instead != "" {
			ps = append(ps, unsupported(file, k, m))
		}
		s := m.Shape()
		for _, f := range shape.Check(v, s, join("", k.Value)) {
			if removals && shape.KindOf(f.Node) == shape.Null {
				continue
			}
			if s.Old != "" && f.Node == v { // a key is outdated where it stands
				f.Node = k
			}
			p := Problem{File: file, Line: f.Node.Line, Column: f.Node.Column, Path: f.Path,
				Message: f.Message, Suggestion: f.Nearest, Severity: Error}
			if f.Warn {
				p.Severity, p.Deprecated = Warning, true
			}
			ps = append(ps, p)
		}
	}
	return ps
}

// indentValue lets a value of several lines stand behind a key.
func indentValue(value string) string {
	if !strings.Contains(value, "\n") {
		return value
	}
	return "\n" + fmt.Sprint("  ", strings.ReplaceAll(strings.TrimRight(value, "\n"), "\n", "\n  "))
}
