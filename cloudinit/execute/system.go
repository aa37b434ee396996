package execute

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	"rancheros/cloudconfig"
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
	if !t.Tree.Exists(zone) {
		return fmt.Errorf("timezone %q: there is no %s", c.Timezone, zone)
	}
	_, err1 := t.Tree.Symlink("/etc/localtime", zone, rootPerm)
	err2 := t.write("/etc/timezone", c.Timezone+"\n", 0o644)
	return errors.Join(err1, err2)
}

// locale writes the language of logins.
func locale(_ context.Context, t *Target, c *cloudconfig.Config) error {
	if c.Locale == "" || c.Locale == cloudconfig.False {
		return Skip("no locale is set")
	}
	file := c.LocaleConfigFile
	if file == "" {
		file = "/etc/default/locale"
	}
	return t.write(file, "LANG="+oneLine(string(c.Locale))+"\n", 0o644)
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

// caCerts makes the machine trust the authorities of ca_certs, and the engines
// with it: they read the same bundle.
func caCerts(ctx context.Context, t *Target, c *cloudconfig.Config) error {
	ca := c.CACerts
	if len(ca.Trusted) == 0 && !ca.RemoveDefaults {
		return Skip("ca_certs names none")
	}
	const dir, bundle = "/usr/local/share/ca-certificates", "/etc/ssl/certs/ca-certificates.crt"
	changed := false
	for i, cert := range ca.Trusted {
		if !strings.Contains(cert, "-----BEGIN CERTIFICATE-----") {
			return fmt.Errorf("ca_certs.trusted[%d]: that is no certificate in PEM", i)
		}
		w, err := t.Tree.WriteFile(fmt.Sprintf("%s/cloud-init-ca-cert-%d.crt", dir, i+1), []byte(strings.TrimSpace(cert)+"\n"), rootPerm)
		if err != nil {
			return err
		}
		changed = changed || w
	}
	if ca.RemoveDefaults {
		w, err := t.distrustDefaults()
		if err != nil {
			return err
		}
		changed = changed || w
	}
	if t.Program("update-ca-certificates") != "" && !t.Ours {
		if !changed {
			return nil
		}
		return t.Do(t.Command(ctx, "update-ca-certificates"))
	}
	return t.writeBundle(bundle, ca)
}

// writeBundle appends our certificates to the bundle, where no tool of the
// distribution does it; what we added before stands after a marker.
func (t *Target) writeBundle(bundle string, ca cloudconfig.CACerts) error {
	const marker = "# added by cloud-init, from ca_certs\n"
	var base string
	if !ca.RemoveDefaults {
		have, err := t.Tree.ReadFile(bundle)
		if err == nil {
			base, _, _ = strings.Cut(string(have), marker)
		}
	}
	text := base + marker
	for _, cert := range ca.Trusted {
		text += strings.TrimSpace(cert) + "\n"
	}
	return t.write(bundle, text, 0o644)
}

// distrustDefaults switches every line of ca-certificates.conf off.
func (t *Target) distrustDefaults() (bool, error) {
	const conf = "/etc/ca-certificates.conf"
	have, err := t.Tree.ReadFile(conf)
	if err != nil {
		return false, nil // no such tool here: the bundle is written whole
	}
	var out strings.Builder
	for line := range strings.Lines(string(have)) {
		if strings.TrimSpace(line) != "" && !strings.HasPrefix(line, "#") && !strings.HasPrefix(line, "!") {
			line = "!" + line
		}
		out.WriteString(line)
	}
	return t.Tree.WriteFile(conf, []byte(out.String()), rootPerm)
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
