package cloudconfig

import (
	"fmt"
	"reflect"
	"strings"

	"gopkg.in/yaml.v3"
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
	root, ps := parse(file, doc)
	if ps != nil {
		return ps
	}
	if as == NetworkConfig {
		return Problems{{File: file, Severity: Error, Message: "network-config is not checked yet"}}
	}
	return checkAlone(file, root).sorted()
}

// checkAlone checks a tree, which it may change.
func checkAlone(file string, root *yaml.Node) Problems {
	ps := modernize(file, root)
	s := strict{file: file}
	s.check(root, reflect.TypeFor[Config](), "")
	return append(ps, s.problems...)
}

func foreign(key string) bool { return false }
func foreignKeys() []string   { return nil }

// indentValue lets a value of several lines stand behind a key.
func indentValue(value string) string {
	if !strings.Contains(value, "\n") {
		return value
	}
	return "\n" + fmt.Sprint("  ", strings.ReplaceAll(strings.TrimRight(value, "\n"), "\n", "\n  "))
}
