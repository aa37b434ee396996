package execute

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rancheros/cloudconfig"
	"rancheros/cloudinit/accounts"
)

func TestNamesOfAMachineComeInEveryForm(t *testing.T) {
	for _, row := range []struct{ config, cloud, short, full string }{
		{"hostname: box", "", "box", "box"},
		{"hostname: Box.example.test.", "", "Box", "Box.example.test"},
		{"fqdn: box.example.test", "", "box", "box.example.test"},
		{"hostname: box\nfqdn: other.example.test", "", "box", "other.example.test"},
		{"{}", "ip-192-0-2-1.example.test.", "ip-192-0-2-1", "ip-192-0-2-1.example.test"},
		{"hostname: a_b", "", "a_b", "a_b"},
		{"{}", "", "", ""},
	} {
		if short, full := Names(config(t, row.config), row.cloud); short != row.short || full != row.full {
			t.Errorf("%q, cloud %q: %q %q, want %q %q", row.config, row.cloud, short, full, row.short, row.full)
		}
	}
	for _, bad := range []string{"a b", "-a", "a-", "a..b", strings.Repeat("a", 64), "a;reboot"} {
		m := newMachine(t, debian)
		if _, err := m.run(t, "hostname: '"+bad+"'", "hostname"); err == nil || m.kernel.name != "" {
			t.Errorf("hostname %q: %v, set %q; want it refused", bad, err, m.kernel.name)
		}
	}
}

func TestAHostnameThatAPersonChoseStays(t *testing.T) {
	m := newMachine(t, debian)
	for _, row := range []struct{ byHand, config, want string }{
		{"", "hostname: first", "first"},
		{"", "hostname: second", "second"},
		{"mine", "hostname: third", "mine"},
		{"", "hostname: third\npreserve_hostname: true", "mine"},
	} {
		if row.byHand != "" {
			if err := os.WriteFile(filepath.Join(m.dir, "etc/hostname"), []byte(row.byHand+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := m.run(t, row.config, "hostname"); err != nil {
			t.Fatal(err)
		}
		if got := m.read(t, "etc/hostname"); got != row.want+"\n" {
			t.Errorf("%s: /etc/hostname is %q, want %s", row.config, got, row.want)
		}
	}
}

func TestAModeThatIsNoneNeverLocksAFileOrOpensIt(t *testing.T) {
	for text, want := range map[string]os.FileMode{
		"": 0o644, "permissions: '0600'": 0o600, "permissions: 0600": 0o600, "permissions: 0o600": 0o600, "permissions: 600": 0o600,
		"permissions: 420": 0o644, "permissions: '0'": 0o644, "permissions: '755'": 0o755,
	} {
		m := newMachine(t, debian)
		if _, err := m.run(t, "write_files: [{path: /etc/x, content: y, "+text+"}]", "write_files"); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		st, err := os.Stat(filepath.Join(m.dir, "etc/x"))
		if err != nil || st.Mode().Perm() != want {
			t.Errorf("%q: mode %o, %v; want %o", text, st.Mode().Perm(), err, want)
		}
	}
	for _, bad := range []string{"rw-r--r--", "0689", "-1", "99999"} {
		_, _, err := cloudconfig.Resolve(cloudconfig.Layer{Name: "x", File: "x", YAML: []byte("write_files: [{path: /etc/x, permissions: '" + bad + "'}]\n")})
		if err == nil || !strings.Contains(err.Error(), "x:1:") {
			t.Errorf("permissions %q: %v, want an error with its line", bad, err)
		}
	}
}

func TestWordsOfACommandAreWordsWhateverTheyLookLike(t *testing.T) {
	m := newMachine(t, debian)
	m.realPrograms(t)
	var out bytes.Buffer
	m.Output = &out
	_, err := m.run(t, `runcmd:
 - [echo, 1, true, 2.5, null, "a  b", "$HOME", "it's"]
 - echo  a   b
 - "[ -n \"$HOME\" ] && echo shell"
 -
`, "runcmd")
	if err != nil {
		t.Fatal(err)
	}
	if want := "1 true 2.5  a  b $HOME it's\na b\nshell\n"; strings.ReplaceAll(out.String(), "null ", " ") != want {
		t.Errorf("printed %q, want %q", out.String(), want)
	}
}

func TestUsersWithoutDefaultIsSaidToLockPeopleOut(t *testing.T) {
	for text, want := range map[string]bool{
		"users: [{name: ann}]\nssh_authorized_keys: ['" + testKey + "']":          true,
		"users: [default, {name: ann}]\nssh_authorized_keys: ['" + testKey + "']": false,
		"users: [{name: ann, ssh_authorized_keys: ['" + testKey + "']}]":          false,
	} {
		m := newMachine(t, debian)
		r, err := m.run(t, text, "users")
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(strings.Join(resultNamed(r, "users").Warnings, "\n"), "`default`"); got != want {
			t.Errorf("%s\nwarned: %v, want %v", text, got, want)
		}
	}
}

func TestPasswordLoginsStayAsTheyAreUnlessTheConfigSays(t *testing.T) {
	for text, want := range map[string]string{
		"hostname: x": "", "ssh_pwauth: unchanged": "", "ssh_pwauth: true": "PasswordAuthentication yes\n", "ssh_pwauth: 'no'": "PasswordAuthentication no\n",
	} {
		m := newMachine(t, debian)
		if _, err := m.run(t, text, "sshd"); err != nil {
			t.Fatal(err)
		}
		if got := readIf(m, "etc/ssh/sshd_config.d/50-cloud-init.conf"); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

func TestChpasswdIsReadInEveryForm(t *testing.T) {
	hash, err := accounts.Crypt("hashed")
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name, config, want string
		expired            bool
	}{
		{"a text of lines", "chpasswd: {list: \"ann:secret\\n\\nroot:other\\n\"}", "secret", true},
		{"a list", "chpasswd: {expire: false, list: ['ann:secret']}", "secret", false},
		{"a hash in the old list", "chpasswd: {expire: false, list: ['ann:" + hash + "']}", "hashed", false},
		{"users, text", "chpasswd: {expire: false, users: [{name: ann, type: text, password: secret}]}", "secret", false},
		{"users, hash is the default", "chpasswd: {expire: false, users: [{name: ann, password: '" + hash + "'}]}", "hashed", false},
		{"a colon in it", "chpasswd: {expire: false, list: ['ann:se:cret']}", "se:cret", false},
		{"random", "chpasswd: {expire: true, users: [{name: ann, type: RANDOM}]}", "", true},
	} {
		t.Run(row.name, func(t *testing.T) {
			m := newMachine(t, debian)
			var said bytes.Buffer
			m.Console = &said
			if _, err := m.run(t, "users: [{name: ann}]\n"+row.config, "users", "passwords"); err != nil {
				t.Fatal(err)
			}
			s, _ := m.account(t, "ann")
			f := strings.Split(s, ":")
			want := row.want
			if want == "" {
				for line := range strings.Lines(said.String()) {
					if _, pass, ok := strings.Cut(strings.TrimSpace(line), "ann:"); ok {
						want = pass
					}
				}
			}
			if want == "" || !accounts.Matches(f[1], want) || (f[2] == "0") != row.expired {
				t.Errorf("shadow %q, want %q, expired %v; console %q", s, want, row.expired, said.String())
			}
		})
	}
}

func TestADiskWithSomethingOnItIsLeftAloneUnlessToldOtherwise(t *testing.T) {
	m := newMachine(t, debian)
	img := filepath.Join(t.TempDir(), "disk.img")
	make := func(content string) {
		t.Helper()
		b := bytes.Repeat([]byte{0}, 64<<20)
		copy(b, content)
		if err := os.WriteFile(img, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	divide := func(more string) error {
		_, err := m.run(t, "disk_setup: {'"+img+"': {table_type: gpt, layout: [50, 50]"+more+"}}", "disk_setup")
		return err
	}
	// A signature of XFS at its place.
	make("XFSB")
	if err := divide(""); err == nil || !strings.Contains(err.Error(), "overwrite") {
		t.Errorf("a disk with a file system: %v, want it left alone and overwrite named", err)
	}
	if b, err := os.ReadFile(img); err != nil || string(b[:4]) != "XFSB" {
		t.Errorf("the disk was written to: %q, %v", b[:4], err)
	}
	if err := divide(", overwrite: true"); err != nil && !strings.Contains(err.Error(), "inappropriate ioctl") {
		t.Errorf("overwrite: %v", err)
	}
	if b, err := os.ReadFile(img); err != nil || string(b[512:520]) != "EFI PART" {
		t.Errorf("no table was written: %q, %v", b[512:520], err)
	}
	// A file system over all of the disk would take its partitions away.
	if err := os.MkdirAll(m.host("/dev"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(img, m.host("/dev/vdb")); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		more string
		ran  int
	}{{"", 0}, {", overwrite: true", 1}} {
		m.ran = nil
		_, err := m.run(t, "fs_setup: [{device: /dev/vdb, filesystem: odd, cmd: [sh, -c, mk]"+row.more+"}]", "fs_setup")
		if len(m.ran) != row.ran || (err == nil) != (row.ran > 0) {
			t.Errorf("a disk with partitions%s: ran %q, %v", row.more, m.ran, err)
		}
	}
}

func TestWhatNothingActsOnIsSaidAndNotSilence(t *testing.T) {
	const text = "packages: [nginx]\npackage_update: false\nsnap: {}\nhostname: box\n"
	for _, row := range []struct{ release, says string }{{"ID=debian\n", "do it in runcmd"}, {"ID=rancheros\n", "rancher.services"}} {
		m := newMachine(t, plus(map[string]string{"etc/os-release": row.release}))
		m.Ours = row.release != "ID=debian\n"
		c, err := m.ReadConfig("user-data", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		r, err := Run(t.Context(), m.Target, c, Options{Only: []string{"unsupported", "hostname"}})
		if err != nil {
			t.Fatal(err)
		}
		w := resultNamed(r, "unsupported").Warnings
		if len(w) != 1 || !strings.Contains(w[0], "user-data:1:1: packages") || !strings.Contains(w[0], row.says) {
			t.Errorf("%s: warnings %q, want one of packages with its line that says %s", row.release, w, row.says)
		}
		if m.kernel.name != "box" {
			t.Error("the rest was not applied")
		}
	}
}

func TestAnEmptyListOfUsersWantsNobody(t *testing.T) {
	for text, want := range map[string]bool{"hostname: x": true, "users: [default]": true, "users: []": false, "users: [ann]": false} {
		m := newMachine(t, debian)
		if _, err := m.run(t, text, "users"); err != nil {
			t.Fatal(err)
		}
		if _, there := m.account(t, "debian"); there != want {
			t.Errorf("%s: the default user is there: %v, want %v", text, there, want)
		}
	}
}

func TestAnEntryThatIsWrongTakesNoOtherWithIt(t *testing.T) {
	m := newMachine(t, debian)
	c, err := m.ReadConfig("user-data", []byte(`
users: [default, {name: ann, uid: many}, {name: bob}]
write_files: [{path: /a, content: a, permissions: rw}, {path: /b, content: b, permissions: 0600}]
runcmd: [[ls], {a: b}, [rm, x]]
hostname: box
`))
	if err == nil || !strings.Contains(err.Error(), "write_files[0].permissions") || !strings.Contains(err.Error(), "users[1].uid") {
		t.Errorf("ReadConfig() = %v, want both entries named", err)
	}
	if len(c.Users) != 2 || c.Users[1].Name != "bob" || len(c.WriteFiles) != 1 || c.WriteFiles[0].Path != "/b" || c.WriteFiles[0].Permissions != 0o600 {
		t.Errorf("users %v, files %v; want those that are right", c.Users, c.WriteFiles)
	}
	if len(c.RunCmd) > 0 || c.Hostname != "box" {
		t.Errorf("runcmd %v, hostname %q; want no command out of a list that is wrong", c.RunCmd, c.Hostname)
	}
}

func TestAKeyThatIsWrongTakesNoAliasWithIt(t *testing.T) {
	m := newMachine(t, debian)
	c, err := m.ReadConfig("user-data", []byte("x-common: &p {permissions: '0600'}\nwrite_files: [{<<: *p, path: /a, content: a}]\nhostname: &h box\nfqdn: *h\n"))
	if err == nil || !strings.Contains(err.Error(), "x-common") {
		t.Errorf("ReadConfig() = %v, want x-common named", err)
	}
	if len(c.WriteFiles) != 1 || c.WriteFiles[0].Permissions != 0o600 || c.FQDN != "box" {
		t.Errorf("files %v, fqdn %q; want what the aliases stand for", c.WriteFiles, c.FQDN)
	}
}

func TestOneKeyIsAsGoodAsAListOfOne(t *testing.T) {
	m := newMachine(t, debian)
	c, err := m.ReadConfig("user-data", []byte("ssh_authorized_keys: "+testKey+"\nusers: [default, {name: ann, ssh_authorized_keys: "+testKey+"}]\n"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Run(t.Context(), m.Target, c, Options{Only: []string{"users", "ssh_keys"}}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ann", "debian"} {
		if got := readIf(m, "home/"+name+"/.ssh/authorized_keys"); !strings.Contains(got, testKey) {
			t.Errorf("%s cannot log in: %q", name, got)
		}
	}
}

func TestADeviceWithoutADirectoryTakesItsLinesBack(t *testing.T) {
	for _, last := range []string{"[/dev/vdb]", "[/dev/vdb, null]", "[/dev/vdb, None]"} {
		m := newMachine(t, plus(map[string]string{"dev/vdb": "", "dev/vdc": ""}))
		r, err := m.run(t, "mounts: [[/dev/vdb, /data], [/dev/vdc, /more], [swap, none, swap, sw, '0', '0'], "+last+"]", "mounts")
		if err != nil || len(resultNamed(r, "mounts").Warnings) > 0 {
			t.Errorf("%s: %q, %v", last, resultNamed(r, "mounts").Warnings, err)
		}
		if got := m.read(t, "etc/fstab"); strings.Contains(got, "/dev/vdb") || !strings.Contains(got, "/dev/vdc") || strings.Contains(got, "swap") {
			t.Errorf("%s: fstab %q, want /dev/vdc alone in it", last, got)
		}
	}
}

func TestADiskThatTheCloudDoesNotHaveIsNoLineOfFstab(t *testing.T) {
	m := newMachine(t, debian)
	r, err := m.run(t, "mounts: [[ephemeral0, /mnt], [ebs1.2, /data]]", "mounts")
	if err != nil {
		t.Fatal(err)
	}
	if w := resultNamed(r, "mounts").Warnings; len(w) != 2 || strings.Contains(m.read(t, "etc/fstab"), "ephemeral") {
		t.Errorf("warnings %q, fstab %q", w, m.read(t, "etc/fstab"))
	}
}
