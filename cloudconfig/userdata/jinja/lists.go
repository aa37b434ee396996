package jinja

import (
	"slices"
	"strconv"
	"strings"
)

// listFilter are the filters over lists.
func (r *render) listFilter(c call, v any, g given) (any, error) {
	items, ok := iterate(v)
	switch c.name {
	case "map", "select", "reject", "selectattr", "rejectattr":
		ok = ok || !truthy(v)
	}
	switch c.name {
	case "join", "first", "last", "list", "sort", "unique", "reverse", "min", "max", "sum",
		"map", "select", "reject", "selectattr", "rejectattr", "batch":
		if !ok {
			return nil, errorf(c.line, "filter %s needs a list, not %s", c.name, typeName(v))
		}
	default:
		return nil, errorf(c.line, "no filter named %q", c.name)
	}
	switch c.name {
	case "join":
		return join(items, g, c.line)
	case "first":
		if len(items) > 0 {
			return items[0], nil
		}
		return nothing(), nil
	case "last":
		if len(items) > 0 {
			return items[len(items)-1], nil
		}
		return nothing(), nil
	case "list":
		return slices.Clone(items), nil
	case "reverse":
		out := slices.Clone(items)
		slices.Reverse(out)
		if _, ok := v.(string); ok {
			return join(out, given{}, c.line)
		}
		return out, nil
	case "sort":
		return sorted(items, g, c.line)
	case "unique":
		return r.unique(items, g, c.line)
	case "min", "max":
		return extreme(items, g, c)
	case "sum":
		return sum(items, g, c.line)
	case "batch":
		return batch(items, g), nil
	case "map":
		return r.mapped(items, g, c.line)
	}
	return r.selected(c, items, g)
}

// nothing is what an empty list has first: a value that is missing and has no
// name, which Python prints as None.
func nothing() any { return undefined{"None"} }

// path is a dotted attribute, as sort(attribute="a.b") takes it.
func path(v any, dotted string, line int) (any, error) {
	for part := range strings.SplitSeq(dotted, ".") {
		if i, err := strconv.Atoi(part); err == nil {
			l, _ := v.([]any)
			if i < 0 || i >= len(l) {
				return undefined{part}, nil
			}
			v = l[i]
			continue
		}
		var err error
		if v, err = attr(v, part, line); err != nil {
			return nil, err
		}
	}
	return v, nil
}

// keys are the values that a list is sorted or compared by.
func keys(items []any, attribute string, caseSensitive any, line int) ([]any, error) {
	out := make([]any, len(items))
	for i, v := range items {
		if attribute != "" {
			var err error
			if v, err = path(v, attribute, line); err != nil {
				return nil, err
			}
		}
		out[i] = fold(v, caseSensitive)
	}
	return out, nil
}

func join(items []any, g given, line int) (any, error) {
	var b strings.Builder
	for i, v := range items {
		if a := g.text(1, "attribute", ""); a != "" {
			var err error
			if v, err = path(v, a, line); err != nil {
				return nil, err
			}
		}
		if i > 0 {
			b.WriteString(g.text(0, "d", ""))
		}
		if b.WriteString(str(v)); b.Len() > maxMemory {
			return nil, errorf(line, "join makes too much text")
		}
	}
	return b.String(), nil
}

func sorted(items []any, g given, line int) (any, error) {
	by, err := keys(items, g.text(2, "attribute", ""), g.arg(1, "case_sensitive", false), line)
	if err != nil {
		return nil, err
	}
	at := make([]int, len(items))
	for i := range at {
		at[i] = i
	}
	slices.SortStableFunc(at, func(a, b int) int {
		c, ok := order(by[a], by[b])
		if !ok {
			err = errorf(line, "cannot compare %s with %s", typeName(by[a]), typeName(by[b]))
		}
		if truthy(g.arg(0, "reverse", false)) {
			return -c
		}
		return c
	})
	out := make([]any, len(items))
	for i, j := range at {
		out[i] = items[j]
	}
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (r *render) unique(items []any, g given, line int) (any, error) {
	by, err := keys(items, g.text(1, "attribute", ""), g.arg(0, "case_sensitive", false), line)
	if err != nil {
		return nil, err
	}
	out, seen := []any{}, []any{}
	for i, k := range by {
		if r.steps += len(seen); r.steps > maxSteps {
			return nil, r.step(line)
		}
		if !slices.ContainsFunc(seen, func(s any) bool { return equal(s, k) }) {
			seen, out = append(seen, k), append(out, items[i])
		}
	}
	return out, nil
}

func extreme(items []any, g given, c call) (any, error) {
	by, err := keys(items, g.text(1, "attribute", ""), g.arg(0, "case_sensitive", false), c.line)
	if err != nil {
		return nil, err
	}
	if len(items) == 0 {
		return nothing(), nil
	}
	best := 0
	for i := range by {
		o, ok := order(by[i], by[best])
		if !ok {
			return nil, errorf(c.line, "cannot compare %s with %s", typeName(by[i]), typeName(by[best]))
		}
		if c.name == "min" && o < 0 || c.name == "max" && o > 0 {
			best = i
		}
	}
	return items[best], nil
}

func sum(items []any, g given, line int) (any, error) {
	total := g.arg(1, "start", int64(0))
	for _, v := range items {
		if a := g.text(0, "attribute", ""); a != "" {
			var err error
			if v, err = path(v, a, line); err != nil {
				return nil, err
			}
		}
		var err error
		if total, err = arithmetic(binaryExpr{op: "+", line: line}, total, v); err != nil {
			return nil, err
		}
	}
	return total, nil
}

func batch(items []any, g given) any {
	n := int(max(1, min(g.int(0, "linecount", 1), 1_000_000)))
	out := []any{}
	for chunk := range slices.Chunk(items, n) {
		chunk = slices.Clone(chunk)
		for fill := g.arg(1, "fill_with", nil); fill != nil && len(chunk) < min(n, maxElements); {
			chunk = append(chunk, fill)
		}
		out = append(out, chunk)
	}
	return out
}

// mapped is map("filter", args...) or map(attribute="a", default=...).
func (r *render) mapped(items []any, g given, line int) (any, error) {
	out := make([]any, 0, len(items))
	attribute := ""
	if a, ok := g.named["attribute"]; ok {
		attribute = str(a)
	} else if len(g.list) == 0 {
		return nil, errorf(line, "map needs the name of a filter or attribute=")
	}
	for _, v := range items {
		if err := r.step(line); err != nil {
			return nil, err
		}
		var err error
		if attribute != "" {
			v, err = path(v, attribute, line)
			if _, missing := v.(undefined); missing && g.has(len(g.list), "default") {
				v = g.named["default"]
			}
		} else {
			v, err = r.applyFilter(call{name: str(g.list[0]), line: line}, v, given{g.list[1:], g.named})
		}
		if err != nil {
			return nil, err
		}
		if err := r.charge(line, sizeOf(v)); err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

// selected is select, reject, selectattr and rejectattr.
func (r *render) selected(c call, items []any, g given) (any, error) {
	want := strings.HasPrefix(c.name, "select")
	byAttr := strings.HasSuffix(c.name, "attr")
	list := g.list
	attribute := ""
	if byAttr {
		if len(list) == 0 {
			return nil, errorf(c.line, "%s needs the name of an attribute", c.name)
		}
		attribute, list = str(list[0]), list[1:]
	}
	out := []any{}
	for _, item := range items {
		if err := r.step(c.line); err != nil {
			return nil, err
		}
		v := item
		if byAttr {
			var err error
			if v, err = path(item, attribute, c.line); err != nil {
				return nil, err
			}
		}
		ok := truthy(v)
		if len(list) > 0 {
			var err error
			if ok, err = applyTest(str(list[0]), v, given{list: list[1:]}, c.line); err != nil {
				return nil, err
			}
		}
		if ok == want {
			out = append(out, item)
		}
	}
	return out, nil
}

// test is "value is name(args)".
func (r *render) test(c call, v any) (bool, error) {
	g, err := r.given(c.args)
	if err != nil {
		return false, err
	}
	return applyTest(c.name, v, g, c.line)
}

func applyTest(name string, v any, g given, line int) (bool, error) {
	i, isInt := v.(int64)
	_, isText := v.(string)
	switch name {
	case "defined", "undefined":
		_, missing := v.(undefined)
		return missing == (name == "undefined"), nil
	case "none":
		return v == nil, nil
	case "string":
		return isText, nil
	case "integer":
		return isInt, nil
	case "float":
		_, ok := v.(float64)
		return ok, nil
	case "number":
		_, ok := number(v)
		return ok, nil
	case "boolean":
		_, ok := v.(bool)
		return ok, nil
	case "true", "false":
		b, ok := v.(bool)
		return ok && b == (name == "true"), nil
	case "mapping":
		_, ok := v.(map[string]any)
		return ok, nil
	case "iterable", "sequence":
		_, ok := iterate(v)
		return ok, nil
	case "odd", "even":
		return isInt && (i&1 == 1) == (name == "odd"), nil
	case "divisibleby":
		n := g.int(0, "num", 0)
		return isInt && n != 0 && i%n == 0, nil
	case "upper", "lower":
		return hasCase(str(v), name), nil
	case "in":
		found, ok := contains(g.arg(0, "seq", nil), v)
		return ok && found, nil
	case "sameas":
		return equal(v, g.arg(0, "other", nil)), nil
	}
	if op := comparisons(name); op != "" {
		return compareOp(op, v, g.arg(0, "other", nil), line)
	}
	return false, errorf(line, "no test named %q", name)
}

// hasCase: all letters are of that case, and there is one.
func hasCase(s, name string) bool {
	upper, lower := strings.ToUpper(s), strings.ToLower(s)
	if name == "upper" {
		return s == upper && s != lower
	}
	return s == lower && s != upper
}

// comparisons by the names that tests have for them.
func comparisons(name string) string {
	switch name {
	case "==", "eq", "equalto":
		return "=="
	case "!=", "ne":
		return "!="
	case "<", "lt", "lessthan":
		return "<"
	case "<=", "le":
		return "<="
	case ">", "gt", "greaterthan":
		return ">"
	case ">=", "ge":
		return ">="
	}
	return ""
}
