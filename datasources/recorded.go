package datasources

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// RecordedHost reads a machine from a folder:
//
//	facts.json   Facts, for what is no file
//	host/        the machine's root, as far as it matters; DIR itself if absent
//	drive/LABEL/ the files of the drive with that label or device name
//
// A folder without facts.json is the root of a machine: what can be seen there
// are its facts.
func RecordedHost(dir string) (*Host, error) {
	h := &Host{Dir: filepath.Join(dir, "host")}
	if st, err := os.Stat(h.Dir); err != nil || !st.IsDir() {
		h.Dir = dir
	}
	root, err := os.OpenRoot(h.Dir)
	if err != nil {
		return nil, fmt.Errorf("open recorded machine: %w", err)
	}
	h.Root = root.FS()
	if st, err := os.Stat(filepath.Join(dir, "drive")); err == nil && st.IsDir() {
		h.Drives = filepath.Join(dir, "drive")
	}
	name := filepath.Join(dir, "facts.json")
	b, err := os.ReadFile(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		h.Facts = factsFromFiles(h)
	case err != nil:
		return nil, err
	default:
		h.Env = environment(h) // facts.json adds to it
		if err := json.Unmarshal(b, &h.Facts); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	h.forgetForeign()
	return h, nil
}
