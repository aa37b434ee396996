package execute

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/ssh"

	"rancheros/cloudconfig"
	"rancheros/cloudinit/state"
	"rancheros/cloudinit/tree"
)

const sshDir = "/etc/ssh/"

// keysOf says for which instance the host keys were made.
const keysOf = state.Data + "/host-keys-of"

// sshHostKeys puts the config's host keys in place, and makes those that are
// missing. A new instance gets new ones: those of the image are known to all.
func sshHostKeys(_ context.Context, t *Target, c *cloudconfig.Config) error {
	given := hostKeys(c)
	t.addPublicHalves(given)
	if err := t.forgetHostKeys(c); err != nil {
		return err
	}
	var errs []error
	for _, f := range sortedKeys(given) {
		perm := tree.Perm{Mode: 0o600, Secret: true}
		if strings.HasSuffix(f, ".pub") {
			perm = rootPerm
		}
		_, err := t.Tree.WriteFile(sshDir+f, []byte(strings.TrimSpace(given[f])+"\n"), perm)
		errs = append(errs, err)
	}
	if len(given) > 0 {
		// Who gives keys wants these and no others.
		return errors.Join(append(errs, t.certificates(given))...)
	}
	types := c.SSHGenKeyTypes
	if types == nil {
		// RSA costs a hundred times the CPU of both, and no client of today
		// needs it.
		types = []string{"ed25519", "ecdsa"}
	}
	for _, kind := range types {
		// No sshd of today takes the keys of DSA that old configs list.
		if kind == "dsa" || t.Tree.Exists(sshDir+"ssh_host_"+kind+"_key") {
			continue
		}
		errs = append(errs, t.makeHostKey(kind))
	}
	return errors.Join(errs...)
}

// forgetHostKeys removes the image's host keys, once for each new instance. On
// our OS no image has any, and the console keeps those that were made.
func (t *Target) forgetHostKeys(c *cloudconfig.Config) error {
	if t.Ours || t.InstanceID == "" || !is(c.SSHDeleteKeys, true) || t.Tree.ReadString(keysOf) == t.InstanceID {
		return nil
	}
	names, err := t.Tree.List(sshDir)
	if err != nil {
		return err
	}
	for _, n := range names {
		if strings.HasPrefix(n, "ssh_host_") && strings.Contains(n, "key") {
			if _, err := t.Tree.Remove(sshDir + n); err != nil {
				return err
			}
		}
	}
	return t.quietly(func() error { return t.write(keysOf, t.InstanceID+"\n", 0o644) })
}

// hostKeys are the files that ssh_keys and rancher.ssh.keys give.
func hostKeys(c *cloudconfig.Config) map[string]string {
	files := map[string]string{}
	for k, v := range c.Rancher.SSH.Keys {
		kind, pub := strings.CutSuffix(k, "-pub")
		f := "ssh_host_" + state.SafeName(kind) + "_key"
		if pub {
			f += ".pub"
		}
		files[f] = v.Reveal()
	}
	for k, v := range c.SSHKeys {
		kind, what, ok := strings.Cut(k, "_")
		suffix, known := map[string]string{"private": "", "public": ".pub", "certificate": "-cert.pub"}[what]
		if ok && known {
			files["ssh_host_"+state.SafeName(kind)+"_key"+suffix] = v.Reveal()
		}
	}
	return files
}

// addPublicHalves makes those that are missing: sshd needs none, but who shows
// our keys to others does.
func (t *Target) addPublicHalves(files map[string]string) {
	for _, f := range sortedKeys(files) {
		if !strings.HasSuffix(f, "_key") || files[f+".pub"] != "" {
			continue
		}
		key, err := ssh.ParsePrivateKey([]byte(strings.TrimSpace(files[f]) + "\n"))
		if err != nil {
			t.Warn("ssh_keys: %s: its public half cannot be made: %v", f, err)
			continue
		}
		files[f+".pub"] = string(ssh.MarshalAuthorizedKey(key.PublicKey()))
	}
}

// certificates tells sshd of certificates that were given.
func (t *Target) certificates(given map[string]string) error {
	var b strings.Builder
	for _, f := range sortedKeys(given) {
		if strings.HasSuffix(f, "-cert.pub") {
			b.WriteString("HostCertificate " + sshDir + f + "\n")
		}
	}
	if b.Len() == 0 {
		return nil
	}
	return t.write(sshDir+"sshd_config.d/60-cloud-init-certificates.conf", b.String(), 0o600)
}

func (t *Target) makeHostKey(kind string) error {
	if t.Tree.Planned() {
		t.Tree.Note(tree.Change{Op: tree.Create, Path: sshDir + "ssh_host_" + kind + "_key", Mode: 0o600, Secret: true})
		return nil
	}
	private, public, err := HostKey(kind, "root@"+t.hostname())
	if err != nil {
		return err
	}
	file := sshDir + "ssh_host_" + kind + "_key"
	// The public half first: a private key without it would never get one.
	if err := t.write(file+".pub", public, 0o644); err != nil {
		return err
	}
	return t.write(file, private, 0o600)
}

func (t *Target) hostname() string {
	if h := t.Tree.ReadString("/etc/hostname"); h != "" {
		return h
	}
	return "localhost"
}

// HostKey makes a key pair for sshd: ed25519, ecdsa or rsa. private is in
// OpenSSH's format, public a line of authorized_keys.
func HostKey(kind, comment string) (private, public string, err error) {
	var key crypto.Signer
	switch kind {
	case "ed25519":
		_, key, err = ed25519.GenerateKey(rand.Reader)
	case "ecdsa":
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "rsa":
		key, err = rsa.GenerateKey(rand.Reader, 3072)
	default:
		return "", "", fmt.Errorf("ssh_genkeytypes: %q is none of ed25519, ecdsa, rsa", kind)
	}
	if err != nil {
		return "", "", fmt.Errorf("make a host key: %w", err)
	}
	block, err := ssh.MarshalPrivateKey(key, comment)
	if err != nil {
		return "", "", fmt.Errorf("make a host key: %w", err)
	}
	pub, err := ssh.NewPublicKey(key.Public())
	if err != nil {
		return "", "", fmt.Errorf("make a host key: %w", err)
	}
	line := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(pub)))
	return string(pem.EncodeToMemory(block)), line + " " + comment + "\n", nil
}

// publicHostKeys are the public halves, by type.
func (t *Target) publicHostKeys() map[string]string {
	all := map[string]string{}
	names, _ := t.Tree.List(sshDir)
	for _, n := range names {
		kind, ok := strings.CutPrefix(n, "ssh_host_")
		kind, ok2 := strings.CutSuffix(kind, "_key.pub")
		if ok && ok2 {
			all[kind] = t.Tree.ReadString(sshDir + n)
		}
	}
	return all
}

// yesNo are the words that upstream takes for true and false.
var yesNo = map[string]string{"true": "yes", "yes": "yes", "on": "yes", "1": "yes", "false": "no", "no": "no", "off": "no", "0": "no"}

// sshd says in sshd's config whether passwords are taken.
func sshd(ctx context.Context, t *Target, c *cloudconfig.Config) error {
	how := strings.ToLower(string(c.SSHPasswordAuth))
	if how == "" || how == "unchanged" {
		return Skip("ssh_pwauth is not set")
	}
	value, ok := yesNo[how]
	if !ok {
		return fmt.Errorf("ssh_pwauth: %q is none of true, false, unchanged", c.SSHPasswordAuth)
	}
	changed, err := t.Tree.WriteFile(sshDir+"sshd_config.d/50-cloud-init.conf", []byte("PasswordAuthentication "+value+"\n"), tree.Perm{Mode: 0o600})
	if err != nil {
		return err
	}
	w, err := t.setInMain("PasswordAuthentication", value)
	if err != nil || !changed && !w {
		return err
	}
	return t.reload(ctx, "ssh.service", "sshd.service")
}

// setInMain sets a word in sshd_config itself, where that does not read the
// folder of ours. Its mode and owner stay.
func (t *Target) setInMain(word, value string) (changed bool, err error) {
	const file = sshDir + "sshd_config"
	main, err := t.Tree.ReadFile(file)
	if err != nil || len(main) == 0 || readsFolder(string(main)) {
		return false, nil // who has no sshd_config has the defaults, or no sshd
	}
	n, err := t.Tree.Stat(file)
	if err != nil {
		return false, err
	}
	return t.Tree.WriteFile(file, []byte(withSetting(string(main), word, value)), tree.Perm{Mode: n.Mode, UID: n.UID, GID: n.GID})
}

// readsFolder says whether an sshd_config includes the files of its folder for
// every login.
func readsFolder(text string) bool {
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) > 0 && strings.EqualFold(f[0], "Match") {
			return false
		}
		if len(f) > 1 && strings.EqualFold(f[0], "Include") && strings.Contains(line, "sshd_config.d/") {
			return true
		}
	}
	return false
}

// withSetting sets a word of an sshd_config that includes no folder. The first
// line with a word counts there.
func withSetting(text, word, value string) string {
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		f := strings.Fields(l)
		if len(f) > 0 && strings.EqualFold(f[0], "Match") {
			break // what follows holds for some logins only
		}
		if len(f) > 0 && strings.EqualFold(f[0], word) {
			lines[i] = word + " " + value
			return strings.Join(lines, "\n")
		}
	}
	return word + " " + value + "\n" + text
}
