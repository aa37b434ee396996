package services

import (
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// An Env is rancher.environment: what service definitions may refer to. A key
// "network/DEBUG" is seen as DEBUG by the service network alone.
type Env map[string]string

func (e Env) lookup(service, key string) (string, bool) {
	if v, ok := e[service+"/"+key]; ok {
		return v, true
	}
	v, ok := e[key]
	return v, ok
}

// glob lists the keys that start with prefix, for one service.
func (e Env) glob(service, prefix string) []string {
	found := map[string]bool{}
	for key := range e {
		if rest, ok := strings.CutPrefix(key, service+"/"); ok {
			key = rest
		}
		if strings.HasPrefix(key, prefix) && !strings.Contains(key, "/") {
			found[key] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// interpolate returns n with variables replaced in every value. Nodes that an
// alias names are shared, and stay so: a copy of each would let ten lines of
// YAML become gigabytes.
func interpolate(n *yaml.Node, env Env, service string) *yaml.Node {
	return interpolateNode(n, env, service, map[*yaml.Node]*yaml.Node{})
}

func interpolateNode(n *yaml.Node, env Env, service string, done map[*yaml.Node]*yaml.Node) *yaml.Node {
	if n == nil {
		return nil
	}
	if c, ok := done[n]; ok {
		return c
	}
	c := *n
	done[n] = &c
	if n.Kind == yaml.ScalarNode {
		c.Value = expand(n.Value, env, service)
		return &c
	}
	c.Alias = interpolateNode(n.Alias, env, service, done)
	c.Content = slices.Clone(n.Content)
	for i, child := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 {
			continue // keys stand as they are
		}
		c.Content[i] = interpolateNode(child, env, service, done)
	}
	return &c
}

// maxNesting is how deep a default may name variables that have a default.
const maxNesting = 8

// expand replaces $NAME, ${NAME}, ${NAME-default}, ${NAME:-default}, and with + in
// place of - what there is instead of a value; ${NAME?why} is ${NAME}. $$ is a
// dollar sign, and so is one that starts no name.
func expand(s string, env Env, service string) string {
	return expandWithin(s, env, service, maxNesting)
}

func expandWithin(s string, env Env, service string, depth int) string {
	if !strings.Contains(s, "$") {
		return s
	}
	var out strings.Builder
	for {
		before, after, found := strings.Cut(s, "$")
		out.WriteString(before)
		if !found {
			return out.String()
		}
		value, rest, ok := variable(after, env, service, depth)
		if !ok {
			value, rest = "$", after
		}
		out.WriteString(value)
		s = rest
	}
}

// variable reads what follows a dollar sign.
func variable(s string, env Env, service string, depth int) (value, rest string, ok bool) {
	if strings.HasPrefix(s, "$") {
		return "$", s[1:], true
	}
	if !strings.HasPrefix(s, "{") {
		n := nameLen(s)
		if n == 0 {
			return "", s, false
		}
		v, _ := env.lookup(service, s[:n])
		return v, s[n:], true
	}
	inner, rest, closed := braced(s[1:])
	n := nameLen(inner)
	if !closed || n == 0 || depth == 0 {
		return "", s, false
	}
	v, set := env.lookup(service, inner[:n])
	op, colon := strings.CutPrefix(inner[n:], ":")
	if colon {
		set = v != ""
	}
	if op == "" {
		return v, rest, !colon
	}
	other := func() string { return expandWithin(op[1:], env, service, depth-1) }
	switch {
	case op[0] == '-' && !set, op[0] == '+' && set:
		return other(), rest, true
	case op[0] == '+':
		return "", rest, true
	case op[0] == '-' || op[0] == '?':
		return v, rest, true
	}
	return "", s, false
}

// braced cuts at the brace that closes the one before s.
func braced(s string) (inner, rest string, closed bool) {
	open := 1
	for i := range len(s) {
		switch {
		case s[i] == '{' && i > 0 && s[i-1] == '$':
			open++
		case s[i] == '}':
			open--
		}
		if open == 0 {
			return s[:i], s[i+1:], true
		}
		if open > maxNesting {
			break
		}
	}
	return "", s, false
}

func nameLen(s string) int {
	for i, r := range s {
		letter := r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		if !letter && (i == 0 || r < '0' || r > '9') {
			return i
		}
	}
	return len(s)
}
