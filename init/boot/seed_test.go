package boot

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

func put(t *testing.T, root string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

const seedNames = `{"Repositories":{"rancheros/os-base":{"rancheros/os-base:v2":"sha256:bb"}}}`

func seedTree(t *testing.T) string {
	t.Helper()
	from := t.TempDir()
	put(t, from, map[string]string{
		repositories: seedNames,
		"image/overlay2/imagedb/content/sha256/bb":     "config",
		"image/overlay2/layerdb/sha256/cc/diff":        "sha256:dd",
		"overlay2/ee/link":                             "L",
		"image/overlay2/imagedb/metadata/sha256/.keep": "",
	})
	if err := os.Symlink("/usr/share/ros/layers/ee", filepath.Join(from, "overlay2/ee/diff")); err != nil {
		t.Fatal(err)
	}
	return from
}

func TestSeedKeepsWhatTheUserPulled(t *testing.T) {
	from, to := seedTree(t), t.TempDir()
	put(t, to, map[string]string{repositories: `{"Repositories":{"user/app":{"user/app:1":"sha256:11"},"rancheros/os-base":{"rancheros/os-base:v1":"sha256:aa"}}}`})
	if err := seed(from, to); err != nil {
		t.Fatal(err)
	}
	var got struct{ Repositories map[string]map[string]string }
	b, err := os.ReadFile(filepath.Join(to, repositories))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	for name, tags := range map[string][]string{"user/app": {"user/app:1"}, "rancheros/os-base": {"rancheros/os-base:v1", "rancheros/os-base:v2"}} {
		for _, tag := range tags {
			if got.Repositories[name][tag] == "" {
				t.Errorf("%s is gone: %s", tag, b)
			}
		}
	}
	if target, err := os.Readlink(filepath.Join(to, "overlay2/ee/diff")); err != nil || target != "/usr/share/ros/layers/ee" {
		t.Errorf("diff = %q, %v", target, err)
	}
}

func TestSeedMendsWhatAPowerCutLeft(t *testing.T) {
	from, to := seedTree(t), t.TempDir()
	put(t, to, map[string]string{
		"image/overlay2/imagedb/content/sha256/bb": "", // made, never written
		repositories: `{"Repo`,
	})
	if err := seed(from, to); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(to, "image/overlay2/imagedb/content/sha256/bb"))
	if err != nil || string(b) != "config" {
		t.Errorf("image config = %q, %v", b, err)
	}
	if err := seed(from, to); err == nil || err.Error() != "the system images are known" {
		t.Errorf("second seed: %v, want it skipped", err)
	}
}
