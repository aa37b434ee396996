package execute

import (
	"cmp"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"strings"

	"rancheros/cloudconfig"
	"rancheros/cloudinit/tree"
)

// keysToConsole prints the host keys, so that who sees the console can check
// the machine that he logs in to.
func keysToConsole(_ context.Context, t *Target, c *cloudconfig.Config) error {
	if !is(c.SSH.EmitKeysToConsole, true) {
		return Skip("ssh.emit_keys_to_console is false")
	}
	keys := t.publicHostKeys()
	if len(keys) == 0 || t.Console == nil {
		return Skip("there are no host keys to print, or no console")
	}
	t.say("-----BEGIN SSH HOST KEY FINGERPRINTS-----")
	for _, kind := range sortedKeys(keys) {
		if !contains(c.SSHFingerprintConsoleBlacklist, kind) {
			t.say("%s (%s)", Fingerprint(keys[kind], "sha256"), strings.ToUpper(kind))
		}
	}
	t.say("-----END SSH HOST KEY FINGERPRINTS-----\n-----BEGIN SSH HOST KEY KEYS-----")
	for _, kind := range sortedKeys(keys) {
		if !contains(c.SSHKeyConsoleBlacklist, kind) {
			t.say("%s", keys[kind])
		}
	}
	t.say("-----END SSH HOST KEY KEYS-----")
	return nil
}

// publishHostKeys tells the cloud our host keys, where it shows them to who wants
// to log in.
func publishHostKeys(ctx context.Context, t *Target, c *cloudconfig.Config) error {
	p := c.SSHPublishHostkeys
	if !is(p.Enabled, true) || t.Publish == nil || !t.Live {
		return Skip("ssh_publish_hostkeys.enabled is false, or there is nobody to tell")
	}
	blacklist := p.Blacklist
	if blacklist == nil {
		blacklist = []string{"dsa"}
	}
	keys := t.publicHostKeys()
	for _, kind := range blacklist {
		delete(keys, strings.TrimPrefix(kind, "ssh-"))
	}
	if len(keys) == 0 {
		return Skip("there are no host keys to tell")
	}
	if t.Tree.Planned() {
		t.Tree.Note(tree.Change{Op: tree.Set, Path: "host keys at the cloud", Target: strings.Join(sortedKeys(keys), ", ")})
		return nil
	}
	told, err := t.Publish(ctx, keys)
	if err == nil && !told {
		return Skip("the cloud takes no host keys")
	}
	if told {
		t.Tree.Note(tree.Change{Op: tree.Set, Path: "host keys at the cloud", Target: strings.Join(sortedKeys(keys), ", ")})
	}
	return err
}

// authkeyFingerprints prints who may log in.
func authkeyFingerprints(_ context.Context, t *Target, c *cloudconfig.Config) error {
	if c.NoSSHFingerprints || t.Console == nil {
		return Skip("no_ssh_fingerprints is set, or there is no console")
	}
	hash := cmp.Or(strings.ToLower(c.AuthkeyHash), "sha256")
	if fingerprints[hash] == nil {
		return fmt.Errorf("authkey_hash: %q is none of %s", c.AuthkeyHash, strings.Join(sortedKeys(fingerprints), ", "))
	}
	want, _ := t.wanted(c)
	db, err := t.accounts()
	if err != nil {
		return err
	}
	for _, w := range want {
		u, ok := db.User(w.Name)
		if !ok {
			continue
		}
		b, err := t.Tree.ReadFileBelow(u.Home, u.Home+"/.ssh/authorized_keys")
		if err != nil {
			continue // nobody logs in by key there
		}
		for line := range strings.Lines(string(b)) {
			if f := strings.Fields(line); len(f) >= 2 && looksLikeKey(line) && Fingerprint(line, hash) != "" {
				t.say("ci-info: %s may log in with %s %s", u.Name, f[0], Fingerprint(line, hash))
			}
		}
	}
	return nil
}

func contains(list []string, kind string) bool {
	for _, s := range list {
		if s == kind || strings.Contains(s, kind) {
			return true
		}
	}
	return false
}

// fingerprints are the hashes of keys as ssh-keygen -l -E prints them.
var fingerprints = map[string]func([]byte) string{
	"md5": func(b []byte) string {
		s := md5.Sum(b)
		return "MD5:" + strings.ReplaceAll(fmt.Sprintf("% x", s), " ", ":")
	},
	"sha256": func(b []byte) string {
		s := sha256.Sum256(b)
		return "SHA256:" + base64.RawStdEncoding.EncodeToString(s[:])
	},
	"sha512": func(b []byte) string {
		s := sha512.Sum512(b)
		return "SHA512:" + base64.RawStdEncoding.EncodeToString(s[:])
	},
}

// Fingerprint is that of a public key; "" when the line has none.
func Fingerprint(line, hash string) string {
	f := strings.Fields(line)
	for i := 1; i < len(f); i++ {
		if b, err := base64.StdEncoding.DecodeString(f[i]); err == nil && looksLikeKey(f[i-1]+" "+f[i]) {
			return fingerprints[hash](b)
		}
	}
	return ""
}
