package execute

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"

	"rancheros/cloudconfig"
	"rancheros/cloudinit/accounts"
)

// newPasswords are whose passwords password and chpasswd set.
func (t *Target) newPasswords(c *cloudconfig.Config, def *cloudconfig.User) []cloudconfig.UserPassword {
	var all []cloudconfig.UserPassword
	if t.Password != "" && c.Password == "" && def != nil {
		all = append(all, byLooks(def.Name, t.Password.Reveal()))
	}
	if c.Password != "" && def != nil {
		all = append(all, byLooks(def.Name, c.Password.Reveal()))
	}
	for _, line := range c.ChangePassword.List {
		name, pass, ok := strings.Cut(strings.TrimSpace(line.Reveal()), ":")
		if ok && name != "" {
			all = append(all, byLooks(name, pass))
		}
	}
	return append(all, c.ChangePassword.Users...)
}

// byLooks tells hash, text and RANDOM apart, as the old forms leave it open.
func byLooks(name, pass string) cloudconfig.UserPassword {
	p := cloudconfig.UserPassword{Name: name, Type: "text", Password: cloudconfig.Secret(pass)}
	switch {
	case pass == "R" || pass == "RANDOM":
		p.Type, p.Password = "RANDOM", ""
	case accounts.IsHash(pass):
		p.Type = "hash"
	}
	return p
}

// passwordNames are those whose password the passwords applier sets.
func (t *Target) passwordNames(c *cloudconfig.Config, def *cloudconfig.User) map[string]bool {
	all := map[string]bool{}
	for _, p := range t.newPasswords(c, def) {
		all[p.Name] = true
	}
	return all
}

// passwords sets passwords of accounts that are there.
func passwords(_ context.Context, t *Target, c *cloudconfig.Config) error {
	_, def := t.wanted(c)
	list := t.newPasswords(c, def)
	if len(list) == 0 {
		return Skip("neither password nor chpasswd is set")
	}
	db, err := t.accounts()
	if err != nil {
		return err
	}
	var errs []error
	var printed []string
	for _, p := range list {
		// What the cloud shows its owner is not to be changed at once.
		expire := is(c.ChangePassword.Expire, true) && (t.Password == "" || p.Password != t.Password)
		line, err := t.setPassword(db, p, expire)
		if err != nil {
			errs = append(errs, err)
		}
		if line != "" {
			printed = append(printed, line)
		}
	}
	if _, err := db.Save(t.Tree); err != nil {
		return errors.Join(append(errs, err)...)
	}
	if len(printed) > 0 {
		t.say("Passwords made at random, to be changed:\n%s", strings.Join(printed, "\n"))
	}
	return errors.Join(errs...)
}

// setPassword sets one; the result is what to print for a random one.
func (t *Target) setPassword(db *accounts.DB, p cloudconfig.UserPassword, expire bool) (string, error) {
	if _, ok := db.User(p.Name); !ok {
		return "", fmt.Errorf("chpasswd: there is no user %q", p.Name)
	}
	have, want, print := db.Hash(p.Name), p.Password.Reveal(), ""
	switch {
	case p.Type == "RANDOM":
		if accounts.IsHash(have) {
			return "", nil // it was made, and printed, before
		}
		want = rand.Text()[:20]
		print = p.Name + ":" + want
	case p.Type == "" || p.Type == "hash":
		if have == want {
			// Where this runs at every boot, it would expire what its user has kept.
			if expire && !t.Ours {
				db.Expire(p.Name)
			}
			return "", nil
		}
	case p.Type != "text":
		return "", fmt.Errorf("chpasswd: user %s: type %q is none of hash, text, RANDOM", p.Name, p.Type)
	case !strings.HasPrefix(have, "!") && accounts.Matches(have, want):
		return "", nil
	}
	if p.Type != "" && p.Type != "hash" {
		var err error
		if want, err = accounts.Crypt(want); err != nil {
			return "", err
		}
	}
	if err := db.SetHash(p.Name, want, t.Now()); err != nil {
		return "", err
	}
	if expire {
		db.Expire(p.Name)
	}
	return print, nil
}
