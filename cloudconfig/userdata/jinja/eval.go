package jinja

import (
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
	macros int
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
	case withNode:
		return r.withNode(n)
	case macroNode:
		r.set(n.name, &macro{n, slices.Clone(r.scopes)})
		return nil
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
