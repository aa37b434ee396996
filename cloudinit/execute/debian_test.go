package execute

import (
	"os"
	"strings"
	"testing"
)

func apply(t *testing.T, m *machine, text string) {
	t.Helper()
	if _, err := Run(t.Context(), m.Target, config(t, text), Options{Only: []string{"users", "passwords", "write_files"}}); err != nil {
		t.Fatal(err)
	}
}

func shadow(t *testing.T, m *machine, name string) []string {
	t.Helper()
	for line := range strings.Lines(m.read(t, "etc/shadow")) {
		if f := strings.Split(strings.TrimSpace(line), ":"); f[0] == name {
			return f
		}
	}
	t.Fatalf("there is no user %s", name)
	return nil
}

func TestPasswordsOfChpasswdExpire(t *testing.T) {
	m := newMachine(t, debian)
	apply(t, m, `
users: [{name: ann, lock_passwd: false, hashed_passwd: $6$x$y}, {name: bob}, {name: cat}]
chpasswd: {users: [{name: ann, password: $6$x$y}, {name: bob, type: RANDOM}]}
`)
	for name, want := range map[string]bool{"ann": true, "bob": true, "cat": false} {
		if f := shadow(t, m, name); (f[2] == "0") != want {
			t.Errorf("%s expires: %v, want %v (%s)", name, f[2] == "0", want, strings.Join(f[2:], ":"))
		}
	}
}

func TestElsewhereAccountsGetTheShellOfUseradd(t *testing.T) {
	for _, test := range []struct{ file, want string }{{"", "/bin/sh"}, {"# x\nSHELL=/bin/bash\n", "/bin/bash"}} {
		m := newMachine(t, debian)
		if test.file != "" {
			if _, err := m.Tree.WriteFile("/etc/default/useradd", []byte(test.file), rootPerm); err != nil {
				t.Fatal(err)
			}
		}
		apply(t, m, "users: [{name: ann}]")
		if !strings.Contains(m.read(t, "etc/passwd"), "/home/ann:"+test.want+"\n") {
			t.Errorf("useradd %q: want %s in\n%s", test.file, test.want, m.read(t, "etc/passwd"))
		}
	}
}

func TestFoldersOfAFileAreItsOwners(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root gives files away")
	}
	m := newMachine(t, debian)
	apply(t, m, `
users: [{name: ann, uid: 4321}]
write_files: [{path: /srv/deep/er/f, owner: ann, content: x}]
`)
	for _, p := range []string{"/srv/deep", "/srv/deep/er", "/srv/deep/er/f"} {
		if n, err := m.Tree.Lstat(p); err != nil || n.UID != 4321 {
			t.Errorf("%s: %+v, %v; want it to be ann's", p, n, err)
		}
	}
	if n, err := m.Tree.Lstat("/home"); err != nil || n.UID != 0 {
		t.Errorf("/home: %+v, %v", n, err)
	}
}

func TestSystemdReadsAChangedFstab(t *testing.T) {
	files := map[string]string{"run/systemd/system/x": "", "usr/bin/systemctl": "#!"}
	for name, text := range debian {
		files[name] = text
	}
	m := newMachine(t, files)
	for range 2 {
		if err := mounts(t.Context(), m.Target, config(t, "mounts: [[tmpfs, /mnt/t, tmpfs]]")); err != nil {
			t.Fatal(err)
		}
	}
	if got := strings.Join(m.ran, "; "); got != "systemctl daemon-reload" {
		t.Errorf("ran %q, want one daemon-reload", got)
	}
}
