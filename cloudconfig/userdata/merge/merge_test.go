package merge_test

import (
	"testing"

	"go.yaml.in/yaml/v4"

	"rancheros/cloudconfig/userdata/document"
	"rancheros/cloudconfig/userdata/merge"
)

func parse(t testing.TB, s string) *yaml.Node {
	t.Helper()
	n, _, err := document.Parse([]byte(s))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func text(t testing.TB, n *yaml.Node) string {
	t.Helper()
	j, err := document.JSON(n)
	if err != nil {
		t.Fatal(err)
	}
	return string(j)
}

func TestMergeDoesAsUpstream(t *testing.T) {
	for _, tt := range []struct{ how, old, new, want string }{
		{merge.Default, `{a: {c: 1, d: 2}, b: 1}`, `{a: {e: 3}}`, `{"a":{"e":3},"b":1}`},
		{"dict()", `{a: 1}`, `{a: 2, b: 3}`, `{"a":1,"b":3}`},
		{"dict()", `{a: {x: 1}}`, `{a: {x: 2, y: 3}}`, `{"a":{"x":1,"y":3}}`},
		{"dict(allow_delete)", `{a: 1, b: 2}`, `{a: null}`, `{"b":2}`},
		{"dict(recurse_array)+list(append)", `{a: [1]}`, `{a: [2]}`, `{"a":[1,2]}`},
		{"dict(recurse_list)+list(prepend)", `{a: [1]}`, `{a: [2]}`, `{"a":[2,1]}`},
		{"dict(recurse_array)+list()", `{a: [1, 2, 3]}`, `{a: [x]}`, `{"a":["x",2,3]}`},
		{"dict(recurse_array)+list()", `{a: [1]}`, `{a: [x, y]}`, `{"a":["x"]}`},
		{"dict(recurse_array)+list()", `{a: [1]}`, `{a: {b: 1}}`, `{"a":{"b":1}}`},
		{"dict(recurse_str)+str(append)", `{a: x}`, `{a: y}`, `{"a":"xy"}`},
		{"dict(recurse_str)+str()", `{a: x}`, `{a: y}`, `{"a":"y"}`},
		{"dict(recurse_str)+list(append)", `{a: [1]}`, `{a: xy}`, `{"a":[1,"x","y"]}`},
		{"DICT(Recurse-Array)+list(append)", `{a: [1]}`, `{a: [2]}`, `{"a":[1,2]}`},
		{"dict(replace,no_replace)", `{a: 1}`, `{a: 2}`, `{"a":2}`},
		{"list(append)", `{a: 1}`, `{a: 2}`, `{"a":1}`},
	} {
		ms, err := merge.Parse(tt.how)
		if err != nil {
			t.Errorf("Parse(%s): %v", tt.how, err)
			continue
		}
		got, err := ms.Merge(parse(t, tt.old), parse(t, tt.new))
		if err != nil || text(t, got) != tt.want {
			t.Errorf("%s: %s + %s = %s (%v), want %s", tt.how, tt.old, tt.new, text(t, got), err, tt.want)
		}
	}
}

func TestTakeReadsEveryFormOfMergeHow(t *testing.T) {
	for _, in := range []string{
		`{merge_how: "dict(recurse_array)+list(append)", x: [2]}`,
		`{merge_how: [{name: dict, settings: [recurse_array]}, {name: list, settings: [append]}], x: [2]}`,
		`{merge_type: [[dict, recurse_array], [list, append]], x: [2]}`,
	} {
		n := parse(t, in)
		ms, err := merge.Take(n)
		if err != nil {
			t.Errorf("Take(%s): %v", in, err)
			continue
		}
		got, err := ms.Merge(parse(t, `{x: [1]}`), n)
		if err != nil || text(t, got) != `{"x":[1,2]}` {
			t.Errorf("%s = %s (%v)", in, text(t, got), err)
		}
	}
}

func TestParseRefusesMergersThatAreNot(t *testing.T) {
	for _, in := range []string{"dict", "dict(", "set()", "dict)(", "(append)"} {
		if _, err := merge.Parse(in); err == nil {
			t.Errorf("Parse(%q) succeeded", in)
		}
	}
}

func TestFirstWinsJoinsMappingsOnly(t *testing.T) {
	got := text(t, merge.FirstWins(parse(t, `{a: 1, b: {c: [1]}, n: null}`), parse(t, `{a: 2, b: {c: [2], d: 3}, n: {x: 1}, e: 4}`)))
	if want := `{"a":1,"b":{"c":[1],"d":3},"n":null,"e":4}`; got != want {
		t.Errorf("FirstWins = %s, want %s", got, want)
	}
	got = text(t, merge.FirstWins(parse(t, `{a: x, b: [y], c: 1, d: true}`), parse(t, `{a: {k: 1}, b: {k: 2}, c: {k: 3}, d: [z]}`)))
	if want := `{"a":{"k":1},"b":{"k":2},"c":1,"d":true}`; got != want {
		t.Errorf("a mapping below a text, a list and others: %s, want %s", got, want)
	}
}

func TestTakeOfNothingAndOfNonsense(t *testing.T) {
	for in, ok := range map[string]bool{
		"{merge_how: {}}": true, "{merge_how: []}": true, "{merge_how: ''}": true, "{merge_how: {a: b}}": false, "{merge_how: 5}": false,
		"{merge_how: [{name: dict, settings: null}]}": false, "{merge_how: [{name: dict}]}": false,
	} {
		if ms, err := merge.Take(parse(t, in)); (err == nil) != ok || len(ms) > 0 {
			t.Errorf("Take(%s) = %v, %v; want ok %v", in, ms, err, ok)
		}
	}
}

func FuzzMerge(f *testing.F) {
	f.Add("dict(replace)+list()+str()", "a: {b: 1}", "a: [1]")
	f.Add("dict(recurse_array)+list(append,recurse_dict)+str(append)", "a: [x]", "a: y")
	f.Fuzz(func(t *testing.T, how, a, b string) {
		ms, err := merge.Parse(how)
		if err != nil {
			return
		}
		old, _, err := document.Parse([]byte(a))
		if err != nil || old == nil {
			return
		}
		new, _, err := document.Parse([]byte(b))
		if err != nil || new == nil {
			return
		}
		before := text(t, old)
		if _, err := ms.Merge(old, new); err != nil {
			return
		}
		merge.FirstWins(old, new)
		if after := text(t, old); after != before {
			t.Fatalf("Merge changed its input from %s to %s", before, after)
		}
	})
}
