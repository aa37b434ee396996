package jinja_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rancheros/cloudconfig/userdata/jinja"
)

const instance = `{"v1": {"local_hostname": "web1", "region": "eu", "cloud-name": "aws", "nothing": null},
 "ds": {"meta_data": {"list": [3, 1, 2], "users": [{"name": "a", "uid": 2}, {"name": "B", "uid": 1}], "tags": {"k": "v", "a": "b"}, "half": 1.5, "text": "it's"}},
 "n": 7, "secret": "aGk=", "base64_encoded_keys": ["secret"]}`

func vars(t testing.TB) map[string]any {
	t.Helper()
	var m map[string]any
	d := json.NewDecoder(strings.NewReader(instance))
	d.UseNumber()
	if err := d.Decode(&m); err != nil {
		t.Fatal(err)
	}
	return jinja.Variables(m)
}

func TestRender(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"{{ v1.local_hostname }}", "web1"},
		{"{{ local_hostname }} {{ cloud_name }} {{ v1['cloud-name'] }} {{ secret }}", "web1 aws aws hi"},
		{"{{ ds.meta_data.list[0] }}{{ ds.meta_data.list.1 }}{{ ds.meta_data.list[-1] }}", "312"},
		{"{% if region == 'eu' %}\nyes\n{% elif true %}\nx\n{% else %}\nno\n{% endif %}\nend\n", "yes\nend\n"},
		{"{% for u in ds.meta_data.users %}\n{{ loop.index }}{{ u.name|lower }}{{ loop.last }}\n{% endfor %}\n", "1aFalse\n2bTrue\n\n"},
		{"{% for k, v in ds.meta_data.tags.items() %}{{ k }}={{ v }};{% endfor %}", "a=b;k=v;"},
		{"{% for x in [] %}a{% else %}none{% endfor %}", "none"},
		{"{{ none_here | default('d') }} {{ '' | d('e', true) }}", "d e"},
		{"{{ n - 3 }} {{ n / 2 }} {{ n // 2 }} {{ n % 4 }} {{ n ** 2 }} {{ 1 ~ 'x' }}", "4 3.5 3 3 49 1x"},
		{"{{ ds.meta_data.tags }} {{ v1.nothing }} {{ true }}", "{'a': 'b', 'k': 'v'} None True"},
		{"{{ ds.meta_data | tojson }}", `{"half": 1.5, "list": [3, 1, 2], "tags": {"a": "b", "k": "v"}, "text": "it\u0027s", "users": [{"name": "a", "uid": 2}, {"name": "B", "uid": 1}]}`},
		{"{{ ds.meta_data.list|sort|join(',') }} {{ ds.meta_data.users|map(attribute='name')|join('-') }}", "1,2,3 a-B"},
		{"{{ ds.meta_data.users|selectattr('uid','gt',1)|map(attribute='name')|first }}", "a"},
		{"a {%- if true %} b {%- endif -%}   c", "a bc"},
		{"{% raw %}{{ x }}{% endraw %}\nz", "{{ x }}z"},
		{"{% set x = 5 %}\n{{ x }}{% set y %}<{{ x }}>{% endset %}{{ y }}", "5<5>"},
		{"{% set ns = namespace(c=0) %}{% for i in range(4) %}{% set ns.c = ns.c + i %}{% endfor %}{{ ns.c }}", "6"},
		{"{{ 'x' in 'xy' and n is odd and n is not string }}", "True"},
		{"{{ 'yes' if n > 50 else 'no' }}{{ 'a' if false }}", "no"},
		{"{{ 'abcdef'[1:4] }} {{ [1,2,3][::-1] }}", "bcd [3, 2, 1]"},
		{"{# gone #}\nx", "x"},
		{"{{ 'a%s' | format(3) }} {{ '%02d' % 7 }} {{ '{}-{}'.format(1, 2) }}", "a3 07 1-2"},
		{"{{ 'node-{:02d}{:>4}|{:<4}|{:^5}|{:*^5}'.format(7, 'a', 'b', 'c', 'd') }}", "node-07   a|b   |  c  |**d**"},
		{"{{ '{0:x} {0:08b} {0:+d} {1:.2f} {1:8.1f} {n:05} {{}} {s:.2}'.format(10, 2.346, n=-3, s='abc') }}", "a 00001010 +10 2.35      2.3 -0003 {} ab"},
	} {
		got, missing, err := jinja.Render(tt.in, vars(t))
		if err != nil || got != tt.want || len(missing) > 0 {
			t.Errorf("Render(%q) = %q, missing %v, %v, want %q", tt.in, got, missing, err, tt.want)
		}
	}
}

func TestRenderDoesAsPython(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"{{ 7|round(1) }} {{ 7.25|round(1) }} {{ true|round }} {{ 7|round(0, 'floor') }}", "7 7.2 1 7.0"},
		{"{{ 7 is lower }} {{ 'a1' is lower }} {{ 'A1' is upper }} {{ '' is upper }}", "False True True False"},
		{"{{ 'i-0abc x'.title() }} {{ 'i-0abc x'|title }}", "I-0Abc X I-0abc X"},
		{"{{ [1,2,3]|batch(2, 0)|list }} {{ [1,2,3]|batch(2)|list }}", "[[1, 2], [3, 0]] [[1, 2], [3]]"},
		{"{{ 'a-b c_d, e'|wordcount }}", "4"},
		{"{{ v1.nothing|map('upper')|list }} {{ v1.nothing|selectattr('x')|list }}", "[] []"},
		{"{{ 0x1F }} {{ 0b101 }} {{ 0o17 }} {{ 0 }}", "31 5 15 0"},
		{"{% set l = [] %}{% for u in ds.meta_data.users %}{% do l.append(u.name) %}{% endfor %}{% do l.extend(['z']) %}{{ l }}", "['a', 'B', 'z']"},
		{"{% set m = {'a': 1} %}{% do m.update({'b': 2}, c=3) %}{{ m }}", "{'a': 1, 'b': 2, 'c': 3}"},
		{"{% set ns = namespace(l=[]) %}{% for i in [1,2] %}{% do ns.l.append(i) %}{% endfor %}{{ ns.l }}", "[1, 2]"},
		{"{% with a = 1, b = n %}{{ a }}{{ b }}{% endwith %}{{ a is defined }}", "17False"},
		{"{% macro f(a, b='x') %}<{{ a }}{{ b }}>{% endmacro %}{{ f(1) }}{{ f(b=2, a=n) }}{{ f(1, 2)|length }}", "<1x><72>4"},
		{"{% for i in [1,1,2] %}{{ loop.changed(i) }} {% endfor %}", "True False True "},
		{"{{ 'a.b.c'.rsplit('.', 1) }} {{ 'x'.zfill(3) }} {{ 'aB'.swapcase() }} {{ 'ab'.removeprefix('a') }} {{ 'ab'.isalpha() }} {{ 'aba'.rfind('a') }}", "['a.b', 'c'] 00x Ab b True 2"},
		{"{{ 'a'.ljust(3, '-') }}{{ 'a'.rjust(3) }}|{{ 'ab'.center(5, '*') }}", "a--  a|**ab*"},
	} {
		got, _, err := jinja.Render(tt.in, vars(t))
		if err != nil || got != tt.want {
			t.Errorf("Render(%q) = %q, %v, want %q", tt.in, got, err, tt.want)
		}
	}
}

func TestWhatAnEmptyListHasFirstHasNoName(t *testing.T) {
	for _, in := range []string{"{{ []|first }}", "{{ []|last }}", "{{ []|max }}", "{% for x in [1] %}{{ loop.nextitem }}{% endfor %}"} {
		if got, _, err := jinja.Render(in, nil); err != nil || got != "CI_MISSING_JINJA_VAR/None" {
			t.Errorf("Render(%s) = %q, %v", in, got, err)
		}
	}
}

func TestRenderMarksWhatIsMissing(t *testing.T) {
	got, missing, err := jinja.Render("{{ gone }} {{ v1.lost }} {{ gone }}", vars(t))
	if err != nil {
		t.Fatal(err)
	}
	if want := "CI_MISSING_JINJA_VAR/gone CI_MISSING_JINJA_VAR/lost CI_MISSING_JINJA_VAR/gone"; got != want {
		t.Errorf("Render = %q, want %q", got, want)
	}
	if diff := cmp.Diff([]string{"gone", "lost"}, missing); diff != "" {
		t.Errorf("missing (-want +got):\n%s", diff)
	}
}

func TestRenderNamesTheLineOfAMistake(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"{{ gone[1:] }}", "line 1: 'gone' is undefined"},
		{"{% macro f(a) %}{% endmacro %}\n{{ f(1, 2) }}", "line 2: macro f takes 1 arguments, not 2"},
		{"{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "line 1: macros call each other more than 100 deep"},
		{"a\n{{ gone.deeper }}", "line 2: 'gone' is undefined"},
		{"{{ a-b }}", `perhaps you meant "a_b"`},
		{"x\n{{ n", "line 2: a tag that is opened here"},
		{"{% if n %}", "endif"},
		{"{% include 'x' %}", "not supported"},
		{"{{ n | nosuch }}", `no filter named "nosuch"`},
		{"{{ n is nosuch }}", `no test named "nosuch"`},
		{"{{ 1 / 0 }}", "division by zero"},
		{"{{ 'a' + 1 }}", "cannot do"},
		{"{{ '{} {}'.format(1) }}", "format has no value for {}"},
		{"{{ '{:d}'.format('a') }}", "format {:d} does not fit"},
		{"{{ '{:9999999}'.format('a') }}", "does not fit"},
		{"{{ '{0.real}'.format(1) }}", "no value for {0.real}"},
	} {
		_, _, err := jinja.Render(tt.in, vars(t))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Render(%q): error %v, want %q in it", tt.in, err, tt.want)
		}
	}
}

func TestRenderIsBounded(t *testing.T) {
	for _, in := range []string{
		"{% for a in range(99999) %}{% for b in range(99999) %}x{% endfor %}{% endfor %}",
		"{% set x = 'aaaaaaaaaa' %}{% for i in range(99) %}{% set x = x ~ x %}{{ x }}{% endfor %}{{ 'a' * 999999999 }}",
		"{{ range(1000000000) }}",
		"{% set x = 'a' * 9000000 %}{{ x | replace('a', x) }}",
		"{% set x = 'a' * 9000000 %}{{ x.replace('', x) }}",
		"{% set x = 'a' * 9000000 %}{{ x.join(range(1000)) }}",
		"{% set x = 'a' * 9000000 %}{{ x | list }}",
		"{% set x = 'a' * 900000 %}{{ ('{0}' * 100000).format(x) }}",
		"{% set ns = namespace(x=[]) %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x }}",
		"{% set ns = namespace(x=[1]) %}{% for i in range(60) %}{% set ns.x = ns.x + ns.x %}{% endfor %}{{ ns.x == ns.x }}",
		"{% set ns = namespace(x={}) %}{% for i in range(60) %}{% set ns.x = dict(a=ns.x, b=ns.x) %}{% endfor %}{{ ns.x | tojson }}",
		"{% set ns = namespace() %}{% set ns.x = ns %}{{ ns }}",
		"{{ " + strings.Repeat("(", 5000) + "1" + strings.Repeat(")", 5000) + " }}",
		strings.Repeat("{% if 1 %}", 5000),
	} {
		if _, _, err := jinja.Render(in, nil); err == nil {
			t.Errorf("Render(%.40q...) has no bound", in)
		}
	}
}

func FuzzRender(f *testing.F) {
	for _, s := range []string{
		"{{ v1.local_hostname|default('x') }}", "{% for a in ds.meta_data.list if a > 1 %}{{ loop.index }}{% endfor %}",
		"{%- set x = [1, 2][::-1] -%}{{ x }}", "{% raw %}{{{% endraw %}", "{{ '%5.2f' % 3 }}{{ 'a'|center(9) }}{{ 1 ** -1 }}", "{{ {}.x is defined }}{# #}",
	} {
		f.Add(s)
	}
	v := vars(f)
	f.Fuzz(func(t *testing.T, in string) {
		out, _, err := jinja.Render(in, v)
		if err == nil && len(out) > 17<<20 {
			t.Fatalf("%d bytes of output", len(out))
		}
	})
}
