package services

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

// These read one YAML value each. They take what people write: a number where
// a string is meant, one item where a list is, a list where a map is.

// resolve follows aliases.
func resolve(n *yaml.Node) *yaml.Node {
	for range 8 {
		if n == nil || n.Kind != yaml.AliasNode {
			return n
		}
		n = n.Alias
	}
	return nil
}

func isNull(n *yaml.Node) bool {
	n = resolve(n)
	return n == nil || n.Kind == 0 || n.Kind == yaml.ScalarNode && n.Tag == "!!null"
}

// pair is an entry of a mapping.
type pair struct {
	key   string
	value *yaml.Node
}

// pairs are the entries of mapping n in order. An entry of its own goes before
// one that `<<` brings in.
func pairs(n *yaml.Node) ([]pair, error) { return pairsWithin(n, 4) }

func pairsWithin(n *yaml.Node, depth int) ([]pair, error) {
	if n = resolve(n); isNull(n) {
		return nil, nil
	}
	if n.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("line %d: want keys and values", n.Line)
	}
	var own, merged []pair
	have := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Value != "<<" {
			own = append(own, pair{key.Value, value})
			have[key.Value] = true
			continue
		}
		if depth == 0 {
			return nil, fmt.Errorf("line %d: merge keys go too deep", key.Line)
		}
		m, err := pairsWithin(value, depth-1)
		if err != nil {
			return nil, err
		}
		merged = append(merged, m...)
	}
	for _, p := range merged {
		if !have[p.key] {
			own = append(own, p)
			have[p.key] = true
		}
	}
	return own, nil
}

func str(n *yaml.Node) (string, error) {
	if n = resolve(n); isNull(n) {
		return "", nil
	}
	if n.Kind != yaml.ScalarNode {
		return "", fmt.Errorf("line %d: want one value, not a list or map", n.Line)
	}
	return n.Value, nil
}

// list reads a list of strings; a single value is a list of one.
func list(n *yaml.Node) ([]string, error) {
	if n = resolve(n); isNull(n) {
		return nil, nil
	}
	if n.Kind == yaml.ScalarNode {
		return []string{n.Value}, nil
	}
	if n.Kind != yaml.SequenceNode {
		return nil, fmt.Errorf("line %d: want a list", n.Line)
	}
	var out []string
	for _, item := range n.Content {
		s, err := str(item)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

// entries reads a map, or a list of KEY=VALUE. value is nil for KEY alone.
func entries(n *yaml.Node) ([]pair, error) {
	if n = resolve(n); isNull(n) || n.Kind == yaml.MappingNode {
		return pairs(n)
	}
	items, err := list(n)
	if err != nil {
		return nil, err
	}
	var out []pair
	for _, item := range items {
		key, value, found := strings.Cut(item, "=")
		p := pair{key: strings.TrimSpace(key)}
		if found {
			p.value = &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: value}
		}
		out = append(out, p)
	}
	return out, nil
}

func stringMap(n *yaml.Node) (map[string]string, error) {
	ps, err := entries(n)
	if err != nil || len(ps) == 0 {
		return nil, err
	}
	out := map[string]string{}
	for _, p := range ps {
		if out[p.key], err = str(p.value); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// words reads a command: a list, or a line as a shell would split it.
func words(n *yaml.Node) ([]string, error) {
	if n = resolve(n); isNull(n) || n.Kind != yaml.ScalarNode {
		return list(n)
	}
	w, err := SplitWords(n.Value)
	if err != nil {
		return nil, fmt.Errorf("line %d: %w", n.Line, err)
	}
	return w, nil
}

// SplitWords splits a line as a shell does: blanks separate, quotes and
// backslashes keep together. Nothing is expanded and nothing is run.
func SplitWords(line string) ([]string, error) {
	var (
		out    []string
		word   strings.Builder
		inWord bool
		quote  rune
		escape bool
	)
	for _, r := range line {
		switch {
		case escape:
			if quote == '"' && !strings.ContainsRune("\"\\$`\n", r) {
				word.WriteByte('\\')
			}
			if r != '\n' {
				word.WriteRune(r)
			}
			escape = false
		case r == '\\' && quote != '\'':
			escape, inWord = true, true
		case quote != 0:
			if r == quote {
				quote = 0
			} else {
				word.WriteRune(r)
			}
		case r == '\'' || r == '"':
			quote, inWord = r, true
		case r == ' ' || r == '\t' || r == '\n' || r == '\r':
			if inWord {
				out = append(out, word.String())
				word.Reset()
				inWord = false
			}
		default:
			word.WriteRune(r)
			inWord = true
		}
	}
	if quote != 0 {
		return nil, fmt.Errorf("split %q: quote %c is not closed", line, quote)
	}
	if escape {
		return nil, fmt.Errorf("split %q: ends in a backslash", line)
	}
	if inWord {
		out = append(out, word.String())
	}
	return out, nil
}

func boolean(n *yaml.Node) (bool, error) {
	s, err := str(n)
	if err != nil {
		return false, err
	}
	switch strings.ToLower(s) {
	case "true", "yes", "on", "1":
		return true, nil
	case "false", "no", "off", "0", "":
		return false, nil
	}
	return false, fmt.Errorf("line %d: %q is neither true nor false", n.Line, s)
}

func integer(n *yaml.Node) (int64, error) {
	s, err := str(n)
	if err != nil || s == "" {
		return 0, err
	}
	i, err := strconv.ParseInt(s, 0, 64)
	if err != nil {
		return 0, fmt.Errorf("line %d: %q is not a whole number", n.Line, s)
	}
	return i, nil
}

// size reads bytes: 512, 64k, 1.5g, 2GiB. Units are of 1024.
func size(n *yaml.Node) (int64, error) {
	s, err := str(n)
	if err != nil || s == "" {
		return 0, err
	}
	b, err := parseSize(s)
	if err != nil {
		return 0, fmt.Errorf("line %d: %w", n.Line, err)
	}
	return b, nil
}

func parseSize(s string) (int64, error) {
	number := strings.TrimRight(strings.ToLower(strings.TrimSpace(s)), "bi")
	unit := 1.0
	if n := len(number); n > 0 {
		if i := strings.IndexByte("kmgt", number[n-1]); i >= 0 {
			unit = math.Pow(1024, float64(i+1))
			number = number[:n-1]
		}
	}
	f, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if err != nil || math.IsNaN(f) || f*unit >= math.MaxInt64 || f < -1 {
		return 0, fmt.Errorf("%q is not a size; write 512m or 1g", s)
	}
	return int64(f * unit), nil
}

// duration reads 10s, 1m30s, or a number of seconds.
func duration(n *yaml.Node) (time.Duration, error) {
	s, err := str(n)
	if err != nil || s == "" {
		return 0, err
	}
	if f, err := strconv.ParseFloat(s, 64); err == nil && f >= 0 && f < 1e9 {
		return time.Duration(f * float64(time.Second)), nil
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("line %d: %q is not a time; write 10s or 1m30s", n.Line, s)
	}
	return d, nil
}

var errNotHere = errors.New("not supported here")
