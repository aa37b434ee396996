package yamlerr_test

import (
	"fmt"
	"testing"

	"go.yaml.in/yaml/v4"

	"rancheros/cloudconfig/yamlerr"
)

func TestSplitGivesThePlaceOfASyntaxError(t *testing.T) {
	for _, tt := range []struct{ doc, want string }{
		{"a: 1\n- b\n", "2:1 did not find expected key"},
		{"a: 1\nb: 2\nc: d: e\n", "3:5 mapping values are not allowed in this context"},
		{"a:\n  - b\n c: d\n", "3:2 did not find expected key"},
		{"a: @b\n", "1:4 found character that cannot start any token"},
		{"a: *x\n", "1:4 unknown anchor 'x' referenced"},
		{"#cloud-config\nhostname: [\nother: x\n", "2:11 the list that begins here is not closed"},
		{"a: {b: 1\nc: 3\n", "2:2 did not find expected ',' or '}' of the mapping that begins at line 1, column 4"},
		{"a: 1\nb: \"unclosed\nc: 3\n", "2:4 the quoted text that begins here is not closed"},
		{"a: {b: [1, 2], c: 3\n\n", "1:4 the mapping that begins here is not closed"},
		{"a: \x01\n", "1:4 control characters are not allowed (value: 1)"},
	} {
		_, _, err := yamlerr.Read([]byte(tt.doc))
		if err == nil {
			t.Errorf("%q is valid", tt.doc)
			continue
		}
		line, column, message := yamlerr.Split(err)
		if got := fmt.Sprintf("%d:%d %s", line, column, message); got != tt.want {
			t.Errorf("%q: %s, want %s", tt.doc, got, tt.want)
		}
	}
}

func TestSplitJoinsTheMistakesOfValues(t *testing.T) {
	var v struct{ A, B int }
	err := yaml.Unmarshal([]byte("a: x\nb: [1]\n"), &v)
	line, column, message := yamlerr.Split(err)
	want := "1:4 cannot construct !!str `x` into int; cannot construct !!seq into int"
	if got := fmt.Sprintf("%d:%d %s", line, column, message); got != want {
		t.Errorf("Split(%v) = %s, want %s", err, got, want)
	}
}
