package execute

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	"rancheros/cloudconfig"
	"rancheros/cloudinit/tree"
)

// timezone points /etc/localtime at the zone.
func timezone(_ context.Context, t *Target, c *cloudconfig.Config) error {
	if c.Timezone == "" {
		return Skip("no timezone is set")
	}
	zone := path.Clean("/usr/share/zoneinfo/" + c.Timezone)
	if !strings.HasPrefix(zone, "/usr/share/zoneinfo/") {
		return fmt.Errorf("timezone %q: that is no name of a zone; write it as Europe/Berlin", c.Timezone)
	}
	if n, err := t.Tree.Stat(zone); err != nil || n.Kind != tree.File {
		return fmt.Errorf("timezone %q: there is no zone %s", c.Timezone, zone)
	}
	_, err1 := t.Tree.Symlink("/etc/localtime", zone, rootPerm)
	err2 := t.write("/etc/timezone", c.Timezone+"\n", 0o644)
	return errors.Join(err1, err2)
}

// localeFiles are where the language of logins is kept; the first that is there
// counts.
var localeFiles = []string{"/etc/default/locale", "/etc/locale.conf"}

// locale writes the language of logins, and makes it where the machine makes
// its own.
func locale(ctx context.Context, t *Target, c *cloudconfig.Config) error {
	if c.Locale == "" || c.Locale == cloudconfig.False {
		return Skip("no locale is set")
	}
	name, file := oneLine(string(c.Locale)), c.LocaleConfigFile
	for _, f := range localeFiles {
		if file == "" && t.Tree.Exists(f) {
			file = f
		}
	}
	if file == "" {
		file = localeFiles[0]
	}
	err := t.makeLocale(ctx, name)
	return errors.Join(err, t.write(file, "LANG="+name+"\n", 0o644))
}

// makeLocale has locale-gen make a locale that the machine does not have.
func (t *Target) makeLocale(ctx context.Context, name string) error {
	const list = "/etc/locale.gen"
	base, charset, _ := strings.Cut(name, ".")
	if base == "C" || base == "POSIX" || t.Program("locale-gen") == "" || !t.Tree.Exists(list) {
		return nil
	}
	if charset == "" {
		charset = "UTF-8"
	}
	want := name + " " + strings.ToUpper(charset)
	if up := strings.ToUpper(charset); up == "UTF8" || up == "UTF-8" {
		want = base + ".UTF-8 UTF-8"
	}
	have, err := t.Tree.ReadFile(list)
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(have)) {
		if strings.Join(strings.Fields(line), " ") == want {
			return nil
		}
	}
	changed, err := t.Tree.WriteFile(list, []byte(strings.TrimRight(string(have), "\n")+"\n"+want+"\n"), rootPerm)
	if err != nil || !changed {
		return err
	}
	return t.Do(t.Command(ctx, "locale-gen"))
}

// keyboard writes the layout of the console's keyboard.
func keyboard(ctx context.Context, t *Target, c *cloudconfig.Config) error {
	k := c.Keyboard
	if k.Layout == "" {
		return Skip("no keyboard is set")
	}
	if k.Model == "" {
		k.Model = "pc105"
	}
	text := fmt.Sprintf("XKBMODEL=%s\nXKBLAYOUT=%s\nXKBVARIANT=%s\nXKBOPTIONS=%s\nBACKSPACE=guess\n",
		quoteValue(k.Model), quoteValue(k.Layout), quoteValue(k.Variant), quoteValue(k.Options))
	changed, err := t.Tree.WriteFile("/etc/default/keyboard", []byte(text), rootPerm)
	if err != nil || !changed || t.Program("setupcon") == "" {
		return err
	}
	return t.Do(t.Command(ctx, "setupcon", "--force", "-k"))
}

// quoteValue is a value in a file of shell variables.
func quoteValue(s string) string {
	return `"` + strings.NewReplacer(`"`, "", "`", "", "$", "", `\`, "").Replace(oneLine(s)) + `"`
}

// ownNames are what service definitions ask for; as variables of a login they
// would mean something else to other programs.
const ownNames = " PATH path VERSION SUFFIX REGISTRY_DOMAIN KERNEL_VERSION "

// environment gives logins the proxies and, on our OS, rancher.environment.
func environment(_ context.Context, t *Target, c *cloudconfig.Config) error {
	env := map[string]string{}
	for k, v := range c.Rancher.Environment {
		// `service/NAME` is for one service.
		if isName(k) && !strings.Contains(ownNames, " "+k+" ") {
			env[k] = v
		}
	}
	n := c.Rancher.Network
	for k, v := range map[string]string{"http_proxy": n.HTTPProxy, "https_proxy": n.HTTPSProxy, "no_proxy": n.NoProxy} {
		if v != "" {
			env[k], env[strings.ToUpper(k)] = v, v
		}
	}
	extra := c.Rancher.Environment["PATH"]
	if extra == "" {
		extra = c.Rancher.Environment["path"]
	}
	const file = "/etc/profile.d/cloud-config.sh"
	if len(env) == 0 && extra == "" {
		if _, err := t.Tree.Remove(file); err != nil {
			return err
		}
		return Skip("neither proxies nor rancher.environment are set")
	}
	var b strings.Builder
	b.WriteString("# Written at every boot from rancher.environment and rancher.network.\n")
	for _, k := range sortedKeys(env) {
		fmt.Fprintf(&b, "export %s=%s\n", k, shellQuote(oneLine(env[k])))
	}
	if extra != "" {
		fmt.Fprintf(&b, "export PATH=%s:\"$PATH\"\n", shellQuote(strings.ReplaceAll(oneLine(extra), ",", ":")))
	}
	return t.write(file, b.String(), 0o644)
}

// isName says whether s can be a variable of the shell.
func isName(s string) bool {
	for i, r := range s {
		if r != '_' && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return s != ""
}
