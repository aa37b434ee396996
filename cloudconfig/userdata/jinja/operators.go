package jinja

import (
	"math"
	"slices"
	"strings"
)

func (r *render) compare(e compareExpr) (any, error) {
	x, err := r.eval(e.x)
	if err != nil {
		return nil, err
	}
	for i, op := range e.ops {
		y, err := r.eval(e.ys[i])
		if err != nil {
			return nil, err
		}
		ok, err := compareOp(op, x, y, e.line)
		if err != nil || !ok {
			return false, err
		}
		x = y
	}
	return true, nil
}

func compareOp(op string, x, y any, line int) (bool, error) {
	switch op {
	case "==":
		return equal(x, y), nil
	case "!=":
		return !equal(x, y), nil
	case "in", "not in":
		found, ok := contains(y, x)
		if !ok {
			return false, errorf(line, "cannot look for %s in %s", typeName(x), typeName(y))
		}
		return found == (op == "in"), nil
	}
	c, ok := order(x, y)
	if !ok {
		return false, errorf(line, "cannot compare %s with %s", typeName(x), typeName(y))
	}
	switch op {
	case "<":
		return c < 0, nil
	case "<=":
		return c <= 0, nil
	case ">":
		return c > 0, nil
	}
	return c >= 0, nil
}

func (r *render) unary(e unaryExpr) (any, error) {
	v, err := r.eval(e.x)
	if err != nil {
		return nil, err
	}
	if e.op == "not" {
		return !truthy(v), nil
	}
	switch x := v.(type) {
	case int64:
		if e.op == "-" {
			return -x, nil
		}
		return x, nil
	case float64:
		if e.op == "-" {
			return -x, nil
		}
		return x, nil
	}
	return nil, errorf(e.line, "%s has no sign", typeName(v))
}

func (r *render) binary(e binaryExpr) (any, error) {
	x, err := r.eval(e.x)
	if err != nil {
		return nil, err
	}
	if e.op == "and" && !truthy(x) || e.op == "or" && truthy(x) {
		return x, nil
	}
	y, err := r.eval(e.y)
	if err != nil {
		return nil, err
	}
	switch e.op {
	case "and", "or":
		return y, nil
	case "~":
		s := str(x) + str(y)
		return s, r.charge(e.line, len(s))
	}
	if u, ok := x.(undefined); ok {
		if e.op == "-" {
			o := strings.TrimPrefix(str(y), MissingPrefix)
			return nil, errorf(e.line, "undefined variable %q: this is read as a subtraction; perhaps you meant %q", u.name+"-"+o, u.name+"_"+o)
		}
		return nil, errorf(e.line, "'%s' is undefined", u.name)
	}
	if u, ok := y.(undefined); ok {
		return nil, errorf(e.line, "'%s' is undefined", u.name)
	}
	if v, done, err := r.joined(e, x, y); done || err != nil {
		return v, err
	}
	return arithmetic(e, x, y)
}

// joined: + of text and of lists, * of text and of lists.
func (r *render) joined(e binaryExpr, x, y any) (any, bool, error) {
	switch a := x.(type) {
	case string:
		if b, ok := y.(string); ok && e.op == "+" {
			return a + b, true, r.charge(e.line, len(a)+len(b))
		}
		if e.op == "%" {
			s, err := format(a, y, e.line)
			return s, true, err
		}
		if n, ok := y.(int64); ok && e.op == "*" {
			n = max(n, 0)
			if n > maxMemory {
				return nil, true, errorf(e.line, "text is repeated too often")
			}
			if err := r.charge(e.line, len(a)*int(n)); err != nil {
				return nil, true, err
			}
			return strings.Repeat(a, int(n)), true, nil
		}
	case []any:
		if b, ok := y.([]any); ok && e.op == "+" {
			l := slices.Concat(a, b)
			if err := r.weigh(e.line, l); err != nil {
				return nil, true, err
			}
			return l, true, r.charge(e.line, 16*len(l))
		}
	}
	return nil, false, nil
}

func arithmetic(e binaryExpr, x, y any) (any, error) {
	a, aInt := x.(int64)
	b, bInt := y.(int64)
	fa, okA := number(x)
	fb, okB := number(y)
	if !okA || !okB {
		return nil, errorf(e.line, "cannot do %s %s %s", typeName(x), e.op, typeName(y))
	}
	if (e.op == "/" || e.op == "//" || e.op == "%") && fb == 0 {
		return nil, errorf(e.line, "division by zero")
	}
	if aInt && bInt {
		switch e.op {
		case "+":
			return a + b, nil
		case "-":
			return a - b, nil
		case "*":
			return a * b, nil
		case "//":
			return int64(math.Floor(fa / fb)), nil
		case "%":
			m := a % b
			if m != 0 && (m < 0) != (b < 0) {
				m += b
			}
			return m, nil
		case "**":
			if p := math.Pow(fa, fb); b >= 0 && math.Abs(p) < 1<<53 {
				return int64(p), nil
			}
		}
	}
	switch e.op {
	case "+":
		return fa + fb, nil
	case "-":
		return fa - fb, nil
	case "*":
		return fa * fb, nil
	case "/":
		return fa / fb, nil
	case "//":
		return math.Floor(fa / fb), nil
	case "%":
		return fa - fb*math.Floor(fa/fb), nil
	}
	return math.Pow(fa, fb), nil
}
