package console

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/ssh"

	"rancheros/cloudconfig"
	"rancheros/paths"
)

const (
	sshDir = "/etc/ssh"
	prefix = "ssh_host_"
	suffix = "_key"
)

// generated are the key types made when there is none: both take
// milliseconds. RSA takes seconds and no client of today needs it.
var generated = map[string]func() (crypto.Signer, error){
	"ed25519": func() (crypto.Signer, error) {
		_, k, err := ed25519.GenerateKey(rand.Reader)
		return k, err
	},
	"ecdsa": func() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) },
}

// restoreHostKeys puts the machine's ssh host keys to where sshd looks: those
// of the config, else those of the state disk, else new ones.
func restoreHostKeys(_ context.Context, o *Options) error {
	return restoreKeys(paths.SSHKeys, sshDir, o.HostKeys)
}

func restoreKeys(store, dir string, config map[string]string) error {
	var errs []error
	kept, err := filepath.Glob(filepath.Join(store, prefix+"*"))
	if err != nil {
		return err
	}
	for _, k := range kept {
		b, err := os.ReadFile(k)
		if err == nil {
			err = writeKey(filepath.Join(dir, filepath.Base(k)), b)
		}
		errs = append(errs, err)
	}
	for name, text := range config {
		kind, public := strings.CutSuffix(name, "-pub")
		file := filepath.Join(dir, prefix+kind+suffix)
		if public {
			file += ".pub"
		}
		errs = append(errs, writeKey(file, []byte(strings.TrimSpace(text)+"\n")))
	}
	for kind, generate := range generated {
		file := filepath.Join(dir, prefix+kind+suffix)
		if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, newKey(file, generate))
		}
	}
	// At once, so that a power cut after the first login cannot change who we are.
	errs = append(errs, saveKeys(dir, store))
	return errors.Join(errs...)
}

func newKey(file string, generate func() (crypto.Signer, error)) error {
	key, err := generate()
	if err != nil {
		return fmt.Errorf("make ssh host key %s: %w", file, err)
	}
	block, err := ssh.MarshalPrivateKey(key, "")
	if err != nil {
		return fmt.Errorf("make ssh host key %s: %w", file, err)
	}
	public, err := ssh.NewPublicKey(key.Public())
	if err != nil {
		return fmt.Errorf("make ssh host key %s: %w", file, err)
	}
	return errors.Join(
		writeKey(file, pem.EncodeToMemory(block)),
		writeKey(file+".pub", ssh.MarshalAuthorizedKey(public)),
	)
}

// saveHostKeys keeps keys that cloud-config brought.
func saveHostKeys(_ context.Context, _ *Options) error { return saveKeys(sshDir, paths.SSHKeys) }

func saveKeys(dir, store string) error {
	keys, err := filepath.Glob(filepath.Join(dir, prefix+"*"))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(store, 0o700); err != nil {
		return fmt.Errorf("keep ssh host keys: %w", err)
	}
	var errs []error
	for _, k := range keys {
		b, err := os.ReadFile(k)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		kept := filepath.Join(store, filepath.Base(k))
		if old, err := os.ReadFile(kept); err == nil && bytes.Equal(old, b) {
			continue
		}
		errs = append(errs, writeKey(kept, b))
	}
	return errors.Join(errs...)
}

// writeKey writes a file whole or not at all; private keys are for root only.
func writeKey(file string, content []byte) error {
	mode := os.FileMode(0o600)
	if strings.HasSuffix(file, ".pub") {
		mode = 0o644
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	if err := cloudconfig.WriteFile(file, content, mode); err != nil {
		return fmt.Errorf("write ssh host key: %w", err)
	}
	return nil
}
