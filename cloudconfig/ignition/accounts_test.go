package ignition_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"rancheros/cloudconfig/ignition"
)

// machine is a root with two users and their groups.
func machine() map[string]string {
	return map[string]string{
		"etc/passwd":      "root:x:0:0:root:/root:/bin/sh\nann:x:1200:1200::/home/ann:/bin/sh\nbob:x:1300:800::/home/bob:/bin/sh\n",
		"etc/shadow":      "root:*:1::::::\nann:*:1::::::\nbob:*:1::::::\n",
		"etc/group":       "root:x:0:\nann:x:1200:\nstaff:x:800:\n",
		"etc/gshadow":     "root:*::\nann:!::\nstaff:*::\n",
		"etc/skel/.shrc":  "hello\n",
		"home/ann/letter": "dear bob\n",
		"var/mail/ann":    "spam\n",
	}
}

// accounts applies users and groups to the machine, whose homes belong to
// their users.
func accounts(t *testing.T, before map[string]string, passwd string) (string, error) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root, to give files to users")
	}
	root := t.TempDir()
	for p, text := range before {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(root, p)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, p), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range []string{"home/ann", "home/ann/letter", "var/mail/ann"} {
		if err := os.Chown(filepath.Join(root, p), 1200, 1200); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
	im, err := ignition.Parse(t.Context(), []byte(`{"ignition":{"version":"3.4.0"},"passwd":`+passwd+`}`), ignition.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return root, ignition.Apply(root, im, ignition.ApplyOptions{Users: true, Now: time.Unix(86400*5, 0)})
}

// line is the line of a file that begins with a name.
func line(t *testing.T, root, file, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		t.Fatal(err)
	}
	for l := range strings.Lines(string(b)) {
		if strings.HasPrefix(l, name+":") {
			return strings.TrimSpace(l)
		}
	}
	return ""
}

// owned is "uid:gid mode" of a file, or why there is none.
func owned(root, p string) string {
	st, err := os.Lstat(filepath.Join(root, p))
	if err != nil {
		return "missing"
	}
	sys := st.Sys().(*syscall.Stat_t)
	return fmt.Sprintf("%d:%d %o", sys.Uid, sys.Gid, st.Mode().Perm())
}

func TestAccountsGetTheNumbersThatTheirToolsWouldGive(t *testing.T) {
	before := machine()
	before["etc/passwd"] += "sys:x:400:400::/:/bin/false\n"
	for _, tt := range []struct{ passwd, file, name, want string }{
		{`{"users":[{"name":"u"}]}`, "etc/passwd", "u", "u:x:1301:1201::/home/u:/bin/bash"},
		{`{"users":[{"name":"u","uid":2500}]}`, "etc/group", "u", "u:x:1201:"},
		{`{"users":[{"name":"u","uid":800}]}`, "etc/passwd", "u", "u:x:800:1201::/home/u:/bin/bash"},
		{`{"users":[{"name":"u","uid":2500}]}`, "etc/gshadow", "u", "u:!::"},
		{`{"users":[{"name":"u","system":true}]}`, "etc/passwd", "u", "u:x:399:799::/home/u:/bin/bash"},
		{`{"users":[{"name":"u","passwordHash":""}]}`, "etc/shadow", "u", "u:*:5::::::"},
		{`{"groups":[{"name":"g","gid":77}]}`, "etc/gshadow", "g", "g:*::"},
		{`{"groups":[{"name":"g","system":true}]}`, "etc/group", "g", "g:x:799:"},
	} {
		root, err := accounts(t, before, tt.passwd)
		if err != nil {
			t.Errorf("%s: %v", tt.passwd, err)
			continue
		}
		if got := line(t, root, tt.file, tt.name); got != tt.want {
			t.Errorf("%s: %s has %q, want %q", tt.passwd, tt.file, got, tt.want)
		}
	}
}

func TestPasswordsStandWhereThereAreNoShadowFiles(t *testing.T) {
	before := machine()
	delete(before, "etc/shadow")
	delete(before, "etc/gshadow")
	root, err := accounts(t, before, `{"groups":[{"name":"g","gid":77,"passwordHash":"H"}],"users":[{"name":"u","passwordHash":"P","primaryGroup":"g"}]}`)
	if err != nil {
		t.Fatal(err)
	}
	if u, g := line(t, root, "etc/passwd", "u"), line(t, root, "etc/group", "g"); u != "u:P:1301:77::/home/u:/bin/bash" || g != "g:H:77:" {
		t.Errorf("user %q, group %q", u, g)
	}
	if got := owned(root, "etc/shadow"); got != "missing" {
		t.Errorf("etc/shadow was made: %s", got)
	}
}

func TestHomesFollowTheirUsers(t *testing.T) {
	defs := machine()
	defs["etc/login.defs"] = "UMASK 027\n"
	for _, tt := range []struct {
		name   string
		before map[string]string
		passwd string
		want   map[string]string
	}{
		{"new", machine(), `{"users":[{"name":"u"}]}`, map[string]string{"home/u": "1301:1201 755", "home/u/.shrc": "1301:1201 644"}},
		{"mode of login.defs", defs, `{"users":[{"name":"u"}]}`, map[string]string{"home/u": "1301:1201 750"}},
		{"none", machine(), `{"users":[{"name":"u","noCreateHome":true}]}`, map[string]string{"home/u": "missing"}},
		{"removed", machine(), `{"users":[{"name":"ann","shouldExist":false}]}`, map[string]string{"home/ann": "missing", "var/mail/ann": "missing"}},
		{"moved", machine(), `{"users":[{"name":"ann","homeDir":"/data/ann"}]}`, map[string]string{"home/ann": "missing", "data/ann/letter": "1200:1200 644"}},
		{"other number", machine(), `{"users":[{"name":"ann","uid":1400}]}`, map[string]string{"home/ann/letter": "1400:1200 644"}},
		{"other group", machine(), `{"users":[{"name":"ann","primaryGroup":"staff"}]}`, map[string]string{"home/ann/letter": "1200:800 644"}},
		{"keys", machine(), `{"users":[{"name":"u","sshAuthorizedKeys":["k1","k2\n"]}]}`, map[string]string{"home/u/.ssh": "1301:1201 700", "home/u/.ssh/authorized_keys": "1301:1201 600"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			root, err := accounts(t, tt.before, tt.passwd)
			if err != nil {
				t.Fatal(err)
			}
			for p, want := range tt.want {
				if got := owned(root, p); got != want {
					t.Errorf("%s is %s, want %s", p, got, want)
				}
			}
			if b, err := os.ReadFile(filepath.Join(root, "home/u/.ssh/authorized_keys")); err == nil && string(b) != "k1\nk2\n" {
				t.Errorf("keys = %q", b)
			}
		})
	}
}

func TestAccountsThatCannotBeAreRefused(t *testing.T) {
	foreign := machine()
	foreign["home/bob/x"] = "" // belongs to root
	for passwd, before := range map[string]map[string]string{
		`{"users":[{"name":"u","uid":1200}]}`:              machine(),
		`{"users":[{"name":"bob","uid":1200}]}`:            machine(),
		`{"groups":[{"name":"g","gid":800}]}`:              machine(),
		`{"users":[{"name":"staff"}]}`:                     machine(),
		`{"users":[{"name":"u","groups":["nobodys"]}]}`:    machine(),
		`{"users":[{"name":"bob","shouldExist":false}]}`:   foreign,
		`{"users":[{"name":"ann","homeDir":"/home/bob"}]}`: foreign,
	} {
		if _, err := accounts(t, before, passwd); err == nil {
			t.Errorf("%s was applied", passwd)
		}
	}
}
