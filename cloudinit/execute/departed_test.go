package execute

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rancheros/cloudinit/accounts"
	"rancheros/cloudinit/tree"
)

// boot runs a config as a boot of an instance does.
func (m *machine) boot(t *testing.T, id, text string) *Report {
	t.Helper()
	m.InstanceID = id
	r, err := Config(t.Context(), m.Target, config(t, text), Options{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (m *machine) account(t *testing.T, name string) (shadow string, there bool) {
	t.Helper()
	db, err := accounts.Load(m.Tree)
	if err != nil {
		t.Fatal(err)
	}
	_, there = db.User(name)
	for line := range strings.Lines(m.read(t, "etc/shadow")) {
		if strings.HasPrefix(line, name+":") {
			shadow = strings.TrimSpace(line)
		}
	}
	return shadow, there
}

func closed(shadow string) bool {
	f := strings.Split(shadow, ":")
	return len(f) == 9 && strings.HasPrefix(f[1], "!") && f[7] == "1"
}

const withAnn = `
users:
  - default
  - {name: ann, plain_text_passwd: correct horse, lock_passwd: false, sudo: "ALL=(ALL) ALL", doas: [permit ann], ssh_authorized_keys: ["` + testKey + `"]}
  - {name: carl, ssh_authorized_keys: ["` + testKey + `"]}
  - {name: svc, system: true}
write_files:
  - {path: /etc/app/ours, content: x}
  - {path: /etc/app/changed, content: x}
  - {path: /etc/hosts, content: x}
`

func TestWhomTheConfigNamesNoMoreCanNotLogInAndWhoWasThereBeforeCan(t *testing.T) {
	for _, next := range []string{"i-1", "i-2"} {
		t.Run("then "+next, func(t *testing.T) {
			m := newMachine(t, debian)
			// carl is of the image; the config gives him a key only.
			db, err := accounts.Load(m.Tree)
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := db.AddUser(accounts.NewUser{User: accounts.User{Name: "carl", Home: "/home/carl", UID: -1, GID: -1}}, m.Now()); err != nil {
				t.Fatal(err)
			}
			if _, err := db.Save(m.Tree); err != nil {
				t.Fatal(err)
			}
			if err := os.MkdirAll(filepath.Join(m.dir, "home/carl"), 0o755); err != nil {
				t.Fatal(err)
			}
			carl, _ := m.account(t, "carl")
			m.boot(t, "i-1", withAnn)
			if s, _ := m.account(t, "ann"); closed(s) {
				t.Fatalf("ann is closed from the start: %s", s)
			}
			m.boot(t, next, "hostname: box\n")
			if s, there := m.account(t, "ann"); !there || !closed(s) {
				t.Errorf("ann = %q, %v; want an account that is closed", s, there)
			}
			if got := readIf(m, "etc/sudoers.d/90-cloud-init-users") + readIf(m, "etc/doas.conf") + readIf(m, "home/ann/.ssh/authorized_keys"); strings.Contains(got, "ann") || strings.Contains(got, "ssh-ed25519") {
				t.Errorf("ann has rights left:\n%s", got)
			}
			if !exists(m, "home/ann/.profile") {
				t.Error("ann's home is gone, want her data kept")
			}
			if s, _ := m.account(t, "carl"); s != carl {
				t.Errorf("carl = %q, want %q: we did not make him", s, carl)
			}
			if got := readIf(m, "home/carl/.ssh/authorized_keys"); strings.Contains(got, "ssh-ed25519") {
				t.Errorf("carl still has the key that the config gave him:\n%s", got)
			}
			if s, _ := m.account(t, "svc"); closed(s) {
				t.Errorf("svc = %q: a system account is nobody's login", s)
			}
			if s, _ := m.account(t, "debian"); closed(s) {
				t.Errorf("the default user is closed: %s", s)
			}

			m.boot(t, next, withAnn)
			s, _ := m.account(t, "ann")
			if f := strings.Split(s, ":"); closed(s) || strings.HasPrefix(f[1], "!") || !accounts.Matches(f[1], "correct horse") {
				t.Errorf("ann is named again: %q, want her account open with its password", s)
			}
			if got := readIf(m, "home/ann/.ssh/authorized_keys"); !strings.Contains(got, "ssh-ed25519") {
				t.Errorf("ann is named again, but has no key: %q", got)
			}
			if got := readIf(m, "etc/sudoers.d/90-cloud-init-users"); !strings.Contains(got, "ann ALL") {
				t.Errorf("ann is named again, but may not use sudo: %q", got)
			}
		})
	}
}

func TestFilesThatLeaveTheConfigGoUnlessSomebodyElseNeedsThem(t *testing.T) {
	for _, row := range []struct {
		name, next string
		ours       bool
	}{{"same instance", "i-1", false}, {"new instance", "i-2", true}} {
		t.Run(row.name, func(t *testing.T) {
			m := newMachine(t, debian)
			m.boot(t, "i-1", withAnn)
			if err := os.WriteFile(filepath.Join(m.dir, "etc/app/changed"), []byte("by hand"), 0o644); err != nil {
				t.Fatal(err)
			}
			r := m.boot(t, row.next, "hostname: box\n")
			for name, want := range map[string]bool{"etc/app/ours": row.ours, "etc/app/changed": true, "etc/hosts": true} {
				if got := exists(m, name); got != want {
					t.Errorf("%s is there: %v, want %v", name, got, want)
				}
			}
			if warned := strings.Contains(strings.Join(resultNamed(r, "departed").Warnings, "\n"), "/etc/app/changed"); warned == row.ours {
				t.Errorf("warned of the changed file: %v", warned)
			}
		})
	}
}

func TestAnotherAccountOfTheSameNameIsNotOurs(t *testing.T) {
	m := newMachine(t, debian)
	m.boot(t, "i-1", withAnn)
	p := filepath.Join(m.dir, "etc/passwd")
	text := strings.Replace(m.read(t, "etc/passwd"), "ann:x:1001:", "ann:x:4711:", 1)
	if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	m.boot(t, "i-1", "hostname: box\n")
	if s, _ := m.account(t, "ann"); closed(s) || !strings.Contains(text, "4711") {
		t.Errorf("somebody else's ann is closed: %q", s)
	}
}

func TestAConfigInDoubtClosesNobody(t *testing.T) {
	m := newMachine(t, debian)
	m.boot(t, "i-1", withAnn)
	m.Doubt = true
	r := m.boot(t, "i-1", "hostname: box\n")
	if s, _ := m.account(t, "ann"); closed(s) || !exists(m, "etc/app/ours") {
		t.Errorf("ann = %q; a part of the config did not come, which may name her", s)
	}
	if why := resultNamed(r, "departed").Why; !strings.Contains(why, "errors") {
		t.Errorf("departed: %q, want it to say why it does nothing", why)
	}
}

func TestBooksThatCanNotBeReadTakeNothingAway(t *testing.T) {
	m := newMachine(t, debian)
	m.boot(t, "i-1", withAnn)
	if err := os.WriteFile(filepath.Join(m.dir, ledgerFile), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Config(t.Context(), m.Target, config(t, "hostname: box\n"), Options{}); err == nil || !strings.Contains(err.Error(), ledgerFile) {
		t.Errorf("Config() = %v, want it to name the file", err)
	}
	if s, _ := m.account(t, "ann"); closed(s) {
		t.Error("ann is closed")
	}
}

func TestWhatIsAppliedByHandIsNotMissedAtTheNextBoot(t *testing.T) {
	m := newMachine(t, debian)
	if _, err := Run(t.Context(), m.Target, config(t, withAnn), Options{Again: true}); err != nil {
		t.Fatal(err)
	}
	m.boot(t, "i-1", "hostname: box\n")
	if s, _ := m.account(t, "ann"); closed(s) || !exists(m, "etc/app/ours") {
		t.Errorf("ann = %q, want what a person applied by hand to stay", s)
	}
}

func TestAPlanSaysWhoWouldBeClosedAndClosesNobody(t *testing.T) {
	m := newMachine(t, debian)
	m.boot(t, "i-1", withAnn)
	tr, err := tree.Plan(m.dir)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Config(t.Context(), m.target(tr), config(t, "hostname: box\n"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if res := resultNamed(r, "departed"); res.Outcome != Changed || !strings.Contains(strings.Join(res.Warnings, "\n"), "user ann") {
		t.Errorf("plan: %+v, want it to say that ann is closed", res)
	}
	if s, _ := m.account(t, "ann"); closed(s) || !exists(m, "etc/app/ours") {
		t.Errorf("the plan closed ann: %q", s)
	}
}

func resultNamed(r *Report, name string) Result {
	for _, res := range r.Results {
		if res.Name == name {
			return res
		}
	}
	return Result{}
}

func readIf(m *machine, name string) string {
	b, _ := os.ReadFile(filepath.Join(m.dir, name))
	return string(b)
}

func exists(m *machine, name string) bool {
	_, err := os.Stat(filepath.Join(m.dir, name))
	return err == nil
}
