package execute

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
)

func gz(t *testing.T, s string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(s)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestEveryEncodingIsUndone(t *testing.T) {
	b64 := base64.StdEncoding.EncodeToString
	for _, test := range []struct{ encoding, in string }{
		{"", "hello"}, {"text/plain", "hello"}, {"b64", b64([]byte("hello"))}, {"base64", "aGVs\n bG8=\n"}, {"gz", gz(t, "hello")}, {"gzip", gz(t, "hello")},
		{"gz+b64", b64([]byte(gz(t, "hello")))}, {"gz+base64", b64([]byte(gz(t, "hello")))}, {"gzip+b64", b64([]byte(gz(t, "hello")))}, {"gzip+base64", b64([]byte(gz(t, "hello")))},
	} {
		if got, err := Decode(test.encoding, []byte(test.in)); err != nil || string(got) != "hello" {
			t.Errorf("Decode(%q) = %q, %v", test.encoding, got, err)
		}
	}
	for _, test := range []struct{ encoding, in string }{
		{"rot13", "x"}, {"b64", "%%"}, {"gz", "plain"}, {"gz", gz(t, strings.Repeat("\x00", maxContent+1))},
	} {
		if _, err := Decode(test.encoding, []byte(test.in)); err == nil {
			t.Errorf("Decode(%q, %.10q) was taken", test.encoding, test.in)
		}
	}
}

func TestContentOfAnUnknownEncodingIsText(t *testing.T) {
	m := newMachine(t, debian)
	r, err := m.run(t, "write_files: [{path: /a, content: hello, encoding: utf-8}]", "write_files")
	if w := resultNamed(r, "write_files").Warnings; err != nil || m.read(t, "a") != "hello" || len(w) != 1 || !strings.Contains(w[0], "utf-8") {
		t.Errorf("file %q, warnings %q, %v", readIf(m, "a"), w, err)
	}
}

func TestModesAndOwnersAreThoseOfTheConfig(t *testing.T) {
	m := newMachine(t, debian)
	c := config(t, `
users: [{name: ann}]
write_files:
  - {path: /a, content: x}
  - {path: /b, content: x, permissions: 0644}
  - {path: /c, content: x, permissions: '4755'}
  - {path: /d, content: x, owner: ann:sudo, permissions: 0o600}
  - {path: /e, content: x, owner: nobody-such}
  - {path: relative, content: x}
`)
	_, err := Run(t.Context(), m.Target, c, Options{Only: []string{"users", "write_files"}})
	if err == nil || !strings.Contains(err.Error(), "write_files[4] /e") || !strings.Contains(err.Error(), "write_files[5]") {
		t.Errorf("Run() = %v, want both bad entries named", err)
	}
	for _, test := range []struct {
		path string
		mode uint32
		gid  int
	}{{"/a", 0o644, 0}, {"/b", 0o644, 0}, {"/c", 0o4755, 0}, {"/d", 0o600, 27}} {
		n, err := m.Tree.Stat(test.path)
		if err != nil || n.Mode != test.mode || os.Geteuid() == 0 && n.GID != test.gid {
			t.Errorf("%s: %04o, group %d, %v", test.path, n.Mode, n.GID, err)
		}
	}
}

func TestAppendingHappensOnce(t *testing.T) {
	m := newMachine(t, map[string]string{"etc/list": "first\n"})
	c := config(t, "write_files: [{path: /etc/list, content: \"second\\n\", append: true}]\nrancher: {cloud_init: {frequency: {write_files: boot}}}\n")
	for range 3 {
		if _, err := Run(t.Context(), m.Target, c, Options{Only: []string{"write_files"}}); err != nil {
			t.Fatal(err)
		}
	}
	if got := m.read(t, "etc/list"); got != "first\nsecond\n" {
		t.Errorf("the file holds %q", got)
	}
}

func TestSourcesAreFetchedPinnedAndFallBack(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/f" || r.Header.Get("X-Key") != "k" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		w.Write([]byte("remote"))
	}))
	defer s.Close()
	m := newMachine(t, debian)
	c := config(t, `
write_files:
  - {path: /ok, source: {uri: "`+s.URL+`/f", headers: {X-Key: k}}}
  - {path: /fallback, content: local, source: {uri: "`+s.URL+`/none"}}
  - {path: /pinned, source: {uri: "`+s.URL+`/f#sha256=00", headers: {X-Key: k}}}
  - {path: /odd, source: {uri: "file:///etc/passwd"}}
`)
	_, err := Run(t.Context(), m.Target, c, Options{Only: []string{"write_files"}})
	if err == nil || !strings.Contains(err.Error(), "/pinned") || !strings.Contains(err.Error(), "/odd") {
		t.Errorf("Run() = %v, want the wrong sum and the odd address named", err)
	}
	if m.read(t, "ok") != "remote" || m.read(t, "fallback") != "local" || m.Tree.Exists("/pinned") {
		t.Error("the wrong content was written")
	}
}

func TestFilesOfOtherContainersAreLeftToThem(t *testing.T) {
	m := newMachine(t, debian)
	c := config(t, "write_files: [{path: /a, content: x, container: ntp}, {path: /b, content: y, container: console}]\n")
	if _, err := Run(t.Context(), m.Target, c, Options{Only: []string{"write_files"}}); err != nil {
		t.Fatal(err)
	}
	if m.Tree.Exists("/a") || !m.Tree.Exists("/b") {
		t.Error("want the console's file only")
	}
	if err := WriteFiles(t.Context(), m.Target, c, "ntp"); err != nil || !m.Tree.Exists("/a") {
		t.Errorf("WriteFiles(ntp) = %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add("gz+b64", []byte("H4sIAAAAAAAA"))
	f.Add("b64", []byte("aGVsbG8="))
	f.Fuzz(func(t *testing.T, encoding string, data []byte) {
		if out, err := Decode(encoding, data); err == nil && len(out) > maxContent {
			t.Errorf("%d bytes came out", len(out))
		}
	})
}
