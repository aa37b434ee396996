package execute

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"

	"rancheros/cloudconfig"
	"rancheros/cloudinit/accounts"
)

// departed takes back what we made and the config names no more: accounts are
// closed (and opened again when it names them again), keys are taken out, files
// removed. Accounts, keys and files of others are never touched, nor is data:
// homes stay.
func departed(_ context.Context, t *Target, c *cloudconfig.Config) error {
	switch {
	case t.ledger == nil:
		return Skip("nothing is known to be ours")
	case t.Doubt:
		return Skip("the config has errors: what it does not name may be in what could not be read")
	}
	want, _ := t.wanted(c)
	back, err := t.departedUsers(want)
	return errors.Join(err, t.departedKeys(c, want, back), t.departedFiles(c))
}

// departedUsers closes accounts that are no longer wanted; back are those that
// are again.
func (t *Target) departedUsers(want []cloudconfig.User) (back []string, err error) {
	if len(t.ledger.Users) == 0 {
		return nil, nil
	}
	db, err := t.accounts()
	if err != nil {
		return nil, err
	}
	closed := false
	for _, name := range sortedKeys(t.ledger.Users) {
		own := t.ledger.Users[name]
		if u, ok := db.User(name); !ok || u.UID != own.UID {
			delete(t.ledger.Users, name) // somebody removed it, or made another one
			continue
		}
		i := slices.IndexFunc(want, func(u cloudconfig.User) bool { return u.Name == name })
		switch {
		case i < 0 && !own.Closed:
			own.Closed, own.Expiry, closed = true, db.Close(name), true
			t.Warn("user %s: the config names it no more: its account is closed, its home stays", name)
		case i >= 0 && own.Closed:
			reopen(db, name, own, want[i])
			back = append(back, name)
		}
	}
	if _, err := db.Save(t.Tree); err != nil {
		return nil, err
	}
	if closed || len(back) > 0 {
		err = errors.Join(t.writeSudo(want), t.writeDoas(want))
	}
	return back, err
}

func reopen(db *accounts.DB, name string, own *ownUser, u cloudconfig.User) {
	db.Reopen(name, own.Expiry)
	if !is(u.LockPasswd, true) {
		db.Unlock(name)
	}
	own.Closed, own.Expiry = false, ""
}

// departedKeys takes our block out of the authorized_keys of users to whom the
// config gives no keys any more, and gives those who are back theirs.
func (t *Target) departedKeys(c *cloudconfig.Config, want []cloudconfig.User, back []string) error {
	db, err := t.accounts()
	if err != nil {
		return err
	}
	keys := t.wantedKeys(c, want)
	var errs []error
	write := func(name string) {
		if u, ok := db.User(name); ok {
			errs = append(errs, t.writeKeys(login{u.Name, u.Home, u.UID, u.GID}, keys[name]))
		}
	}
	for _, name := range back {
		write(name)
	}
	for _, name := range sortedKeys(t.ledger.Keys) {
		if _, ok := keys[name]; !ok {
			write(name)
			delete(t.ledger.Keys, name)
		}
	}
	return errors.Join(errs...)
}

// departedFiles removes files and links that are still what we made.
func (t *Target) departedFiles(c *cloudconfig.Config) error {
	named := map[string]bool{}
	for _, f := range c.WriteFiles {
		named[f.Path] = true
	}
	for _, l := range c.Rancher.Links {
		named[l.Path] = named[l.Path] || !l.Absent
	}
	for p := range t.Files {
		named[p] = true
	}
	var errs []error
	for _, p := range sortedKeys(t.ledger.Files) {
		if named[p] {
			continue
		}
		was := t.ledger.Files[p]
		now, err := t.standing(p)
		if strings.HasPrefix(now, leadsTo) && !strings.HasPrefix(was, leadsTo) {
			var b []byte // it was written through a link
			b, err = t.Tree.ReadFile(p)
			now = sumOf(b)
		}
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			errs = append(errs, err)
			continue
		case now != was:
			t.Warn("%s: the config names it no more, but it was changed by somebody else: it stays", p)
		default:
			if _, err := t.Tree.Remove(p); err != nil {
				errs = append(errs, err)
				continue
			}
		}
		delete(t.ledger.Files, p)
	}
	return errors.Join(errs...)
}
