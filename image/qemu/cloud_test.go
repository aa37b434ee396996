package qemu

import (
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rancheros/datasources/dstest"
)

var user = User{Data: []byte("#cloud-config\n"), Keys: []string{"ssh-ed25519 AAAA k"}, Hostname: "ros", ID: "one"}

// noDisc keeps the folder in the place of a disc.
func noDisc(_, dir, out string) error { return os.Symlink(dir, out) }

func TestEveryCloudGivesUserDataAndKey(t *testing.T) {
	for _, name := range Clouds() {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			c, err := NewCloud(name, dir, "ros-image", user, noDisc)
			if err != nil {
				t.Fatal(err)
			}
			if len(c.Drives) == 0 && c.Metadata == "" {
				t.Fatal("the machine has neither a drive nor a metadata server")
			}
			all := ""
			err = filepath.WalkDir(filepath.Join(dir, name), func(p string, d os.DirEntry, err error) error {
				if err != nil || !d.Type().IsRegular() {
					return err
				}
				b, err := os.ReadFile(p)
				all += string(b)
				return err
			})
			if err != nil || !strings.Contains(all, "#cloud-config") || !strings.Contains(all, user.Keys[0]) {
				t.Errorf("user-data or key is not in what was written: %v\n%s", err, all)
			}
		})
	}
}

func TestEC2WantsAToken(t *testing.T) {
	dir := t.TempDir()
	if _, err := NewCloud("ec2", dir, "ros-image", user, noDisc); err != nil {
		t.Fatal(err)
	}
	h, err := dstest.Handler(filepath.Join(dir, "ec2", "http"))
	if err != nil {
		t.Fatal(err)
	}
	for token, want := range map[string]int{"": 403, "x": 200} {
		r := httptest.NewRequest("GET", "/latest/user-data", nil)
		if token != "" {
			r.Header.Set("X-aws-ec2-metadata-token", token)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if body, _ := io.ReadAll(w.Body); w.Code != want {
			t.Errorf("with token %q: %d %s, want %d", token, w.Code, body, want)
		}
	}
}

func TestArgsAvoidTheBrokenInstruction(t *testing.T) {
	for _, c := range []struct {
		name string
		m    Machine
		want string
	}{
		{"old QEMU", Machine{Major: 7}, "max,-cx16"},
		{"new QEMU", Machine{Major: 10}, "max"},
		{"KVM", Machine{Major: 7, KVM: true}, "max"},
	} {
		t.Run(c.name, func(t *testing.T) {
			args := c.m.Args()
			if i := slices.Index(args, "-cpu"); i < 0 || args[i+1] != c.want {
				t.Errorf("Args() = %q, want -cpu %s", args, c.want)
			}
		})
	}
}

func TestUnknownCloudNamesTheOthers(t *testing.T) {
	if _, err := NewCloud("ec3", t.TempDir(), "", user, noDisc); err == nil || !strings.Contains(err.Error(), "ec2") {
		t.Errorf("NewCloud(ec3) = %v, want the list", err)
	}
}
