package accounts

import (
	"fmt"
	"slices"
	"strings"
)

// RemoveUser takes a user out of the files, with its own group if nobody else is
// in that. Its home stays. Nobody of that name is no error.
func (d *DB) RemoveUser(name string) error {
	u, ok := d.User(name)
	if !ok {
		return nil
	}
	if u.UID == 0 {
		return fmt.Errorf("user %s is root and is not removed", name)
	}
	d.passwd.remove(name)
	d.shadow.remove(name)
	for _, tb := range []*table{d.group, d.gshadow} {
		for _, row := range tb.rows {
			if len(row) >= tb.width {
				row[3] = leave(row[3], name)
			}
		}
	}
	own := d.group.find(name)
	if own == nil || own[3] != "" || slices.ContainsFunc(d.passwd.rows, func(row []string) bool {
		return len(row) >= d.passwd.width && row[3] == own[2]
	}) {
		return nil
	}
	return d.RemoveGroup(name)
}

// RemoveGroup takes a group out of the files; files of its number stay so.
func (d *DB) RemoveGroup(name string) error {
	gid, ok := d.Group(name)
	if !ok {
		return nil
	}
	if gid == 0 {
		return fmt.Errorf("group %s is root's and is not removed", name)
	}
	d.group.remove(name)
	d.gshadow.remove(name)
	return nil
}

func (tb *table) remove(name string) {
	tb.rows = slices.DeleteFunc(tb.rows, func(row []string) bool { return row[0] == name && len(row) >= tb.width })
}

func leave(members, user string) string {
	all := strings.FieldsFunc(members, func(r rune) bool { return r == ',' })
	if !slices.Contains(all, user) {
		return members
	}
	return strings.Join(slices.DeleteFunc(all, func(m string) bool { return m == user }), ",")
}
