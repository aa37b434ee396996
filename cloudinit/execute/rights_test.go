package execute

import (
	"context"
	"strings"
	"testing"

	"rancheros/cloudinit/accounts"
)

// run runs appliers by name and returns the report and the errors.
func (m *machine) run(t *testing.T, text string, names ...string) (*Report, error) {
	t.Helper()
	return Run(t.Context(), m.Target, config(t, text), Options{Only: names, Again: true})
}

func TestPasswordsOfUsersAreSetAsUpstreamSetsThem(t *testing.T) {
	old, err := accounts.Crypt("old")
	if err != nil {
		t.Fatal(err)
	}
	hash, err := accounts.Crypt("hashed")
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name, keys string
		there      bool
		want       string // the password that fits
		locked     bool
	}{
		{"passwd of a new one", "passwd: '" + hash + "', lock_passwd: false", false, "hashed", false},
		{"passwd of one that is there", "passwd: '" + hash + "', lock_passwd: false", true, "old", false},
		{"hashed_passwd of one that is there", "hashed_passwd: '" + hash + "', lock_passwd: false", true, "hashed", false},
		{"text of one that is there", "plain_text_passwd: text, lock_passwd: false", true, "text", false},
		{"hash and text", "plain_text_passwd: text, hashed_passwd: '" + hash + "', lock_passwd: false", true, "hashed", false},
		{"locked by default", "hashed_passwd: '" + hash + "'", true, "hashed", true},
		{"no password at all is never open", "lock_passwd: false", false, "", true},
	} {
		t.Run(row.name, func(t *testing.T) {
			m := newMachine(t, debian)
			if row.there {
				if _, err := m.run(t, "users: [{name: ann, passwd: '"+old+"', lock_passwd: false}]", "users"); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := m.run(t, "users: [{name: ann, "+row.keys+"}]", "users"); err != nil {
				t.Fatal(err)
			}
			s, _ := m.account(t, "ann")
			have := strings.Split(s, ":")[1]
			if strings.HasPrefix(have, "!") != row.locked || row.want != "" && !accounts.Matches(strings.TrimLeft(have, "!"), row.want) {
				t.Errorf("shadow has %q, want password %q, locked %v", have, row.want, row.locked)
			}
		})
	}
}

func TestEveryKeyOfAUserIsActedOn(t *testing.T) {
	files := map[string]string{}
	for k, v := range debian {
		files[k] = v
	}
	files["etc/sudoers"] = "root ALL=(ALL) ALL\n"
	files["etc/doas.conf"] = "permit root\n"
	files["usr/sbin/semanage"] = "#!"
	m := newMachine(t, files)
	_, err := m.run(t, `
groups: [admins]
users:
  - {name: ann, uid: 2000, gecos: Ann A, homedir: /srv/ann, shell: /bin/sh, primary_group: admins, groups: "sudo, new",
     sudo: ["ALL=(ALL) ALL", "ALL=(bob) NOPASSWD:ALL"], doas: [permit nopass ann], expiredate: '2032-09-01', inactive: '5', selinux_user: staff_u}
  - {name: bob, no_user_group: true, no_create_home: true, sudo: false}
  - {name: svc, system: true, sudo: null}
  - {name: eve, groups: [sudo, missing], create_groups: false}
`, "users")
	if err != nil {
		t.Fatal(err)
	}
	group, shadow := m.read(t, "etc/group"), m.read(t, "etc/shadow")
	db, err := accounts.Load(m.Tree)
	if err != nil {
		t.Fatal(err)
	}
	admins, _ := db.Group("admins")
	ann, _ := db.User("ann")
	if ann.UID != 2000 || ann.GID != admins || ann.Gecos != "Ann A" || ann.Home != "/srv/ann" || ann.Shell != "/bin/sh" {
		t.Errorf("ann = %+v", ann)
	}
	svc, _ := db.User("svc")
	if bob, _ := db.User("bob"); bob.GID != 100 || svc.UID >= 1000 {
		t.Errorf("bob = %+v, svc = %+v", bob, svc)
	}
	for _, want := range []string{"sudo:x:27:ann,eve", "\nnew:x:"} {
		if !strings.Contains(group, want) {
			t.Errorf("group lacks %q:\n%s", want, group)
		}
	}
	if strings.Contains(group, "missing") || strings.Contains(group, "bob:") {
		t.Errorf("group has what nobody asked for:\n%s", group)
	}
	// 22889 is the day of 2032-09-01.
	if !strings.Contains(shadow, ":5:22889:") {
		t.Errorf("shadow lacks expiry and inactivity:\n%s", shadow)
	}
	if !exists(m, "srv/ann/.profile") || exists(m, "home/bob") || exists(m, "home/svc") {
		t.Error("homes are not as the config says")
	}
	if got := m.read(t, sudoers); !strings.Contains(got, "ann ALL=(ALL) ALL\nann ALL=(bob) NOPASSWD:ALL\n") || strings.Contains(got, "bob False") || strings.Count(got, "\n") != 3 {
		t.Errorf("sudo rules:\n%s", got)
	}
	if got := m.read(t, "etc/sudoers"); !strings.HasSuffix(got, "#includedir /etc/sudoers.d\n") {
		t.Errorf("sudo does not read its folder:\n%s", got)
	}
	if got := m.read(t, "etc/doas.conf"); !strings.HasPrefix(got, "permit root\n") || !strings.Contains(got, "permit nopass ann\n") {
		t.Errorf("doas.conf = %q, want the image's rules and ann's", got)
	}
	if got := strings.Join(m.ran, "; "); got != "semanage login -a -s staff_u ann" {
		t.Errorf("ran %q", got)
	}
}

func TestMembersOfAGroupAreUsersThatThereAre(t *testing.T) {
	m := newMachine(t, debian)
	r, err := m.run(t, `
groups: [{wheel: [ann, root, ghost, "x\nevil:x:0:"]}]
users: [{name: ann}]
`, "users")
	if err != nil {
		t.Fatal(err)
	}
	if got := m.read(t, "etc/group"); !strings.Contains(got, ":ann,root\n") || strings.Contains(got, "evil") {
		t.Errorf("group:\n%s\nwant ann and root in wheel and no line of its own", got)
	}
	if w := resultNamed(r, "users").Warnings; len(w) != 2 || !strings.Contains(w[0], "ghost") {
		t.Errorf("warnings %q, want those named who are nobody", w)
	}
}

func TestAUserThatCannotBeIsNamedAndTheOthersAreMade(t *testing.T) {
	for _, row := range []struct{ entry, says string }{
		{"{snapuser: joe@example.com}", "snapuser"},
		{"{name: red, ssh_redirect_user: true, ssh_authorized_keys: ['" + testKey + "']}", "ssh_redirect_user"},
		{"{name: red, doas: [permit root]}", "for somebody else"},
		{"{name: red, sudo: [\"ALL=(ALL) ALL\\nann ALL=(ALL) ALL\"]}", "one line"},
		{"{name: red, groups: ['a:b', sudo]}", "a:b"},
		{"{name: red, uid: 4294967296}", "4294967296"},
		{"{name: red, homedir: home/red}", "slash"},
		{"{name: 'a b'}", "is no name"},
	} {
		m := newMachine(t, debian)
		_, err := m.run(t, "users: [default, "+row.entry+", {name: ann}]", "users")
		if err == nil || !strings.Contains(err.Error(), row.says) {
			t.Errorf("%s: %v, want it to say %s", row.entry, err, row.says)
		}
		if _, there := m.account(t, "ann"); !there {
			t.Errorf("%s: ann was not made", row.entry)
		}
		if got := readIf(m, "etc/sudoers.d/90-cloud-init-users"); !strings.Contains(got, "debian ALL=(ALL) NOPASSWD:ALL\n") || strings.Contains(got, "ann") {
			t.Errorf("%s: sudo for %q, want it for the default user alone", row.entry, got)
		}
		if strings.Contains(row.entry, "groups") && !strings.Contains(m.read(t, "etc/group"), "sudo:x:27:debian,red") {
			t.Errorf("%s: the group that is right was left out", row.entry)
		}
	}
}

func TestRedirectedUsersAreToldWhomToLogInAs(t *testing.T) {
	m := newMachine(t, debian)
	m.Keys = []string{testKey}
	if _, err := m.run(t, "users: [default, {name: old, ssh_redirect_user: true}]", "users", "ssh_keys"); err != nil {
		t.Fatal(err)
	}
	if got := m.read(t, "home/old/.ssh/authorized_keys"); !strings.Contains(got, `"debian\" rather than the user \"old\"`) || !strings.Contains(got, testKey) {
		t.Errorf("authorized_keys of old:\n%s", got)
	}
}

func TestHostKeysAreToldToTheCloudThatWantsThem(t *testing.T) {
	for _, row := range []struct {
		config string
		told   string
	}{
		{"hostname: x\n", "ecdsa ed25519"},
		{"ssh_publish_hostkeys: {blacklist: [ecdsa]}\n", "ed25519"},
		{"ssh_publish_hostkeys: {enabled: false}\n", ""},
	} {
		m := newMachine(t, debian)
		got := ""
		m.Publish = func(_ context.Context, keys map[string]string) (bool, error) {
			got = strings.Join(sortedKeys(keys), " ")
			return true, nil
		}
		if _, err := m.run(t, row.config, "ssh_host_keys", "ssh_publish_hostkeys"); err != nil {
			t.Fatal(err)
		}
		if got != row.told {
			t.Errorf("%s: told %q, want %q", row.config, got, row.told)
		}
	}
}

func TestFingerprintsAreThoseOfSSHKeygen(t *testing.T) {
	for hash, want := range map[string]string{
		"sha256": "SHA256:", "md5": "MD5:", "sha512": "SHA512:",
	} {
		if got := Fingerprint(`no-pty,command="x y" `+testKey, hash); !strings.HasPrefix(got, want) || len(got) < 30 {
			t.Errorf("Fingerprint(%s) = %q", hash, got)
		}
	}
	m := newMachine(t, debian)
	var out strings.Builder
	m.Console = &out
	if _, err := m.run(t, "authkey_hash: crc32\n", "authkey_fingerprints"); err == nil || !strings.Contains(err.Error(), "authkey_hash") {
		t.Errorf("authkey_hash crc32: %v", err)
	}
}
