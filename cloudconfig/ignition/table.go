package ignition

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
)

// A table is a file of lines with fields between colons: passwd and its kin.
type table struct {
	name string
	rows []*row
	// there is false if the file does not exist.
	there bool
}

type row struct{ fields []string }

func (r *row) number(i int) int {
	if i >= len(r.fields) {
		return -1
	}
	n, err := strconv.Atoi(r.fields[i])
	if err != nil {
		return -1
	}
	return n
}

func (a *accounts) number(db *table, kind string, system bool) (int, error) {
	if system {
		return db.free(a.def("SYS_"+kind+"_MIN", 101), a.def("SYS_"+kind+"_MAX", 999), true)
	}
	return db.free(a.def(kind+"_MIN", 1000), a.def(kind+"_MAX", 60000), false)
}

// set gives a field a value, and the row the fields up to it.
func (r *row) set(i int, v string) {
	for len(r.fields) <= i {
		r.fields = append(r.fields, "")
	}
	r.fields[i] = v
}

func (db *table) find(name string) *row {
	for _, r := range db.rows {
		if r.fields[0] == name {
			return r
		}
	}
	return nil
}

// number is the row of that number, or nil.
func (db *table) number(n int) *row {
	for _, r := range db.rows {
		if r.number(2) == n {
			return r
		}
	}
	return nil
}

func (db *table) remove(name string) {
	db.rows = slices.DeleteFunc(db.rows, func(r *row) bool { return r.fields[0] == name })
}

func (db *table) add(fields ...string) { db.rows = append(db.rows, &row{fields}) }

// free is the number above the highest in use in a range, or for system
// accounts below the lowest. Where there is none, any that is free will do.
func (db *table) free(low, high int, down bool) (int, error) {
	used := map[int]bool{}
	next := low
	if down {
		next = high
	}
	for _, r := range db.rows {
		n := r.number(2)
		used[n] = true
		switch {
		case n < low || n > high:
		case down && n <= next:
			next = n - 1
		case !down && n >= next:
			next = n + 1
		}
	}
	if next >= low && next <= high {
		return next, nil
	}
	for i := range high - low + 1 {
		n := low + i
		if down {
			n = high - i
		}
		if !used[n] {
			return n, nil
		}
	}
	return 0, fmt.Errorf("%s: no number is free from %d to %d", db.name, low, high)
}

func (t tree) save(db *table, mode fs.FileMode) error {
	var b strings.Builder
	for _, r := range db.rows {
		b.WriteString(strings.Join(r.fields, ":") + "\n")
	}
	st, err := t.Lstat(db.name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := t.write(db.name, []byte(b.String()), st); err != nil {
		return err
	}
	if !db.there {
		return t.Chmod(db.name, mode)
	}
	return nil
}

func (r *row) members() []string {
	if len(r.fields) < 4 || r.fields[3] == "" {
		return nil
	}
	return strings.Split(r.fields[3], ",")
}

func (r *row) leave(name string) {
	if m := r.members(); slices.Contains(m, name) {
		r.set(3, strings.Join(slices.DeleteFunc(m, func(s string) bool { return s == name }), ","))
	}
}

func (r *row) join(name string) {
	if m := r.members(); !slices.Contains(m, name) {
		r.set(3, strings.Join(append(m, name), ","))
	}
}
