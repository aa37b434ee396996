package jinja

import (
	"fmt"
	"slices"
	"strings"
)

// given are the arguments of a filter, test or method, with their values.
type given struct {
	list  []any
	named map[string]any
}

func (r *render) given(a args) (given, error) {
	var g given
	for _, e := range a.list {
		v, err := r.eval(e)
		if err != nil {
			return g, err
		}
		g.list = append(g.list, v)
	}
	for k, e := range a.named {
		v, err := r.eval(e)
		if err != nil {
			return g, err
		}
		if g.named == nil {
			g.named = map[string]any{}
		}
		g.named[k] = v
	}
	return g, nil
}

// arg is an argument by place or name, or else the default.
func (g given) arg(i int, name string, or any) any {
	if i < len(g.list) {
		return g.list[i]
	}
	if v, ok := g.named[name]; ok {
		return v
	}
	return or
}

func (g given) text(i int, name, or string) string {
	if v := g.arg(i, name, nil); v != nil {
		return str(v)
	}
	return or
}

func (g given) int(i int, name string, or int64) int64 {
	if v, ok := g.arg(i, name, nil).(int64); ok {
		return v
	}
	return or
}

func (g given) has(i int, name string) bool {
	_, ok := g.named[name]
	return ok || i < len(g.list)
}

// call is f(...): range, dict, namespace, or a method of a value.
func (r *render) call(e callExpr) (any, error) {
	g, err := r.given(e.args)
	if err != nil {
		return nil, err
	}
	switch of := e.of.(type) {
	case nameRef:
		switch of.name {
		case "range":
			return r.rangeOf(g, e.line)
		case "dict":
			return orEmpty(g.named), r.weigh(e.line, g.named)
		case "namespace":
			return &namespace{orEmpty(g.named)}, r.weigh(e.line, g.named)
		}
		if m, ok := r.lookup(of.name).(*macro); ok {
			return r.callMacro(m, g, e.line)
		}
		return nil, errorf(e.line, "'%s' is undefined or cannot be called; there are range, dict, namespace and macros", of.name)
	case attrExpr:
		v, err := r.eval(of.of)
		if err != nil {
			return nil, err
		}
		if u, ok := v.(undefined); ok {
			return nil, errorf(e.line, "'%s' is undefined", u.name)
		}
		if ok, err := r.change(of, v, g); ok {
			return nil, err
		}
		out, err := method(v, of.name, g, e.line)
		if err != nil {
			return nil, err
		}
		return out, r.charge(e.line, sizeOf(out))
	}
	return nil, errorf(e.line, "this cannot be called")
}

func orEmpty(m map[string]any) map[string]any {
	if m == nil {
		return map[string]any{}
	}
	return m
}

func sizeOf(v any) int {
	switch x := v.(type) {
	case string:
		return len(x)
	case []any:
		return 16 * len(x)
	}
	return 8
}

func (r *render) rangeOf(g given, line int) (any, error) {
	from, to, step := int64(0), g.int(0, "", 0), g.int(2, "", 1)
	if len(g.list) > 1 {
		from, to = g.int(0, "", 0), g.int(1, "", 0)
	}
	if step == 0 {
		return nil, errorf(line, "range step cannot be zero")
	}
	list := []any{}
	for i := from; step > 0 && i < to || step < 0 && i > to; i += step {
		if len(list) > 100_000 {
			return nil, errorf(line, "range of more than 100000 numbers")
		}
		list = append(list, i)
	}
	return list, r.charge(line, 16*len(list))
}

func method(v any, name string, g given, line int) (any, error) {
	switch x := v.(type) {
	case string:
		if out, ok := textMethod(x, name, g); ok {
			return out, nil
		}
		if name == "format" {
			return formatBraces(x, g, line)
		}
	case map[string]any:
		switch name {
		case "items":
			return pairs(x), nil
		case "keys":
			l, _ := iterate(x)
			return l, nil
		case "values":
			l := []any{}
			for _, k := range sortedKeys(x) {
				l = append(l, x[k])
			}
			return l, nil
		case "get":
			if e, ok := x[g.text(0, "key", "")]; ok {
				return e, nil
			}
			return g.arg(1, "default", nil), nil
		}
	case []any:
		switch name {
		case "index", "count":
			n := int64(0)
			for i, e := range x {
				if equal(e, g.arg(0, "", nil)) {
					if name == "index" {
						return int64(i), nil
					}
					n++
				}
			}
			if name == "count" {
				return n, nil
			}
			return nil, errorf(line, "%s is not in the list", str(g.arg(0, "", nil)))
		}
	case *loop:
		switch name {
		case "cycle":
			if len(g.list) > 0 {
				return g.list[x.at%len(g.list)], nil
			}
		case "changed":
			was := x.asked
			x.asked = g.list
			return was == nil || !slices.EqualFunc(was, g.list, equal), nil
		}
	}
	return nil, errorf(line, "%s has no method %q that user-data may call", typeName(v), name)
}

func pairs(m map[string]any) []any {
	l := []any{}
	for _, k := range sortedKeys(m) {
		l = append(l, []any{k, m[k]})
	}
	return l
}

// format is Python's "%s %d" % values.
func format(s string, v any, line int) (string, error) {
	values, ok := v.([]any)
	if !ok {
		values = []any{v}
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b.WriteByte(s[i])
			continue
		}
		start := i
		for i++; i < len(s) && strings.IndexByte("0123456789.-+ #", s[i]) >= 0; i++ {
		}
		if i == len(s) {
			return "", errorf(line, "format %q is not complete", s)
		}
		if s[i] == '%' {
			b.WriteByte('%')
			continue
		}
		if len(values) == 0 {
			return "", errorf(line, "format %q has too few values", s)
		}
		if b.Len() > maxMemory {
			return "", errorf(line, "format makes too much text")
		}
		spec, value := s[start:i], values[0]
		values = values[1:]
		if len(spec) > 6 {
			return "", errorf(line, "format %q is not supported", spec)
		}
		f, isNumber := number(value)
		switch verb := s[i]; {
		case verb == 's':
			fmt.Fprintf(&b, spec+"s", str(value))
		case isNumber && (verb == 'd' || verb == 'x' || verb == 'X' || verb == 'o' || verb == 'i'):
			if verb == 'i' {
				verb = 'd'
			}
			fmt.Fprintf(&b, spec+string(rune(verb)), int64(f))
		case isNumber && (verb == 'f' || verb == 'e' || verb == 'g'):
			fmt.Fprintf(&b, spec+string(rune(verb)), f)
		default:
			return "", errorf(line, "format %%%c does not fit %s", verb, typeName(value))
		}
	}
	return b.String(), nil
}
