package accounts

import (
	"fmt"
	"path"
	"strconv"
	"strings"
	"time"
)

// A NewUser is what to make. Negative numbers let us choose.
type NewUser struct {
	User
	System bool
	// NoGroup: no group of the user's own; GID must be given.
	NoGroup bool
}

// AddUser makes a user, locked, with a group of its own unless GID says which.
// A user that is there is left as it is; the bool says whether it was made.
func (d *DB) AddUser(n NewUser, today time.Time) (User, bool, error) {
	if have, ok := d.User(n.Name); ok {
		return have, false, nil
	}
	if err := CheckName(n.Name); err != nil {
		return User{}, false, err
	}
	for what, s := range map[string]string{"gecos": n.Gecos, "home": n.Home, "shell": n.Shell} {
		if err := checkField("user "+n.Name+": "+what, s); err != nil {
			return User{}, false, err
		}
	}
	u := n.User
	if u.Home == "" {
		u.Home = "/home/" + u.Name
	}
	switch {
	case !path.IsAbs(u.Home):
		return User{}, false, fmt.Errorf("user %s: home %q must begin with a slash", u.Name, u.Home)
	case int64(u.UID) > maxID:
		return User{}, false, fmt.Errorf("user %s: uid %d is greater than %d", u.Name, u.UID, int64(maxID))
	}
	// A group of that name that a power cut left without its user keeps its
	// number for both.
	if gid, ok := d.Group(u.Name); ok && u.UID < 0 && gid >= rangeOf(n.System).first && gid <= rangeOf(n.System).last && d.Named(gid) == "" {
		u.UID = gid
	}
	if u.UID < 0 {
		var err error
		r := rangeOf(n.System)
		if u.UID, err = d.free(-1, r.first, r.last); err != nil {
			return User{}, false, err
		}
	} else if other := d.Named(u.UID); other != "" {
		return User{}, false, fmt.Errorf("user %s: uid %d belongs to %s", u.Name, u.UID, other)
	}
	if u.GID < 0 {
		var err error
		if u.GID, err = d.ownGroup(u, n); err != nil {
			return User{}, false, err
		}
	}
	d.shadow.add(u.Name, "!", strconv.FormatInt(days(today), 10), "0", "99999", "7", "", "", "")
	d.passwd.add(u.Name, "x", strconv.Itoa(u.UID), strconv.Itoa(u.GID), u.Gecos, u.Home, u.Shell)
	return u, true, nil
}

func (d *DB) ownGroup(u User, n NewUser) (int, error) {
	if n.NoGroup {
		if gid, ok := d.Group("users"); ok {
			return gid, nil
		}
		return 100, nil
	}
	if gid, ok := d.Group(u.Name); ok {
		return gid, nil
	}
	r := rangeOf(n.System)
	gid, err := d.free(u.UID, r.first, r.last)
	if err != nil {
		return 0, err
	}
	return d.AddGroup(u.Name, gid, n.System)
}

// Named is the name of the user with that number, "" when there is none.
func (d *DB) Named(uid int) string {
	for _, row := range d.passwd.rows {
		if len(row) >= 7 && row[2] == strconv.Itoa(uid) {
			return row[0]
		}
	}
	return ""
}

func days(t time.Time) int64 { return t.Unix() / 86400 }

// Hash is a user's line of shadow: the hash, "!" before it when locked.
func (d *DB) Hash(name string) string {
	if row := d.shadow.find(name); row != nil {
		return row[1]
	}
	return ""
}

// SetHash sets the hash of a user's password as it is to lie in shadow. An
// unchanged hash keeps the date of the last change.
func (d *DB) SetHash(name, hash string, today time.Time) error {
	if err := checkField("password hash of "+name, hash); err != nil {
		return fmt.Errorf("password hash of %s: a colon or line break is not allowed there", name)
	}
	row := d.shadow.find(name)
	if row == nil {
		if _, ok := d.User(name); !ok {
			return fmt.Errorf("set password: there is no user %q", name)
		}
		d.shadow.add(name, hash, strconv.FormatInt(days(today), 10), "0", "99999", "7", "", "", "")
		return nil
	}
	if row[1] != hash {
		row[1], row[2] = hash, strconv.FormatInt(days(today), 10)
	}
	return nil
}

// Lock makes the password unusable and keeps it; Unlock gives it back. A user
// without a password stays locked: unlocking would let anybody in.
func (d *DB) Lock(name string) {
	if row := d.shadow.find(name); row != nil && !strings.HasPrefix(row[1], "!") {
		row[1] = "!" + row[1]
	}
}

// Unlock undoes Lock.
func (d *DB) Unlock(name string) {
	row := d.shadow.find(name)
	if row == nil {
		return
	}
	if h := strings.TrimLeft(row[1], "!"); h != "" && h != "*" {
		row[1] = h
	}
}

// Expire makes the user choose a new password at the next login.
func (d *DB) Expire(name string) {
	if row := d.shadow.find(name); row != nil {
		row[2] = "0"
	}
}

// ExpireAccount sets the day after which the account is closed.
func (d *DB) ExpireAccount(name string, day time.Time) {
	if row := d.shadow.find(name); row != nil {
		row[7] = strconv.FormatInt(days(day), 10)
	}
}

// closedDay is a day after which an account is closed that has always been past.
const closedDay = "1"

// Close shuts an account for every way in, keys included, and says what its
// expiry was. Reopen gives that back; the password stays locked.
func (d *DB) Close(name string) (expiry string) {
	d.Lock(name)
	if row := d.shadow.find(name); row != nil {
		expiry, row[7] = row[7], closedDay
	}
	return expiry
}

// Reopen undoes Close, unless somebody has set another expiry since.
func (d *DB) Reopen(name, expiry string) {
	if row := d.shadow.find(name); row != nil && row[7] == closedDay {
		row[7] = expiry
	}
}

// Inactive sets how many days after its password's end an account stays open.
func (d *DB) Inactive(name string, n int) {
	if row := d.shadow.find(name); row != nil {
		row[6] = strconv.Itoa(n)
	}
}
