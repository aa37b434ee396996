package jinja

import (
	"strings"
)

// attr is v.name: a key of a mapping, or a field of the loop.
func attr(v any, name string, line int) (any, error) {
	switch x := v.(type) {
	case undefined:
		return nil, errorf(line, "'%s' is undefined", x.name)
	case map[string]any:
		if e, ok := x[name]; ok {
			return e, nil
		}
	case *namespace:
		if e, ok := x.vars[name]; ok {
			return e, nil
		}
	case *loop:
		return x.field(name), nil
	}
	return undefined{name}, nil
}

func (l *loop) field(name string) any {
	n := len(l.items)
	switch name {
	case "index":
		return int64(l.at + 1)
	case "index0":
		return int64(l.at)
	case "revindex":
		return int64(n - l.at)
	case "revindex0":
		return int64(n - l.at - 1)
	case "first":
		return l.at == 0
	case "last":
		return l.at == n-1
	case "length":
		return int64(n)
	case "depth":
		return int64(l.depth)
	case "depth0":
		return int64(l.depth - 1)
	case "previtem":
		if l.at > 0 {
			return l.items[l.at-1]
		}
		return nothing()
	case "nextitem":
		if l.at < n-1 {
			return l.items[l.at+1]
		}
		return nothing()
	}
	return undefined{name}
}

func (r *render) index(e indexExpr) (any, error) {
	v, err := r.eval(e.of)
	if err != nil {
		return nil, err
	}
	key, err := r.eval(e.key)
	if err != nil {
		return nil, err
	}
	i, isInt := key.(int64)
	switch x := v.(type) {
	case undefined:
		return nil, errorf(e.line, "'%s' is undefined", x.name)
	case []any:
		if i < 0 {
			i += int64(len(x))
		}
		if isInt && i >= 0 && i < int64(len(x)) {
			return x[i], nil
		}
	case string:
		runes := []rune(x)
		if i < 0 {
			i += int64(len(runes))
		}
		if isInt && i >= 0 && i < int64(len(runes)) {
			return string(runes[i]), nil
		}
	default:
		return attr(v, str(key), e.line)
	}
	return undefined{str(key)}, nil
}

func (r *render) slice(e sliceExpr) (any, error) {
	v, err := r.eval(e.of)
	if err != nil {
		return nil, err
	}
	if u, ok := v.(undefined); ok {
		return nil, errorf(e.line, "'%s' is undefined", u.name)
	}
	items, ok := iterate(v)
	_, isMap := v.(map[string]any)
	if !ok || isMap {
		return nil, errorf(e.line, "cannot take a slice of %s", typeName(v))
	}
	bounds := [3]*int64{}
	for i, b := range []expr{e.from, e.to, e.step} {
		if b == nil {
			continue
		}
		bv, err := r.eval(b)
		if err != nil {
			return nil, err
		}
		n, ok := bv.(int64)
		if bv != nil && !ok {
			return nil, errorf(e.line, "a slice needs whole numbers")
		}
		if ok {
			bounds[i] = &n
		}
	}
	out, ok := cut(items, bounds)
	if !ok {
		return nil, errorf(e.line, "slice step cannot be zero")
	}
	if _, ok := v.(string); ok {
		var b strings.Builder
		for _, c := range out {
			b.WriteString(str(c))
		}
		return b.String(), r.charge(e.line, b.Len())
	}
	return out, r.charge(e.line, 16*len(out))
}

// cut is Python's items[from:to:step].
func cut(items []any, b [3]*int64) ([]any, bool) {
	n, step := int64(len(items)), int64(1)
	if b[2] != nil {
		step = max(min(*b[2], n+1), -n-1)
	}
	if step == 0 {
		return nil, false
	}
	low, high := int64(0), n
	from, to := low, high
	if step < 0 {
		low, high = -1, n-1
		from, to = high, low
	}
	clamp := func(p *int64, at *int64) {
		if p == nil {
			return
		}
		v := *p
		if v < 0 {
			v += n
		}
		*at = max(low, min(high, v))
	}
	clamp(b[0], &from)
	clamp(b[1], &to)
	out := []any{}
	for i := from; step > 0 && i < to || step < 0 && i > to; i += step {
		out = append(out, items[i])
	}
	return out, true
}
