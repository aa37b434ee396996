package jinja

import (
	"math"
	"slices"
	"strings"
)

// A render is one run of a template.
type render struct {
	vars   map[string]any
	scopes []map[string]any
	out    *strings.Builder
	steps  int
	memory int
	loops  int
	nested int
}

func newRender(vars map[string]any) *render {
	return &render{vars: vars, scopes: []map[string]any{{}}, out: &strings.Builder{}}
}

// step counts work, so that no template runs for ever.
func (r *render) step(line int) error {
	if r.steps++; r.steps > maxSteps {
		return errorf(line, "template does more than %d steps", maxSteps)
	}
	return nil
}

// charge counts memory that values take.
func (r *render) charge(line, n int) error {
	if r.memory += n; r.memory > maxMemory || r.memory < 0 {
		return errorf(line, "template needs more than %d MB", maxMemory>>20)
	}
	return nil
}

// weigh refuses values that are small to write and huge to look at: a list of
// itself twice over, forty times. What it costs to look counts as steps.
func (r *render) weigh(line int, v any) error {
	n := 0
	if !light(v, &n, 0) {
		return errorf(line, "a value is larger than %d elements or nested more than %d deep", maxElements, maxNested)
	}
	r.steps += n / 8
	return r.step(line)
}

func light(v any, n *int, depth int) bool {
	if *n++; *n > maxElements || depth > maxNested {
		return false
	}
	switch x := v.(type) {
	case []any:
		for _, e := range x {
			if !light(e, n, depth+1) {
				return false
			}
		}
	case map[string]any:
		for _, e := range x {
			if !light(e, n, depth+1) {
				return false
			}
		}
	case *namespace:
		return light(x.vars, n, depth+1)
	case *loop:
		return light(x.items, n, depth+1)
	}
	return true
}

func (r *render) write(line int, s string) error {
	if r.out.Len()+len(s) > maxOutput {
		return errorf(line, "template makes more than %d MB of text", maxOutput>>20)
	}
	r.out.WriteString(s)
	return nil
}

func (r *render) lookup(name string) any {
	for _, s := range slices.Backward(r.scopes) {
		if v, ok := s[name]; ok {
			return v
		}
	}
	if v, ok := r.vars[name]; ok {
		return v
	}
	return undefined{name}
}

func (r *render) set(name string, v any) { r.scopes[len(r.scopes)-1][name] = v }

func (r *render) nodes(list []node) error {
	for _, n := range list {
		if err := r.node(n); err != nil {
			return err
		}
	}
	return nil
}

func (r *render) node(n node) error {
	switch n := n.(type) {
	case textNode:
		return r.write(0, n.text)
	case printNode:
		v, err := r.eval(n.e)
		if err != nil {
			return err
		}
		s := str(v)
		if err := r.charge(n.line, len(s)); err != nil {
			return err
		}
		return r.write(n.line, s)
	case ifNode:
		return r.ifNode(n)
	case forNode:
		return r.forNode(n)
	case setNode:
		return r.setNode(n)
	case doNode:
		_, err := r.eval(n.e)
		return err
	case filterNode:
		text, err := r.capture(n.body)
		if err != nil {
			return err
		}
		v, err := r.pipe(text, n.filters)
		if err != nil {
			return err
		}
		return r.write(n.line, str(v))
	}
	return errorf(0, "unknown statement")
}

func (r *render) ifNode(n ifNode) error {
	for _, b := range n.branches {
		if b.cond == nil {
			return r.nodes(b.body)
		}
		v, err := r.eval(b.cond)
		if err != nil {
			return err
		}
		if truthy(v) {
			return r.nodes(b.body)
		}
	}
	return nil
}

func (r *render) forNode(n forNode) error {
	v, err := r.eval(n.list)
	if err != nil {
		return err
	}
	items, ok := iterate(v)
	if !ok {
		return errorf(n.line, "cannot loop over %s", typeName(v))
	}
	if len(items) > maxSteps {
		return errorf(n.line, "loop over more than %d values", maxSteps)
	}
	r.scopes = append(r.scopes, map[string]any{})
	defer func() { r.scopes = r.scopes[:len(r.scopes)-1] }()
	if n.filter != nil {
		if items, err = r.kept(n, items); err != nil {
			return err
		}
	}
	if len(items) == 0 {
		return r.nodes(n.orElse)
	}
	r.loops++
	defer func() { r.loops-- }()
	l := &loop{items: items, depth: r.loops}
	for l.at = range items {
		if err := r.step(n.line); err != nil {
			return err
		}
		clear(r.scopes[len(r.scopes)-1])
		r.set("loop", l)
		if err := r.bind(n.line, n.targets, items[l.at]); err != nil {
			return err
		}
		if err := r.nodes(n.body); err != nil {
			return err
		}
	}
	return nil
}

// kept is what the "if" of a for lets through.
func (r *render) kept(n forNode, items []any) ([]any, error) {
	var out []any
	for _, item := range items {
		if err := r.step(n.line); err != nil {
			return nil, err
		}
		if err := r.bind(n.line, n.targets, item); err != nil {
			return nil, err
		}
		v, err := r.eval(n.filter)
		if err != nil {
			return nil, err
		}
		if truthy(v) {
			out = append(out, item)
		}
	}
	return out, nil
}

func (r *render) bind(line int, names []string, v any) error {
	if len(names) == 1 {
		r.set(names[0], v)
		return nil
	}
	items, ok := iterate(v)
	if !ok || len(items) != len(names) {
		return errorf(line, "cannot take %s apart into %d names", typeName(v), len(names))
	}
	for i, name := range names {
		r.set(name, items[i])
	}
	return nil
}

func (r *render) setNode(n setNode) error {
	if n.value == nil {
		text, err := r.capture(n.body)
		if err != nil {
			return err
		}
		v, err := r.pipe(text, n.filters)
		if err != nil {
			return err
		}
		return r.bind(n.line, n.targets, v)
	}
	v, err := r.eval(n.value)
	if err != nil {
		return err
	}
	if n.attr == "" {
		return r.bind(n.line, n.targets, v)
	}
	ns, ok := r.lookup(n.targets[0]).(*namespace)
	if !ok {
		return errorf(n.line, "%s is no namespace", n.targets[0])
	}
	ns.vars[n.attr] = v
	return r.weigh(n.line, ns)
}

// capture renders a body to text.
func (r *render) capture(body []node) (string, error) {
	outer := r.out
	r.out = &strings.Builder{}
	defer func() { r.out = outer }()
	if err := r.nodes(body); err != nil {
		return "", err
	}
	return r.out.String(), r.charge(0, r.out.Len())
}

func (r *render) pipe(v any, filters []call) (any, error) {
	for _, f := range filters {
		var err error
		if v, err = r.filter(f, v); err != nil {
			return nil, err
		}
	}
	return v, nil
}

func (r *render) eval(e expr) (any, error) {
	if r.nested++; r.nested > 50*maxNested {
		return nil, errorf(0, "expression is nested too deep")
	}
	defer func() { r.nested-- }()
	if err := r.step(0); err != nil {
		return nil, err
	}
	switch e := e.(type) {
	case literal:
		return e.v, nil
	case nameRef:
		return r.lookup(e.name), nil
	case listExpr:
		return r.list(e.items)
	case dictExpr:
		return r.dict(e)
	case attrExpr:
		v, err := r.eval(e.of)
		if err != nil {
			return nil, err
		}
		return attr(v, e.name, e.line)
	case indexExpr:
		return r.index(e)
	case sliceExpr:
		return r.slice(e)
	case callExpr:
		return r.call(e)
	case unaryExpr:
		return r.unary(e)
	case binaryExpr:
		return r.binary(e)
	case compareExpr:
		return r.compare(e)
	case condExpr:
		return r.cond(e)
	case pipeExpr:
		v, err := r.eval(e.x)
		if err != nil {
			return nil, err
		}
		return r.filter(e.f, v)
	case testExpr:
		v, err := r.eval(e.x)
		if err != nil {
			return nil, err
		}
		ok, err := r.test(e.t, v)
		return ok != e.not, err
	}
	return nil, errorf(0, "unknown expression")
}

func (r *render) list(items []expr) (any, error) {
	l := make([]any, 0, len(items))
	for _, i := range items {
		v, err := r.eval(i)
		if err != nil {
			return nil, err
		}
		l = append(l, v)
	}
	if err := r.weigh(0, l); err != nil {
		return nil, err
	}
	return l, r.charge(0, 16*len(l))
}

func (r *render) dict(e dictExpr) (any, error) {
	m := map[string]any{}
	for i := range e.keys {
		k, err := r.eval(e.keys[i])
		if err != nil {
			return nil, err
		}
		v, err := r.eval(e.values[i])
		if err != nil {
			return nil, err
		}
		m[str(k)] = v
	}
	if err := r.weigh(0, m); err != nil {
		return nil, err
	}
	return m, r.charge(0, 64*len(m))
}

func (r *render) cond(e condExpr) (any, error) {
	c, err := r.eval(e.cond)
	if err != nil {
		return nil, err
	}
	switch {
	case truthy(c):
		return r.eval(e.yes)
	case e.no == nil:
		return undefined{}, nil // prints as nothing
	}
	return r.eval(e.no)
}

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
	case "nextitem":
		if l.at < n-1 {
			return l.items[l.at+1]
		}
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
