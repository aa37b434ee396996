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

func TestWhatAnotherCloudInitLeftIsNotDoneTwice(t *testing.T) {
	m := newMachine(t, map[string]string{
		"etc/os-release": "ID=debian\n", "etc/fstab": "/swap.img\tnone\tswap\tsw\t0\t0\n",
		"var/lib/cloud/scripts/per-boot/part-1": "#!same", "var/lib/cloud/instance/scripts/per-boot/part-1": "#!same",
		"var/lib/cloud/scripts/per-boot/part-2": "#!one", "var/lib/cloud/instance/scripts/per-boot/part-2": "#!other",
	})
	if _, err := m.writeFstab([]fsLine{{"/swap.img", "none", "swap", "sw", "0", "0"}, {"LABEL=d", "/d", "ext4", "defaults", "0", "2"}}); err != nil {
		t.Fatal(err)
	}
	if got := m.read(t, "etc/fstab"); strings.Count(got, "/swap.img") != 1 || !strings.Contains(got, "LABEL=d\t/d") {
		t.Errorf("fstab is\n%s", got)
	}
	if err := scriptsPerBoot(t.Context(), m.Target, nil); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(m.ran, " "); strings.Count(got, "part-1") != 1 || strings.Count(got, "part-2") != 2 {
		t.Errorf("ran %s", got)
	}
}
