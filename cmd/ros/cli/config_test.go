package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rancheros/paths"
)

// configMachine is a root folder with config on it.
func configMachine(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for path, content := range map[string]string{
		paths.OSConfig:       "rancher: {console: default, services: {b: {image: img:2}, a: {image: img:1}}}\n",
		paths.UserDataConfig: "hostname: box\npassword: hunter2\nrancher: {modules: [a, b]}\n",
		"/proc/cmdline":      "quiet rancher.password=hunter2 -- cc.fqdn=hidden.example",
	} {
		file := filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func runConfig(t *testing.T, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = Main(t.Context(), append([]string{"config"}, args...), strings.NewReader(stdin), &out, &errs)
	return code, out.String(), errs.String()
}

func TestConfigCommands(t *testing.T) {
	tests := []struct {
		name  string
		args  []string
		stdin string
		code  int
		out   string
		err   string
	}{
		{"get a scalar", []string{"get", "hostname"}, "", 0, "box\n", ""},
		{"get a list", []string{"get", "rancher.modules"}, "", 0, "- a\n- b\n", ""},
		{"get what is not set", []string{"get", "rancher.docker.engine"}, "", 0, "\n", ""},
		{"get a secret", []string{"get", "password"}, "", 0, "\n", ""},
		{"get a secret that is asked for", []string{"get", "-p", "password"}, "", 0, "hunter2\n", ""},
		{"get JSON", []string{"get", "rancher.modules", "--output", "json"}, "", 0,
			"{\n  \"key\": \"rancher.modules\",\n  \"value\": [\n    \"a\",\n    \"b\"\n  ],\n  \"version\": 1\n}\n", ""},
		{"get no such key", []string{"get", "hostnam"}, "", 1, "", "ros: hostnam: no such key; did you mean hostname?\n"},
		{"get nothing", []string{"get"}, "", 2, "", "ros: want the key; see `ros config get --help`\n"},
		{"wrong output", []string{"get", "hostname", "--output", "xml"}, "", 2, "", "ros: --output is \"xml\"; text and json are possible\n"},
		{"export", []string{"export"}, "", 0, "hostname: box\nrancher:\n  modules:\n    - a\n    - b\n", ""},
		{"images", []string{"images"}, "", 0, "img:1\nimg:2\n", ""},
		{"validate standard input", []string{"validate"}, "hostnam: x\n", 1,
			"standard input:1:1: hostnam: no such key; did you mean hostname?\n", "ros: not valid\n"},
		{"validate with warnings", []string{"validate"}, "rancher: {rm_usr: true}\n", 0,
			"standard input:1:19: warning: rancher.rm_usr: ignored: /usr is read-only\n", ""},
		{"validate JSON", []string{"validate", "--output", "json"}, "hostname: x\n", 0,
			"{\n  \"problems\": [],\n  \"valid\": true,\n  \"version\": 1\n}\n", ""},
		{"validate as what", []string{"validate", "--as", "poem"}, "", 2, "",
			"ros: --as is \"poem\"; cloud-config and network-config are possible\n"},
		{"validate the machine", []string{"validate"}, "", 0, "", ""},
		{"explain what is not set", []string{"explain", "timezone"}, "", 1, "", "ros: timezone: no layer sets it\n"},
		{"generate", []string{"generate"}, "a{{.ROS_TEST_VALUE}}b", 0, "avalueb", ""},
		{"set what is not valid", []string{"set", "rancher.debug", "7"}, "", 1, "",
			"ros: rancher.debug: want true or false, not the number \"7\"\n"},
	}
	t.Setenv("ROS_TEST_VALUE", "value")
	root := configMachine(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			args := append([]string{"--root", root}, tt.args...)
			if tt.stdin != "" { // --root alone would mean the machine
				args = append(args, map[bool][]string{true: {"-i", "-"}}[tt.args[0] == "validate"]...)
			}
			code, out, errs := runConfig(t, tt.stdin, args...)
			if code != tt.code {
				t.Errorf("exit code %d, want %d", code, tt.code)
			}
			if diff := cmp.Diff(tt.out, out); diff != "" {
				t.Error("stdout", diff)
			}
			if diff := cmp.Diff(tt.err, errs); diff != "" {
				t.Error("stderr", diff)
			}
		})
	}
}

func TestConfigSetMergeAndExplain(t *testing.T) {
	root := configMachine(t)
	for _, step := range []struct {
		stdin string
		args  []string
	}{
		{"", []string{"set", "hostname", "mine"}},
		{"rancher: {ssh: {port: 2222}}\n", []string{"merge"}},
	} {
		if code, _, errs := runConfig(t, step.stdin, append([]string{"--root", root}, step.args...)...); code != 0 {
			t.Fatal(errs)
		}
	}
	_, out, _ := runConfig(t, "", "--root", root, "explain", "hostname")
	want := "hostname\n" +
		"    cloud-config.d/boot.yml  " + root + "/var/lib/rancher/conf/cloud-config.d/boot.yml:1  box\n" +
		"  * local                    " + root + "/var/lib/rancher/conf/cloud-config.yml:1         mine\n"
	if diff := cmp.Diff(want, out); diff != "" {
		t.Error(diff)
	}
	if _, out, _ := runConfig(t, "", "--root", root, "get", "rancher.ssh.port"); out != "2222\n" {
		t.Errorf("port = %q", out)
	}
	file := filepath.Join(t.TempDir(), "out.yml")
	if code, _, errs := runConfig(t, "", "--root", root, "export", "-o", file); code != 0 {
		t.Fatal(errs)
	}
	if st, err := os.Stat(file); err != nil || st.Mode().Perm() != 0o400 {
		t.Errorf("exported file: %v, %v", st, err)
	}
}
