package cloudconfig

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rancheros/paths"
)

func TestALongLineStaysOneLine(t *testing.T) {
	key := "ssh-rsa " + strings.Repeat("A", 100) + " a comment of more than one word"
	root := machine(t, map[string]string{paths.LocalConfig: "ssh_authorized_keys:\n- " + key + "\n"})
	if err := Set(root, "hostname", "h"); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(filepath.Join(root, paths.LocalConfig))
	if err != nil {
		t.Fatal(err)
	}
	_, tr, err := Load(root)
	if err != nil {
		t.Fatal(err)
	}
	exported, err := tr.Export(ExportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := tr.GetText("ssh_authorized_keys", false)
	if err != nil {
		t.Fatal(err)
	}
	for what, text := range map[string]string{"the file": string(file), "export": string(exported), "get": got} {
		if !strings.Contains(text, "- "+key+"\n") {
			t.Errorf("%s has the key in pieces:\n%s", what, text)
		}
	}
}

// FuzzSet: a value that is taken is there afterwards, in a file that is still
// valid; one that is refused changes nothing.
func FuzzSet(f *testing.F) {
	for _, seed := range [][3]string{
		{"", "hostname", "h"},
		{"# c\nrancher: {modules: [a]} # d\n", "rancher.modules[0]", "b"},
		{"rancher: &a {docker: {tls: true}}\n", "rancher.docker.tls", "false"},
		{"rancher:\n  environment: {A: b}\n", "rancher.environment.C.D", "- x"},
		{"hostname: 'a'\n", "hostname", "null"},
		{"write_files:\n- path: /a\n", "write_files[0].permissions", "0644"},
		{"rancher: {services: {a: &s {image: x}, b: *s}}\n", "rancher.services.b.image", "y"},
		{"{}", `rancher.network.interfaces."a.b".mtu`, "1500"},
		{"[a]", "hostname", "h"},
		{"", "rancher.environment.a\xd5", "b"},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	f.Fuzz(func(t *testing.T, local, path, value string) {
		root := machine(t, map[string]string{paths.LocalConfig: local})
		file := filepath.Join(root, paths.LocalConfig)
		if err := Set(root, path, value); err != nil {
			if now, rerr := os.ReadFile(file); rerr != nil || string(now) != local {
				t.Errorf("refused (%v), but the file is now %q (%v)", err, now, rerr)
			}
			return
		}
		now, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		tree, ps := parse(file, now)
		if ps != nil {
			t.Fatalf("the file is broken: %v\n%s", ps, now)
		}
		steps, err := resolvePath(path, tree)
		if err != nil {
			t.Fatal(err)
		}
		if n, _ := find(tree, steps); n == nil {
			t.Errorf("set %q, but it is not in\n%s", path, now)
		}
	})
}
