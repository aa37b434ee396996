package userdata_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"rancheros/cloudconfig/userdata"
	"rancheros/cloudconfig/userdata/document"
	"rancheros/cloudconfig/userdata/fetch"
)

// web is a Fetcher over a few pages.
func web(pages map[string]string) fetch.Fetcher {
	return func(_ context.Context, r fetch.Request) ([]byte, error) {
		if p, ok := pages[r.URL]; ok {
			return []byte(p), nil
		}
		return nil, &fetch.StatusError{URL: r.URL, Code: 404}
	}
}

func parse(t testing.TB, in userdata.Input, o userdata.Options) *userdata.Result {
	t.Helper()
	r, err := userdata.Parse(context.Background(), in, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func config(t testing.TB, r *userdata.Result) string {
	t.Helper()
	j, err := document.JSON(r.Config)
	if err != nil {
		t.Fatal(err)
	}
	return string(j)
}

func zipped(s string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write([]byte(s))
	_ = z.Close()
	return b.String()
}

func zstandard(s string) string {
	z, err := zstd.NewWriter(nil)
	if err != nil {
		panic(err)
	}
	return string(z.EncodeAll([]byte(s), nil))
}

const mixed = `From nobody Fri Jan 11 07:00:00 1980
Content-Type: multipart/mixed; boundary="==b=="
MIME-Version: 1.0

--==b==
Content-Type: text/cloud-config; charset="us-ascii"
MIME-Version: 1.0

#cloud-config
a: 1
list: [x]

--==b==
Content-Type: multipart/mixed; boundary=in

--in
Content-Type: text/plain
Content-Transfer-Encoding: base64

I2Nsb3VkLWNvbmZpZwpiOiAyCg==
--in
Content-Type: text/cloud-config
X-Merge-Type: dict(recurse_array)+list(append)

list: [y]
--in--
--==b==
Content-Type: text/x-shellscript-per-boot
Content-Disposition: attachment; filename="../x y.sh"

#!/bin/sh
echo boot

--==b==--
`

func TestParseReadsEveryKind(t *testing.T) {
	pages := map[string]string{
		"http://x/a":    "#cloud-config\na: 1\n",
		"http://x/more": "#include\nhttp://x/a\n",
	}
	for _, tt := range []struct{ name, in, want string }{
		{"cloud-config", "#cloud-config\na: yes\n", `{"a":true}`},
		{"cloud-config with blanks behind the header", "#cloud-config  \na: 1\n", `{"a":1}`},
		{"cloud-config from Windows", "\xef\xbb\xbf#cloud-config\r\na: 1\r\n", `{"a":1}`},
		{"cloud-config in UTF-16", "\xff\xfe#\x00c\x00l\x00o\x00u\x00d\x00-\x00c\x00o\x00n\x00f\x00i\x00g\x00\n\x00a\x00:\x00 \x001\x00\n\x00", `{"a":1}`},
		{"gzip", zipped("#cloud-config\na: 1\n"), `{"a":1}`},
		{"zstd", zstandard("#cloud-config\na: 1\n"), `{"a":1}`},
		{"gzip in gzip", zipped(zipped("#cloud-config\na: 1\n")), `{"a":1}`},
		{"MIME", mixed, `{"a":1,"list":["x","y"],"b":2}`},
		{"gzip of MIME", zipped(mixed), `{"a":1,"list":["x","y"],"b":2}`},
		{"archive", "#cloud-config-archive\n- |\n  #cloud-config\n  a: 1\n- {type: text/cloud-config, content: 'b: 2'}\n- 'c: 3'\n", `{"a":1,"b":2,"c":3}`},
		{"JSON patch", "#cloud-config-archive\n- \"#cloud-config\\na: [1]\\nb: 1\"\n- |\n  #cloud-config-jsonp\n  [{\"op\":\"add\",\"path\":\"/a/-\",\"value\":2},{\"op\":\"move\",\"from\":\"/b\",\"path\":\"/c~1d\"},{\"op\":\"test\",\"path\":\"/a/0\",\"value\":1}]\n", `{"a":[1,2],"c/d":1}`},
		{"include", "#include\n# a comment\nhttp://x/a\n", `{"a":1}`},
		{"type that is none", "Content-Type: multipart/mixed; boundary=X\nMIME-Version: 1.0\n\n--X\nContent-Type: config; charset=utf-8\n\n#cloud-config\na: 1\n--X--\n", `{"a":1}`},
		{"include on one line", "#include http://x/a", `{"a":1}`},
		{"include of an include", "#include-once\nhttp://x/more\n", `{"a":1}`},
		{"template", "## template: jinja\n#cloud-config\na: {{ v1.region }}\n", `{"a":"eu"}`},
		{"compose", "#compose\nweb:\n  image: nginx\n", `{"rancher":{"services":{"web":{"image":"nginx"}}}}`},
		{"compose with services", "#compose\nversion: '3'\nservices:\n  web: {image: nginx}\n", `{"rancher":{"services":{"web":{"image":"nginx"}}}}`},
		{"ignition", `{"ignition":{"version":"3.0.0"},"storage":{"files":[{"path":"/etc/hostname","contents":{"source":"data:,web1"}}]}}`, `{"hostname":"web1","write_files":[{"content":"web1","path":"/etc/hostname","permissions":"0644"}]}`},
		{"ignition beside cloud-config", "#cloud-config-archive\n- \"#cloud-config\\nwrite_files: [{path: /a}]\\nrancher: {links: [{path: /l, target: a}]}\"\n- '{\"ignition\":{\"version\":\"3.0.0\"},\"storage\":{\"files\":[{\"path\":\"/b\"}],\"links\":[{\"path\":\"/m\",\"target\":\"b\"}]}}'\n", `{"write_files":[{"path":"/a"},{"append":true,"content":"","path":"/b"}],"rancher":{"links":[{"path":"/l","target":"a"},{"path":"/m","target":"b"}]}}`},
		{"coreos", "#cloud-config\ncoreos:\n  units:\n  - name: web.service\n    command: start\n    content: |\n      [Service]\n      ExecStart=/usr/bin/docker run --rm -p 80:80 nginx\n", `{"rancher":{"services":{"web":{"image":"nginx","ports":["80:80"]}}}}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := parse(t, userdata.Input{UserData: []byte(tt.in), InstanceData: []byte(`{"v1":{"region":"eu"}}`)}, userdata.Options{Fetch: web(pages)})
			if got := config(t, r); got != tt.want || refused(r) {
				t.Errorf("config = %s, want %s; problems %v", got, tt.want, r.Problems)
			}
		})
	}
}

func TestCoreOSConfigIsImported(t *testing.T) {
	in := "#cloud-config\ncoreos:\n  etcd2: {name: x}\n  units:\n  - {name: a.service, enable: true, command: start, content: \"[Service]\\nExecStart=/a\\n\"}\nusers:\n- {name: a, primary-group: b, coreos-ssh-import-github: octo}\n"
	r := parse(t, userdata.Input{UserData: []byte(in)}, userdata.Options{})
	if got, want := config(t, r), `{"users":[{"name":"a","primary_group":"b","ssh_import_id":["gh:octo"]}]}`; got != want {
		t.Errorf("config = %s, want %s", got, want)
	}
	if len(r.Problems) != 2 || r.Problems[0].Line != 3 || r.Problems[1].Line != 5 || refused(r) {
		t.Errorf("problems = %v, want warnings about etcd2 and a.service", r.Problems)
	}
	r = parse(t, userdata.Input{UserData: []byte(in)}, userdata.Options{Systemd: true})
	got := document.Value(r.Config).(map[string]any)
	if diff := cmp.Diff([]any{[]any{"systemctl", "daemon-reload"}, []any{"systemctl", "enable", "a.service"}, []any{"systemctl", "start", "a.service"}}, got["runcmd"]); diff != "" {
		t.Errorf("runcmd (-want +got):\n%s", diff)
	}
}

func TestParseNamesScriptsAndWhenTheyRun(t *testing.T) {
	in := "#cloud-config-archive\n- \"#!/bin/sh\\r\\necho one\\r\\n\"\n- {type: text/x-shellscript-per-once, filename: 'a/b c.sh', content: \"#!/bin/sh\\n\"}\n- \"#cloud-boothook\\n#!/bin/sh\\necho hook\\n\"\n"
	r := parse(t, userdata.Input{UserData: []byte(in)}, userdata.Options{})
	want := []userdata.Script{
		{Name: "part-001", Content: []byte("#!/bin/sh\necho one\n"), Frequency: userdata.EachInstance, Type: userdata.ShellScript, Part: 2},
		{Name: "bc.sh", Content: []byte("#!/bin/sh\n"), Frequency: userdata.Once, Type: userdata.PerOnce, Part: 3},
	}
	if diff := cmp.Diff(want, r.Scripts); diff != "" {
		t.Errorf("scripts (-want +got):\n%s", diff)
	}
	hooks := []userdata.Script{{Name: "part-003", Content: []byte("#!/bin/sh\necho hook\n"), Frequency: userdata.EachBoot, Type: userdata.Boothook, Part: 4}}
	if diff := cmp.Diff(hooks, r.Boothooks); diff != "" {
		t.Errorf("boothooks (-want +got):\n%s", diff)
	}
}

func TestParseKeepsGoodPartsBesideABrokenOne(t *testing.T) {
	for _, tt := range []struct{ name, part, want string }{
		{"broken YAML", "#cloud-config\\na: [1\\n", "line"},
		{"a list", "#cloud-config\\n- a\\n", "must be a mapping"},
		{"a part handler", "#part-handler\\nimport os\\n", "Python"},
		{"a broken patch", "#cloud-config-jsonp\\n[{\\\"op\\\":\\\"remove\\\",\\\"path\\\":\\\"/none\\\"}]", "is not there"},
		{"a broken template", "## template: jinja\\n#cloud-config\\na: {{ x", "template"},
		{"an unreachable include", "#include\\nhttp://x/none\\n", "404"},
		{"a bad merger", "#cloud-config\\nmerge_how: nonsense\\n", "merge_how"},
		{"bad ignition", "{\\\"ignition\\\":{\\\"version\\\":\\\"9.9.9\\\"}}", "version 9.9.9"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := "#cloud-config-archive\n- \"#cloud-config\\nbefore: 1\"\n- \"" + tt.part + "\"\n- \"#cloud-config\\nafter: 1\"\n"
			r := parse(t, userdata.Input{UserData: []byte(in), InstanceData: []byte("{}")}, userdata.Options{Fetch: web(nil)})
			if got := config(t, r); got != `{"before":1,"after":1}` {
				t.Errorf("config = %s", got)
			}
			if !refused(r) || !strings.Contains(r.Problems[0].Message, tt.want) && !strings.Contains(r.Problems[0].String(), tt.want) && r.Problems[0].Line == 0 {
				t.Errorf("problems = %v, want one with %q", r.Problems, tt.want)
			}
		})
	}
}

func TestParseSaysWhatUnknownContentStartsWith(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"# cloud-config\na: 1\n", "did you mean #cloud-config"},
		{"# my machine\n#cloud-config\na: 1\n", "to the top"},
		{"hello world", `"hello world"`},
		{base64.StdEncoding.EncodeToString([]byte("#cloud-config\na: 1\n")), "base64"},
		{"\x00\x01\x02binary", "bytes 00 01 02"},
	} {
		r := parse(t, userdata.Input{UserData: []byte(tt.in)}, userdata.Options{})
		if len(r.Problems) != 1 || !strings.Contains(r.Problems[0].Message, tt.want) {
			t.Errorf("%q: problems %v, want %q", tt.in, r.Problems, tt.want)
		}
	}
}

func TestUserDataBeatsVendorData(t *testing.T) {
	for _, tt := range []struct{ name, user, want string }{
		{"default", "#cloud-config\na: user\n", `{"a":"user","b":"two","c":"one"}`},
		{"switched off", "#cloud-config\na: user\nvendor_data: {enabled: no}\n", `{"a":"user","vendor_data":{"enabled":false},"b":"two"}`},
		{"both off", "#cloud-config\nvendor_data: {enabled: false}\nvendor_data2: {enabled: false}\n", `{"vendor_data":{"enabled":false},"vendor_data2":{"enabled":false}}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := userdata.Input{UserData: []byte(tt.user), VendorData: []byte("#cloud-config\na: one\nb: one\nc: one\n"), VendorData2: []byte(`{"cloud-init": "#cloud-config\nb: two\n"}`)}
			if got := config(t, parse(t, in, userdata.Options{})); got != tt.want {
				t.Errorf("config = %s, want %s", got, tt.want)
			}
		})
	}
}

func TestVendorScriptsCarryThePrefix(t *testing.T) {
	in := userdata.Input{UserData: []byte("#cloud-config\nvendor_data: {prefix: [/bin/env, x]}\n"), VendorData: []byte("#!/bin/sh\n")}
	r := parse(t, in, userdata.Options{})
	if len(r.Scripts) != 1 || !r.Scripts[0].Vendor || !cmp.Equal(r.Scripts[0].Prefix, []string{"/bin/env", "x"}) {
		t.Errorf("scripts = %+v", r.Scripts)
	}
}

func TestLaunchIndexLeavesOutPartsOfOthers(t *testing.T) {
	in := "#cloud-config-archive\n- {launch-index: 1, content: \"#cloud-config\\na: 1\"}\n- {launch-index: 2, content: \"#cloud-config\\nb: 2\"}\n- \"#cloud-config\\nc: 3\"\n"
	r := parse(t, userdata.Input{UserData: []byte(in), InstanceData: []byte(`{"ds":{"meta_data":{"launch-index":2}}}`)}, userdata.Options{})
	if got := config(t, r); got != `{"b":2,"c":3}` {
		t.Errorf("config = %s", got)
	}
}

func TestLaunchIndexThatIsNoNumberIsForNoMachine(t *testing.T) {
	in := "Content-Type: multipart/mixed; boundary=X\nMIME-Version: 1.0\n\n--X\nLaunch-Index: two\n\n#cloud-config\na: 1\n--X\n\n#cloud-config\nb: 2\n--X--\n"
	for index, want := range map[string]string{"": `{"a":1,"b":2}`, "2": `{"b":2}`} {
		r := parse(t, userdata.Input{UserData: []byte(in)}, userdata.Options{LaunchIndex: index})
		if got := config(t, r); got != want {
			t.Errorf("launch index %q: config = %s, want %s", index, got, want)
		}
	}
}

func TestLaunchIndexIsNoMatterOfVendorData(t *testing.T) {
	r := parse(t, userdata.Input{VendorData: []byte("#cloud-config\na: 1\nlaunch-index: 7\n")}, userdata.Options{LaunchIndex: "2"})
	if got := config(t, r); got != `{"a":1,"launch-index":7}` {
		t.Errorf("config = %s", got)
	}
}

func TestOriginsNamePartAndLine(t *testing.T) {
	in := "#cloud-config-archive\n- \"#cloud-config\\na: 1\\nb: 1\"\n- \"#cloud-config\\n\\nb: {c: 2}\"\n"
	r := parse(t, userdata.Input{UserData: []byte(in)}, userdata.Options{})
	want := map[string]userdata.Origin{"a": {Part: 2, Line: 2, Column: 1}, "b": {Part: 3, Line: 3, Column: 1}, "b.c": {Part: 3, Line: 3, Column: 5}}
	if diff := cmp.Diff(want, r.Origins); diff != "" {
		t.Errorf("origins (-want +got):\n%s", diff)
	}
}

type store map[string]string

func (s store) Get(key string) ([]byte, bool)     { v, ok := s[key]; return []byte(v), ok }
func (s store) Put(key string, data []byte) error { s[key] = string(data); return nil }

func TestIncludeOnceIsFetchedOnce(t *testing.T) {
	kept, asked := store{}, 0
	get := func(context.Context, fetch.Request) ([]byte, error) {
		asked++
		return []byte("#cloud-config\na: 1\n"), nil
	}
	for range 2 {
		r := parse(t, userdata.Input{UserData: []byte("#include-once\nhttp://x/a\n")}, userdata.Options{Fetch: get, Store: kept})
		if got := config(t, r); got != `{"a":1}` {
			t.Errorf("config = %s", got)
		}
	}
	if asked != 1 {
		t.Errorf("fetched %d times, want once", asked)
	}
}

func TestIncludeIsBounded(t *testing.T) {
	loop := web(map[string]string{"http://x/a": "#include\nhttp://x/b\n", "http://x/b": "#include\nhttp://x/a\n"})
	asked := 0
	endless := func(_ context.Context, r fetch.Request) ([]byte, error) {
		asked++
		return fmt.Appendf(nil, "#include\n%s1\n%s2\n", r.URL, r.URL), nil
	}
	for _, tt := range []struct {
		name, in, want string
		get            fetch.Fetcher
	}{
		{"loop", "#include\nhttp://x/a\n", "includes itself", loop},
		{"growth", "#include\nhttp://x/a\n", "nested more than", endless},
		{"pin", "#include\nhttp://x/c #sha256=00\n", "SHA-256", web(map[string]string{"http://x/c": "#cloud-config\n"})},
		{"no fetcher", "#include\nhttp://x/c\n", "not allowed", nil},
		{"secrets", "#include\nhttp://u:secret@x/none?token=secret\n", "404", web(nil)},
	} {
		r := parse(t, userdata.Input{UserData: []byte(tt.in)}, userdata.Options{Fetch: tt.get})
		found := false
		for _, p := range r.Problems {
			found = found || strings.Contains(p.Message, tt.want)
		}
		if !found {
			t.Errorf("%s: problems %v, want %q", tt.name, r.Problems, tt.want)
		}
	}
	if asked > 50 {
		t.Errorf("%d pages fetched", asked)
	}
}

func TestBombsAreRefused(t *testing.T) {
	for _, tt := range []struct{ name, in string }{
		{"ratio", zipped(strings.Repeat("\x00", 8<<20))},
		{"size", zipped("#cloud-config\n" + strings.Repeat(base64.StdEncoding.EncodeToString([]byte("0123456789abcdefghij")), 1<<20))},
		{"zstd", zstandard(strings.Repeat("\x00", 64<<20))},
	} {
		r := parse(t, userdata.Input{UserData: []byte(tt.in)}, userdata.Options{})
		if len(r.Problems) != 1 || !strings.Contains(r.Problems[0].Message, "unpack") {
			t.Errorf("%s: problems %v", tt.name, r.Problems)
		}
	}
}

func TestAPatchThatCopiesItselfIsRefused(t *testing.T) {
	patch := `#cloud-config-jsonp
[{"op":"add","path":"/a","value":{"x":1}}`
	for i := range 22 { // each doubles the one before
		patch += fmt.Sprintf(`,{"op":"copy","from":"/a","path":"/a/k%d"}`, i)
	}
	r := parse(t, userdata.Input{UserData: []byte(patch + "]")}, userdata.Options{})
	if len(r.Problems) != 1 || !strings.Contains(r.Problems[0].Message, "copies more than") {
		t.Errorf("problems = %v", r.Problems)
	}
}

func TestRefuseAllMakesAProblemAnError(t *testing.T) {
	_, err := userdata.Parse(context.Background(), userdata.Input{UserData: []byte("what?")}, userdata.Options{RefuseAll: true})
	if err == nil || errors.Is(err, context.Canceled) {
		t.Errorf("error = %v", err)
	}
}

func TestDecodeBase64OnlyUndoesUserData(t *testing.T) {
	cc := "#cloud-config\na: 1\n"
	for in, want := range map[string]string{base64.StdEncoding.EncodeToString([]byte(cc)): cc, cc: cc, "aGVsbG8=": "aGVsbG8="} {
		if got := userdata.DecodeBase64([]byte(in)); string(got) != want {
			t.Errorf("DecodeBase64(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		mixed, zipped(mixed), zstandard("#cloud-config\na: 1\n"), "#cloud-config\na: &x [*x]\n", "#cloud-config-archive\n- - x\n- {content: !!binary aGk=}\n",
		"Content-Type: multipart/mixed; boundary=a\n\n--a\n--a\n\n--a--", "#cloud-config-jsonp\n[{\"op\":\"add\",\"path\":\"/a\",\"value\":[]}]",
		"## template: jinja\n#!/bin/sh\n{{ x }}", "#compose\na: b", "#include\nhttp://x/a #sha256=\n", "#inClude\xff#shA256=", `{"ignition":{"version":"2.4.0"}}`, "#cloud-config\ncoreos: {units: [{name: a.service, content: x}]}\nmerge_how: [[dict]]\n",
	} {
		f.Add([]byte(s), []byte(s))
	}
	self := func(_ context.Context, r fetch.Request) ([]byte, error) {
		return []byte("#include\n" + r.URL + "x\n"), nil
	}
	f.Fuzz(func(t *testing.T, user, vendor []byte) {
		r, err := userdata.Parse(context.Background(), userdata.Input{UserData: user, VendorData: vendor, InstanceData: []byte(`{"v1":{"x":1}}`)}, userdata.Options{Fetch: self, MaxBytes: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		if j, err := document.JSON(r.Config); err != nil || !json.Valid(j) {
			t.Fatalf("config = %q, %v", j, err)
		}
		for _, s := range r.Scripts {
			if s.Name == "" || strings.ContainsAny(s.Name, "/\x00") || s.Name == ".." {
				t.Fatalf("script is called %q", s.Name)
			}
		}
	})
}

// refused says that a part was left out because it is not good.
func refused(r *userdata.Result) bool {
	return slices.ContainsFunc(r.Problems, func(p userdata.Problem) bool { return p.Severity == userdata.Error })
}
