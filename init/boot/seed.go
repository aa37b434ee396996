package boot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"rancheros/cloudconfig"
	"rancheros/init/step"
	"rancheros/paths"
)

// repositories is the file that gives images their names; it is written last,
// so that a name never stands for an image that is not there whole.
const repositories = "image/overlay2/repositories.json"

// seedSystemDocker makes the image's system images known to System Docker. Their
// files stay in the read-only root image: only the bookkeeping is copied, a few
// hundred kilobytes, and only when the image is another than last time.
func seedSystemDocker(_ context.Context, _ *machine) error {
	return seed(paths.SystemDockerSeed, paths.SystemDockerData)
}

func seed(from, to string) error {
	want, err := os.ReadFile(filepath.Join(from, repositories))
	if errors.Is(err, fs.ErrNotExist) {
		return step.Skip("the image carries no system images")
	}
	if err != nil {
		return fmt.Errorf("seed System Docker: %w", err)
	}
	have, err := os.ReadFile(filepath.Join(to, repositories))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("seed System Docker: %w", err)
	}
	merged, changed, err := mergeRepositories(have, want)
	if err != nil {
		return fmt.Errorf("seed System Docker: %w", err)
	}
	if !changed {
		return step.Skip("the system images are known")
	}
	if err := os.MkdirAll(filepath.Join(to, "image/overlay2"), 0o710); err != nil {
		return fmt.Errorf("seed System Docker: %w", err)
	}
	for _, dir := range []string{"overlay2", "image/overlay2/layerdb", "image/overlay2/imagedb"} {
		if err := os.MkdirAll(filepath.Join(to, dir), 0o710); err != nil {
			return fmt.Errorf("seed System Docker: %w", err)
		}
		if err := copyTree(filepath.Join(from, dir), filepath.Join(to, dir), true); err != nil {
			return err
		}
	}
	// All of the copies must be on the disk before the names are.
	unix.Sync()
	return cloudconfig.WriteFile(filepath.Join(to, repositories), merged, 0o600)
}

// mergeRepositories adds the names of want to have. A user's own images and
// tags stay; a tag of ours stands for what this image carries.
func mergeRepositories(have, want []byte) (merged []byte, changed bool, err error) {
	type file struct{ Repositories map[string]map[string]string }
	var h, w file
	if err := json.Unmarshal(want, &w); err != nil {
		return nil, false, fmt.Errorf("%s of the image: %w", repositories, err)
	}
	if len(have) > 0 {
		// An unreadable file is what a power cut of another system left; the
		// images can be pulled again, a machine that does not boot cannot.
		if json.Unmarshal(have, &h) != nil {
			h = file{}
		}
	}
	if h.Repositories == nil {
		h.Repositories = map[string]map[string]string{}
	}
	for name, tags := range w.Repositories {
		if h.Repositories[name] == nil {
			h.Repositories[name] = map[string]string{}
		}
		for tag, id := range tags {
			if h.Repositories[name][tag] != id {
				h.Repositories[name][tag], changed = id, true
			}
		}
	}
	merged, err = json.Marshal(h)
	return merged, changed, err
}
