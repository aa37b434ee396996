package execute

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"rancheros/cloudconfig"
)

// sudoers is where the rules of users go, as cloud-init calls it.
const sudoers = "/etc/sudoers.d/90-cloud-init-users"

// writeSudo writes the sudo rules of all users into one file.
func (t *Target) writeSudo(all []cloudconfig.User) error {
	var b strings.Builder
	var errs []error
	for _, u := range all {
		for _, rule := range u.Sudo {
			if strings.ContainsAny(rule, "\n\r\x00") {
				errs = append(errs, fmt.Errorf("user %s: sudo: a rule is one line", u.Name))
				continue
			}
			fmt.Fprintf(&b, "%s %s\n", u.Name, rule)
		}
	}
	if b.Len() == 0 {
		_, err := t.Tree.Remove(sudoers)
		return errors.Join(append(errs, err)...)
	}
	if err := t.includeSudoers(); err != nil {
		return errors.Join(append(errs, err)...)
	}
	return errors.Join(append(errs, t.write(sudoers, "# Written from users in the cloud-config.\n"+b.String(), 0o440))...)
}

// includeSudoers makes sudo read our file, where its own config does not.
func (t *Target) includeSudoers() error {
	const main = "/etc/sudoers"
	have, err := t.Tree.ReadFile(main)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // without sudo there is nobody to read it
	}
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(have)) {
		f := strings.Fields(line)
		if len(f) == 2 && (f[0] == "#includedir" || f[0] == "@includedir") && path.Clean(f[1]) == path.Dir(sudoers) {
			return nil
		}
	}
	return t.write(main, strings.TrimRight(string(have), "\n")+"\n\n#includedir "+path.Dir(sudoers)+"\n", 0o440)
}

// doasConf holds rules of the image too; ours stand between marks.
const (
	doasConf  = "/etc/doas.conf"
	doasBegin = "# begin of users in the cloud-config: do not edit"
	doasEnd   = "# end of users in the cloud-config"
)

// writeDoas does the same for doas.
func (t *Target) writeDoas(all []cloudconfig.User) error {
	var rules []string
	var errs []error
	for _, u := range all {
		for _, rule := range u.Doas {
			if rule = oneLine(rule); !slices.Contains(strings.Fields(rule), u.Name) {
				errs = append(errs, fmt.Errorf("user %s: doas: the rule %q is for somebody else", u.Name, rule))
				continue
			}
			rules = append(rules, rule)
		}
	}
	have, err := t.Tree.ReadFile(doasConf)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(append(errs, err)...)
	}
	if text := blockOf(string(have), doasBegin, doasEnd, rules); text != string(have) {
		errs = append(errs, t.write(doasConf, text, 0o440))
	}
	return errors.Join(errs...)
}

// seLinux maps logins to the users of SELinux that the config names, where the
// machine has the program for it.
func (t *Target) seLinux(ctx context.Context, all []cloudconfig.User, made map[string]bool) error {
	var errs []error
	for _, u := range all {
		switch {
		case u.SELinuxUser == "" || !made[u.Name]:
		case t.Program("semanage") == "":
			t.Warn("user %s: selinux_user %s: there is no semanage on this machine", u.Name, u.SELinuxUser)
		default:
			errs = append(errs, t.Do(t.Command(ctx, "semanage", "login", "-a", "-s", u.SELinuxUser, u.Name)))
		}
	}
	return errors.Join(errs...)
}
