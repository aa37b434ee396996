package conformance

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// leaves compares the parts that no archive or include made.
func (c *udCase) leaves(r *renderedData) error {
	if c.LeafParts == nil {
		return nil
	}
	n := 0
	for _, p := range r.Parts {
		if p.Parent > 0 {
			continue
		}
		if n >= len(c.LeafParts) {
			return errors.New("too many parts")
		}
		want := c.LeafParts[n]
		n++
		kind := p.Declared
		if kind == "" {
			kind = p.Type
		}
		if kind != want.ContentType || p.SHA256 != want.SHA256 || want.Encoding != "" && p.Encoding != want.Encoding ||
			want.LaunchIndex != nil && p.LaunchIndex != *want.LaunchIndex {
			return fmt.Errorf("part %d = %+v, want %+v", n, p, want)
		}
	}
	if n != len(c.LeafParts) {
		return fmt.Errorf("%d parts, want %d", n, len(c.LeafParts))
	}
	return nil
}

func (c *udCase) launchIndex(args []string) error {
	for _, k := range c.Kept {
		with := args
		if k.LaunchIndex != nil {
			with = append(with[:len(with):len(with)], "--launch-index", fmt.Sprint(k.LaunchIndex))
		}
		r, err := renderWith(c.bin, c.env, with...)
		if err != nil {
			return err
		}
		kept, all := 0, 0
		for _, p := range r.Parts {
			if p.Container {
				continue
			}
			all++
			if p.Skipped == "" {
				kept++
			}
		}
		want, ok := k.Parts.(float64)
		if k.Parts == "all" {
			want, ok = float64(all), true
		}
		if !ok || kept != int(want) {
			return fmt.Errorf("launch index %v keeps %d of %d parts, want %v", k.LaunchIndex, kept, all, k.Parts)
		}
	}
	return nil
}

// variables asks a template for each variable that has a name.
func (c *udCase) variables(t *testing.T) error {
	var instance, want map[string]any
	for name, to := range map[string]*map[string]any{"instance-data.json": &instance, "expected-variables.json": &want} {
		b, err := os.ReadFile(c.file(name))
		if err != nil {
			return err
		}
		if err := json.Unmarshal(b, to); err != nil {
			return err
		}
	}
	instance["base64_encoded_keys"] = c.Convert.DecodePaths
	data, err := json.Marshal(instance)
	if err != nil {
		return err
	}
	dir := t.TempDir()
	for key, w := range want {
		if strings.ContainsAny(key, "-./ ") {
			continue // a template has no way to name it
		}
		template := "## template: jinja\n#cloud-config\nvalue: {{ " + key + " | tojson }}\n"
		ud, id := filepath.Join(dir, "user-data"), filepath.Join(dir, "instance-data.json")
		if err := errors.Join(os.WriteFile(ud, []byte(template), 0o600), os.WriteFile(id, data, 0o600)); err != nil {
			return err
		}
		r, err := renderWith(c.bin, nil, ud, "--instance-data", id)
		if err != nil {
			return err
		}
		if !reflect.DeepEqual(r.Config["value"], w) {
			return fmt.Errorf("%s = %v, want %v", key, r.Config["value"], w)
		}
	}
	return nil
}

// at follows keys and indexes; nil if there is nothing.
func at(v any, path []any) any {
	for _, k := range path {
		switch x := v.(type) {
		case map[string]any:
			v = x[fmt.Sprint(k)]
		case []any:
			i, ok := k.(float64)
			if !ok || int(i) >= len(x) {
				return nil
			}
			v = x[int(i)]
		default:
			return nil
		}
	}
	return v
}

// holds is Python's "in".
func holds(v, item any) bool {
	switch x := v.(type) {
	case map[string]any:
		_, ok := x[fmt.Sprint(item)]
		return ok
	case []any:
		for _, e := range x {
			if reflect.DeepEqual(e, item) {
				return true
			}
		}
	case string:
		return strings.Contains(x, fmt.Sprint(item))
	}
	return false
}
