package jinja

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// undefined is what a name that is not there stands for.
type undefined struct{ name string }

// namespace is the object of {% set ns = namespace() %}: it keeps what a loop
// sets.
type namespace struct{ vars map[string]any }

// loop is the variable of that name.
type loop struct {
	items []any
	at    int
	depth int
	// asked is what changed() was last called with.
	asked []any
}

func truthy(v any) bool {
	switch x := v.(type) {
	case nil, undefined:
		return false
	case bool:
		return x
	case int64:
		return x != 0
	case float64:
		return x != 0
	case string:
		return x != ""
	case []any:
		return len(x) > 0
	case map[string]any:
		return len(x) > 0
	}
	return true
}

// str is Python's str(): what a template prints.
func str(v any) string {
	switch x := v.(type) {
	case string:
		return x
	case undefined:
		if x.name == "" {
			return ""
		}
		return MissingPrefix + x.name
	}
	var b strings.Builder
	repr(&b, v)
	return b.String()
}

// repr is Python's repr().
func repr(b *strings.Builder, v any) {
	switch x := v.(type) {
	case nil:
		b.WriteString("None")
	case bool:
		if x {
			b.WriteString("True")
		} else {
			b.WriteString("False")
		}
	case int64:
		b.WriteString(strconv.FormatInt(x, 10))
	case float64:
		b.WriteString(floatText(x))
	case string:
		reprText(b, x)
	case []any:
		b.WriteByte('[')
		for i, e := range x {
			if i > 0 {
				b.WriteString(", ")
			}
			repr(b, e)
		}
		b.WriteByte(']')
	case map[string]any:
		b.WriteByte('{')
		for i, k := range sortedKeys(x) {
			if i > 0 {
				b.WriteString(", ")
			}
			reprText(b, k)
			b.WriteString(": ")
			repr(b, x[k])
		}
		b.WriteByte('}')
	case undefined:
		b.WriteString("Undefined")
	default:
		b.WriteString("<object>")
	}
}

func reprText(b *strings.Builder, s string) {
	quote := "'"
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		quote = `"`
	}
	b.WriteString(quote)
	for _, r := range s {
		switch {
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\\':
			b.WriteString(`\\`)
		case string(r) == quote:
			b.WriteString(`\` + quote)
		case r < 0x20 || r == 0x7f:
			fmt.Fprintf(b, `\x%02x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteString(quote)
}

func floatText(f float64) string {
	switch {
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	case math.IsNaN(f):
		return "nan"
	}
	if a := math.Abs(f); a != 0 && (a < 1e-4 || a >= 1e16) {
		return strconv.FormatFloat(f, 'e', -1, 64)
	}
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

// product is true if n pieces of a size are more than a template may hold.
func product(n, size int) bool { return size > 0 && n > maxMemory/size }

func sortedKeys(m map[string]any) []string { return slices.Sorted(maps.Keys(m)) }

// iterate is what a for loop or a list filter sees.
func iterate(v any) ([]any, bool) {
	switch x := v.(type) {
	case []any:
		return x, true
	case undefined:
		return nil, true
	case string:
		if len(x) > maxElements {
			return nil, false
		}
		var l []any
		for _, r := range x {
			l = append(l, string(r))
		}
		return l, true
	case map[string]any:
		var l []any
		for _, k := range sortedKeys(x) {
			l = append(l, k)
		}
		return l, true
	}
	return nil, false
}

func number(v any) (float64, bool) {
	switch x := v.(type) {
	case int64:
		return float64(x), true
	case float64:
		return x, true
	case bool:
		if x {
			return 1, true
		}
		return 0, true
	}
	return 0, false
}

// equal is Python's ==.
func equal(a, b any) bool {
	if x, ok := number(a); ok {
		y, ok := number(b)
		return ok && x == y
	}
	switch x := a.(type) {
	case nil:
		return b == nil
	case undefined:
		_, ok := b.(undefined)
		return ok
	case string:
		y, ok := b.(string)
		return ok && x == y
	case []any:
		y, ok := b.([]any)
		return ok && slices.EqualFunc(x, y, equal)
	case map[string]any:
		y, ok := b.(map[string]any)
		return ok && maps.EqualFunc(x, y, equal)
	}
	return false
}

// order is Python's <: numbers with numbers, text with text, lists by element.
func order(a, b any) (int, bool) {
	if x, ok := number(a); ok {
		if y, ok := number(b); ok {
			switch {
			case x < y:
				return -1, true
			case x > y:
				return 1, true
			}
			return 0, true
		}
		return 0, false
	}
	switch x := a.(type) {
	case string:
		if y, ok := b.(string); ok {
			return strings.Compare(x, y), true
		}
	case []any:
		if y, ok := b.([]any); ok {
			for i := range min(len(x), len(y)) {
				if c, ok := order(x[i], y[i]); !ok || c != 0 {
					return c, ok
				}
			}
			return len(x) - len(y), true
		}
	}
	return 0, false
}

// contains is Python's "in".
func contains(box, v any) (bool, bool) {
	switch x := box.(type) {
	case string:
		s, ok := v.(string)
		return ok && strings.Contains(x, s), ok
	case []any:
		return slices.ContainsFunc(x, func(e any) bool { return equal(e, v) }), true
	case map[string]any:
		s, ok := v.(string)
		if !ok {
			return false, true
		}
		_, found := x[s]
		return found, true
	case undefined:
		return false, true
	}
	return false, false
}

// typeName is for messages.
func typeName(v any) string {
	switch v.(type) {
	case nil:
		return "none"
	case bool:
		return "a boolean"
	case int64, float64:
		return "a number"
	case string:
		return "text"
	case []any:
		return "a list"
	case map[string]any:
		return "a mapping"
	case undefined:
		return "undefined"
	}
	return "an object"
}
