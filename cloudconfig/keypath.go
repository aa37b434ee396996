package cloudconfig

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"rancheros/cloudconfig/shape"
)

// join is the path of key below path. A key with a dot in it is quoted.
func join(path, key string) string { return shape.Join(path, key) }

// A token is a piece of a path as a person wrote it.
type token struct {
	text   string
	quoted bool
	// index is the number in brackets, or -1.
	index int
}

// maxPath bounds a path: all ways to put its dots into names are tried.
const maxPath = 1024

// splitPath cuts rancher.network.interfaces."eth1.100".addresses[0] into tokens.
func splitPath(path string) ([]token, error) {
	if len(path) > maxPath || strings.Count(path, ".") > maxDepth {
		return nil, fmt.Errorf("key %.40s…: too long", path)
	}
	if !utf8.ValidString(path) {
		return nil, fmt.Errorf("key %+q: not UTF-8", path)
	}
	var out []token
	rest := path
	for rest != "" {
		switch rest[0] {
		case '"', '\'':
			end := strings.IndexByte(rest[1:], rest[0])
			if end < 0 {
				return nil, fmt.Errorf("key %s: a quote is not closed", path)
			}
			out = append(out, token{rest[1 : 1+end], true, -1})
			rest = rest[end+2:]
		case '[':
			end := strings.IndexByte(rest, ']')
			n, err := strconv.Atoi(rest[1:max(end, 1)])
			if err != nil || n < 0 {
				return nil, fmt.Errorf("key %s: want a number in brackets", path)
			}
			out = append(out, token{"", false, n})
			rest = rest[end+1:]
		default:
			end := strings.IndexAny(rest, ".[")
			if end < 0 {
				end = len(rest)
			}
			if end == 0 {
				return nil, fmt.Errorf("key %s: an empty name between dots", path)
			}
			out = append(out, token{rest[:end], false, -1})
			rest = rest[end:]
		}
		if strings.HasPrefix(rest, ".") {
			if rest = rest[1:]; rest == "" {
				return nil, fmt.Errorf("key %s: an empty name after the last dot", path)
			}
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("want a key, as rancher.debug")
	}
	return out, nil
}

// A step is one key or index on the way to a value.
type pathStep struct {
	key   string
	index int // -1 for a key
}

// resolvePath says which keys a path means. Names may hold dots themselves
// (eth1.100, net.ipv4.ip_forward): a key that is there in one of the trees
// wins, the longest first; else the types decide.
func resolvePath(path string, trees ...*yaml.Node) ([]pathStep, error) {
	tokens, err := splitPath(path)
	if err != nil {
		return nil, err
	}
	var steps []pathStep
	t := reflect.TypeFor[Config]()
	at := trees
	for len(tokens) > 0 {
		if tokens[0].index >= 0 {
			steps = append(steps, pathStep{index: tokens[0].index})
			t = elem(t)
			at = descend(at, steps[len(steps)-1])
			tokens = tokens[1:]
			continue
		}
		n := keyLength(tokens, t, at)
		key := tokens[0].text
		for _, tok := range tokens[1:n] {
			key += "." + tok.text
		}
		steps = append(steps, pathStep{key, -1})
		t = typeBelow(t, key)
		at = descend(at, steps[len(steps)-1])
		tokens = tokens[n:]
	}
	return steps, nil
}

// keyLength is how many tokens make up the next key.
func keyLength(tokens []token, t reflect.Type, at []*yaml.Node) int {
	plain := 0
	for plain < len(tokens) && !tokens[plain].quoted && tokens[plain].index < 0 {
		plain++
	}
	if plain == 0 {
		return 1
	}
	for n := plain; n > 0; n-- {
		key := tokens[0].text
		for _, tok := range tokens[1:n] {
			key += "." + tok.text
		}
		for _, m := range at {
			if index(m, key) >= 0 {
				return n
			}
		}
	}
	if t == nil || t.Kind() != reflect.Map {
		return 1
	}
	switch e := t.Elem(); {
	case e == nodeType:
		return 1
	case e.Kind() == reflect.Struct:
		for n := 1; n < plain; n++ {
			if _, ok := fieldOf(e, tokens[n].text); ok {
				return n
			}
		}
		return plain
	case e.Kind() == reflect.Map || e.Kind() == reflect.Slice:
		return 1
	}
	return plain
}

// descend goes one step down in all trees that have it.
func descend(trees []*yaml.Node, s pathStep) []*yaml.Node {
	var out []*yaml.Node
	for _, n := range trees {
		if c := stepInto(n, s); c != nil {
			out = append(out, c)
		}
	}
	return out
}

func stepInto(n *yaml.Node, s pathStep) *yaml.Node {
	if s.index < 0 {
		return child(n, s.key)
	}
	if n != nil && n.Kind == yaml.SequenceNode && s.index < len(n.Content) {
		return n.Content[s.index]
	}
	return nil
}

func formatSteps(steps []pathStep) string {
	path := ""
	for _, s := range steps {
		if s.index >= 0 {
			path += "[" + strconv.Itoa(s.index) + "]"
		} else {
			path = join(path, s.key)
		}
	}
	return path
}
