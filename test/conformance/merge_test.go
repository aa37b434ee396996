package conformance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"go.yaml.in/yaml/v4"
)

// oneMerge holds ros to what several configs become.
func oneMerge(t *testing.T, bin, dir string) error {
	var c struct {
		Kind     string
		Sources  []string
		Expected string
	}
	b, err := os.ReadFile(filepath.Join(dir, "case.json"))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, &c); err != nil {
		return err
	}
	var files []string
	for _, s := range c.Sources {
		files = append(files, filepath.Join(dir, s))
	}
	var got map[string]any
	switch c.Kind {
	case "cloud-config parts":
		r, err := renderWith(bin, nil, files...)
		if err != nil {
			return err
		}
		got = r.Config
	case "first wins", "last wins":
		if c.Kind == "last wins" {
			slices.Reverse(files)
		}
		if got, err = layered(bin, t.TempDir(), files); err != nil {
			return err
		}
	default:
		return fmt.Errorf("kind %q is not known to this test", c.Kind)
	}
	return sameAsYAML(got, filepath.Join(dir, c.Expected))
}

// layered lays each source below those before it, as vendor data below user-data.
func layered(bin, tmp string, files []string) (map[string]any, error) {
	top, below := filepath.Join(tmp, "user-data"), filepath.Join(tmp, "vendor-data")
	var got map[string]any
	for i, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			return nil, err
		}
		if !bytes.HasPrefix(b, []byte("#cloud-config")) {
			b = append([]byte("#cloud-config\n"), b...)
		}
		to := below
		if i == 0 {
			to = top
		}
		if err := os.WriteFile(to, b, 0o600); err != nil {
			return nil, err
		}
		args := []string{top}
		if i > 0 {
			args = append(args, "--vendor-data", below)
		}
		r, err := renderWith(bin, nil, args...)
		if err != nil {
			return nil, err
		}
		got = r.Config
		next, err := json.Marshal(got) // JSON is YAML
		if err != nil {
			return nil, err
		}
		if err := os.WriteFile(top, append([]byte("#cloud-config\n"), next...), 0o600); err != nil {
			return nil, err
		}
	}
	return got, nil
}

func sameAsYAML(got map[string]any, file string) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var want map[string]any
	if err := yaml.Unmarshal(b, &want); err != nil {
		return err
	}
	j, err := json.Marshal(want)
	if err != nil {
		return err
	}
	want = nil
	if err := json.Unmarshal(j, &want); err != nil {
		return err
	}
	if len(got) == 0 && len(want) == 0 || reflect.DeepEqual(got, want) {
		return nil
	}
	return fmt.Errorf("config = %v, want %v", got, want)
}
