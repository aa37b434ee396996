package execute

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"testing/synctest"

	"rancheros/cloudinit/state"
)

// plus is debian with more files.
func plus(more map[string]string) map[string]string {
	all := maps.Clone(debian)
	maps.Copy(all, more)
	return all
}

func TestPhoningHomeTellsWhatIsAskedForUntilSomebodyAnswers(t *testing.T) {
	for _, row := range []struct {
		name, config string
		fails, asked int
		want         string // keys and the values of those without keys of ssh
	}{
		{"all by default", "phone_home: {url: 'http://192.0.2.1/$INSTANCE_ID/'}", 0, 1, "fqdn=box.example.test&hostname=box&instance_id=i-1&pub_key_ecdsa=N/A&pub_key_ed25519=ssh-ed25519 AAAA&pub_key_rsa=of the image"},
		{"all", "phone_home: {url: 'http://192.0.2.1/$INSTANCE_ID/', post: all}", 0, 1, "fqdn=box.example.test&hostname=box&instance_id=i-1&pub_key_ecdsa=N/A&pub_key_ed25519=ssh-ed25519 AAAA&pub_key_rsa=of the image"},
		{"a list", "phone_home: {url: 'http://192.0.2.1/$INSTANCE_ID/', post: [hostname, pub_key_ed25519]}", 2, 3, "hostname=box&pub_key_ed25519=ssh-ed25519 AAAA"},
		{"nobody answers", "phone_home: {url: 'http://192.0.2.1/$INSTANCE_ID/', post: [hostname], tries: 4}", 100, 4, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMachine(t, plus(map[string]string{"etc/ssh/ssh_host_ed25519_key.pub": "ssh-ed25519 AAAA\n", "etc/ssh/ssh_host_rsa_key.pub": "of the image\n"}))
				asked, got := 0, ""
				m.HTTP = &http.Client{Transport: trip(func(r *http.Request) (*http.Response, error) {
					asked++
					if r.Method != http.MethodPost || r.URL.Path != "/i-1/" {
						t.Errorf("%s %s", r.Method, r.URL)
					}
					if asked <= row.fails {
						return &http.Response{StatusCode: 500, Status: "500", Body: http.NoBody}, nil
					}
					b, err := io.ReadAll(r.Body)
					got, _ = url.QueryUnescape(string(b))
					return &http.Response{StatusCode: 200, Body: http.NoBody}, err
				})}
				_, err := m.run(t, "fqdn: box.example.test\n"+row.config, "phone_home")
				if asked != row.asked || got != row.want || (err != nil) != (row.want == "") {
					t.Errorf("asked %d times, told %q, %v; want %d times, %q", asked, got, err, row.asked, row.want)
				}
			})
		})
	}
	m := newMachine(t, debian)
	if _, err := m.run(t, "phone_home: {url: 'ftp://x'}", "phone_home"); err == nil || !strings.Contains(err.Error(), "http or https") {
		t.Errorf("an address of ftp: %v, want it to say http or https", err)
	}
	told := ""
	m.HTTP = &http.Client{Transport: trip(func(r *http.Request) (*http.Response, error) {
		b, err := io.ReadAll(r.Body)
		told = string(b)
		return &http.Response{StatusCode: 200, Body: http.NoBody}, err
	})}
	r, err := m.run(t, "phone_home: {url: 'http://x', post: [shoe_size, instance_id]}", "phone_home")
	if w := resultNamed(r, "phone_home").Warnings; err != nil || told != "instance_id=i-1" || len(w) != 1 || !strings.Contains(w[0], "shoe_size") {
		t.Errorf("told %q, warnings %q, %v; want shoe_size named and the rest told", told, w, err)
	}
}

func TestPowerStateGoesDownHowAndWhenTheConfigSays(t *testing.T) {
	for _, row := range []struct {
		config string
		exit   bool // the condition's command fails
		want   string
	}{
		{"mode: poweroff", false, "shutdown -P now"},
		{"mode: reboot, delay: now, message: bye bye", false, "shutdown -r now bye bye"},
		{"mode: halt, delay: 5", false, "shutdown -H +5"},
		{"mode: reboot, delay: '+5'", false, "shutdown -r +5"},
		{"mode: reboot, condition: true", false, "shutdown -r now"},
		{"mode: reboot, condition: false", false, ""},
		{"mode: reboot, condition: test -e /x", false, "shutdown -r now"},
		{"mode: reboot, condition: test -e /x", true, ""},
		{"mode: reboot, condition: [test, -e, /x]", true, ""},
	} {
		m := newMachine(t, debian)
		m.Run = func(*exec.Cmd) error {
			if row.exit {
				return &exec.ExitError{}
			}
			return nil
		}
		if _, err := m.run(t, "power_state: {"+row.config+"}", "power_state"); err != nil {
			t.Errorf("%s: %v", row.config, err)
		}
		got := ""
		for _, argv := range m.Later {
			got += strings.Join(argv, " ")
		}
		if got != row.want {
			t.Errorf("%s, condition fails %v: %q, want %q", row.config, row.exit, got, row.want)
		}
	}
}

func TestTheLastMessageIsFilledIn(t *testing.T) {
	for _, text := range []string{"at $TIMESTAMP by $version up $UPTIME", "## template: jinja\nat {{ timestamp }} by {{version}} up {{ UPTIME }}", ""} {
		m := newMachine(t, debian)
		var said bytes.Buffer
		m.Console = &said
		if _, err := m.run(t, "final_message: |\n  "+strings.ReplaceAll(text, "\n", "\n  "), "final_message"); err != nil {
			t.Fatal(err)
		}
		if got := said.String(); strings.ContainsAny(got, "${}") || strings.Contains(got, "template") || len(got) < 20 {
			t.Errorf("%q gives %q", text, got)
		}
		if !exists(m, "var/lib/cloud/instances/i-1/boot-finished") {
			t.Error("there is no mark for those who wait")
		}
	}
}

func TestKeysOfGitHubAndLaunchpadAreImported(t *testing.T) {
	m := newMachine(t, debian)
	var asked []string
	m.HTTP = &http.Client{Transport: trip(func(r *http.Request) (*http.Response, error) {
		asked = append(asked, r.URL.String())
		return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(testKey + "\nnonsense\n"))}, nil
	})}
	const text = "ssh_import_id: ['gh:joe']\nusers: [default, {name: ann, ssh_import_id: ['lp:ann', bare]}]\n"
	for range 2 {
		if _, err := m.run(t, text, "users", "ssh_import_id"); err != nil {
			t.Fatal(err)
		}
	}
	if want := "https://github.com/joe.keys https://launchpad.net/~ann/+sshkeys https://launchpad.net/~bare/+sshkeys"; !strings.HasPrefix(strings.Join(asked, " "), want) {
		t.Errorf("asked %q, want %s", asked, want)
	}
	for _, home := range []string{"home/debian", "home/ann"} {
		if got := m.read(t, home+"/.ssh/authorized_keys"); strings.Count(got, testKey) != 1 || strings.Contains(got, "nonsense") {
			t.Errorf("%s has %q, want the key once", home, got)
		}
	}
	for _, id := range []string{"gh:a/b", "xx:joe", "gh:"} {
		if _, err := m.run(t, "users: [{name: ann, ssh_import_id: ['"+id+"']}]", "ssh_import_id"); err == nil || !strings.Contains(err.Error(), id) {
			t.Errorf("%s: %v, want it refused by name", id, err)
		}
	}
}

func TestFileSystemsAreMadeByTheirTools(t *testing.T) {
	m := newMachine(t, plus(map[string]string{"dev/vdb": "", "dev/vdb1": "", "dev/vdb2": "", "dev/nvme0n1p1": "",
		"sbin/mkfs.ext4": "#!", "sbin/mkfs.xfs": "#!", "sbin/mkfs.vfat": "#!", "sbin/mkswap": "#!", "sbin/mk": "#!"}))
	_, err := m.run(t, `device_aliases: {data: /dev/vdb}
fs_setup:
  - {device: data, partition: auto, filesystem: ext4, label: d, extra_opts: [-m, "0"]}
  - {device: data.2, filesystem: xfs}
  - {device: /dev/nvme0n1, partition: auto, filesystem: vfat, label: EFI}
  - {device: /dev/vdb, partition: none, filesystem: swap}
  - {device: /dev/vdb1, filesystem: odd, label: x, cmd: "mkfs -t %(filesystem)s -L %(label)s %(device)s"}
  - {device: /dev/vdb2, filesystem: ext4, cmd: [mk, "%(device)s"]}
`, "fs_setup")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"mkfs.ext4 -F -L d -m 0 /dev/vdb1", "mkfs.xfs -f /dev/vdb2", "mkfs.vfat -n EFI /dev/nvme0n1p1", "mkswap /dev/vdb",
		"sh -c mkfs -t odd -L x /dev/vdb1", "mk /dev/vdb2"}
	if got := strings.Join(m.ran, "\n"); got != strings.Join(want, "\n") {
		t.Errorf("ran\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
}

func TestGrowingCanBeSwitchedOff(t *testing.T) {
	for _, off := range []string{"growpart: {mode: 'off'}", "growpart: {mode: off}", "growpart: {mode: false}"} {
		m := newMachine(t, debian)
		r, err := m.run(t, off, "resize")
		if why := resultNamed(r, "resize").Why; err != nil || !strings.Contains(why, "off") {
			t.Errorf("%s: %q, %v", off, why, err)
		}
	}
	m := newMachine(t, plus(map[string]string{"etc/growroot-disabled": ""}))
	if r, _ := m.run(t, "{}", "resize"); !strings.Contains(resultNamed(r, "resize").Why, "growroot-disabled") {
		t.Errorf("resize = %+v, want it to heed /etc/growroot-disabled", resultNamed(r, "resize"))
	}
	m.kernel.mounted = []MountPoint{{"overlay", "/", "overlay"}}
	if r, err := m.run(t, "growpart: {ignore_growroot_disabled: true}", "resize"); err != nil || resultNamed(r, "resize").Outcome != Unchanged {
		t.Errorf("resize = %+v, %v; want it to look", resultNamed(r, "resize"), err)
	}
}

func TestHostKeysAndCertificatesThatAreGivenAreTheOnlyOnes(t *testing.T) {
	m := newMachine(t, debian)
	if _, err := m.run(t, "ssh_keys: {ed25519_private: PRIVATE, ed25519_public: PUBLIC, ed25519_certificate: CERT}", "ssh_host_keys"); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"ssh_host_ed25519_key": "PRIVATE\n", "ssh_host_ed25519_key.pub": "PUBLIC\n", "ssh_host_ed25519_key-cert.pub": "CERT\n",
		"sshd_config.d/60-cloud-init-certificates.conf": "HostCertificate /etc/ssh/ssh_host_ed25519_key-cert.pub\n"} {
		if got := readIf(m, "etc/ssh/"+name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	if exists(m, "etc/ssh/ssh_host_rsa_key") || exists(m, "etc/ssh/ssh_host_ecdsa_key") {
		t.Error("there is a host key that nobody gave")
	}
}

func TestKeysOfDSAAreNoReasonToFail(t *testing.T) {
	m := newMachine(t, debian)
	r, err := m.run(t, "ssh_genkeytypes: [dsa, ed25519]", "ssh_host_keys")
	if err != nil || len(resultNamed(r, "ssh_host_keys").Warnings) > 0 || !exists(m, "etc/ssh/ssh_host_ed25519_key") || exists(m, "etc/ssh/ssh_host_dsa_key") {
		t.Errorf("ssh_host_keys = %+v, %v; want ed25519 alone", resultNamed(r, "ssh_host_keys"), err)
	}
}

func TestAHostKeyWithoutItsPublicHalfGetsOne(t *testing.T) {
	for _, kind := range []string{"ed25519", "ecdsa", "rsa"} {
		private, public, err := HostKey(kind, "c")
		if err != nil {
			t.Fatal(err)
		}
		m := newMachine(t, debian)
		r, err := m.run(t, "ssh_keys:\n  "+kind+"_private: |\n    "+strings.ReplaceAll(private, "\n", "\n    ")+"\n", "ssh_host_keys")
		if err != nil || len(resultNamed(r, "ssh_host_keys").Warnings) > 0 {
			t.Fatal(resultNamed(r, "ssh_host_keys").Warnings, err)
		}
		if got := readIf(m, "etc/ssh/ssh_host_"+kind+"_key.pub"); strings.TrimSpace(got)+" c\n" != public {
			t.Errorf("%s: the public half is %q, want %q", kind, got, public)
		}
	}
	m := newMachine(t, debian)
	r, err := m.run(t, "ssh_keys: {rsa_private: secret}", "ssh_host_keys")
	if w := resultNamed(r, "ssh_host_keys").Warnings; err != nil || len(w) != 1 || strings.Contains(w[0], "secret") {
		t.Errorf("a key that is none: warnings %q, %v; want one without the key", w, err)
	}
}

func TestAnSSHDConfigWithoutAFolderIsChangedItself(t *testing.T) {
	for have, want := range map[string]string{
		"Port 22\n#PasswordAuthentication no\n":                              "PasswordAuthentication yes\nPort 22\n#PasswordAuthentication no\n",
		"PasswordAuthentication no\nPort 22\n":                               "PasswordAuthentication yes\nPort 22\n",
		"Port 22\nMatch User x\n  PasswordAuthentication no\n":               "PasswordAuthentication yes\nPort 22\nMatch User x\n  PasswordAuthentication no\n",
		"Include /etc/ssh/sshd_config.d/*.conf\nPasswordAuthentication no\n": "Include /etc/ssh/sshd_config.d/*.conf\nPasswordAuthentication no\n",
		"# Include /etc/ssh/sshd_config.d/*.conf\n":                          "PasswordAuthentication yes\n# Include /etc/ssh/sshd_config.d/*.conf\n",
		"Match User x\n Include /etc/ssh/sshd_config.d/*.conf\n":             "PasswordAuthentication yes\nMatch User x\n Include /etc/ssh/sshd_config.d/*.conf\n",
	} {
		m := newMachine(t, plus(map[string]string{"etc/ssh/sshd_config": have}))
		if err := os.Chmod(m.host("/etc/ssh/sshd_config"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := m.run(t, "ssh_pwauth: true", "sshd"); err != nil {
			t.Fatal(err)
		}
		if got := m.read(t, "etc/ssh/sshd_config"); got != want {
			t.Errorf("sshd_config = %q, want %q", got, want)
		}
		if n, err := m.Tree.Stat("/etc/ssh/sshd_config"); err != nil || n.Mode != 0o600 {
			t.Errorf("sshd_config has mode %04o, %v; want the one it had", n.Mode, err)
		}
	}
}

func TestHostKeysArePrintedUnlessTheConfigSaysNot(t *testing.T) {
	for config, want := range map[string][2]bool{ // fingerprints of ed25519, its key
		"{}": {true, true}, "ssh: {emit_keys_to_console: false}": {false, false},
		"ssh_key_console_blacklist: [ssh-ed25519]": {true, false}, "ssh_fp_console_blacklist: [ssh-ed25519]": {false, true},
	} {
		m := newMachine(t, plus(map[string]string{"etc/ssh/ssh_host_ed25519_key.pub": testKey + "\n"}))
		var said bytes.Buffer
		m.Console = &said
		if _, err := m.run(t, config, "keys_to_console"); err != nil {
			t.Fatal(err)
		}
		got := said.String()
		if strings.Contains(got, "SHA256:") != want[0] || strings.Contains(got, testKey) != want[1] {
			t.Errorf("%s: printed %q, want fingerprint and key %v", config, got, want)
		}
	}
}

func TestOnAnotherLinuxItsOwnConfigIsUnderTheUsers(t *testing.T) {
	m := newMachine(t, plus(map[string]string{
		"etc/cloud/cloud.cfg":                     "users: [default]\nssh_pwauth: false\npreserve_hostname: false\ncloud_init_modules: [x]\nsystem_info: {default_user: {name: admin, groups: [sudo, missing], lock_passwd: true}}\n",
		"etc/cloud/cloud.cfg.d/05_l.cfg":          "output: {all: '| tee -a /var/log/cloud-init-output.log'}\n",
		"var/lib/cloud/data/instance-id":          "i-1\n",
		"var/lib/cloud/instance/cloud-config.txt": "#cloud-config\nssh_pwauth: true\nhostnmae: typo\nhostname: box\n",
	}))
	c, err := m.LoadConfig()
	if err == nil || !strings.Contains(err.Error(), "hostnmae") {
		t.Errorf("LoadConfig() = %v, want the typo named", err)
	}
	if c.Hostname != "box" || c.SSHPasswordAuth != "true" || c.Output.All.Output == "" {
		t.Errorf("config = %q %q %+v, want what is right of it", c.Hostname, c.SSHPasswordAuth, c.Output)
	}
	if _, err := Run(t.Context(), m.Target, c, Options{Only: []string{"users"}}); err != nil {
		t.Fatal(err)
	}
	if _, there := m.account(t, "admin"); !there || strings.Contains(m.read(t, "etc/group"), "missing") {
		t.Error("the distribution's default user was not made as it says")
	}
}

func TestTheImagesAuthoritiesCanBeDistrusted(t *testing.T) {
	m := newMachine(t, plus(map[string]string{"usr/local/share/x": "", "usr/sbin/update-ca-certificates": "#!", "etc/ca-certificates.conf": "# list\nmozilla/a.crt\n!mozilla/b.crt\n"}))
	if _, err := m.run(t, "ca_certs: {remove_defaults: true}", "ca_certs"); err != nil {
		t.Fatal(err)
	}
	if got := m.read(t, "etc/ca-certificates.conf"); got != "# list\n!mozilla/a.crt\n!mozilla/b.crt\n" || len(m.ran) != 1 {
		t.Errorf("ca-certificates.conf = %q, ran %q", got, m.ran)
	}
	m = newMachine(t, debian)
	if _, err := m.run(t, "ca_certs: {trusted: [nonsense]}", "ca_certs"); err == nil || !strings.Contains(err.Error(), "trusted[0]") {
		t.Errorf("nonsense: %v", err)
	}
}

func TestMessagesAreSentWhereTheConfigSays(t *testing.T) {
	m := newMachine(t, debian)
	_, err := m.run(t, `rsyslog:
  config_dir: /etc/r.d
  config_filename: 10.conf
  configs: ["*.* /var/log/all", {content: "mail.* @mail", filename: 20.conf}]
  remotes: {central: "*.warn @@192.0.2.9:514", other: 192.0.2.8, off: ""}
  service_reload_command: [env, restart, rsyslog]
`, "rsyslog")
	if err != nil {
		t.Fatal(err)
	}
	if got := m.read(t, "etc/r.d/10.conf"); got != "*.* /var/log/all\n*.warn @@192.0.2.9:514 # central\n*.* @192.0.2.8 # other\n" {
		t.Errorf("10.conf = %q", got)
	}
	if got := m.read(t, "etc/r.d/20.conf"); got != "mail.* @mail\n" || strings.Join(m.ran, "; ") != "env restart rsyslog" {
		t.Errorf("20.conf = %q, ran %q", got, m.ran)
	}
}

func TestTunnelsComeBackAtEveryBoot(t *testing.T) {
	const config = "wireguard: {interfaces: [{name: wg0, config_path: /etc/wireguard/wg0.conf, content: secret}], readinessprobe: [ping -c1 192.0.2.1]}"
	for _, row := range []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"by systemd", map[string]string{"usr/bin/wg-quick": "#!", "usr/bin/systemctl": "#!", "run/systemd/system/x": "", "usr/lib/systemd/system/wg-quick@.service": ""},
			"systemctl --no-block enable --now wg-quick@wg0.service"},
		{"by itself", map[string]string{"usr/bin/wg-quick": "#!"}, "wg-quick up /etc/wireguard/wg0.conf"},
	} {
		m := newMachine(t, plus(row.files))
		if _, err := m.run(t, config, "wireguard"); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(m.ran, "; "); got != row.want+"; sh -c ping -c1 192.0.2.1" {
			t.Errorf("%s: ran %q", row.name, got)
		}
	}
	m := newMachine(t, debian)
	if _, err := m.run(t, "wireguard: {interfaces: [{name: 'a/b', content: x}]}", "wireguard"); err == nil {
		t.Error("a name with a slash was taken")
	}
}

func TestAResolvConfOfWhichNothingIsSaidStays(t *testing.T) {
	for _, config := range []string{"manage_resolv_conf: true", "manage_resolv_conf: true\nresolv_conf: {nameservers: []}"} {
		m := newMachine(t, plus(map[string]string{"etc/resolv.conf": "nameserver 192.0.2.53\n"}))
		r, err := m.run(t, config, "resolv_conf")
		if err != nil || m.read(t, "etc/resolv.conf") != "nameserver 192.0.2.53\n" || len(resultNamed(r, "resolv_conf").Warnings) != 1 {
			t.Errorf("%s: %q, %v; want the file kept and a warning", config, m.read(t, "etc/resolv.conf"), err)
		}
	}
}

func TestATimezoneIsAFileAndNoFolderOfThem(t *testing.T) {
	m := newMachine(t, debian)
	for _, zone := range []string{"Europe", "Europe/Atlantis", ".."} {
		if _, err := m.run(t, "timezone: "+zone, "timezone"); err == nil || exists(m, "etc/localtime") {
			t.Errorf("timezone %s was taken: %v", zone, err)
		}
	}
}

func TestHostsKeepsEveryLineButOurs(t *testing.T) {
	m := newMachine(t, plus(map[string]string{"etc/hosts": "127.0.0.1 localhost\n127.0.1.1 old.example.test old\n192.0.2.1 db\n"}))
	if _, err := m.run(t, "fqdn: box.example.test\nmanage_etc_hosts: localhost", "etc_hosts"); err != nil {
		t.Fatal(err)
	}
	if got := m.read(t, "etc/hosts"); got != "127.0.0.1 localhost\n127.0.1.1 box.example.test box\n192.0.2.1 db\n" {
		t.Errorf("hosts = %q", got)
	}
	for _, how := range []string{"true", "template"} {
		if _, err := m.run(t, "fqdn: box.example.test\nmanage_etc_hosts: "+how, "etc_hosts"); err != nil {
			t.Fatal(err)
		}
		if got := m.read(t, "etc/hosts"); !strings.Contains(got, "127.0.1.1 box.example.test box\n") || strings.Contains(got, "db") {
			t.Errorf("%s: hosts = %q", how, got)
		}
	}
}

func TestAFailingProgramIsNamedWithWhereItsOutputIs(t *testing.T) {
	m := newMachine(t, debian)
	m.Run = func(*exec.Cmd) error { return errors.New("exit status 3") }
	_, err := m.run(t, "runcmd: [false]", "runcmd")
	if err == nil || !strings.Contains(err.Error(), "exit status 3") || !strings.Contains(err.Error(), state.OutputFile) {
		t.Errorf("runcmd: %v, want the status and %s", err, state.OutputFile)
	}
}

func TestCardsThatArePluggedInAreAskedForWhereTheConfigWantsIt(t *testing.T) {
	m := newMachine(t, plus(map[string]string{"usr/bin/cloud-init-save": "#!", "usr/bin/systemd-run": "#!", "usr/bin/udevadm": "#!"}))
	for _, row := range []struct {
		config string
		there  bool
		ran    int
	}{
		{"{}", false, 0}, {"updates: {network: {when: [boot-new-instance, hotplug]}}", true, 1},
		{"updates: {network: {when: [hotplug]}}", true, 1}, {"updates: {network: {when: [boot]}}", false, 2},
	} {
		if _, err := m.run(t, row.config, "hotplug"); err != nil {
			t.Fatal(err)
		}
		if got := readIf(m, hotplugRules); strings.Contains(got, "/usr/bin/cloud-init-save --fresh") != row.there || len(m.ran) != row.ran {
			t.Errorf("%s: rules %q, ran %q", row.config, got, m.ran)
		}
	}
}
