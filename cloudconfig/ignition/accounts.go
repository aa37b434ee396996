package ignition

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"
)

func (t tree) table(name string) (*table, error) {
	p, err := t.resolve(name)
	if err != nil {
		return nil, err
	}
	db := &table{name: p}
	data, err := t.ReadFile(p)
	if errors.Is(err, fs.ErrNotExist) {
		return db, nil
	}
	if err != nil {
		return nil, err
	}
	db.there = true
	for line := range strings.Lines(string(data)) {
		if line = strings.TrimRight(line, "\r\n"); line != "" {
			db.rows = append(db.rows, &row{strings.Split(line, ":")})
		}
	}
	return db, nil
}

// accounts are the four tables of users and groups.
type accounts struct {
	passwd, shadow, group, gshadow *table
	// defs are the settings of etc/login.defs.
	defs  map[string]string
	today string
	// What is to be done to files when the tables are written.
	removed    []*row
	renumbered []renumbered
	moved      [][2]string
}

// accounts makes and removes groups, then users, as groupadd and useradd do.
func (t tree) accounts(im *Import, now time.Time) error {
	a := accounts{defs: map[string]string{}, today: strconv.FormatInt(now.Unix()/86400, 10)}
	for _, f := range []struct {
		name string
		to   **table
	}{{"etc/passwd", &a.passwd}, {"etc/shadow", &a.shadow}, {"etc/group", &a.group}, {"etc/gshadow", &a.gshadow}} {
		db, err := t.table(f.name)
		if err != nil {
			return err
		}
		*f.to = db
	}
	if p, err := t.resolve("etc/login.defs"); err == nil {
		if data, err := t.ReadFile(p); err == nil {
			for line := range strings.Lines(string(data)) {
				if f := strings.Fields(line); len(f) >= 2 && f[0][0] != '#' {
					a.defs[f[0]] = f[1]
				}
			}
		}
	}
	for _, g := range im.Groups {
		if err := a.ensureGroup(g); err != nil {
			return fmt.Errorf("group %s: %w", g.Name, err)
		}
	}
	var made []User
	for _, u := range im.Users {
		added, err := a.ensureUser(u)
		if err != nil {
			return fmt.Errorf("user %s: %w", u.Name, err)
		}
		if added {
			made = append(made, u)
		}
	}
	for _, s := range []struct {
		db   *table
		mode fs.FileMode
	}{{a.passwd, 0o644}, {a.group, 0o644}, {a.shadow, 0o640}, {a.gshadow, 0o640}} {
		if s.db.there || len(s.db.rows) > 0 {
			if err := t.save(s.db, s.mode); err != nil {
				return err
			}
		}
	}
	if err := t.homes(&a); err != nil {
		return err
	}
	for _, u := range made {
		if err := t.home(a.passwd.find(u.Name), a.homeMode(), u); err != nil {
			return fmt.Errorf("user %s: %w", u.Name, err)
		}
	}
	for _, u := range im.Users {
		if err := t.keys(a.passwd.find(u.Name), u); err != nil {
			return fmt.Errorf("user %s: %w", u.Name, err)
		}
	}
	return nil
}

func (a *accounts) def(key string, or int) int {
	if n, err := strconv.Atoi(a.defs[key]); err == nil {
		return n
	}
	return or
}

// homeMode is that of new homes, as login.defs says.
func (a *accounts) homeMode() fs.FileMode {
	if m, err := strconv.ParseUint(a.defs["HOME_MODE"], 8, 9); err == nil {
		return fs.FileMode(m)
	}
	if m, err := strconv.ParseUint(a.defs["UMASK"], 8, 9); err == nil {
		return 0o777 &^ fs.FileMode(m)
	}
	return 0o755
}

func (a *accounts) ensureGroup(g Group) error {
	have := a.group.find(g.Name)
	if g.Remove {
		a.group.remove(g.Name)
		a.gshadow.remove(g.Name)
		return nil
	}
	if g.GID != nil {
		if other := a.group.number(*g.GID); other != nil && other != have {
			return fmt.Errorf("number %d is that of group %s", *g.GID, other.fields[0])
		}
	}
	if have == nil {
		gid := 0
		if g.GID != nil {
			gid = *g.GID
		} else {
			var err error
			if gid, err = a.number(a.group, "GID", g.System); err != nil {
				return err
			}
		}
		a.addGroup(g.Name, gid, "*")
	} else if g.GID != nil {
		have.set(2, strconv.Itoa(*g.GID))
	}
	if g.PasswordHash != nil {
		if r := a.gshadow.find(g.Name); r != nil {
			r.set(1, orStar(*g.PasswordHash))
		} else if !a.gshadow.there {
			a.group.find(g.Name).set(1, orStar(*g.PasswordHash))
		}
	}
	return nil
}

// addGroup puts the password where passwords of groups are.
func (a *accounts) addGroup(name string, gid int, password string) {
	if !a.gshadow.there {
		a.group.add(name, password, strconv.Itoa(gid), "")
		return
	}
	a.group.add(name, "x", strconv.Itoa(gid), "")
	a.gshadow.add(name, password, "", "")
}

// orStar: an empty hash is a password that nobody has.
func orStar(hash string) string {
	if hash == "" {
		return "*"
	}
	return hash
}

func (a *accounts) ensureUser(u User) (added bool, err error) {
	have := a.passwd.find(u.Name)
	if u.Remove {
		if have != nil {
			a.removed = append(a.removed, have)
			a.removeUser(u.Name)
		}
		return false, nil
	}
	if have == nil {
		if have, err = a.addUser(u); err != nil {
			return false, err
		}
		added = true
	}
	was := renumbered{user: have, uid: have.number(2), gid: have.number(3)}
	if !added {
		if err := a.changeUser(have, u); err != nil {
			return false, err
		}
	}
	if u.PrimaryGroup != "" {
		gid, err := a.gid(u.PrimaryGroup)
		if err != nil {
			return added, err
		}
		have.set(3, gid)
	}
	if !added && (was.uid != have.number(2) || was.gid != have.number(3)) {
		a.renumbered = append(a.renumbered, was)
	}
	if u.Gecos != "" {
		have.set(4, u.Gecos)
	}
	if u.Shell != "" {
		have.set(6, u.Shell)
	}
	if u.PasswordHash != nil {
		a.setPassword(have, orStar(*u.PasswordHash))
	}
	if len(u.Groups) > 0 {
		return added, a.join(u.Name, u.Groups)
	}
	return added, nil
}

// changeUser gives a user another number and home; its files follow.
func (a *accounts) changeUser(have *row, u User) error {
	if u.UID != nil {
		if err := a.freeUID(*u.UID, have); err != nil {
			return err
		}
		have.set(2, strconv.Itoa(*u.UID))
	}
	if u.HomeDir != "" {
		if old := have.fields[5]; old != u.HomeDir {
			a.moved = append(a.moved, [2]string{old, u.HomeDir})
		}
		have.set(5, u.HomeDir)
	}
	return nil
}

// freeUID refuses a number that another user has.
func (a *accounts) freeUID(uid int, of *row) error {
	if other := a.passwd.number(uid); other != nil && other != of {
		return fmt.Errorf("number %d is that of user %s", uid, other.fields[0])
	}
	return nil
}

func (a *accounts) addUser(u User) (*row, error) {
	uid := 0
	if u.UID != nil {
		if err := a.freeUID(*u.UID, nil); err != nil {
			return nil, err
		}
		uid = *u.UID
	} else {
		var err error
		if uid, err = a.number(a.passwd, "UID", u.System); err != nil {
			return nil, err
		}
	}
	gid := "100" // users, as useradd without a group of its own
	if !u.NoUserGroup && u.PrimaryGroup == "" {
		if a.group.find(u.Name) != nil {
			return nil, fmt.Errorf("a group of that name is there already; name it as primaryGroup")
		}
		own, err := a.number(a.group, "GID", u.System)
		if err != nil {
			return nil, err
		}
		a.addGroup(u.Name, own, "!")
		gid = strconv.Itoa(own)
	}
	home := u.HomeDir
	if home == "" {
		home = "/home/" + u.Name
	}
	shell := u.Shell
	if shell == "" {
		shell = "/bin/bash"
	}
	r := &row{[]string{u.Name, "*", strconv.Itoa(uid), gid, u.Gecos, home, shell}}
	a.passwd.rows = append(a.passwd.rows, r)
	if !a.shadow.there {
		return r, nil
	}
	r.set(1, "x")
	age := []string{a.defs["PASS_MIN_DAYS"], a.defs["PASS_MAX_DAYS"], a.defs["PASS_WARN_AGE"]}
	if u.System {
		age = []string{"", "", ""}
	}
	a.shadow.add(append(append([]string{u.Name, "*", a.today}, age...), "", "", "")...)
	return r, nil
}

// setPassword puts a password where passwords are.
func (a *accounts) setPassword(user *row, hash string) {
	if s := a.shadow.find(user.fields[0]); s != nil {
		s.set(1, hash)
		s.set(2, a.today)
		return
	}
	user.set(1, hash)
}

// removeUser takes the user's own group along, if nobody else is in it.
func (a *accounts) removeUser(name string) {
	own := a.group.find(name)
	a.passwd.remove(name)
	a.shadow.remove(name)
	for _, db := range []*table{a.group, a.gshadow} {
		for _, r := range db.rows {
			r.leave(name)
		}
	}
	if own == nil || len(own.fields) > 3 && own.fields[3] != "" {
		return
	}
	for _, r := range a.passwd.rows {
		if len(r.fields) > 3 && r.fields[3] == own.fields[2] {
			return
		}
	}
	a.group.remove(name)
	a.gshadow.remove(name)
}

func (a *accounts) gid(group string) (string, error) {
	if r := a.group.find(group); r != nil {
		return r.fields[2], nil
	}
	for _, r := range a.group.rows {
		if len(r.fields) > 2 && r.fields[2] == group {
			return group, nil
		}
	}
	return "", fmt.Errorf("there is no group %q", group)
}

// join makes these the user's groups, beside its first one.
func (a *accounts) join(name string, groups []string) error {
	for _, g := range groups {
		if a.group.find(g) == nil {
			return fmt.Errorf("there is no group %q", g)
		}
	}
	for _, db := range []*table{a.group, a.gshadow} {
		for _, r := range db.rows {
			if slices.Contains(groups, r.fields[0]) {
				r.join(name)
			} else {
				r.leave(name)
			}
		}
	}
	return nil
}
