package wire

import (
	"slices"
	"strings"
)

// Keys returns ssh public keys from any of the shapes that clouds use: one
// text with a key per line, a list of texts, a mapping of names to texts or
// lists, a mapping of names to {openssh-key: text or list}. Order is kept in
// lists and by name in mappings; a key that came twice is there once.
func Keys(v any) []string {
	var out []string
	for _, k := range keys(v, 0) {
		if !slices.Contains(out, k) {
			out = append(out, k)
		}
	}
	return out
}

func keys(v any, depth int) []string {
	const deepest = 4
	if depth > deepest {
		return nil
	}
	if s, ok := v.(string); ok {
		return KeyLines(s)
	}
	var out []string
	if l, ok := v.([]any); ok {
		for _, e := range l {
			out = append(out, keys(e, depth+1)...)
		}
		return out
	}
	if l, ok := v.([]string); ok {
		for _, e := range l {
			out = append(out, KeyLines(e)...)
		}
		return out
	}
	m := AsDoc(v)
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		out = append(out, keys(m[name], depth+1)...)
	}
	return out
}

// KeyLines returns the lines of s that are neither empty nor comments.
func KeyLines(s string) []string {
	var out []string
	for line := range strings.Lines(s) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "#") {
			out = append(out, line)
		}
	}
	return out
}
