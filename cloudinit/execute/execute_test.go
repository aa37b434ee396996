package execute

import (
	"context"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rancheros/cloudconfig"
	"rancheros/cloudinit/state"
	"rancheros/cloudinit/tree"
)

// debian is the little of a root file system that appliers look at.
var debian = map[string]string{
	"etc/os-release":                   "ID=debian\n",
	"etc/passwd":                       "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/nonexistent:/bin/false\n",
	"etc/shadow":                       "root:*:19000:0:99999:7:::\n",
	"etc/group":                        "root:x:0:\nsudo:x:27:\nusers:x:100:\n",
	"etc/gshadow":                      "root:*::\nsudo:*::\nusers:*::\n",
	"etc/hosts":                        "127.0.0.1 localhost\n",
	"etc/fstab":                        "# by hand\nUUID=1 / ext4 defaults 0 1\n",
	"etc/skel/.profile":                "# profile\n",
	"etc/ssh/sshd_config":              "Include /etc/ssh/sshd_config.d/*.conf\n",
	"etc/ssh/ssh_host_rsa_key":         "of the image\n",
	"usr/share/zoneinfo/Europe/Berlin": "TZif2",
	"root/.keep":                       "",
	"bin/sh":                           "#!/bin/sh\n",
}

// fakeKernel remembers what it was told.
type fakeKernel struct {
	name    string
	mounted []MountPoint
	swaps   []string
	modules []string
	forbid  bool
}

func (k *fakeKernel) Hostname() (string, error)           { return k.name, nil }
func (k *fakeKernel) SetHostname(n string) error          { k.name = n; return nil }
func (k *fakeKernel) Mounted() ([]MountPoint, error)      { return k.mounted, nil }
func (k *fakeKernel) Swaps() ([]string, error)            { return k.swaps, nil }
func (k *fakeKernel) Swapon(p string) error               { k.swaps = append(k.swaps, p); return nil }
func (k *fakeKernel) LoadModule(n, params string) error   { k.modules = append(k.modules, n); return nil }
func (k *fakeKernel) HasModule(n string) bool             { return slices.Contains(k.modules, n) }
func (k *fakeKernel) ForbidMetadata() error               { k.forbid = true; return nil }
func (k *fakeKernel) MetadataForbidden() bool             { return k.forbid }
func (k *fakeKernel) AwaitDevice(context.Context, string) {}
func (k *fakeKernel) Mount(source, target, fstype string, _ uintptr, _ string) error {
	k.mounted = append(k.mounted, MountPoint{source, target, fstype})
	return nil
}

// machine is a root in a temporary folder with a kernel of its own; ran are
// the command lines that were run.
type machine struct {
	*Target
	dir    string
	kernel *fakeKernel
	ran    []string
}

func newMachine(t *testing.T, files map[string]string) *machine {
	t.Helper()
	m := &machine{dir: t.TempDir(), kernel: &fakeKernel{}}
	for name, text := range files {
		p := filepath.Join(m.dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		mode := fs.FileMode(0o644)
		if strings.HasPrefix(text, "#!") {
			mode = 0o755
		}
		if err := os.WriteFile(p, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	tr, err := tree.Open(m.dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tr.Close() })
	m.Target = m.target(tr)
	return m
}

func (m *machine) target(tr *tree.Tree) *Target {
	target := New(tr)
	target.Live = true
	target.Kernel = m.kernel
	target.InstanceID = "i-1"
	target.Run = func(c *exec.Cmd) error {
		m.ran = append(m.ran, strings.Join(c.Args, " "))
		return nil
	}
	return target
}

func (m *machine) read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(m.dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func config(t *testing.T, text string) *cloudconfig.Config {
	t.Helper()
	c, _, err := cloudconfig.Resolve(cloudconfig.Layer{Name: "test", File: "test", YAML: []byte(text)})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// snapshot is every file of a root with its mode and content.
func snapshot(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(dir, p)
		text := info.Mode().String()
		switch {
		case d.Type().IsRegular():
			b, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			text += "\n" + string(b)
		case d.Type() == fs.ModeSymlink:
			l, _ := os.Readlink(p)
			text += " -> " + l
		}
		all[rel] = text
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

const testKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIG96hZCbprG8x9Ld6PP+CRQfKjVAS1ZhbHeCjZijrrnE somebody"

// everything has something for each applier that needs no device or network.
const everything = `
hostname: box
fqdn: box.example.test
manage_etc_hosts: true
manage_resolv_conf: true
resolv_conf: {nameservers: [192.0.2.1], options: {rotate: true, timeout: 1}}
timezone: Europe/Berlin
locale: C.UTF-8
keyboard: {layout: de}
ntp: {servers: [ntp.example.test], pools: [pool.example.test]}
rsyslog: {remotes: {central: 192.0.2.9}, configs: ["*.* /var/log/all"]}
groups: [builders, {admins: [ann]}]
users:
  - default
  - {name: ann, groups: [sudo, builders], sudo: "ALL=(ALL) ALL", ssh_authorized_keys: ["` + testKey + `"]}
  - {name: bob, plain_text_passwd: correct horse, lock_passwd: false, shell: /bin/sh, doas: [permit bob]}
  - {name: daemon1, system: true}
chpasswd: {expire: false, users: [{name: ann, type: text, password: battery staple}]}
ssh_authorized_keys: ["` + testKey + `"]
ssh_pwauth: false
ssh_genkeytypes: [ed25519]
write_files:
  - {path: /etc/app/a, content: "hello\n", permissions: '0600', owner: 'ann:builders'}
  - {path: /etc/app/list, content: "line\n", append: true}
  - {path: /srv/late, content: x, defer: true}
  - {path: /srv/here/f, content: x}
mounts:
  - [tmpfs, /mnt/scratch, tmpfs, "size=16m,nofail"]
wireguard: {interfaces: [{name: wg0, config_path: /etc/wireguard/wg0.conf, content: "[Interface]\n"}]}
random_seed: {file: /var/lib/seed, data: abc}
disable_ec2_metadata: true
ca_certs: {trusted: ["-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"]}
runcmd: [echo hello, [touch, /tmp/x], [cloud-init-per, once, mine, echo, one]]
final_message: up after $UPTIME
rancher:
  directories: [{path: /srv/there, permissions: '0750', owner: ann}, {path: /etc/skel, overwrite: true}]
  links: [{path: /srv/here, target: there}, {path: /srv/there/g, target: /srv/here/f, hard: true}]
  environment: {FOO: bar, PATH: /opt/a}
  modules: [dummy numdummies=2]
  sysctl: {}
  registry_auths: {registry.example.test: {username: u, password: p}}
  network: {http_proxy: "http://proxy.example.test:3128"}
`

func TestEveryApplierChangesNothingTheSecondTime(t *testing.T) {
	for _, release := range []string{"ID=debian\n", "ID=rancheros\n"} {
		t.Run(strings.TrimSpace(release), func(t *testing.T) {
			m := newMachine(t, debian)
			if err := os.WriteFile(m.dir+"/etc/os-release", []byte(release), 0o644); err != nil {
				t.Fatal(err)
			}
			m.Ours = release == "ID=rancheros\n"
			c := config(t, everything)
			if m.Ours {
				c.Rsyslog = cloudconfig.Rsyslog{}
			}
			r, err := Run(t.Context(), m.Target, c, Options{})
			if err != nil {
				t.Fatalf("first Run() = %v", err)
			}
			changed := 0
			for _, res := range r.Results {
				if res.Outcome == Changed {
					changed++
				}
			}
			if changed < 20 {
				t.Errorf("first run: %d appliers changed something, want most of them", changed)
			}
			before := snapshot(t, m.dir)
			// Every applier again, whether or not it has run for this instance.
			for _, a := range Appliers(m.Ours) {
				if a.Phase == Final {
					continue
				}
				a.Every = Boot
				res, err := m.apply(t.Context(), a, c)
				if err != nil || res.Outcome == Changed {
					t.Errorf("%s: second time: %s, %v %+v", a.Name, res.Outcome, err, res.Changes)
				}
			}
			if diff := cmp.Diff(before, snapshot(t, m.dir)); diff != "" {
				t.Errorf("the second run changed the tree (-first +second):\n%s", diff)
			}
		})
	}
}

func TestAPlanChangesNothingAndSaysWhatRunningDoes(t *testing.T) {
	m := newMachine(t, debian)
	before := snapshot(t, m.dir)
	plan, err := tree.Plan(m.dir)
	if err != nil {
		t.Fatal(err)
	}
	planned := m.target(plan)
	c := config(t, everything)
	want, err := Run(t.Context(), planned, c, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, snapshot(t, m.dir)); diff != "" {
		t.Fatalf("the plan changed the tree:\n%s", diff)
	}
	if m.kernel.name != "" || len(m.ran) > 0 || len(m.kernel.mounted) > 0 {
		t.Fatalf("the plan touched the machine: %+v, ran %q", m.kernel, m.ran)
	}
	got, err := Run(t.Context(), m.Target, c, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range want.Results {
		w, g := lines(want.Results[i]), lines(got.Results[i])
		// Keys and hashes are made at random; that they are made is the same.
		if diff := cmp.Diff(w, g); diff != "" && want.Results[i].Name != "ssh_host_keys" {
			t.Errorf("%s: plan and run differ (-plan +run):\n%s", want.Results[i].Name, diff)
		}
	}
}

func lines(r Result) []string {
	var all []string
	for _, c := range r.full {
		all = append(all, c.String())
	}
	return all
}

func TestOneFailingApplierHidesNoOther(t *testing.T) {
	m := newMachine(t, debian)
	c := config(t, "hostname: '-bad-'\ntimezone: No/Where\nwrite_files: [{path: /etc/a, content: x}]\n")
	r, err := Run(t.Context(), m.Target, c, Options{})
	if err == nil || !strings.Contains(err.Error(), "hostname") || !strings.Contains(err.Error(), "timezone") {
		t.Errorf("Run() = %v, want both failures named", err)
	}
	if m.read(t, "etc/a") != "x" {
		t.Error("the file was not written")
	}
	outcome := map[string]string{}
	for _, res := range r.Results {
		outcome[res.Name] = res.Outcome
	}
	if outcome["hostname"] != Failed || outcome["timezone"] != Failed || outcome["write_files"] != Changed {
		t.Errorf("outcomes = %v", outcome)
	}
}

func TestWhatRunsOncePerInstanceRunsAgainForTheNext(t *testing.T) {
	m := newMachine(t, debian)
	c := config(t, "runcmd: [date]\n")
	only := Options{Only: []string{"runcmd"}}
	for _, step := range []struct {
		id   string
		want int
	}{{"i-1", 1}, {"i-1", 1}, {"i-2", 2}} {
		m.InstanceID = step.id
		if _, err := Run(t.Context(), m.Target, c, only); err != nil {
			t.Fatal(err)
		}
		if len(m.ran) != step.want {
			t.Errorf("after %s: ran %q, want %d commands", step.id, m.ran, step.want)
		}
	}
	if !m.Tree.Exists(state.Instances + "/i-1/sem/config_runcmd") {
		t.Error("there is no semaphore where upstream has it")
	}
}

func TestFrequencyIsTheUsers(t *testing.T) {
	m := newMachine(t, debian)
	c := config(t, "runcmd: [date]\nrancher: {cloud_init: {frequency: {runcmd: boot, hostname: never}}}\nhostname: x\n")
	for range 2 {
		if _, err := Run(t.Context(), m.Target, c, Options{Only: []string{"runcmd", "hostname"}}); err != nil {
			t.Fatal(err)
		}
	}
	if len(m.ran) != 2 || m.kernel.name != "" {
		t.Errorf("ran %q, hostname %q, want two runs and no hostname", m.ran, m.kernel.name)
	}
}

func TestAMissingDeviceIsReported(t *testing.T) {
	for _, test := range []struct {
		name, line string
		fails      bool
	}{
		{"nofail", "[/dev/vdz, /data, ext4, 'defaults,nofail']", false},
		{"required", "[/dev/vdz, /data, ext4, defaults]", true},
		{"defaults are nofail", "[/dev/vdz, /data]", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := newMachine(t, debian)
			r, err := Run(t.Context(), m.Target, config(t, "mounts: ["+test.line+"]\n"), Options{Only: []string{"mounts"}})
			if (err != nil) != test.fails {
				t.Errorf("Run() = %v", err)
			}
			if said := r.Results[0].Why + strings.Join(r.Results[0].Warnings, ""); !strings.Contains(said, "/dev/vdz") {
				t.Errorf("the report does not name the device: %+v", r.Results[0])
			}
			if !strings.Contains(m.read(t, "etc/fstab"), "/dev/vdz\t/data") || !strings.Contains(m.read(t, "etc/fstab"), "UUID=1 /") {
				t.Errorf("fstab = %q", m.read(t, "etc/fstab"))
			}
		})
	}
}

func TestKeysNeverFollowALinkOutOfAHome(t *testing.T) {
	m := newMachine(t, debian)
	c := config(t, "users: [{name: eve, ssh_authorized_keys: ['"+testKey+"']}]\n")
	if _, err := Run(t.Context(), m.Target, c, Options{Only: []string{"users"}}); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/root/.ssh", m.dir+"/home/eve/.ssh"); err != nil {
		t.Fatal(err)
	}
	_, err := Run(t.Context(), m.Target, c, Options{Only: []string{"ssh_keys"}})
	if err == nil || !strings.Contains(err.Error(), "symbolic link") {
		t.Errorf("Run() = %v, want an error that names the link", err)
	}
	if _, err := os.Stat(m.dir + "/root/.ssh/authorized_keys"); err == nil {
		t.Error("eve's key was written for root")
	}
}

func TestKeysOfPeopleStay(t *testing.T) {
	const own = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQAB own"
	with := withBlock(own+"\n", []string{testKey})
	if got := withBlock(with, nil); got != own+"\n" {
		t.Errorf("after our keys are gone: %q", got)
	}
	if got := withBlock(with, []string{testKey}); got != with {
		t.Errorf("written twice: %q, want %q", got, with)
	}
}

func TestAPanicIsAFailure(t *testing.T) {
	m := newMachine(t, debian)
	boom := Applier{"boom", Console, Boot, func(context.Context, *Target, *cloudconfig.Config) error { panic("boom") }}
	res, err := m.apply(t.Context(), boom, config(t, "{}"))
	if err == nil || res.Outcome != Failed {
		t.Errorf("apply() = %v, %v", res.Outcome, err)
	}
}
