package execute

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"rancheros/cloudconfig"
	"rancheros/cloudinit/accounts"
	"rancheros/cloudinit/tree"
)

// OurUser is the login of our OS; `default` in users means it.
const OurUser = "rancher"

// A login is where a user's files go.
type login struct {
	Name, Home string
	UID, GID   int
}

// logins are who root, the default user and on our OS docker are.
func (t *Target) logins() []login {
	names := []string{"root", OurUser, "docker"}
	if !t.Ours {
		names = []string{"root", t.defaultUser().Name}
	}
	db, err := t.accounts()
	if err != nil {
		return nil
	}
	var all []login
	for _, n := range names {
		if u, ok := db.User(n); ok {
			all = append(all, login{u.Name, u.Home, u.UID, u.GID})
		}
	}
	return all
}

// defaultUser is whom `default` in users stands for: rancher here, elsewhere
// whom the distribution's own cloud.cfg names. It is the same in all of a run.
func (t *Target) defaultUser() cloudconfig.User {
	if t.Ours {
		return cloudconfig.User{Name: OurUser}
	}
	if t.distroUser == nil {
		u := t.cloudUser()
		t.distroUser = &u
	}
	return *t.distroUser
}

func (t *Target) cloudUser() cloudconfig.User {
	var doc struct {
		SystemInfo struct {
			DefaultUser cloudconfig.User `yaml:"default_user"`
		} `yaml:"system_info"`
	}
	for _, f := range t.cloudCfgs() {
		if b, err := t.Tree.ReadFile(f); err == nil {
			_ = yaml.Unmarshal(b, &doc) // what cannot be read names nobody
		}
	}
	u := doc.SystemInfo.DefaultUser
	if u.Name == "" {
		u = cloudconfig.User{Shell: "/bin/bash", Gecos: "Cloud user",
			Groups: cloudconfig.UserGroups{"adm", "sudo", "docker"}, Sudo: cloudconfig.SudoRules{"ALL=(ALL) NOPASSWD:ALL"}}
		u.Name = t.distro()
	}
	if t.DefaultUser != "" {
		u.Name = t.DefaultUser
	}
	// The groups of a distribution's list that the image lacks are not made.
	no := false
	u.CreateGroups = &no
	return u
}

// distro is the ID of os-release, cloud-user when there is none.
func (t *Target) distro() string {
	for _, f := range []string{"/etc/os-release", "/usr/lib/os-release"} {
		b, _ := t.Tree.ReadFile(f)
		for line := range strings.Lines(string(b)) {
			if v, ok := strings.CutPrefix(line, "ID="); ok {
				if name := strings.Trim(v, "\"'\n"); accounts.CheckName(name) == nil {
					return name
				}
			}
		}
	}
	return "cloud-user"
}

// cloudCfgs are upstream's own config files, lowest first.
func (t *Target) cloudCfgs() []string {
	all := []string{"/etc/cloud/cloud.cfg"}
	names, _ := t.Tree.List("/etc/cloud/cloud.cfg.d")
	for _, n := range names {
		if strings.HasSuffix(n, ".cfg") {
			all = append(all, "/etc/cloud/cloud.cfg.d/"+n)
		}
	}
	return all
}

// wanted are the accounts of the config, `default` replaced, entries of one
// name joined; def is the default user, nil when the config leaves it out.
func (t *Target) wanted(c *cloudconfig.Config) (all []cloudconfig.User, def *cloudconfig.User) {
	list := c.Users
	if list == nil { // an empty list wants nobody
		list = cloudconfig.Users{{Name: "default"}}
	}
	d := overlay(t.defaultUser(), c.User)
	for _, u := range list {
		if u.Name == "default" {
			u = overlay(d, func() cloudconfig.User { u.Name = ""; return u }())
		} else if u.Name == d.Name {
			u = overlay(d, u)
		}
		if i := slices.IndexFunc(all, func(have cloudconfig.User) bool { return have.Name == u.Name }); i >= 0 {
			all[i] = overlay(all[i], u)
			continue
		}
		all = append(all, u)
	}
	if i := slices.IndexFunc(all, func(u cloudconfig.User) bool { return u.Name == d.Name }); i >= 0 {
		def = &all[i]
	}
	return all, def
}

// users makes the groups and accounts.
func users(ctx context.Context, t *Target, c *cloudconfig.Config) error {
	db, err := t.accounts()
	if err != nil {
		return err
	}
	want, def := t.wanted(c)
	if def == nil && len(c.SSHAuthorizedKeys)+len(t.Keys) > 0 && !t.Ours {
		t.Warn("users does not list `default`: ssh_authorized_keys and the cloud's keys let nobody in but root")
	}
	var errs []error
	for _, g := range c.Groups {
		if _, err := db.AddGroup(g.Name, -1, false); err != nil {
			errs = append(errs, err)
		}
	}
	var made []accounts.User
	fresh := map[string]bool{}
	for _, u := range want {
		if err := t.checkUser(u, def); err != nil {
			errs = append(errs, err)
			continue
		}
		_, there := db.User(u.Name)
		fresh[u.Name] = !there
		errs = append(errs, t.account(db, u, t.passwordNames(c, def)))
		if a, ok := db.User(u.Name); ok && !u.NoCreateHome && !u.System {
			made = append(made, a)
		}
	}
	for _, g := range c.Groups {
		for _, m := range g.Members {
			if _, ok := db.User(m); !ok {
				t.Warn("group %s: there is no user %q to be a member", g.Name, m)
				continue
			}
			if err := db.Join(m, g.Name); err != nil {
				errs = append(errs, err)
			}
		}
	}
	if _, err := db.Save(t.Tree); err != nil {
		return errors.Join(append(errs, err)...)
	}
	for _, a := range made {
		errs = append(errs, t.makeHome(a))
	}
	return errors.Join(append(errs, t.writeSudo(want), t.writeDoas(want), t.seLinux(ctx, want, fresh))...)
}

// checkUser says what of an entry cannot be.
func (t *Target) checkUser(u cloudconfig.User, def *cloudconfig.User) error {
	switch {
	case u.SnapUser != "":
		return fmt.Errorf("user %s: snapuser: accounts of Ubuntu's store are not made here: use name and ssh_import_id", cmp.Or(u.Name, u.SnapUser))
	case !u.SSHRedirectUser.Bool(false):
		return nil
	case len(u.SSHAuthorizedKeys)+len(u.SSHImportID) > 0:
		return fmt.Errorf("user %s: ssh_redirect_user sends away whom the keys would let in: leave out the one or the other", u.Name)
	case def == nil || def.Name == u.Name:
		t.Warn("user %s: ssh_redirect_user: there is no default user to send people to", u.Name)
	}
	return nil
}

// account makes one account, or brings the one that is there up to date.
func (t *Target) account(db *accounts.DB, u cloudconfig.User, hasPassword map[string]bool) error {
	n := accounts.NewUser{System: u.System, NoGroup: u.NoUserGroup}
	n.User = accounts.User{Name: u.Name, Gecos: u.Gecos, Home: u.HomeDir, Shell: u.Shell, UID: -1, GID: -1}
	if n.Shell == "" {
		n.Shell = t.shell()
	}
	if u.UID != nil {
		n.UID = int(*u.UID)
	} else {
		n.UID = t.uidOfHome(n.User)
	}
	makeGroups := is(u.CreateGroups, true)
	if u.PrimaryGroup != "" {
		gid, ok := db.Group(u.PrimaryGroup)
		if !ok && !makeGroups {
			return fmt.Errorf("user %s: there is no group %q", u.Name, u.PrimaryGroup)
		}
		if !ok {
			var err error
			if gid, err = db.AddGroup(u.PrimaryGroup, -1, u.System); err != nil {
				return err
			}
		}
		n.GID = gid
	}
	a, made, err := db.AddUser(n, t.Now())
	if err != nil {
		return err
	}
	if made && !u.System {
		// Services may depend on a system account: it is nobody's login.
		t.ownsUser(a.Name, a.UID)
	}
	var errs []error
	for _, g := range u.Groups {
		_, there := db.Group(g)
		if !there && !makeGroups {
			continue
		}
		if !there {
			if _, err := db.AddGroup(g, -1, u.System); err != nil {
				errs = append(errs, fmt.Errorf("user %s: %w", u.Name, err))
				continue
			}
		}
		errs = append(errs, db.Join(u.Name, g))
	}
	return errors.Join(append(errs, t.password(db, u, made, hasPassword[u.Name]))...)
}

// uidOfHome is the owner of a home that is there already: it belonged to this
// user before /etc was made afresh. -1 when it says nothing.
func (t *Target) uidOfHome(u accounts.User) int {
	home := u.Home
	if home == "" {
		home = "/home/" + u.Name
	}
	n, err := t.Tree.Stat(home)
	if err != nil || n.Kind != tree.Dir || n.UID < 1000 {
		return -1
	}
	db, err := t.accounts()
	if err != nil || db.Named(n.UID) != "" {
		return -1
	}
	return n.UID
}

// password sets what the entry says of its account's password.
func (t *Target) password(db *accounts.DB, u cloudconfig.User, made, setElsewhere bool) error {
	hash := u.HashedPasswd.Reveal()
	if hash == "" && made {
		hash = u.Passwd.Reveal()
	}
	// Of a hash and a text the hash counts, as upstream has it.
	if plain := u.PlainTextPasswd.Reveal(); u.HashedPasswd == "" && plain != "" && !accounts.Matches(db.Hash(u.Name), plain) {
		var err error
		if hash, err = accounts.Crypt(plain); err != nil {
			return err
		}
	}
	if hash != "" && strings.TrimLeft(db.Hash(u.Name), "!") != hash {
		if err := db.SetHash(u.Name, hash, t.Now()); err != nil {
			return err
		}
	}
	// On our OS rancher's and docker's password are locked by the image, and
	// may have been set on the kernel command line.
	ownLogin := t.Ours && u.Name == OurUser && u.LockPasswd == nil
	switch {
	case is(u.LockPasswd, true) && !setElsewhere && !ownLogin:
		db.Lock(u.Name)
	case !is(u.LockPasswd, true):
		db.Unlock(u.Name)
	}
	if u.ExpireDate != "" {
		day, err := time.Parse("2006-01-02", u.ExpireDate)
		if err != nil {
			return fmt.Errorf("user %s: expiredate %q: write it as 2032-09-01", u.Name, u.ExpireDate)
		}
		db.ExpireAccount(u.Name, day)
	}
	if u.Inactive != "" {
		days, err := strconv.Atoi(u.Inactive)
		if err != nil {
			return fmt.Errorf("user %s: inactive %q: write a number of days", u.Name, u.Inactive)
		}
		db.Inactive(u.Name, days)
	}
	return nil
}

// makeHome makes a user's home out of /etc/skel. One that is there stays.
func (t *Target) makeHome(u accounts.User) error {
	if t.Tree.Exists(u.Home) {
		return nil
	}
	if _, err := t.Tree.MkdirAll(path.Dir(u.Home), tree.Perm{Mode: 0o755}); err != nil {
		return err
	}
	if _, err := t.Tree.MkdirAll(u.Home, tree.Perm{Mode: 0o700, UID: u.UID, GID: u.GID}); err != nil {
		return fmt.Errorf("home of %s: %w", u.Name, err)
	}
	return t.copySkel("/etc/skel", u.Home, u)
}

func (t *Target) copySkel(from, to string, u accounts.User) error {
	names, err := t.Tree.List(from)
	if err != nil {
		return err
	}
	for _, name := range names {
		src, dst := path.Join(from, name), path.Join(to, name)
		n, err := t.Tree.Lstat(src)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		perm := tree.Perm{Mode: n.Mode, UID: u.UID, GID: u.GID}
		switch n.Kind {
		case tree.Dir:
			if _, err := t.Tree.MkdirAll(dst, perm); err != nil {
				return err
			}
			err = t.copySkel(src, dst, u)
		case tree.Link:
			_, err = t.Tree.Symlink(dst, n.Link, perm)
		case tree.File:
			var b []byte
			if b, err = t.Tree.ReadFile(src); err == nil {
				_, err = t.Tree.WriteFile(dst, b, perm)
			}
		}
		if err != nil {
			return fmt.Errorf("home of %s: %w", u.Name, err)
		}
	}
	return nil
}

// shell is what accounts get of which nothing is said: elsewhere what the
// distribution's useradd gives, here the best one that there is.
func (t *Target) shell() string {
	if !t.Ours {
		b, _ := t.Tree.ReadFile("/etc/default/useradd")
		for line := range strings.Lines(string(b)) {
			if v, ok := strings.CutPrefix(strings.TrimSpace(line), "SHELL="); ok && v != "" {
				return v
			}
		}
		return "/bin/sh"
	}
	if t.Tree.Exists("/bin/bash") {
		return "/bin/bash"
	}
	return "/bin/sh"
}
