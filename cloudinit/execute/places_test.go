package execute

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rancheros/cloudinit/tree"
)

var placesOnly = Options{Only: []string{"users", "places", "write_files", "hard_links"}, Again: true}

const somePlaces = `
users: [{name: ann}]
rancher:
  directories:
    - {path: /srv/app/data, permissions: '2750', owner: 'ann:sudo'}
    - {path: /srv/kept}
    - {path: /srv/link/below, permissions: '0700'}
  links:
    - {path: /srv/link, target: /srv/kept}
    - {path: /srv/b, target: /srv/app/data/a, hard: true}
    - {path: /srv/dangling, target: ../nowhere, owner: ann}
write_files:
  - {path: /srv/app/data/a, content: x}
  - {path: /srv/link/f, content: y}
`

func TestPlacesAreThereBeforeFilesAndHardLinksAfter(t *testing.T) {
	m := newMachine(t, debian)
	if err := os.MkdirAll(m.dir+"/srv/kept", 0o700); err != nil {
		t.Fatal(err)
	}
	c := config(t, somePlaces)
	if _, err := Run(t.Context(), m.Target, c, placesOnly); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"srv/app": "drwxr-xr-x", "srv/app/data": "dgrwxr-x---", "srv/kept": "drwx------", "srv/kept/below": "drwx------",
		"srv/kept/f": "-rw-r--r--\ny", "srv/link": "Lrwxrwxrwx -> /srv/kept", "srv/dangling": "Lrwxrwxrwx -> ../nowhere", "srv/b": "-rw-r--r--\nx",
	}
	got := snapshot(t, m.dir)
	for p, text := range want {
		if got[p] != text {
			t.Errorf("%s = %q, want %q", p, got[p], text)
		}
	}
	if same, err := m.Tree.SameFile("/srv/b", "/srv/app/data/a"); err != nil || !same {
		t.Errorf("the hard link is a file of its own, %v", err)
	}
	if os.Geteuid() == 0 {
		for _, p := range []string{"/srv/app/data", "/srv/dangling"} {
			if n, err := m.Tree.Lstat(p); err != nil || n.UID != 1000 {
				t.Errorf("%s belongs to %d, %v; want ann", p, n.UID, err)
			}
		}
	}
	before := len(m.Tree.Changes())
	if _, err := Run(t.Context(), m.Target, c, placesOnly); err != nil {
		t.Fatal(err)
	}
	if again := m.Tree.Changes()[before:]; len(again) != 0 {
		t.Errorf("the second run did %v", again)
	}
}

func TestAPlanShowsPlacesAndMakesNone(t *testing.T) {
	m := newMachine(t, debian)
	was := snapshot(t, m.dir)
	tr, err := tree.Plan(m.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	r, err := Run(t.Context(), m.target(tr), config(t, somePlaces), Options{Only: []string{"places", "write_files", "hard_links", "users"}, Again: true})
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, res := range r.Results {
		for _, c := range res.full {
			lines = append(lines, c.String())
		}
	}
	all := strings.Join(lines, "\n")
	for _, want := range []string{"mkdir /srv/app/data (2750, 1000:27)", "symlink /srv/link -> /srv/kept", "mkdir /srv/kept/below (0700, 0:0)", "hardlink /srv/b -> /srv/app/data/a"} {
		if !strings.Contains(all, want) {
			t.Errorf("the plan does not say %q:\n%s", want, all)
		}
	}
	if diff := cmp.Diff(was, snapshot(t, m.dir)); diff != "" {
		t.Errorf("the plan changed the disk:\n%s", diff)
	}
}

func TestWhatIsInTheWayStaysUnlessOverwritten(t *testing.T) {
	for _, test := range []struct{ name, text, at, want string }{
		{"directory on a file", "rancher: {directories: [{path: /etc/hosts%s}]}", "etc/hosts", "drwxr-xr-x"},
		{"directory on a link", "rancher: {directories: [{path: /l%s}]}", "l", "drwxr-xr-x"},
		{"link on a file", "rancher: {links: [{path: /etc/hosts, target: /x%s}]}", "etc/hosts", "Lrwxrwxrwx -> /x"},
		{"link on another link", "rancher: {links: [{path: /l, target: /x%s}]}", "l", "Lrwxrwxrwx -> /x"},
		{"link on a directory", "rancher: {links: [{path: /etc/skel, target: /x%s}]}", "etc/skel", "Lrwxrwxrwx -> /x"},
		{"hard link on a file", "rancher: {links: [{path: /etc/hosts, target: /bin/sh, hard: true%s}]}", "etc/hosts", "-rwxr-xr-x\n#!/bin/sh\n"},
		{"hard link to a link", "rancher: {links: [{path: /etc/hosts, target: /l, hard: true%s}]}", "etc/hosts", "Lrwxrwxrwx -> /etc/skel"},
		{"file on a link", "write_files: [{path: /l, content: x%s}]", "l", "-rw-r--r--\nx"},
		{"file on a directory", "write_files: [{path: /etc/skel, content: x%s}]", "etc/skel", "-rw-r--r--\nx"},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := newMachine(t, debian)
			if err := os.Symlink("/etc/skel", m.dir+"/l"); err != nil {
				t.Fatal(err)
			}
			was := snapshot(t, m.dir)
			_, err := Run(t.Context(), m.Target, config(t, strings.ReplaceAll(test.text, "%s", ", overwrite: false")), placesOnly)
			if err == nil || !strings.Contains(err.Error(), "there is a ") {
				t.Errorf("Run() = %v, want what is in the way named", err)
			}
			if got := snapshot(t, m.dir); got[test.at] != was[test.at] {
				t.Errorf("it became %q unasked", got[test.at])
			}
			if _, err := Run(t.Context(), m.Target, config(t, strings.ReplaceAll(test.text, "%s", ", overwrite: true")), placesOnly); err != nil {
				t.Fatal(err)
			}
			if got := snapshot(t, m.dir)[test.at]; got != test.want {
				t.Errorf("it is %q, want %q", got, test.want)
			}
		})
	}
}

func TestPlacesStayInsideTheRoot(t *testing.T) {
	m := newMachine(t, debian)
	outside := t.TempDir()
	if err := os.WriteFile(outside+"/f", []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, m.dir+"/out"); err != nil {
		t.Fatal(err)
	}
	c := config(t, `
rancher:
  directories: [{path: /out/d}, {path: /out, overwrite: true}, {path: /../../up}]
  links: [{path: /h, target: /out/f, hard: true}, {path: /out/l, target: /etc}]
`)
	_, err := Run(t.Context(), m.Target, c, placesOnly)
	if err == nil || !strings.Contains(err.Error(), "rancher.links[0] /h") {
		t.Errorf("Run() = %v, want the hard link refused: there is no such file inside", err)
	}
	names, err := os.ReadDir(outside)
	if err != nil || len(names) != 1 {
		t.Errorf("outside there is %v, %v", names, err)
	}
	if !exists(m, "up") || !exists(m, "out/d") || !exists(m, "out/l") {
		t.Error("it was not made inside either")
	}
}

func TestADirectoryIsEmptiedOncePerInstance(t *testing.T) {
	m := newMachine(t, debian)
	m.Ours = true
	const text = "users: []\nrancher: {directories: [{path: /var/app, overwrite: true}]}\n"
	put := func(name string) {
		t.Helper()
		if err := os.MkdirAll(m.dir+"/var/app/deep", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(m.dir, "var/app/deep", name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	put("image")
	m.boot(t, "i-1", text)
	if exists(m, "var/app/deep") {
		t.Error("what the image had is there")
	}
	put("data")
	m.boot(t, "i-1", text)
	if !exists(m, "var/app/deep/data") {
		t.Error("a reboot lost data")
	}
	m.boot(t, "i-2", text)
	if exists(m, "var/app/deep") {
		t.Error("another instance has the data of the first")
	}
	// Without books nobody knows.
	put("data")
	if err := os.WriteFile(m.dir+ledgerFile, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Config(t.Context(), m.Target, config(t, text), Options{}); err == nil || !strings.Contains(err.Error(), "not emptied") {
		t.Errorf("Config() = %v, want the directory not emptied", err)
	}
	if !exists(m, "var/app/deep/data") {
		t.Error("a broken file of ours lost data")
	}
}

func TestLinksFollowTheConfigAndGoWithIt(t *testing.T) {
	m := newMachine(t, debian)
	m.Ours = true
	links := func(text string) string {
		return "users: []\nwrite_files: [{path: /srv/v1, content: " + text + "}]\nrancher: {links: [{path: /srv/now, target: " + text + "}, {path: /srv/same, target: /srv/v1, hard: true}]}\n"
	}
	m.boot(t, "i-1", links("v1"))
	m.boot(t, "i-1", links("v2"))
	if l, err := os.Readlink(m.dir + "/srv/now"); err != nil || l != "v2" {
		t.Errorf("the link leads to %q, %v; want where the config says now", l, err)
	}
	if got := m.read(t, "srv/same"); got != "v2" {
		t.Errorf("the hard link holds %q, want what its target holds", got)
	}
	m.boot(t, "i-1", "users: []\n")
	if exists(m, "srv/now") || exists(m, "srv/same") {
		t.Error("links that the config names no more are there")
	}
	m.boot(t, "i-1", links("v1"))
	for _, p := range []string{"/srv/now", "/srv/same"} { // somebody else's now
		if err := os.Remove(m.dir + p); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("/etc", m.dir+"/srv/now"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(m.dir+"/srv/same", []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	m.boot(t, "i-1", "users: []\n")
	if !exists(m, "srv/now") || !exists(m, "srv/same") {
		t.Error("what somebody else made is gone")
	}
}

func TestALinkThatIsNotToBeGoesAndNothingElse(t *testing.T) {
	m := newMachine(t, debian)
	for name, target := range map[string]string{"mask": "/dev/null", "other": "/elsewhere"} {
		if err := os.Symlink(target, filepath.Join(m.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Link(m.dir+"/etc/hosts", m.dir+"/hard"); err != nil {
		t.Fatal(err)
	}
	c := config(t, `
rancher:
  links:
    - {path: /mask, target: /dev/null, absent: true}
    - {path: /other, target: /dev/null, absent: true}
    - {path: /etc/passwd, target: /dev/null, absent: true}
    - {path: /none/at/all, target: /dev/null, absent: true}
    - {path: /hard, target: /etc/hosts, hard: true, absent: true}
    - {path: /etc/group, target: /etc/hosts, hard: true, absent: true}
`)
	if _, err := Run(t.Context(), m.Target, c, placesOnly); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"mask": false, "hard": false, "etc/passwd": true, "etc/group": true, "etc/hosts": true, "none": false} {
		if exists(m, name) != want {
			t.Errorf("%s is there: %v", name, !want)
		}
	}
	if l, err := os.Readlink(m.dir + "/other"); err != nil || l != "/elsewhere" {
		t.Errorf("another link leads to %q, %v", l, err)
	}
}

func TestPlacesThatCannotBeAreNamed(t *testing.T) {
	for text, want := range map[string]string{
		"directories: [{permissions: '0700'}]":                          "rancher.directories[0]",
		"directories: [{path: /, overwrite: true}]":                     "not emptied",
		"links: [{path: /l}]":                                           "needs a target",
		"links: [{path: /, target: /x, overwrite: true}]":               "root of the machine",
		"links: [{path: /l, target: x, hard: true}]":                    "begin with a slash",
		"links: [{path: /l, target: /etc, hard: true}]":                 "one name only",
		"links: [{path: /l, target: /bin/sh, hard: true, owner: root}]": "leave out the owner",
		"directories: [{path: /d, owner: nobody-such}]":                 "nobody-such",
	} {
		m := newMachine(t, debian)
		if _, err := Run(t.Context(), m.Target, config(t, "rancher: {"+text+"}\n"), placesOnly); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}
