package cloudconfig

import (
	"encoding/json"
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

func TestJSONHasWhatWasWritten(t *testing.T) {
	root := machine(t, map[string]string{paths.LocalConfig: `
users: [{name: a, uid: 1001, expiredate: 2032-09-01, no_create_home: true}]
write_files: [{path: /a, permissions: 0644}]
bootcmd: [[sleep, 010, 1e3, 5]]
rancher: {environment: {A: 5, B: 1_000, C: true, D: .inf}, ssh: {port: 22}, services: {s: {a: 1.10, b: 1.5, c: ~}}}
`})
	_, tr, err := Load(root)
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{
		"users":               `[{"expiredate":"2032-09-01","name":"a","no_create_home":true,"uid":1001}]`,
		"write_files":         `[{"path":"/a","permissions":"0644"}]`,
		"bootcmd":             `[["sleep","010","1e3",5]]`,
		"rancher.environment": `{"A":"5","B":"1_000","C":"true","D":".inf"}`,
		"rancher.ssh":         `{"port":22}`,
		"rancher.services.s":  `{"a":"1.10","b":1.5,"c":null}`,
	} {
		v, err := tr.GetValue(key, false)
		if err != nil {
			t.Errorf("%s: %v", key, err)
			continue
		}
		if got, err := json.Marshal(v); err != nil || string(got) != want {
			t.Errorf("%s = %s (%v), want %s", key, got, err, want)
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
