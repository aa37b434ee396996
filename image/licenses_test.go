package image

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestALicenceStandsOnceWithAllWhoseItIs(t *testing.T) {
	l := licences{}
	l.add("Do what you like.\n", "Debian package b")
	l.add("Do what you like.", "Debian package a")
	l.add("Do what you like.", "Debian package a")
	l.add("Keep the notice.", "Go module c v1")
	text := l.text()
	if n := strings.Count(text, "Do what you like."); n != 1 {
		t.Errorf("the text stands there %d times", n)
	}
	if !strings.Contains(text, "Debian package a\nDebian package b\n----") {
		t.Errorf("not all whose it is are named, in order and once:\n%s", text)
	}
}

func TestLicenceFilesOfAModuleAreFoundAndTheirAbsenceIsSaid(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"LICENSE", "NOTICE.md", "COPYING-LESSER", "license_test.go.txt", "licenses.go", "README.md"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("text of "+name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	l := licences{}
	if err := addFolderTexts(l, dir, "m"); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"LICENSE": true, "NOTICE.md": true, "COPYING-LESSER": true, "licenses.go": false, "README.md": false} {
		if _, got := l["text of "+name]; got != want {
			t.Errorf("%s taken = %v, want %v", name, got, want)
		}
	}
	none := licences{}
	if err := addFolderTexts(none, t.TempDir(), "m"); err != nil || len(none) != 1 {
		t.Errorf("a module without a licence: %v, %v; want one line that says so", none, err)
	}
	if err := addFolderTexts(none, filepath.Join(dir, "absent"), "m"); err == nil {
		t.Error("a module that is not there is no error")
	}
}

func TestModulePathsAreEscapedAsGoDoes(t *testing.T) {
	if got := escape("github.com/Azure/go-ANSI"); got != "github.com/!azure/go-!a!n!s!i" {
		t.Errorf("escape = %q", got)
	}
}
