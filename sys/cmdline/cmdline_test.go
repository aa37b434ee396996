package cmdline

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWordsAndValues(t *testing.T) {
	tests := []struct {
		name, line string
		want       []Arg
	}{
		{"nothing", "", nil},
		{"plain", "quiet root=LABEL=x  console=ttyS0,115200\n", []Arg{{"quiet", "", false}, {"root", "LABEL=x", true}, {"console", "ttyS0,115200", true}}},
		{"quoted value", `rancher.a="b c" d='e "f"'`, []Arg{{"rancher.a", "b c", true}, {"d", `e "f"`, true}}},
		{"quoted word", `"rancher.a=b c"`, []Arg{{"rancher.a", "b c", true}}},
		{"brackets", `a=[b, "c ] d"] e`, []Arg{{"a", `[b, "c ] d"]`, true}, {"e", "", false}}},
		{"escapes", `a=\"b c=\'d`, []Arg{{"a", `"b`, true}, {"c", "'d", true}}},
		{"a quote alone", `a=it's b`, []Arg{{"a", "it's", true}, {"b", "", false}}},
		{"a bracket alone", `a=[b c`, []Arg{{"a", "[b", true}, {"c", "", false}}},
		{"empty value", `a= b`, []Arg{{"a", "", true}, {"b", "", false}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, Parse(tt.line).Args); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWordsAfterTwoDashesAreKeptApart(t *testing.T) {
	l := Parse("a=1 a=2 -- b rancher.password=x")
	if diff := cmp.Diff([]Arg{{"a", "1", true}, {"a", "2", true}}, l.Args); diff != "" {
		t.Error(diff)
	}
	want := []Arg{{"b", "", false}, {"rancher.password", "x", true}}
	if diff := cmp.Diff(want, l.Extra); diff != "" {
		t.Error(diff)
	}
}

func TestSettingsAreConfigKeysOnly(t *testing.T) {
	l := Parse("quiet rancher=x rancher. cc. cc.hostname=h rancher.debug rancher.url=http://a:80/b?c rancher.l=[url:http://a] rancher.n=5 cc.x=")
	want := []Setting{
		{"hostname", "h", false},
		{"rancher.debug", "true", false},
		{"rancher.url", "http://a:80/b?c", true},
		{"rancher.l", "[url:http://a]", false},
		{"rancher.n", "5", false},
		{"x", "", false},
	}
	if diff := cmp.Diff(want, Settings(l.Args)); diff != "" {
		t.Error(diff)
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"", "a=b", `a="b c" -- d`, `[a "b] c`, `\"`, `'"'`, "rancher.a=[1,[2],3]", "cc.a=\"", "--  --", "a==b=", "\x00=\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		l := Parse(line)
		if len(l.Args) > maxArgs || len(l.Extra) > maxArgs {
			t.Error("more words than the bound")
		}
		n := 0
		for _, a := range append(l.Args, l.Extra...) {
			n += len(a.Key) + len(a.Value)
		}
		if n > len(line) {
			t.Errorf("%d bytes out of %d", n, len(line))
		}
		for _, s := range Settings(l.Args) {
			if s.Key == "" || strings.HasPrefix(s.Key, "cc.cc") && !strings.Contains(line, "cc.cc") {
				t.Errorf("setting %+v", s)
			}
		}
	})
}
