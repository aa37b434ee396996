package cloudconfig

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v4"
	"golang.org/x/sys/unix"

	"rancheros/cloudconfig/userdata/document"
	"rancheros/cloudconfig/yamlerr"
	"rancheros/paths"
)

// Set writes one value, given as YAML, into the local layer below root. The
// value null removes what lower layers say. Comments in the file stay. An
// invalid value is refused with Problems.
func Set(root, path, value string) error {
	if len(value) > MaxDocument {
		return fmt.Errorf("set %s: a value of %d bytes", path, len(value))
	}
	doc, ps := parse("", []byte("value: "+indentValue(value)))
	v := child(doc, "value")
	if ps != nil || v == nil || len(doc.Content) != 2 || isNull(v) && v.Value == "" {
		// What is no YAML value is text: 'a: b', '# x', ''.
		v = &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: value}
	}
	unplace(v)
	return edit(root, func(local *yaml.Node) error {
		steps, err := resolvePath(path, local, mergedTree(root))
		if err != nil {
			return err
		}
		if ps := checkAlone("", nest(steps, v), true).Errors(); len(ps) > 0 {
			return ps
		}
		if hasIndex(steps) {
			if old, _ := find(local, steps[:len(steps)-1]); old == nil {
				return fmt.Errorf("set %s: the list is not in %s; set all of it", path, paths.LocalConfig)
			}
		}
		return put(local, steps, v, true)
	})
}

// Merge merges a document into the local layer below root: maps key by key,
// scalars and lists replace. A document with errors is refused whole, with its
// Problems; file names it in them.
func Merge(root, file string, doc []byte) error {
	tree, ps := parse(file, doc)
	if tree == nil {
		return ps
	}
	if ps := checkAlone(file, tree, true).Sorted().Errors(); len(ps) > 0 {
		return ps
	}
	unplace(tree)
	return edit(root, func(local *yaml.Node) error {
		overlay(local, tree, reflect.TypeFor[Config]())
		return nil
	})
}

// overlay is merge for the local file itself: a null is kept, for it removes
// what lower layers say.
func overlay(dst, src *yaml.Node, t reflect.Type) {
	for i := 0; i+1 < len(src.Content); i += 2 {
		k, v := src.Content[i], src.Content[i+1]
		ft, appends := fieldRule(t, k.Value)
		at := index(dst, k.Value)
		switch {
		case at < 0:
			dst.Content = append(dst.Content, k, v)
		case v.Kind == yaml.MappingNode && dst.Content[at+1].Kind == yaml.MappingNode:
			overlay(dst.Content[at+1], v, ft)
		case appends && v.Kind == yaml.SequenceNode && dst.Content[at+1].Kind == yaml.SequenceNode:
			dst.Content[at+1] = appended(dst.Content[at+1], v)
		default:
			dst.Content[at+1] = v
		}
	}
}

// edit changes the local layer while nobody else does. A file that is no YAML
// is not touched.
func edit(root string, change func(*yaml.Node) error) error {
	file := filepath.Join(root, paths.LocalConfig)
	unlock, err := lock(file + ".lock")
	if err != nil {
		return err
	}
	defer unlock()
	old, err := readBounded(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	// Checked by parse, but edited as it was written, with anchors and comments.
	if _, ps := parse(file, old); ps != nil {
		return ps
	}
	doc, _, err := yamlerr.Read(old)
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("%s: %w", file, err)
	}
	if doc == nil { // nothing but comments
		doc = &yaml.Node{HeadComment: strings.Trim(string(old), "\ufeff \t\r\n")}
	}
	if len(doc.Content) == 0 || doc.Content[0].Kind != yaml.MappingNode {
		doc = &yaml.Node{Kind: yaml.DocumentNode, HeadComment: doc.HeadComment, FootComment: doc.FootComment,
			Content: []*yaml.Node{{Kind: yaml.MappingNode, Tag: "!!map"}}}
	}
	// {} as written by others would keep everything on one line.
	doc.Content[0].Style &^= yaml.FlowStyle
	if err := change(doc.Content[0]); err != nil {
		return err
	}
	out, err := document.Encode(doc)
	if err != nil {
		return err
	}
	if _, ps := parse(file, out); ps != nil {
		return fmt.Errorf("%s: the change would break it: %w", file, ps)
	}
	return WriteFile(file, out, 0o600)
}

// lock waits until nobody else holds the file.
func lock(file string) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(file, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", file, err)
	}
	return func() { f.Close() }, nil
}

// WriteFile writes a file so that after a power cut it is either the old one
// or the new one, whole.
func WriteFile(file string, content []byte, mode fs.FileMode) error {
	dir := filepath.Dir(file)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // gone already when all went well
	_, err = f.Write(content)
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// put writes v at steps below root and makes the maps on the way. With force a
// scalar on the way gives way to a map; without, it blocks.
func put(root *yaml.Node, steps []pathStep, v *yaml.Node, force bool) error {
	n := root
	for i, s := range steps {
		last := i == len(steps)-1
		if s.index >= 0 {
			if n.Kind != yaml.SequenceNode || s.index >= len(n.Content) {
				return fmt.Errorf("set %s: there is no item %d", formatSteps(steps), s.index)
			}
			if last {
				n.Content[s.index] = v
				return nil
			}
			n = n.Content[s.index]
			continue
		}
		at := index(n, s.key)
		if at < 0 {
			key := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s.key}
			n.Content = append(n.Content, key, &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"})
			at = len(n.Content) - 2
		}
		if last {
			v.LineComment = n.Content[at+1].LineComment
			n.Content[at+1] = v
			return nil
		}
		next := n.Content[at+1]
		if next.Kind == yaml.AliasNode {
			next = clone(next.Alias)
			next.Anchor = ""
			n.Content[at+1] = next
		}
		if next.Kind == yaml.ScalarNode {
			if !force && !isNull(next) {
				return nil
			}
			next = &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
			n.Content[at+1] = next
		}
		if next.Kind == yaml.MappingNode && len(next.Content) == 0 {
			next.Style &^= yaml.FlowStyle
		}
		n = next
	}
	return nil
}

// nest is a document with v at steps, for checking it alone.
func nest(steps []pathStep, v *yaml.Node) *yaml.Node {
	for i := len(steps) - 1; i >= 0; i-- {
		if steps[i].index >= 0 {
			v = &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Content: []*yaml.Node{v}}
			continue
		}
		key := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: steps[i].key}
		v = &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Content: []*yaml.Node{key, v}}
	}
	return v
}

func hasIndex(steps []pathStep) bool {
	for _, s := range steps {
		if s.index >= 0 {
			return true
		}
	}
	return false
}

// mergedTree is what all layers say, for names with dots in them.
func mergedTree(root string) *yaml.Node {
	_, tr, _ := Load(root) // what is broken there does not concern the path
	return tr.merged
}

// unplace forgets where a value was written, since it moves.
func unplace(n *yaml.Node) {
	n.Line, n.Column = 0, 0
	for _, c := range n.Content {
		unplace(c)
	}
}
