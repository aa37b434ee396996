package wire

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A Get returns the content of a path, nil when it is not there.
type Get func(ctx context.Context, path string) ([]byte, error)

// Bounds of a tree: a service that lists more is not one of ours.
const (
	maxTreeDepth = 12
	maxTreeFiles = 600
)

// Tree reads a tree of plain files in the manner of EC2: a path that ends in a
// slash is a folder and answers with the names in it, one per line; names of
// folders end in a slash themselves; `0=name` is the folder 0 of public-keys.
// Of a service that does not list the root the known names are asked for.
//
// Names in skip, as paths from the root, are left out: credentials.
func Tree(ctx context.Context, get Get, root string, known, skip []string) (Doc, error) {
	t := &tree{get: get, root: strings.TrimRight(root, "/") + "/", skip: skip}
	list, err := get(ctx, t.root)
	if err != nil {
		return nil, err
	}
	names := lines(list)
	if len(names) == 0 {
		names = known
	}
	d, err := t.folder(ctx, "", names, 0)
	if err != nil {
		return nil, fmt.Errorf("read the tree below %s: %w", root, err)
	}
	return d, nil
}

type tree struct {
	get   Get
	root  string
	skip  []string
	files int
}

func (t *tree) folder(ctx context.Context, dir string, names []string, depth int) (Doc, error) {
	if depth > maxTreeDepth {
		return nil, fmt.Errorf("%s: folders are nested too deep", dir)
	}
	d := Doc{}
	for _, name := range names {
		v, err := t.entry(ctx, dir, name, depth)
		if err != nil {
			return nil, err
		}
		if v != nil {
			d[entryName(name)] = v
		}
	}
	return d, nil
}

func entryName(line string) string {
	name, _, _ := strings.Cut(strings.TrimRight(line, "/"), "=")
	return name
}

func (t *tree) entry(ctx context.Context, dir, line string, depth int) (any, error) {
	path := dir + entryName(line)
	if slices.Contains(t.skip, path) || strings.Contains(path, "..") {
		return nil, nil
	}
	if t.files++; t.files > maxTreeFiles {
		return nil, errors.New("there are too many files")
	}
	if strings.Contains(line, "=") { // 0=my-key
		key, err := t.get(ctx, t.root+path+"/openssh-key")
		if err != nil || key == nil {
			return nil, err
		}
		return Text(key), nil
	}
	if !strings.HasSuffix(line, "/") {
		b, err := t.get(ctx, t.root+path)
		if err != nil || b == nil {
			return nil, err
		}
		return leaf(b), nil
	}
	list, err := t.get(ctx, t.root+path+"/")
	if err != nil || list == nil {
		return nil, err
	}
	d, err := t.folder(ctx, path+"/", lines(list), depth+1)
	if err != nil {
		return nil, err
	}
	return map[string]any(d), nil
}

// leaf is the value of a file: a JSON object as one, several lines as a list.
func leaf(b []byte) any {
	s := Text(b)
	if strings.HasPrefix(s, "{") {
		var m map[string]any
		if json.Unmarshal([]byte(s), &m) == nil {
			return m
		}
	}
	if strings.Contains(s, "\n") {
		var out []any
		for _, l := range lines(b) {
			out = append(out, l)
		}
		return out
	}
	return s
}

func lines(b []byte) []string {
	var out []string
	for line := range strings.Lines(string(b)) {
		if line = strings.TrimSpace(line); line != "" {
			out = append(out, line)
		}
	}
	return out
}
