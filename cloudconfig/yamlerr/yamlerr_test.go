package yamlerr

import (
	"testing"

	"gopkg.in/yaml.v3"
)

func TestLineOfSyntaxErrors(t *testing.T) {
	tests := []struct {
		doc  string
		line int
	}{
		{"#cloud-config\nhostname: [\nother: x\n", 2},
		{"a: 1\nb: [1, 2\nc: 3\n", 2},
		{"a: 1\n- b\n", 2},
		{"a: 1\nb: 2\nc: d: e\n", 3},
		{"a: 1\nb: \"unclosed\nc: 3\n", 2},
	}
	for _, tt := range tests {
		var n yaml.Node
		err := yaml.Unmarshal([]byte(tt.doc), &n)
		if err == nil {
			t.Fatalf("%q is valid", tt.doc)
		}
		// The library names where a thing began or where it gave up: the line
		// itself or the next.
		if line, msg := Split(err); line != tt.line && line != tt.line+1 {
			t.Errorf("%q: line %d, want %d: %s", tt.doc, line, tt.line, msg)
		}
	}
}
