package jinja

import "slices"

// change does the methods that change a list or mapping: append, extend and
// update of a name, or of a name in a namespace. The changed value takes the
// place of the old one; ok is false for all other calls.
func (r *render) change(of attrExpr, old any, g given) (ok bool, err error) {
	var now any
	switch x := old.(type) {
	case []any:
		switch {
		case of.name == "append" && len(g.list) == 1:
			now = append(slices.Clip(x), g.list[0])
		case of.name == "extend" && len(g.list) == 1:
			more, isList := iterate(g.list[0])
			if !isList {
				return true, errorf(of.line, "extend needs a list, not %s", typeName(g.list[0]))
			}
			now = slices.Concat(x, more)
		default:
			return false, nil
		}
	case map[string]any:
		if of.name != "update" {
			return false, nil
		}
		m := map[string]any{}
		for _, from := range []any{x, g.arg(0, "", nil), g.named} {
			more, _ := from.(map[string]any)
			for k, v := range more {
				m[k] = v
			}
		}
		now = m
	default:
		return false, nil
	}
	if err := r.weigh(of.line, now); err != nil {
		return true, err
	}
	if err := r.charge(of.line, sizeOf(now)); err != nil {
		return true, err
	}
	switch place := of.of.(type) {
	case nameRef:
		r.replace(place.name, now)
	case attrExpr:
		if ns, isName := place.of.(nameRef); isName {
			if in, isSpace := r.lookup(ns.name).(*namespace); isSpace {
				in.vars[place.name] = now
			}
		}
	}
	return true, nil
}

// replace gives a name another value where it stands.
func (r *render) replace(name string, v any) {
	for _, s := range slices.Backward(r.scopes) {
		if _, ok := s[name]; ok {
			s[name] = v
			return
		}
	}
	r.scopes[0][name] = v
}
