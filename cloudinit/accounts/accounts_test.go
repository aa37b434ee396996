package accounts

import (
	"os"
	"strings"
	"testing"
	"time"

	"rancheros/cloudinit/tree"
)

var day = time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)

func machine(t *testing.T) (*tree.Tree, *DB, string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.MkdirAll(dir+"/etc", 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"passwd": "root:x:0:0:root:/root:/bin/sh\nold:x:1000:1000::/home/old:/bin/sh\n+::::::\n", "shadow": "root:*:19000::::::\nold:$6$s$h:19000:0:99999:7:::\n",
		"group": "root:x:0:\nsudo:x:27:old\nold:x:1000:\n", "gshadow": "root:*::\nsudo:*::old\n",
	} {
		if err := os.WriteFile(dir+"/etc/"+name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	tr, err := tree.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tr.Close() })
	db, err := Load(tr)
	if err != nil {
		t.Fatal(err)
	}
	return tr, db, dir
}

func TestAnAccountIsMadeLocked(t *testing.T) {
	tr, db, dir := machine(t)
	u, made, err := db.AddUser(NewUser{User: User{Name: "ann", Shell: "/bin/sh", UID: -1, GID: -1}}, day)
	if err != nil || !made || u.UID != 1001 || u.GID != 1001 {
		t.Fatalf("AddUser() = %+v, %v, %v", u, made, err)
	}
	if err := db.Join("ann", "sudo"); err != nil {
		t.Fatal(err)
	}
	if changed, err := db.Save(tr); err != nil || !changed {
		t.Fatal(changed, err)
	}
	for file, want := range map[string]string{
		"passwd": "ann:x:1001:1001::/home/ann:/bin/sh\n", "shadow": "ann:!:20455:0:99999:7:::\n", "group": "sudo:x:27:old,ann\n", "gshadow": "ann:!::\n",
	} {
		b, _ := os.ReadFile(dir + "/etc/" + file)
		if !strings.Contains(string(b), want) {
			t.Errorf("%s: want the line %q in\n%s", file, want, b)
		}
	}
	if b, _ := os.ReadFile(dir + "/etc/passwd"); !strings.Contains(string(b), "+::::::\n") {
		t.Error("a line that is no account was lost")
	}
	again, err := Load(tr)
	if err != nil {
		t.Fatal(err)
	}
	if changed, err := again.Save(tr); err != nil || changed {
		t.Errorf("saving again: changed %v, %v", changed, err)
	}
}

func TestNamesAndFieldsCannotBreakOut(t *testing.T) {
	_, db, _ := machine(t)
	for _, u := range []User{
		{Name: "a:b"}, {Name: "a\nb"}, {Name: "-a"}, {Name: ""}, {Name: strings.Repeat("x", 33)},
		{Name: "ok", Home: "home/ok"}, {Name: "ok", Gecos: "x:0:0"}, {Name: "ok", Home: "/h\nroot2:x:0:0"}, {Name: "ok", Shell: "/bin/sh\n"},
	} {
		u.UID, u.GID = -1, -1
		if _, _, err := db.AddUser(NewUser{User: u}, day); err == nil {
			t.Errorf("AddUser(%+v) was taken", u)
		}
	}
	for _, uid := range []int{1 << 32, 1<<32 - 1} {
		if _, _, err := db.AddUser(NewUser{User: User{Name: "ok", UID: uid, GID: -1}}, day); err == nil {
			t.Errorf("uid %d was taken, which is root's or nobody's to the kernel", uid)
		}
	}
	if err := db.SetHash("old", "x:0", day); err == nil || strings.Contains(err.Error(), "x:0") {
		t.Errorf("SetHash() = %v, want an error without the hash", err)
	}
}

func TestLockKeepsThePassword(t *testing.T) {
	_, db, _ := machine(t)
	db.Lock("old")
	db.Lock("old")
	if got := db.Hash("old"); got != "!$6$s$h" {
		t.Errorf("locked: %q", got)
	}
	db.Unlock("old")
	if got := db.Hash("old"); got != "$6$s$h" {
		t.Errorf("unlocked: %q", got)
	}
	db.Unlock("root")
	if got := db.Hash("root"); got != "*" {
		t.Errorf("root, who has no password: %q", got)
	}
}

func TestOwnerIsReadAsChownDoes(t *testing.T) {
	_, db, _ := machine(t)
	for _, test := range []struct {
		in       string
		uid, gid int
		ok       bool
	}{
		{"root:root", 0, 0, true}, {"old", 1000, 0, true}, {"old:sudo", 1000, 27, true}, {":sudo", 0, 27, true},
		{"7:8", 7, 8, true}, {"old:", 1000, 1000, true}, {"nobody", 0, 0, false}, {"old:none", 0, 0, false}, {"-1", 0, 0, false},
	} {
		uid, gid, err := db.Owner(test.in)
		if (err == nil) != test.ok || test.ok && (uid != test.uid || gid != test.gid) {
			t.Errorf("Owner(%q) = %d, %d, %v", test.in, uid, gid, err)
		}
	}
}

func TestCryptIsKnownAgain(t *testing.T) {
	h, err := Crypt("correct horse")
	if err != nil || !strings.HasPrefix(h, "$6$") {
		t.Fatal(h, err)
	}
	if !Matches(h, "correct horse") || !Matches("!"+h, "correct horse") || Matches(h, "battery") {
		t.Error("Matches is wrong")
	}
	if !IsHash(h) || IsHash("$5") || IsHash("plain") || IsHash("$a$b") {
		t.Error("IsHash is wrong")
	}
}
