package command

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"

	"rancheros/cloudconfig/userdata/jinja"
	"rancheros/cloudinit/state"
	"rancheros/cloudinit/tree"
)

// InstanceData is what is known of this instance: with secrets for root,
// without for others.
func InstanceData(t *tree.Tree) (map[string]any, error) {
	file := state.InstanceData
	if os.Geteuid() == 0 && t.Exists(state.InstanceDataFull) {
		file = state.InstanceDataFull
	}
	return instanceData(t, file)
}

// PublicInstanceData is what everybody may know of this instance.
func PublicInstanceData(t *tree.Tree) (map[string]any, error) {
	return instanceData(t, state.InstanceData)
}

func instanceData(t *tree.Tree, file string) (map[string]any, error) {
	b, err := t.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no %s: nothing has been saved this boot; run cloud-init-save", file)
	}
	if err != nil {
		return nil, err
	}
	return ParseInstanceData(file, b)
}

// ParseInstanceData reads instance-data; file is its name in messages.
func ParseInstanceData(file string, b []byte) (map[string]any, error) {
	var doc map[string]any
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber() // a template prints 1 as 1, not as 1.0
	if err := d.Decode(&doc); err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	return doc, nil
}

// Lookup finds a value by its path: v1.instance_id, ds.meta_data.tags[0]. The
// keys of v1 are known without it, and "" is everything.
func Lookup(doc map[string]any, at string) (any, error) {
	vars := jinja.Variables(doc)
	var cur any = vars
	if at == "" {
		return doc, nil
	}
	so := ""
	for step := range strings.SplitSeq(strings.NewReplacer("[", ".", "]", "").Replace(at), ".") {
		switch v := cur.(type) {
		case map[string]any:
			next, ok := v[step]
			if !ok {
				return nil, fmt.Errorf("instance-data has no %s; see `%s`", strings.TrimPrefix(so+"."+step, "."),
					strings.TrimSpace("cloud-init query --list-keys "+so))
			}
			cur = next
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(v) {
				return nil, fmt.Errorf("instance-data: %q is a list of %d, it has no %q", so, len(v), step)
			}
			cur = v[i]
		default:
			return nil, fmt.Errorf("instance-data: %q is no map, it has no %q", so, step)
		}
		so = strings.TrimPrefix(so+"."+step, ".")
	}
	return cur, nil
}

// ListKeys are the keys of the map at a path.
func ListKeys(doc map[string]any, at string) ([]string, error) {
	v, err := Lookup(doc, at)
	if err != nil {
		return nil, err
	}
	m, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("instance-data: %q is no map", at)
	}
	if at == "" {
		m = jinja.Variables(doc)
	}
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys, nil
}

// Text is a value as query prints it: strings bare, the rest as JSON.
func Text(v any) (string, error) {
	if s, ok := v.(string); ok {
		return s, nil
	}
	b, err := json.MarshalIndent(v, "", " ")
	return string(b), err
}

// Format fills in a template with what is known of this instance. What is not
// known leaves its mark in the text, as in templates of user-data, and its name
// in missing.
func Format(doc map[string]any, template string) (text string, missing []string, err error) {
	text, missing, err = jinja.Render(template, jinja.Variables(doc))
	if err != nil {
		return "", nil, fmt.Errorf("template: %w", err)
	}
	return text, missing, nil
}
