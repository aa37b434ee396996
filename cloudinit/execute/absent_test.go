package execute

import (
	"strings"
	"testing"

	"rancheros/cloudinit/accounts"
)

func TestAccountsThatAreNotToBeGoAndTheirHomesStay(t *testing.T) {
	m := newMachine(t, debian)
	db, err := accounts.Load(m.Tree)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"old", "named"} {
		if _, _, err := db.AddUser(accounts.NewUser{User: accounts.User{Name: name, UID: -1, GID: -1}}, m.Now()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := db.AddGroup("team", -1, false); err != nil {
		t.Fatal(err)
	}
	for _, g := range []string{"sudo", "team"} {
		if err := db.Join("old", g); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := db.Save(m.Tree); err != nil {
		t.Fatal(err)
	}
	if err := m.write("/home/old/data", "x", 0o600); err != nil {
		t.Fatal(err)
	}
	c := config(t, "users: [{name: named}]\ngroups: [kept]\nrancher: {absent: {users: [old, nobody-such, root, named], groups: [team, root, kept]}}\n")
	only := Options{Only: []string{"absent"}, Again: true}
	for range 2 {
		_, err := Run(t.Context(), m.Target, c, only)
		for _, want := range []string{"user root", "absent.users[3]", "group root", "absent.groups[2]"} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("Run() = %v, want %s refused", err, want)
			}
		}
	}
	for _, f := range []string{"passwd", "shadow", "group", "gshadow"} {
		got := m.read(t, "etc/"+f)
		if strings.Contains(got, "old") || strings.Contains(got, "team") || !strings.Contains(got, "root") || !strings.Contains(got, "named") {
			t.Errorf("%s holds\n%s", f, got)
		}
	}
	if got := m.read(t, "home/old/data"); got != "x" {
		t.Errorf("the home's file holds %q", got)
	}
}
