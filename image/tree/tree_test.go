package tree

import (
	"archive/tar"
	"bytes"
	"io"
	"strings"
	"testing"
	"time"
)

func of(files map[string]string) *Tree {
	t := New()
	for name, text := range files {
		t.AddFile(name, 0o644, Bytes([]byte(text)), "")
	}
	return t
}

func paths(t *Tree) string {
	var out []string
	for _, e := range t.Sorted() {
		out = append(out, e.Path)
	}
	return strings.Join(out, " ")
}

func TestMinusKeepsOnlyTheDifference(t *testing.T) {
	got, err := of(map[string]string{"a/same": "1", "a/other": "2", "b/new": "3"}).Minus(of(map[string]string{"a/same": "1", "a/other": "x"}))
	if err != nil {
		t.Fatal(err)
	}
	if want := "a a/other b b/new"; paths(got) != want {
		t.Errorf("Minus() = %q, want %q", paths(got), want)
	}
}

func TestFilterDropsFoldersThatBecameEmpty(t *testing.T) {
	x := of(map[string]string{"a/b/c": "", "a/keep": ""})
	x.AddDir("empty", 0o755, "")
	x.Filter(func(e *Entry) bool { return !Match([]string{"a/b"}, e.Path) })
	if want := "a a/keep empty"; paths(x) != want {
		t.Errorf("Filter() leaves %q, want %q", paths(x), want)
	}
}

func TestWriteTarLinksEqualFiles(t *testing.T) {
	x := of(map[string]string{"a": "same", "b/c": "same", "d": "other", "e": "", "f": ""})
	var b bytes.Buffer
	if err := x.WriteTar(&b, TarOptions{Time: time.Unix(1, 0), HardLinks: true}); err != nil {
		t.Fatal(err)
	}
	var got []string
	for r := tar.NewReader(&b); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, strings.TrimSuffix(h.Name+"="+h.Linkname, "="))
	}
	if want := "a b/ b/c=a d e f"; strings.Join(got, " ") != want {
		t.Errorf("tar has %q, want %q", got, want)
	}
}

func TestSortedPutsAFolderBeforeItsFiles(t *testing.T) {
	if got, want := paths(of(map[string]string{"a-b": "", "a/z": ""})), "a a/z a-b"; got != want {
		t.Errorf("Sorted() = %q, want %q", got, want)
	}
}
