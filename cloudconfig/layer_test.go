package cloudconfig

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func layers(docs ...string) []Layer {
	var out []Layer
	for i, doc := range docs {
		name := string(rune('a' + i))
		out = append(out, Layer{Name: name, File: name + ".yml", YAML: []byte(doc)})
	}
	return out
}

func TestLaterLayersWinKeyByKey(t *testing.T) {
	c, tr, err := Resolve(layers(`
hostname: one
ssh_authorized_keys: [k1, k2]
rancher:
  docker: {engine: docker-1, group: docker, live_restore: true}
  modules: [a, b]
  sysctl: {net.ipv4.ip_forward: 1}
`, `
ssh_authorized_keys: [k2, k3]
rancher:
  docker: {group: null, debug: false}
  modules: [c]
  sysctl: {vm.swappiness: 10}
`)...)
	if err != nil {
		t.Fatal(err)
	}
	if c.Hostname != "one" || c.Rancher.Docker.Engine != "docker-1" || c.Rancher.Docker.Group != "" {
		t.Errorf("hostname %q, docker %+v", c.Hostname, c.Rancher.Docker)
	}
	if d := c.Rancher.Docker; d.Debug == nil || *d.Debug || d.LiveRestore == nil || !*d.LiveRestore || d.Restart != nil {
		t.Errorf("tri-states of docker: %+v", d)
	}
	if diff := cmp.Diff(StringList{"k1", "k2", "k3"}, c.SSHAuthorizedKeys); diff != "" {
		t.Error("keys do not add up:", diff)
	}
	if diff := cmp.Diff([]string{"c"}, c.Rancher.Modules); diff != "" {
		t.Error("lists do not replace:", diff)
	}
	want := map[string]string{"net.ipv4.ip_forward": "1", "vm.swappiness": "10"}
	if diff := cmp.Diff(want, c.Rancher.Sysctl); diff != "" {
		t.Error("maps do not merge:", diff)
	}
	origins, err := tr.Explain("ssh_authorized_keys")
	if err != nil {
		t.Fatal(err)
	}
	wantOrigins := []Origin{
		{Layer: "a", File: "a.yml", Line: 3, Value: "[k1, k2]", InForce: true},
		{Layer: "b", File: "b.yml", Line: 2, Value: "[k2, k3]", InForce: true},
	}
	if diff := cmp.Diff(wantOrigins, origins); diff != "" {
		t.Error(diff)
	}
}

func TestBrokenLayerIsSetAsideAndNamed(t *testing.T) {
	tests := []struct{ name, doc, want string }{
		{"unknown key", "hostnmae: x\n", "b.yml:1:1: hostnmae: no such key; did you mean hostname?"},
		{"unknown key below", "rancher:\n  dokcer:\n    tls: true\n", "b.yml:2:3: rancher.dokcer: no such key; did you mean docker?"},
		{"wrong type", "rancher:\n  debug: [1]\n", "b.yml:2:10: rancher.debug: want true or false, not a list"},
		{"number", "rancher: {ssh: {port: many}}\n", `b.yml:1:23: rancher.ssh.port: want a whole number, not the string "many"`},
		{"in a list", "write_files:\n- path: /a\n  permission: '0644'\n", "b.yml:3:3: write_files[0].permission: no such key; did you mean permissions?"},
		{"mode", "write_files:\n- path: /a\n  permissions: rw\n", `write_files[0].permissions: "rw" is no file mode`},
		{"tab", "rancher:\n\tdebug: true\n", "b.yml:2:1: a tab at the start of a line; YAML indents with spaces"},
		{"syntax", "a: b: c\n", "b.yml:1:5: mapping values are not allowed"},
		{"not a map", "- a\n", "b.yml:1:1: want `key: value` lines, not a list"},
		{"two documents", "hostname: a\n---\nhostname: b\n", "a second document"},
		{"not text", "hostname: \xff\n", "b.yml:1:1: not UTF-8 text"},
		{"secret is not shown", "password: {hunter2: 1}\n", "b.yml:1:11: password: want one value, not a map"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, tr, err := Resolve(layers("hostname: good\n", tt.doc)...)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Resolve() = %v, want %q", err, tt.want)
			}
			if c.Hostname != "good" {
				t.Errorf("hostname = %q, want the one of the good layer", c.Hostname)
			}
			if diff := cmp.Diff([]string{"b"}, tr.LeftOut()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestOfAKeyThatIsThereTwiceTheLastCounts(t *testing.T) {
	c, _, err := Resolve(layers("rancher:\n  debug: false\n  ssh: {port: 22}\n  debug: true\nhostname: a\nhostname: b\n")...)
	if err != nil || c.Hostname != "b" || !c.Rancher.Debug || c.Rancher.SSH.Port != 22 {
		t.Errorf("hostname %q, debug %v, port %v, %v; want the last of each", c.Hostname, c.Rancher.Debug, c.Rancher.SSH.Port, err)
	}
	ps := Validate("f.yml", []byte("hostname: a\nhostname: b\n"), CloudConfig)
	if len(ps) != 1 || ps[0].Severity != Warning || ps[0].Line != 2 {
		t.Errorf("Validate() = %v, want one warning in line 2", ps)
	}
	if ps := Validate("f.yml", []byte("hostname: a\nhostname: [b]\n"), CloudConfig); len(ps.Errors()) == 0 {
		t.Error("the last of two is not checked")
	}
}

func TestHarmlessFormsOfADocumentAreRead(t *testing.T) {
	for name, doc := range map[string]string{
		"byte order mark": "\ufeffhostname: h\n",
		"CRLF":            "#cloud-config\r\nhostname: h\r\nruncmd:\r\n- a\r\n",
		"merge key":       "rancher:\n  defaults: &d {hostname: h}\nhostname: h\n",
		"no last newline": "hostname: h",
		"empty":           "",
		"only a comment":  "#cloud-config\n",
	} {
		c, _, err := Resolve(layers("hostname: h\n", doc)...)
		if err != nil || c.Hostname != "h" {
			t.Errorf("%s: hostname %q, %v", name, c.Hostname, err)
		}
	}
}

func TestAliasesAndMergeKeysAreResolved(t *testing.T) {
	c, _, err := Resolve(layers(`
rancher:
  docker: &d
    engine: docker-1
    group: docker
  system_docker:
    <<: *d
    group: root
ssh_authorized_keys: &keys [k]
ssh_import_id: *keys
`)...)
	if err != nil {
		t.Fatal(err)
	}
	if d := c.Rancher.SystemDocker; d.Engine != "docker-1" || d.Group != "root" {
		t.Errorf("system_docker = %+v, want what << brings, own keys first", d)
	}
	if diff := cmp.Diff([]string{"k"}, c.SSHImportID); diff != "" {
		t.Error(diff)
	}
}

func TestHostileDocumentsAreRefused(t *testing.T) {
	bomb := "l0: &l0 [x, x, x, x, x, x, x, x, x]\n"
	for i := 1; i <= 20; i++ {
		prev := "*l" + string(rune('a'+i-2))
		if i == 1 {
			prev = "*l0"
		}
		name := "l" + string(rune('a'+i-1))
		bomb += name + ": &" + name + " [" + strings.TrimSuffix(strings.Repeat(prev+", ", 9), ", ") + "]\n"
	}
	tests := []struct{ name, doc, want string }{
		{"20 levels of aliases", bomb, "values with its aliases expanded"},
		{"an alias of itself", "rancher: &a\n  services:\n    x: *a\n", "holds itself"},
		{"deep", "rancher: " + strings.Repeat("[", 500) + strings.Repeat("]", 500) + "\n", "nested more than"},
		{"many", "runcmd: [" + strings.Repeat("a,", maxMarks) + "a]\n", "lines and values"},
		{"large", "hostname: " + strings.Repeat("x", MaxDocument) + "\n", "at most"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := Resolve(layers(tt.doc)...)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Resolve() = %.200v, want %q", err, tt.want)
			}
		})
	}
}

func TestExplainTellsRemovalsAndSecrets(t *testing.T) {
	_, tr, err := Resolve(layers(
		"password: hunter2\nrancher: {docker: {tls: true}}\n",
		"rancher: {docker: null}\n",
		"rancher: {docker: {debug: true}}\n")...)
	if err != nil {
		t.Fatal(err)
	}
	got, err := tr.Explain("rancher.docker.tls")
	if err != nil {
		t.Fatal(err)
	}
	want := []Origin{
		{Layer: "a", File: "a.yml", Line: 2, Value: "true"},
		{Layer: "b", File: "b.yml", Line: 1, Value: "null", Removes: true},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got, _ := tr.Explain("password"); len(got) != 1 || got[0].Value != "(secret)" {
		t.Errorf("Explain(password) = %+v", got)
	}
	if _, err := tr.Explain("hostname"); err == nil {
		t.Error("Explain of a key that is not set: no error")
	}
}

func TestAnsibleIsNamedWithItsPlaceAndWhatToDoInstead(t *testing.T) {
	_, tr, err := Resolve(layers("hostname: h\nansible:\n  pull: [{url: https://git.example/site.git, playbook_names: [site.yml]}]\n")...)
	if err != nil {
		t.Fatal(err)
	}
	want := "a.yml:2:1: warning: ansible: not supported on this operating system: run ansible-pull in a container of an image that has it, as a service in rancher.services: docs/services.md has one"
	if ps := tr.Unsupported(); len(ps) != 1 || ps[0].String() != want {
		t.Errorf("Unsupported() = %v, want %s", ps, want)
	}
}

func TestOldAndForeignKeysDoNotCostTheLayer(t *testing.T) {
	c, tr, err := Resolve(layers("hostname: h\npackages: [a]\nca-certs: {trusted: [x], remove-defaults: true}\nvendor_data: {enabled: 'no'}\nvendor_data2: {enabled: never}\n")...)
	if err != nil || *c.VendorData.Enabled || *c.VendorData2.Enabled || c.Hostname != "h" || !c.CACerts.RemoveDefaults {
		t.Errorf("hostname %q, ca_certs %+v, %v", c.Hostname, c.CACerts, err)
	}
	if ps := tr.Unsupported(); len(ps) != 1 || !strings.HasPrefix(ps[0].String(), "a.yml:2:1: warning: packages: not supported") {
		t.Errorf("Unsupported() = %v", ps)
	}
}

func TestAWrongTagCostsOnlyItsLayer(t *testing.T) {
	for doc, want := range map[string]string{
		"hostname: !!int b\n":                        "does not fit its tag !!int",
		"hostname: !!bool b\n":                       "does not fit its tag !!bool",
		"hostname: !!timestamp b\n":                  "does not fit its tag !!timestamp",
		"write_files: [{content: !!binary '@@@'}]\n": "does not fit its tag !!binary",
		"hostname: !mine b\n":                        "!mine is not known for a string",
		"hostname: !!python/unicode b\n":             "!!python/unicode is not known",
		"runcmd: !!omap [a]\n":                       "!!omap is not known for a list",
		"rancher: {environment: {!!int A: x}}\n":     "does not fit its tag !!int",
		"rancher: !!str {console: x}\n":              "!!str is not known for a map",
	} {
		c, _, err := Resolve(layers("hostname: a\nrancher: {console: default}\n", doc)...)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "merged") {
			t.Errorf("%q: %v, want %q", doc, err, want)
		}
		if c.Hostname != "a" || c.Rancher.Console != "default" {
			t.Errorf("%q: the layer below gives %q and %q", doc, c.Hostname, c.Rancher.Console)
		}
	}
	c, _, err := Resolve(layers("hostname: !!str 12\nfqdn: ! a.b\nruncmd: !!seq [!!binary YQ==, !!null ~]\nrancher: !!map {debug: !!bool true}\n")...)
	if err != nil || c.Hostname != "12" || c.FQDN != "a.b" || !c.Rancher.Debug {
		t.Errorf("good tags: %+v, %v", c.Hostname, err)
	}
}
