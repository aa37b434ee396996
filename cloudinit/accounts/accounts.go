// Package accounts edits the machine's users and groups: /etc/passwd, shadow,
// group and gshadow, each replaced in one step, without the tools that only
// some distributions have. Lines it does not understand stay as they are.
package accounts

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"rancheros/cloudinit/tree"
)

const (
	passwdFile  = "/etc/passwd"
	shadowFile  = "/etc/shadow"
	groupFile   = "/etc/group"
	gshadowFile = "/etc/gshadow"

	firstID, lastID       = 1000, 59999
	firstSystem, lastSyst = 100, 999
	// maxID is the greatest number that the kernel takes; it reads a greater one
	// as a smaller, 1<<32 as root's.
	maxID = 1<<32 - 2
)

// A User is one line of passwd.
type User struct {
	Name, Gecos, Home, Shell string
	UID, GID                 int
}

// DB is the four files in memory.
type DB struct {
	passwd, shadow, group, gshadow *table
}

// A table is one file: lines of fields. A line with too few fields is kept and
// never matched.
type table struct {
	path  string
	perm  tree.Perm
	rows  [][]string
	width int
	// there: the file exists, or must from now on.
	there bool
}

// Load reads the files of the tree; missing ones are empty.
func Load(t *tree.Tree) (*DB, error) {
	d := &DB{}
	for _, f := range []struct {
		to    **table
		path  string
		width int
		mode  uint32
	}{
		{&d.passwd, passwdFile, 7, 0o644}, {&d.shadow, shadowFile, 9, 0o640},
		{&d.group, groupFile, 4, 0o644}, {&d.gshadow, gshadowFile, 4, 0o640},
	} {
		var err error
		if *f.to, err = load(t, f.path, f.width, f.mode); err != nil {
			return nil, err
		}
	}
	if g, ok := d.Group("shadow"); ok {
		for _, tb := range []*table{d.shadow, d.gshadow} {
			if !tb.there {
				tb.perm.GID = g
			}
		}
	}
	return d, nil
}

func load(t *tree.Tree, p string, width int, mode uint32) (*table, error) {
	tb := &table{path: p, width: width, perm: tree.Perm{Mode: mode, Secret: mode&0o004 == 0}}
	n, err := t.Stat(p)
	if errors.Is(err, fs.ErrNotExist) {
		return tb, nil
	}
	if err != nil {
		return nil, err
	}
	b, err := t.ReadFile(p)
	if err != nil {
		return nil, err
	}
	tb.there = true
	tb.perm.Mode, tb.perm.UID, tb.perm.GID = n.Mode, n.UID, n.GID
	for line := range strings.SplitSeq(strings.TrimSuffix(string(b), "\n"), "\n") {
		if line != "" {
			tb.rows = append(tb.rows, strings.Split(line, ":"))
		}
	}
	return tb, nil
}

// Save writes the files that changed: those that hold secrets first, so that a
// user never exists without its line in shadow.
func (d *DB) Save(t *tree.Tree) (changed bool, err error) {
	for _, tb := range []*table{d.gshadow, d.group, d.shadow, d.passwd} {
		if !tb.there {
			continue
		}
		var out strings.Builder
		for _, row := range tb.rows {
			out.WriteString(strings.Join(row, ":") + "\n")
		}
		c, err := t.WriteFile(tb.path, []byte(out.String()), tb.perm)
		if err != nil {
			return changed, err
		}
		changed = changed || c
	}
	return changed, nil
}

func (tb *table) find(name string) []string {
	for _, row := range tb.rows {
		if row[0] == name && len(row) >= tb.width {
			return row
		}
	}
	return nil
}

func (tb *table) add(fields ...string) {
	tb.there = true
	tb.rows = append(tb.rows, fields)
}

// CheckName says why name cannot be a user's or group's.
func CheckName(name string) error {
	if name == "" || len(name) > 32 {
		return fmt.Errorf("%q is no name for a user or group: it must have 1 to 32 characters", name)
	}
	for i, r := range name {
		letter := r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		later := r == '-' || r == '.' || r >= '0' && r <= '9' || r == '$' && i == len(name)-1
		if !letter && (!later || i == 0) {
			return fmt.Errorf("%q is no name for a user or group: %q is not allowed there", name, r)
		}
	}
	return nil
}

// checkField refuses what would break out of a field of the files.
func checkField(what, s string) error {
	if strings.ContainsAny(s, ":\n\r\x00") {
		return fmt.Errorf("%s %q: a colon or line break is not allowed there", what, s)
	}
	return nil
}

// User finds a user by name.
func (d *DB) User(name string) (User, bool) {
	row := d.passwd.find(name)
	if row == nil {
		return User{}, false
	}
	uid, err1 := strconv.Atoi(row[2])
	gid, err2 := strconv.Atoi(row[3])
	if err1 != nil || err2 != nil {
		return User{}, false
	}
	return User{Name: row[0], UID: uid, GID: gid, Gecos: row[4], Home: row[5], Shell: row[6]}, true
}

// Group finds a group's number by name.
func (d *DB) Group(name string) (int, bool) {
	row := d.group.find(name)
	if row == nil {
		return 0, false
	}
	gid, err := strconv.Atoi(row[2])
	return gid, err == nil
}

// Owner reads "user", "user:group", ":group" or numbers, as chown does: "user:"
// means the user's own group; what is not said is root.
func (d *DB) Owner(s string) (uid, gid int, err error) {
	user, group, hasGroup := strings.Cut(s, ":")
	if user != "" {
		if u, ok := d.User(user); ok {
			uid = u.UID
			if hasGroup && group == "" {
				gid = u.GID
			}
		} else if uid, err = number(user); err != nil {
			return 0, 0, fmt.Errorf("owner %q: there is no user %q", s, user)
		}
	}
	if hasGroup && group != "" {
		if g, ok := d.Group(group); ok {
			gid = g
		} else if gid, err = number(group); err != nil {
			return 0, 0, fmt.Errorf("owner %q: there is no group %q", s, group)
		}
	}
	return uid, gid, nil
}

func number(s string) (int, error) {
	n, err := strconv.ParseUint(s, 10, 31)
	return int(n), err
}

// free is the first number in the range that neither file uses; want, if that
// is free.
func (d *DB) free(want, first, last int) (int, error) {
	used := map[int]bool{}
	for _, tb := range []*table{d.passwd, d.group} {
		for _, row := range tb.rows {
			if len(row) > 2 {
				if n, err := number(row[2]); err == nil {
					used[n] = true
				}
			}
		}
	}
	if want >= first && !used[want] {
		return want, nil
	}
	for n := first; n <= last; n++ {
		if !used[n] {
			return n, nil
		}
	}
	return 0, fmt.Errorf("no number from %d to %d is free for a user or group", first, last)
}

// AddGroup makes a group if there is none of that name. A negative gid lets us
// choose.
func (d *DB) AddGroup(name string, gid int, system bool) (int, error) {
	if have, ok := d.Group(name); ok {
		return have, nil
	}
	if err := CheckName(name); err != nil {
		return 0, err
	}
	if gid < 0 {
		var err error
		if gid, err = d.free(-1, rangeOf(system).first, rangeOf(system).last); err != nil {
			return 0, err
		}
	}
	d.gshadow.add(name, "!", "", "")
	d.group.add(name, "x", strconv.Itoa(gid), "")
	return gid, nil
}

type idRange struct{ first, last int }

func rangeOf(system bool) idRange {
	if system {
		return idRange{firstSystem, lastSyst}
	}
	return idRange{firstID, lastID}
}

// Join makes a user a member of a group that exists.
func (d *DB) Join(user, group string) error {
	row := d.group.find(group)
	if row == nil {
		return fmt.Errorf("user %s: there is no group %q", user, group)
	}
	row[3] = join(row[3], user)
	if g := d.gshadow.find(group); g != nil {
		g[3] = join(g[3], user)
	}
	return nil
}

func join(members, user string) string {
	all := strings.FieldsFunc(members, func(r rune) bool { return r == ',' })
	if !slices.Contains(all, user) {
		all = append(all, user)
	}
	return strings.Join(all, ",")
}
