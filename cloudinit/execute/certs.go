package execute

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	"rancheros/cloudconfig"
)

// trustStores are where distributions take certificates of one's own from, and
// the program that makes their bundle of it. The first whose folder is there
// and whose program is counts.
var trustStores = []struct {
	dir, program string
	argv         []string
}{
	{"/usr/local/share/ca-certificates", "update-ca-certificates", []string{"update-ca-certificates"}}, // Debian, Alpine
	{"/etc/pki/trust/anchors", "update-ca-certificates", []string{"update-ca-certificates"}},           // SUSE
	{"/etc/pki/ca-trust/source/anchors", "update-ca-trust", []string{"update-ca-trust"}},               // Red Hat
	{"/etc/ca-certificates/trust-source/anchors", "update-ca-trust", []string{"update-ca-trust"}},      // Arch
}

// ourCert is how the names of our certificates begin.
const ourCert = "cloud-init-ca-cert-"

// caCerts makes the machine trust the authorities of ca_certs, and the engines
// with it: they read the same bundle. Those of an earlier config go.
func caCerts(ctx context.Context, t *Target, c *cloudconfig.Config) error {
	ca := c.CACerts
	const bundle = "/etc/ssl/certs/ca-certificates.crt"
	dir, update := t.trustStore()
	for i, cert := range ca.Trusted {
		if !strings.Contains(cert, "-----BEGIN CERTIFICATE-----") {
			return fmt.Errorf("ca_certs.trusted[%d]: that is no certificate in PEM", i)
		}
	}
	changed, err := t.forgetCerts(dir, len(ca.Trusted))
	if err != nil {
		return err
	}
	if len(ca.Trusted) == 0 && !ca.RemoveDefaults && !changed {
		return Skip("ca_certs names none")
	}
	for i, cert := range ca.Trusted {
		w, err := t.Tree.WriteFile(certFile(dir, i), []byte(strings.TrimSpace(cert)+"\n"), rootPerm)
		if err != nil {
			return err
		}
		changed = changed || w
	}
	if ca.RemoveDefaults {
		w, err := t.distrustDefaults(update)
		if err != nil {
			return err
		}
		changed = changed || w
	}
	if update == nil || t.Ours {
		return t.writeBundle(bundle, ca)
	}
	if !changed {
		return nil
	}
	return t.Do(t.Command(ctx, update...))
}

func certFile(dir string, i int) string { return fmt.Sprintf("%s/%s%d.crt", dir, ourCert, i+1) }

// trustStore is where certificates go, and what then makes the bundle; nil:
// nothing does.
func (t *Target) trustStore() (dir string, update []string) {
	for _, s := range trustStores {
		if t.Tree.Exists(path.Dir(s.dir)) && t.Program(s.program) != "" {
			return s.dir, s.argv
		}
	}
	return trustStores[0].dir, nil
}

// forgetCerts removes those of ours that are more than n.
func (t *Target) forgetCerts(dir string, n int) (changed bool, err error) {
	names, err := t.Tree.List(dir)
	if err != nil {
		return false, err
	}
	keep := map[string]bool{}
	for i := range n {
		keep[path.Base(certFile(dir, i))] = true
	}
	var errs []error
	for _, name := range names {
		if strings.HasPrefix(name, ourCert) && !keep[name] {
			_, err := t.Tree.Remove(path.Join(dir, name))
			errs = append(errs, err)
			changed = true
		}
	}
	return changed, errors.Join(errs...)
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

// distrustDefaults switches every line of ca-certificates.conf off, where the
// machine has one.
func (t *Target) distrustDefaults(update []string) (bool, error) {
	const conf = "/etc/ca-certificates.conf"
	have, err := t.Tree.ReadFile(conf)
	if err != nil {
		if update != nil {
			t.Warn("ca_certs.remove_defaults: this machine has no %s: its own authorities are still trusted", conf)
		}
		return false, nil // without a tool the bundle is written whole
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
