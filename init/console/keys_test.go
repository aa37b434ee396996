package console

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/crypto/ssh"
)

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestHostKeysStayTheSameOnTheNextBoot(t *testing.T) {
	store, first, second := t.TempDir(), t.TempDir(), t.TempDir()
	for _, dir := range []string{first, second} {
		if err := restoreKeys(store, dir, nil); err != nil {
			t.Fatal(err)
		}
	}
	for kind := range generated {
		name := prefix + kind + suffix
		a, b := read(t, filepath.Join(first, name)), read(t, filepath.Join(second, name))
		if string(a) != string(b) {
			t.Errorf("%s key changed", kind)
		}
		key, err := ssh.ParsePrivateKey(a)
		if err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		if got := string(ssh.MarshalAuthorizedKey(key.PublicKey())); got != string(read(t, filepath.Join(first, name+".pub"))) {
			t.Errorf("%s: public key does not fit", kind)
		}
		st, err := os.Stat(filepath.Join(store, name))
		if err != nil || st.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, err %v", kind, st.Mode(), err)
		}
	}
}

func TestHostKeysOfTheConfigWin(t *testing.T) {
	store, dir := t.TempDir(), t.TempDir()
	if err := restoreKeys(store, dir, map[string]string{"rsa": "PRIVATE", "rsa-pub": "PUBLIC"}); err != nil {
		t.Fatal(err)
	}
	if got := string(read(t, filepath.Join(dir, "ssh_host_rsa_key"))); got != "PRIVATE\n" {
		t.Errorf("rsa key = %q", got)
	}
	if got := string(read(t, filepath.Join(store, "ssh_host_rsa_key.pub"))); got != "PUBLIC\n" {
		t.Errorf("kept rsa key = %q", got)
	}
}

func TestTerminalsAreTheFirstScreenAndTheSerialConsoles(t *testing.T) {
	got := terminals("console=tty0 console=ttyS0,115200n8 quiet")
	if len(got) != 2 || got[0] != "tty1" || got[1] != "ttyS0" {
		t.Errorf("terminals = %v", got)
	}
}
