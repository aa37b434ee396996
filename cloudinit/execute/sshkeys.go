package execute

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"rancheros/cloudconfig"
	"rancheros/cloudinit/tree"
)

// Lines between these are ours; the rest of the file is its user's.
const (
	keysBegin = "# begin rancheros-cloud-config: written at every boot, do not edit"
	keysEnd   = "# end rancheros-cloud-config"
)

// noRoot is what stands before root's keys when root must not log in: the
// client is told whom to log in as.
const noRoot = `no-port-forwarding,no-agent-forwarding,no-X11-forwarding,command="echo 'Please login as the user \"$USER\" rather than the user \"$DISABLE_USER\".';echo;sleep 10;exit 142"`

// sshKeys writes the keys that may log in: on our OS as rancher and docker,
// elsewhere as the default user and root; and those of each user of its own.
func sshKeys(_ context.Context, t *Target, c *cloudconfig.Config) error {
	want, _ := t.wanted(c)
	keys := t.wantedKeys(c, want)
	db, err := t.accounts()
	if err != nil {
		return err
	}
	var errs []error
	for _, name := range sortedKeys(keys) {
		u, ok := db.User(name)
		if !ok {
			if t.Ours && name == "docker" {
				continue // a console of the user's own may lack it
			}
			if len(keys[name]) > 0 {
				errs = append(errs, fmt.Errorf("user %s: there is no such user to log in as", name))
			}
			continue
		}
		if err := t.writeKeys(login{u.Name, u.Home, u.UID, u.GID}, keys[name]); err != nil {
			errs = append(errs, fmt.Errorf("user %s: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

// wantedKeys are the keys of each user whom the config gives any, or could.
func (t *Target) wantedKeys(c *cloudconfig.Config, want []cloudconfig.User) map[string][]string {
	general := slices.Clone(c.SSHAuthorizedKeys)
	if is(c.AllowPublicSSHKeys, true) {
		general = append(general, t.Keys...)
	}
	_, def := t.wanted(c)
	keys := map[string][]string{}
	for _, u := range want {
		keys[u.Name] = append(keys[u.Name], u.SSHAuthorizedKeys...)
		if u.SSHRedirectUser.Bool(false) && def != nil {
			keys[u.Name] = prefixed(noLogin(noRoot, def.Name, u.Name), t.Keys)
		}
	}
	t.generalKeys(c, keys, general, def)
	return keys
}

// generalKeys says whom the keys that name no user are for.
func (t *Target) generalKeys(c *cloudconfig.Config, keys map[string][]string, general []string, def *cloudconfig.User) {
	if t.Ours {
		keys[OurUser] = append(keys[OurUser], general...)
		keys["docker"] = append(keys["docker"], general...)
		return
	}
	user := "NONE"
	if def != nil {
		keys[def.Name] = append(keys[def.Name], general...)
		user = def.Name
	}
	if is(c.DisableRoot, true) {
		opts := c.DisableRootOpts
		if opts == "" {
			opts = noRoot
		}
		general = prefixed(noLogin(opts, user, "root"), general)
	}
	keys["root"] = append(keys["root"], general...)
}

func noLogin(opts, user, disabled string) string {
	return strings.NewReplacer("$USER", user, "$DISABLE_USER", disabled).Replace(opts)
}

func prefixed(opts string, keys []string) []string {
	var all []string
	for _, k := range keys {
		if strings.TrimSpace(k) != "" {
			all = append(all, opts+" "+strings.TrimSpace(k))
		}
	}
	return all
}

// writeKeys makes our block of a user's authorized_keys. Nothing of the path
// below the home may be a symbolic link: the user could point it anywhere.
func (t *Target) writeKeys(l login, keys []string) error {
	file := path.Join(l.Home, ".ssh/authorized_keys")
	have, err := t.Tree.ReadFileBelow(l.Home, file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var block []string
	for _, k := range keys {
		for line := range strings.SplitSeq(k, "\n") {
			line = strings.TrimSpace(line)
			if line == "" || strings.HasPrefix(line, "#") || slices.Contains(block, line) {
				continue
			}
			if !looksLikeKey(line) {
				t.Warn("user %s: %.40q is no public key: left out", l.Name, line)
				continue
			}
			block = append(block, line)
		}
	}
	text := withBlock(string(have), block)
	if text == "" && len(have) == 0 {
		return nil
	}
	if len(block) > 0 {
		t.ownsKeys(l.Name)
	}
	_, err = t.Tree.WriteFileBelow(l.Home, file, []byte(text),
		tree.Perm{Mode: 0o600, UID: l.UID, GID: l.GID}, tree.Perm{Mode: 0o700, UID: l.UID, GID: l.GID})
	return err
}

// withBlock replaces our block of the file; without lines there is none.
func withBlock(text string, lines []string) string { return blockOf(text, keysBegin, keysEnd, lines) }

// blockOf replaces the lines between two marks, at the end of a text where
// there are none yet.
func blockOf(text, begin, end string, lines []string) string {
	var out []string
	inside := false
	for line := range strings.SplitSeq(strings.TrimSuffix(text, "\n"), "\n") {
		switch {
		case line == begin:
			inside = true
		case line == end:
			inside = false
		case !inside && (line != "" || len(out) > 0):
			out = append(out, line)
		}
	}
	if len(lines) > 0 {
		out = append(out, begin)
		out = append(append(out, lines...), end)
	}
	if len(out) == 0 {
		return ""
	}
	return strings.Join(out, "\n") + "\n"
}

// looksLikeKey finds a type of key with base64 after it, perhaps after
// options.
func looksLikeKey(line string) bool {
	f := strings.Fields(line)
	for i := 0; i+1 < len(f); i++ {
		if !strings.HasPrefix(f[i], "ssh-") && !strings.HasPrefix(f[i], "ecdsa-") && !strings.HasPrefix(f[i], "sk-") {
			continue
		}
		b, err := base64.StdEncoding.DecodeString(f[i+1])
		// The blob begins with its own type, as a string with its length.
		return err == nil && len(b) > 4
	}
	return false
}

// sshImportID fetches the public keys of accounts at GitHub and Launchpad.
func sshImportID(ctx context.Context, t *Target, c *cloudconfig.Config) error {
	want, def := t.wanted(c)
	if def != nil {
		def.SSHImportID = append(slices.Clone(def.SSHImportID), c.SSHImportID...)
	}
	db, err := t.accounts()
	if err != nil {
		return err
	}
	var errs []error
	any := false
	for _, u := range want {
		for _, id := range u.SSHImportID {
			any = true
			a, ok := db.User(u.Name)
			if !ok {
				errs = append(errs, fmt.Errorf("ssh_import_id %s: there is no user %q", id, u.Name))
				continue
			}
			errs = append(errs, t.importKeys(ctx, login{a.Name, a.Home, a.UID, a.GID}, id))
		}
	}
	if !any {
		return Skip("ssh_import_id names nobody")
	}
	return errors.Join(errs...)
}

func (t *Target) importKeys(ctx context.Context, l login, id string) error {
	url, err := importURL(id)
	if err != nil {
		return err
	}
	if t.Tree.Planned() {
		t.Tree.Note(tree.Change{Op: tree.Set, Path: path.Join(l.Home, ".ssh/authorized_keys"), Target: "keys of " + id})
		return nil
	}
	body, err := t.fetch(ctx, url, nil, 1<<20)
	if err != nil {
		return fmt.Errorf("ssh_import_id %s: %w", id, err)
	}
	file := path.Join(l.Home, ".ssh/authorized_keys")
	have, err := t.Tree.ReadFileBelow(l.Home, file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	text := string(have)
	for line := range strings.SplitSeq(string(body), "\n") {
		line = strings.TrimSpace(line)
		if looksLikeKey(line) && !strings.Contains(text, line) {
			text = strings.TrimRight(text, "\n") + "\n" + line + " # ssh-import-id " + id + "\n"
		}
	}
	_, err = t.Tree.WriteFileBelow(l.Home, file, []byte(strings.TrimLeft(text, "\n")),
		tree.Perm{Mode: 0o600, UID: l.UID, GID: l.GID}, tree.Perm{Mode: 0o700, UID: l.UID, GID: l.GID})
	return err
}

// importURL is where an account's keys are: gh:NAME at GitHub, lp:NAME or NAME
// at Launchpad.
func importURL(id string) (string, error) {
	site, name, ok := strings.Cut(id, ":")
	if !ok {
		site, name = "lp", id
	}
	if name == "" || strings.ContainsAny(name, "/?#% \n") {
		return "", fmt.Errorf("ssh_import_id %q: that is no account; write gh:NAME or lp:NAME", id)
	}
	switch site {
	case "gh":
		return "https://github.com/" + name + ".keys", nil
	case "lp":
		return "https://launchpad.net/~" + name + "/+sshkeys", nil
	}
	return "", fmt.Errorf("ssh_import_id %q: %q is neither gh nor lp", id, site)
}
