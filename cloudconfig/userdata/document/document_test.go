package document_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v4"

	"rancheros/cloudconfig/userdata/document"
)

func TestParseReadsScalarsAsYAML11(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"yes", `true`}, {"Off", `false`}, {"y", `"y"`}, {"~", `null`}, {"", `null`},
		{"0644", `420`}, {"0o644", `"0o644"`}, {"0x1F", `31`}, {"0b101", `5`}, {"1_000", `1000`}, {"+12", `12`}, {"-7", `-7`}, {"08", `"08"`},
		{"1e3", `"1e3"`}, {"1.5e+3", `1500`}, {".5", `0.5`}, {"-.5", `"-.5"`}, {"1.", `1`}, {".inf", `"+Inf"`},
		{"2012-09-01", `"2012-09-01"`}, {"22:22", `"22:22"`}, {"'yes'", `"yes"`}, {`"0644"`, `"0644"`},
		{"!!str 12", `"12"`}, {"!!binary aGk=", `"aGk="`}, {"!!float 3", `3`},
	} {
		n, _, err := document.Parse([]byte("k: " + tt.in + "\n"))
		if err != nil {
			t.Errorf("Parse(%q): %v", tt.in, err)
			continue
		}
		got, err := document.JSON(document.Get(n, "k"))
		if err != nil || string(got) != tt.want {
			t.Errorf("Parse(%q) = %s (%v), want %s", tt.in, got, err, tt.want)
		}
	}
}

func TestYAMLWritesWhatEveryReaderReadsTheSameWay(t *testing.T) {
	in := "a: yes\nb: 'yes'\nc: 0o17\nd: 22:22\ne: 1e3\nf: 2012-09-01\ng: ~\nh: 0644\n"
	n, _, err := document.Parse([]byte(in))
	if err != nil {
		t.Fatal(err)
	}
	text, err := document.YAML(n)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := yaml.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"a": true, "b": "yes", "c": "0o17", "d": "22:22", "e": "1e3", "f": "2012-09-01", "g": nil, "h": 420}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("yaml reads %s otherwise (-want +got):\n%s", text, diff)
	}
}

func TestYAMLBreaksNoLine(t *testing.T) {
	want := "key: " + strings.Repeat("word ", 40) + "end\n"
	if got, err := document.Encode(map[string]string{"key": strings.Repeat("word ", 40) + "end"}); err != nil || string(got) != want {
		t.Errorf("Encode() = %q, %v, want %q", got, err, want)
	}
}

func TestYAMLKeepsTextToTheLastEmptyLine(t *testing.T) {
	for _, text := range []string{"\n0", "\nfirst\n", "\n\n  indented\n", "last\n\n", "\n", " \n", "\ttab\n", "# no comment\n", "a\r\nb\n", "- no list\n", "\u2028"} {
		for _, style := range []yaml.Style{0, yaml.LiteralStyle, yaml.FoldedStyle, yaml.SingleQuotedStyle, yaml.DoubleQuotedStyle} {
			value := document.String(text)
			value.Style = style
			n := document.Map()
			document.Set(n, "content", value)
			doc, err := document.YAML(n)
			if err != nil {
				t.Fatal(err)
			}
			again, _, err := document.Parse(doc)
			if err != nil {
				t.Errorf("%q in style %d: %v\n%s", text, style, err, doc)
				continue
			}
			if got := document.Get(again, "content").Value; got != text {
				t.Errorf("%q in style %d is read again as %q from\n%s", text, style, got, doc)
			}
		}
	}
}

func TestParseUnfoldsAnchorsAndMergeKeys(t *testing.T) {
	n, _, err := document.Parse([]byte("base: &b {x: 1, y: 2}\none:\n  <<: *b\n  y: 3\ntwo:\n  <<: [{z: 9}, *b]\n"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := document.JSON(n)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"base":{"x":1,"y":2},"one":{"y":3,"x":1},"two":{"z":9,"x":1,"y":2}}`
	if string(got) != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestParseKeepsTheLastOfTwoKeysAndSaysSo(t *testing.T) {
	n, problems, err := document.Parse([]byte("a: 1\nb: 2\na: 3\n"))
	if err != nil {
		t.Fatal(err)
	}
	if got := document.Get(n, "a").Value; got != "3" {
		t.Errorf("a = %s, want 3", got)
	}
	if len(problems) != 1 || problems[0].Line != 3 {
		t.Errorf("problems = %v, want one on line 3", problems)
	}
}

func TestYAMLKeepsALongLineWhole(t *testing.T) {
	for _, style := range []yaml.Style{0, yaml.SingleQuotedStyle, yaml.DoubleQuotedStyle} {
		value := document.String(strings.Repeat("word ", 40) + "end")
		value.Style = style
		list := document.List(value, document.String("second"))
		list.Style = yaml.FlowStyle
		doc, err := document.YAML(list)
		if err != nil || strings.Count(string(doc), "\n") != 1 {
			t.Errorf("style %d: %v, not one line:\n%s", style, err, doc)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	bomb := "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
	for c := 'b'; c < 'j'; c++ {
		p := string(c - 1)
		bomb += string(c) + ": &" + string(c) + " [" + strings.Repeat("*"+p+",", 10) + "]\n"
	}
	for _, tt := range []struct{ name, in, want string }{
		{"an alias bomb", bomb, "unfold to more than"},
		{"a circle of aliases", "a: &a [*a]\n", "itself"},
		{"deep nesting", strings.Repeat("[", 500) + strings.Repeat("]", 500), "deep"},
		{"a second document", "a: 1\n---\nb: 2\n", "second document"},
		{"tags of Python", "a: !!python/object:os.system x\n", "tag"},
		{"a list as key", "[a]: 1\n", "key must be"},
		{"broken syntax", "a: [1\nb: 2\n", ""},
	} {
		_, _, err := document.Parse([]byte(tt.in))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want %q in it", tt.name, err, tt.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"a: 1\n", "a: &x [1]\nb: *x\n", "<<: {a: 1}\n", "- 0x\n- 0b_\n- 1:2\n", "!!binary \"=\"\n", "? [a]\n: b\n", "a: !!set {b}\n", "|\n\n 0"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		n, _, err := document.Parse(data)
		if err != nil {
			return
		}
		j, err := document.JSON(n)
		if err != nil || !json.Valid(j) {
			t.Fatalf("JSON = %q, %v", j, err)
		}
		y, err := document.YAML(n)
		if err != nil {
			t.Fatal(err)
		}
		again, _, err := document.Parse(y)
		if err != nil {
			t.Fatalf("what was written is not read: %v\n%s", err, y)
		}
		if n == nil {
			return
		}
		k, err := document.JSON(again)
		if err != nil || string(k) != string(j) {
			t.Fatalf("written and read again: %s, want %s (%v)\n%s", k, j, err, y)
		}
	})
}
