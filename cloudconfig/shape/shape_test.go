package shape

import (
	"testing"

	"go.yaml.in/yaml/v4"
)

func node(t *testing.T, doc string) *yaml.Node {
	t.Helper()
	var n yaml.Node
	if err := yaml.Unmarshal([]byte(doc), &n); err != nil {
		t.Fatal(err)
	}
	return n.Content[0]
}

func TestOnlyOneOfTwoKeys(t *testing.T) {
	s := Object(K("a", Text()), K("b", Text()), K("c", Text())).NeedsOneOf("a", "b")
	for doc, want := range map[string]string{
		"{a: x}": "", "{b: x, c: x}": "", "{c: x}": "a, or b is missing", "{a: x, b: x}": "has a and b; only one of them is allowed",
	} {
		got := ""
		for _, f := range Check(node(t, doc), s, "") {
			got += f.Message
		}
		if got != want {
			t.Errorf("%s: %q, want %q", doc, got, want)
		}
	}
}

func TestScalarsHaveTheKindsOfYAML11(t *testing.T) {
	for doc, want := range map[string]Kind{
		"yes": Bool, "No": Bool, "on": Bool, "OFF": Bool, "true": Bool, "y": String, "'yes'": String,
		"0644": Int, "0o644": String, "0x1F": Int, "0b11": Int, "1_000": Int, "-7": Int, "1:30": Int, "1:60": String, "08": String,
		"1.5": Float, ".5": Float, "1.": Float, ".": String, "1e3": String, "1.0e+3": Float, ".inf": Float, ".NaN": Float,
		"2030-01-01": Date, "2030-1-1": String, "2030-01-01 10:00:00": Date, "2030-01-01T10:00:00Z": Date, "2030-01": String,
		"~": Null, "null": Null, "Null": Null, "nULL": String, "''": String, "!!str 5": String, "!!int '5'": Int,
		"[a]": List, "{a: b}": Map, "|\n  5": String, "1.2.3.4": String, "-.5": String, "+.inf": Float, "1:30.5": Float, "2030-1-1 1:02:03": Date, "10G": String, "+5": Int,
	} {
		if got := KindOf(node(t, doc)); got != want {
			t.Errorf("KindOf(%s) = %v, want %v", doc, got, want)
		}
	}
}

func TestNearestIsTheWordMeant(t *testing.T) {
	words := []string{"hostname", "fqdn", "users", "write_files", "ssh_pwauth"}
	for word, want := range map[string]string{
		"hostnmae": "hostname", "user": "users", "write-files": "write_files", "writefiles": "write_files",
		"nothing_like_it": "", "": "", "ssh_pwath": "ssh_pwauth",
	} {
		if got := Nearest(word, words); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", word, got, want)
		}
	}
}

func TestTheLikeliestAlternativeSpeaks(t *testing.T) {
	s := Either(Text(), ListOf(Text()).AtLeast(2).AtMost(2), Object(K("apt", ListOf(Text()))))
	for doc, want := range map[string]string{
		"[a]":        "x: has 1 items; it needs at least 2",
		"{apt: 5}":   "x.apt: want a list, not the number 5",
		"{atp: [a]}": "x.atp: no such key",
		"5":          "x: want a string or a list or a map, not the number 5",
	} {
		got := Check(node(t, doc), s, "x")
		if len(got) != 1 || got[0].Path+": "+got[0].Message != want {
			t.Errorf("Check(%s) = %+v, want %q", doc, got, want)
		}
	}
}

func TestLimitsHold(t *testing.T) {
	tests := []struct {
		doc   string
		shape *Shape
		ok    bool
	}{
		{"[]", ListOf(Text()), true},
		{"[]", ListOf(Text()).AtLeast(1), false},
		{"[a, a]", ListOf(Text()).Distinct(), false},
		{"{}", Object(K("a", Text())).AtLeast(1), false},
		{"{b: 1}", Object(K("a", Text())), false},
		{"{b: 1}", Object(K("a", Text())).More(), true},
		{"{a: x}", Object(K("a", Text()), K("b", Text())).Needs("b"), false},
		{"{a: x}", Object(K("a", Text()), K("b", Text())).Needs("b").Needs("a"), true},
		{"-2", Integer().AtLeast(-1), false},
		{"5", Number(), true},
		{"true", Integer(), false},
		{"off", OneOf(false, "auto"), true},
		{"'off'", OneOf(false, "auto"), false},
		{"'': x", MapOf(Text()), false},
		{"[1, a]", Tuple(Integer(), Text()), true},
		{"[1]", Tuple(Integer(), Text()), false},
		{"anything", Anything(), true},
	}
	for _, tt := range tests {
		if got := Check(node(t, tt.doc), tt.shape, ""); (len(got) == 0) != tt.ok {
			t.Errorf("Check(%s) = %+v, want ok %v", tt.doc, got, tt.ok)
		}
	}
}
