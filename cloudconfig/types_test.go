package cloudconfig

import (
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"rancheros/cloudconfig/modules"
	"rancheros/cloudconfig/shape"
)

// notSecret are keys that sound like a secret and are none, with the reason.
var notSecret = map[string]string{
	"lock_passwd":  "it says whether there is one",
	"private_keys": "they are paths",
	"consumer_key": "it is a name; its secret is consumer_secret",
	"chpasswd":     "it is a map; what is secret in it is marked",
}

func TestSecretKeysAreOfTypeSecret(t *testing.T) {
	sounds := regexp.MustCompile(`password|passwd|token|secret|private|psk|_key$|^auth$`)
	seen := map[reflect.Type]bool{}
	var walk func(t *testing.T, typ reflect.Type, owner string)
	walk = func(t *testing.T, typ reflect.Type, owner string) {
		for typ.Kind() == reflect.Slice || typ.Kind() == reflect.Map || typ.Kind() == reflect.Pointer {
			typ = typ.Elem()
		}
		if !tagged(typ) || seen[typ] {
			return
		}
		seen[typ] = true
		for f := range typ.Fields() {
			key := f.Tag.Get("yaml")
			leaf := f.Type
			for leaf.Kind() == reflect.Slice || leaf.Kind() == reflect.Map || leaf.Kind() == reflect.Pointer {
				leaf = leaf.Elem()
			}
			if sounds.MatchString(key) && leaf != secretType && notSecret[key] == "" {
				t.Errorf("%s.%s is a %s: use Secret, or name it in notSecret with the reason", owner, key, f.Type)
			}
			walk(t, f.Type, owner+"."+key)
		}
	}
	walk(t, reflect.TypeFor[Config](), "")
	if len(seen) < 20 {
		t.Errorf("only %d types seen", len(seen))
	}
}

func TestSecretsAreNeverShown(t *testing.T) {
	v := struct {
		S Secret     `yaml:"s"`
		L SecretList `yaml:"l"`
	}{"hunter2", SecretList{"hunter2"}}
	y, err := yaml.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	j, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	for _, got := range []string{fmt.Sprint(v), fmt.Sprintf("%+v %#v %q %s", v, v, v.S, v.S), string(y), string(j)} {
		if strings.Contains(got, "hunter2") {
			t.Errorf("%s shows it", got)
		}
	}
	if v.S.Reveal() != "hunter2" {
		t.Error("Reveal does not")
	}
}

// ours are top-level keys that cloud-init does not have.
var ours = []string{"rancher"}

func TestModulesAndTypesHaveTheSameKeys(t *testing.T) {
	names := fieldNames(reflect.TypeFor[Config]())
	for _, name := range names {
		m, ok := modules.Find(name)
		if !ok && !slices.Contains(ours, name) {
			t.Errorf("%s is in Config, but not in modules.Keys", name)
		}
		if ok && m.Instead != "" {
			t.Errorf("%s is in Config, but modules.Keys says that it does nothing", name)
		}
		if ok {
			f, _ := fieldOf(reflect.TypeFor[Config](), name)
			sameKeys(t, name, f.Type, m)
		}
	}
	for _, m := range modules.Keys {
		if old := m.Shape().Old != ""; m.Instead == "" && !old && !slices.Contains(names, m.Name) {
			t.Errorf("%s is in modules.Keys as supported, but not in Config", m.Name)
		}
	}
}

// sameKeys: what a shape names, the type must have, and the other way round.
func sameKeys(t *testing.T, path string, typ reflect.Type, m modules.Key) {
	for typ.Kind() == reflect.Slice || typ.Kind() == reflect.Map || typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	if !tagged(typ) {
		return
	}
	inShape := namesIn(m.Shape(), true)
	for _, name := range fieldNames(typ) {
		if !slices.Contains(inShape, name) {
			t.Errorf("%s.%s is in the type, but not in the shape", path, name)
		}
	}
	inTypes := allNames(typ)
	for _, name := range namesIn(m.Shape(), false) {
		if !slices.Contains(inTypes, name) {
			t.Errorf("%s.%s is in the shape, but not in the type", path, name)
		}
	}
}

// namesIn are the names of all keys at any depth and in any alternative; those
// that are outdated too if asked for.
func namesIn(s *shape.Shape, outdated bool) []string {
	if s == nil {
		return nil
	}
	var names []string
	for _, k := range s.Keys {
		if k.Shape.Old == "" || outdated {
			names = append(append(names, k.Name), namesIn(k.Shape, outdated)...)
		}
	}
	for _, a := range append(slices.Concat(s.Any, s.Items), s.Item, s.Rest) {
		names = append(names, namesIn(a, outdated)...)
	}
	return names
}

func allNames(t reflect.Type) []string {
	for t.Kind() == reflect.Slice || t.Kind() == reflect.Map || t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if !tagged(t) {
		return nil
	}
	names := fieldNames(t)
	for f := range t.Fields() {
		names = append(names, allNames(f.Type)...)
	}
	return names
}

func TestLenientTypesReadWhatPeopleWrite(t *testing.T) {
	doc := `
users: [default, "a, b", {name: c, groups: "x, y", sudo: false, uid: "1743"}, [d, e]]
groups: [g, {h: [c]}]
write_files:
- {path: /1, permissions: '0644'}
- {path: /2, permissions: 0644}
- {path: /3, permissions: 644}
- {path: /4, permissions: 0o644}
- {path: /5, permissions: 420}
runcmd: [ls -l, [ls, -l], [sleep, 5]]
power_state: {mode: reboot, delay: "+5", timeout: 90s, condition: false}
manage_etc_hosts: yes
ssh_pwauth: "yes"
mounts: [[a, /b, null, None]]
disk_setup: {d: {layout: [33, [33, 82]]}, e: {layout: true}, f: {layout: remove}}
chpasswd: {list: "a:b\nc:d\n"}
swap: {size: 1.5G}
random_seed: {data: !!binary c2VlZA==}
`
	c, _, err := Resolve(layers(doc)...)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, u := range c.Users {
		names = append(names, u.Name)
	}
	if got := strings.Join(names, " "); got != "default a b c d e" {
		t.Errorf("users = %s", got)
	}
	if u := c.Users[3]; len(u.Groups) != 2 || u.Sudo != nil || *u.UID != 1743 {
		t.Errorf("user c = %+v", u)
	}
	for _, f := range c.WriteFiles {
		if f.Permissions != 0o644 || f.Permissions.Perm(0) != 0o644 {
			t.Errorf("%s: permissions %v", f.Path, f.Permissions)
		}
	}
	if got := fmt.Sprint(c.RunCmd[0].Argv(), c.RunCmd[1].Argv(), c.RunCmd[2].Argv()); got != "[sh -c ls -l] [ls -l] [sleep 5]" {
		t.Errorf("runcmd = %s", got)
	}
	if !c.PowerState.Condition.Never || c.PowerState.Timeout != 90 || c.ManageEtcHosts != True || !c.SSHPasswordAuth.Bool(false) {
		t.Errorf("power_state %+v, manage_etc_hosts %q", c.PowerState, c.ManageEtcHosts)
	}
	if got := c.Mounts[0]; len(got) != 4 || got[2]+got[3] != "" {
		t.Errorf("mount = %q", got)
	}
	if p := c.DiskSetup["d"].Layout.Parts; len(p) != 2 || p[1] != (Partition{33, "82"}) || !c.DiskSetup["e"].Layout.Whole || !c.DiskSetup["f"].Layout.Remove {
		t.Errorf("layouts = %+v", c.DiskSetup)
	}
	if len(c.ChangePassword.List) != 2 || c.ChangePassword.List[1].Reveal() != "c:d" {
		t.Errorf("chpasswd = %d lines", len(c.ChangePassword.List))
	}
	if got := c.RandomSeed.Data.Reveal(); got != "seed" {
		t.Errorf("!!binary = %q", got)
	}
	if n, err := c.Swap.Size.Bytes(); n != 3<<29 || err != nil {
		t.Errorf("swap = %d, %v", n, err)
	}
}

func FuzzValidate(f *testing.F) {
	for _, seed := range []string{"", "hostname: a", "users: [default, {name: a}]", "a: &a [*a]", "<<: [{a: 1}, *b]",
		"? [a]\n: b", "rancher: {services: {a: null}}", "runcmd: !!binary aGk=", "\ufeff#cloud-config\r\nswap: {size: 1G}",
		"write_files: [{path: 1, permissions: 9}]", "a: b: c", "\t", "--- a\n--- b", "users: {a: {b: c}}", "mounts: [[a,b,c,d,e,f,g]]"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		for _, p := range Validate("f", doc, CloudConfig) {
			if p.Message == "" || p.Severity == "" {
				t.Errorf("empty problem %+v", p)
			}
		}
		c, tr, _ := Resolve(Layer{Name: "a", YAML: doc}, Layer{Name: "b", YAML: []byte("rancher: {debug: true}")})
		if c == nil || !c.Rancher.Debug {
			t.Error("the good layer does not count")
		}
		if _, err := tr.Export(ExportOptions{Full: true}); err != nil {
			t.Error(err)
		}
	})
}
