package cloudconfig

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rancheros/cloudconfig/network"
	"rancheros/paths"
)

// machine is a root with files on it.
func machine(t testing.TB, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for path, content := range files {
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

func TestLoadReadsTheSixLayersInOrder(t *testing.T) {
	root := machine(t, map[string]string{
		paths.OSConfig:                     "rancher: {console: os, upgrade: {image: os, policy: os}}\n",
		paths.OEMConfig:                    "rancher: {console: oem, environment: {A: oem}}\n",
		paths.UserDataConfig:               "rancher: {console: boot, ssh: {port: 1}}\nssh_authorized_keys: [user]\n",
		paths.ConfigDir + "/network.yml":   "rancher: {console: dropin, ssh: {port: 2}}\n",
		paths.ConfigDir + "/.hidden.yml":   "rancher: {console: hidden}\n",
		paths.LocalConfig:                  "rancher: {console: local, resize_device: /dev/local}\n",
		"proc/cmdline":                     "quiet rancher.debug rancher.console=cmd cc.hostname=cmdhost rancher.state.autoformat=[/dev/sda,/dev/vda] rancher.cloud_init.datasources=[url:http://h:80/a?b=c] -- rancher.password=hunter2 rancher.environment.TOKEN=x",
		paths.ConfDir + "/metadata":        "hostname: meta\nssh_authorized_keys: [meta]\nroot_disk: /dev/meta\n",
		paths.ConfigDir + "/zz-broken.yml": "nonsense: 1\n",
	})
	c, tr, err := Load(root)
	if err == nil || !strings.Contains(err.Error(), "zz-broken.yml:1:1: nonsense: no such key") {
		t.Errorf("Load() error = %v, want the broken file named", err)
	}
	if got := c.Rancher.Console + c.Hostname + c.Rancher.ResizeDevice; got != "cmdcmdhost/dev/local" {
		t.Errorf("console, hostname, resize_device = %q", got)
	}
	if diff := cmp.Diff(StringList{"user", "meta"}, c.SSHAuthorizedKeys); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(StringList{"/dev/sda", "/dev/vda"}, c.Rancher.State.Autoformat); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"url:http://h:80/a?b=c"}, c.Rancher.CloudInit.Datasources); diff != "" {
		t.Error(diff)
	}
	if c.Rancher.Docker.Debug == nil || !*c.Rancher.Docker.Debug || c.Rancher.Password.Reveal() != "hunter2" {
		t.Error("rancher.debug does not reach the engine, or the password after -- is not read")
	}
	if got := c.Rancher.Environment["EXTRA_CMDLINE"]; got != "/init rancher.password=hunter2 rancher.environment.TOKEN=x" {
		t.Errorf("EXTRA_CMDLINE = %q", got)
	}
	for _, key := range []string{"rancher", "rancher.environment", "rancher.environment.EXTRA_CMDLINE"} {
		if text, err := tr.GetText(key, false); err != nil || strings.Contains(text, "hunter2") {
			t.Errorf("GetText(%s) = %q, %v", key, text, err)
		}
	}
	want := []string{"os", "oem", "cloud-config.d/boot.yml", "cloud-config.d/network.yml", "local", "cmdline", "cmdline", "metadata"}
	var layers []string
	for _, l := range tr.layers {
		layers = append(layers, l.Name)
	}
	if diff := cmp.Diff(want, layers); diff != "" {
		t.Error(diff)
	}
}

func TestABadWordOfTheCommandLineCostsOnlyItself(t *testing.T) {
	root := machine(t, map[string]string{
		"proc/cmdline": `rancher.debgu rancher.autologin=tty1 rancher.autologin=ttyS0 rancher.state.dev=LABEL=X rancher..x rancher.ssh=1 ` +
			`rancher.ssh.port=23 rancher.ssh.port.x=1 rancher.network.interfaces.eth1.100.dhcp rancher.password=[a`,
	})
	c, _, err := Load(root)
	for _, want := range []string{"cmdline: rancher.debgu: no such key; did you mean debug?", "rancher..x: an empty name",
		"rancher.ssh: want a map, not the number"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Load() = %v, want %q", err, want)
		}
	}
	if c.Rancher.State.Dev != "LABEL=X" || c.Rancher.SSH.Port != 23 || c.Rancher.Password.Reveal() != "[a" {
		t.Errorf("state.dev = %q, port = %d", c.Rancher.State.Dev, c.Rancher.SSH.Port)
	}
	if diff := cmp.Diff(StringList{"tty1", "ttyS0"}, c.Rancher.Autologin); diff != "" {
		t.Error(diff)
	}
	if i := c.Rancher.Network.Interfaces["eth1.100"]; i.DHCP == nil || !*i.DHCP {
		t.Errorf("interfaces = %+v", c.Rancher.Network.Interfaces)
	}
}

func TestMetadataFillsOnlyWhatNobodySet(t *testing.T) {
	md := &Metadata{Hostname: "meta", RootDisk: "/dev/vda", PublicIPv4: "192.0.2.7", Password: "p",
		Network: &network.Config{Links: []network.Link{{ID: "eth0", Kind: network.Physical,
			Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.5/24")}}}}}
	tests := []struct {
		name, user string
		hostname   string
		network    bool
	}{
		{"nothing set", "", "meta", true},
		{"hostname set", "hostname: mine\n", "mine", true},
		{"links set", "rancher: {network: {interfaces: {eth0: {dhcp: true}}}}\n", "meta", false},
		{"only DNS set", "rancher: {network: {dns: {nameservers: [9.9.9.9]}}}\n", "meta", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			root := machine(t, map[string]string{
				paths.OSConfig:       "rancher: {network: {interfaces: {eth*: {dhcp: true}}}}\n",
				paths.UserDataConfig: tt.user,
			})
			if err := md.Write(root); err != nil {
				t.Fatal(err)
			}
			c, _, err := Load(root)
			if err != nil {
				t.Fatal(err)
			}
			if c.Hostname != tt.hostname || (c.CloudNetwork != nil) != tt.network {
				t.Errorf("hostname %q, network %v", c.Hostname, c.CloudNetwork)
			}
			if tt.network && c.CloudNetwork.Links[0].Addresses[0] != md.Network.Links[0].Addresses[0] {
				t.Errorf("network %+v did not survive the file", c.CloudNetwork)
			}
		})
	}
}

func TestAddressesAreSubstituted(t *testing.T) {
	md := &Metadata{PublicIPv4: "192.0.2.7", PrivateIPv4: "not an address"}
	for in, want := range map[string]string{
		"a: $public_ipv4:80\n":           "a: 192.0.2.7:80\n",
		`a: \$public_ipv4`:               "a: $public_ipv4",
		"a: $private_ipv4 $public_ipv6":  "a: $private_ipv4 $public_ipv6",
		"$ $$public_ipv4 ${public_ipv4}": "$ $192.0.2.7 ${public_ipv4}",
	} {
		if got := string(md.substitute([]byte(in))); got != want {
			t.Errorf("substitute(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestSetKeepsWhatPeopleWrote(t *testing.T) {
	root := machine(t, map[string]string{paths.LocalConfig: `#cloud-config
# who we are
hostname: old # not for long
ssh_authorized_keys:
  - ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHB1YmxpYyBrZXkgb2YgYSB0ZXN0IHRoYXQgaXMgbG9uZw== somebody@somewhere
rancher:
  network:
    interfaces:
      # the uplink
      eth1.100: {dhcp: true}
`})
	for _, kv := range [][2]string{
		{"hostname", "new"},
		{"rancher.network.interfaces.eth1.100.address", "10.0.0.1/24"},
		{"rancher.network.interfaces.eth2.200.dhcp", "true"},
		{`rancher.network.interfaces."br.0".bridge`, "true"},
		{"rancher.sysctl.net.ipv4.ip_forward", "1"},
		{"rancher.services.web.image", "nginx:1"},
		{"rancher.modules", "[a, b]"},
		{"rancher.docker", "null"},
		{"rancher.console", ""},
		{"rancher.upgrade.url", "# no comment"},
		{"runcmd", "- a: b\n"},
	} {
		err := Set(root, kv[0], kv[1])
		if (err != nil) != (kv[0] == "runcmd") {
			t.Errorf("Set(%s, %s) = %v", kv[0], kv[1], err)
		}
	}
	got, err := os.ReadFile(filepath.Join(root, paths.LocalConfig))
	if err != nil {
		t.Fatal(err)
	}
	want := `#cloud-config
# who we are
hostname: new # not for long
ssh_authorized_keys:
  - ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHB1YmxpYyBrZXkgb2YgYSB0ZXN0IHRoYXQgaXMgbG9uZw== somebody@somewhere
rancher:
  network:
    interfaces:
      # the uplink
      eth1.100: {dhcp: true, address: 10.0.0.1/24}
      eth2.200:
        dhcp: true
      br.0:
        bridge: true
  sysctl:
    net.ipv4.ip_forward: 1
  services:
    web:
      image: nginx:1
  modules: [a, b]
  docker: null
  console: ""
  upgrade:
    url: '# no comment'
`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Error(diff)
	}
}

func TestSetKeepsAFileOfCommentsAndGluedOnes(t *testing.T) {
	for old, want := range map[string]string{
		"#cloud-config\n# hostname: example\n\n# the end\n": "#cloud-config\n# hostname: example\n\n# the end\n\nhostname: h\n",
		"\ufeff# note\r\n":      "# note\n\nhostname: h\n",
		"":                      "hostname: h\n",
		"hostname: 'a'# note\n": "hostname: h # note\n",
		"ssh_pwauth: yes\n":     "ssh_pwauth: yes\nhostname: h\n",
	} {
		root := machine(t, map[string]string{paths.LocalConfig: old})
		if err := Set(root, "hostname", "h"); err != nil {
			t.Errorf("%q: %v", old, err)
		}
		got, err := os.ReadFile(filepath.Join(root, paths.LocalConfig))
		if err != nil || string(got) != want {
			t.Errorf("%q became %q (%v), want %q", old, got, err, want)
		}
	}
}

func TestSetRefusesWhatIsNotValid(t *testing.T) {
	root := machine(t, nil)
	for _, tt := range []struct{ key, value, want string }{
		{"rancher.debug", "maybe", "rancher.debug: want true or false"},
		{"hostnam", "x", "did you mean hostname?"},
		{"rancher.ssh.port", "[1]", "rancher.ssh.port: want a whole number"},
		{"", "x", "want a key"},
		{"a..b", "x", "an empty name"},
	} {
		err := Set(root, tt.key, tt.value)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Set(%q, %q) = %v, want %q", tt.key, tt.value, err, tt.want)
		}
	}
	if _, err := os.Stat(filepath.Join(root, paths.LocalConfig)); err == nil {
		t.Error("a refused value left a file behind")
	}
}

func TestSetsAtTheSameTimeLoseNothing(t *testing.T) {
	root := machine(t, nil)
	var wg sync.WaitGroup
	keys := []string{"a", "b", "c", "d", "e", "f", "g", "h"}
	for _, k := range keys {
		wg.Go(func() {
			if err := Set(root, "rancher.environment."+k, "x"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	c, _, err := Load(root)
	if err != nil || len(c.Rancher.Environment) != len(keys) {
		t.Errorf("environment = %v, %v", c.Rancher.Environment, err)
	}
}

func TestMergeAddsToTheLocalLayer(t *testing.T) {
	root := machine(t, map[string]string{paths.LocalConfig: "rancher:\n  docker: {tls: true}\n  modules: [a]\n"})
	if err := Merge(root, "in.yml", []byte("rancher:\n  docker: {debug: true}\n  modules: [b]\n")); err != nil {
		t.Fatal(err)
	}
	c, _, err := Load(root)
	if err != nil || !c.Rancher.Docker.TLS || *c.Rancher.Docker.Debug != true || c.Rancher.Modules[0] != "b" {
		t.Errorf("docker %+v, modules %v, %v", c.Rancher.Docker, c.Rancher.Modules, err)
	}
	if err := Merge(root, "in.yml", []byte("ranchr: {}\n")); err == nil || !strings.Contains(err.Error(), "in.yml:1:1: ranchr") {
		t.Errorf("Merge of an unknown key = %v", err)
	}
}

func TestExportHoldsNoSecrets(t *testing.T) {
	root := machine(t, map[string]string{
		paths.OSConfig: "rancher: {console: default}\n",
		paths.LocalConfig: `password: s3cret
users: [{name: u, passwd: s3cret}]
rancher:
  ssh: {keys: {rsa: s3cret}, port: 23}
  docker: {ca_key: s3cret, tls: true}
  registry_auths: {docker.io: {auth: s3cret, username: u}}
`,
		"proc/cmdline": "rancher.password=s3cret rancher.autologin=tty1 rancher.log -- rancher.environment.EXTRA=s3cret cc.hostname=h",
	})
	_, tr, err := Load(root)
	if err != nil {
		t.Fatal(err)
	}
	got, err := tr.Export(ExportOptions{Full: true})
	if err != nil {
		t.Fatal(err)
	}
	want := `rancher:
  console: default
  ssh:
    port: 23
  docker:
    tls: true
  registry_auths:
    docker.io:
      username: u
  log: true
users:
  - name: u
`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Error(diff)
	}
	private, err := tr.Export(ExportOptions{Private: true})
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(private), "s3cret"); n != 6 || strings.Contains(string(private), "autologin") {
		t.Errorf("private export has %d of 6 secrets:\n%s", n, private)
	}
	if ps := Validate("export", got, CloudConfig).Errors(); len(ps) > 0 {
		t.Errorf("an export is not valid: %v", ps)
	}
}

func TestGetPrintsScalarsRawAndMapsAsYAML(t *testing.T) {
	root := machine(t, map[string]string{paths.LocalConfig: "hostname: 'h'\nrancher: {modules: [a, b], services: {web: {image: x}}}\n"})
	_, tr, err := Load(root)
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{
		"hostname":                   "h",
		"rancher.modules":            "- a\n- b\n",
		"rancher.modules[1]":         "b",
		"rancher.services.web.image": "x",
		"rancher.console":            "",
	} {
		if got, err := tr.GetText(key, false); got != want || err != nil {
			t.Errorf("GetText(%s) = %q, %v, want %q", key, got, err, want)
		}
	}
	if _, err := tr.GetText("rancher.consle", false); err == nil {
		t.Error("a key that does not exist is no error")
	}
}
