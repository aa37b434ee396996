package jinja

import "slices"

type (
	// withNode is {% with a=1, b=2 %}: names for the body.
	withNode struct {
		line   int
		names  []string
		values []expr
		body   []node
	}
	// macroNode is {% macro f(a, b=2) %}: text that is called by name.
	macroNode struct {
		line     int
		name     string
		params   []string
		defaults map[string]expr
		body     []node
	}
)

// macro is the value of a macro's name. The scopes are those it was made in.
type macro struct {
	macroNode
	scopes []map[string]any
}

func (p *parser) withStatement(line int) (node, error) {
	n := withNode{line: line}
	for p.peek().kind != blockEnd {
		name, value, err := p.assignment(true)
		if err != nil {
			return nil, err
		}
		n.names, n.values = append(n.names, name), append(n.values, value)
		if !p.takeOp(",") {
			break
		}
	}
	if err := p.endBlock(); err != nil {
		return nil, err
	}
	var err error
	if n.body, _, err = p.until("endwith"); err != nil {
		return nil, err
	}
	return n, p.endBlock()
}

// assignment is name=value, or where the value is not needed a bare name.
func (p *parser) assignment(needed bool) (name string, value expr, err error) {
	t, err := p.expect(nameToken, "", "a name")
	if err != nil {
		return "", nil, err
	}
	switch {
	case p.takeOp("="):
		value, err = p.expr()
	case needed:
		err = errorf(t.line, "expected =, found %s", p.peek().describe())
	}
	return t.text, value, err
}

func (p *parser) macroStatement(line int) (node, error) {
	n := macroNode{line: line, defaults: map[string]expr{}}
	t, err := p.expect(nameToken, "", "the name of the macro")
	if err != nil {
		return nil, err
	}
	n.name = t.text
	if _, err := p.expect(opToken, "(", "("); err != nil {
		return nil, err
	}
	for !p.isOp(")") {
		name, value, err := p.assignment(false)
		if err != nil {
			return nil, err
		}
		n.params = append(n.params, name)
		if value != nil {
			n.defaults[name] = value
		}
		if !p.takeOp(",") {
			break
		}
	}
	if _, err := p.expect(opToken, ")", ")"); err != nil {
		return nil, err
	}
	if err := p.endBlock(); err != nil {
		return nil, err
	}
	if n.body, _, err = p.until("endmacro"); err != nil {
		return nil, err
	}
	return n, p.endBlock()
}

func (r *render) withNode(n withNode) error {
	names := map[string]any{}
	for i, e := range n.values {
		v, err := r.eval(e)
		if err != nil {
			return err
		}
		names[n.names[i]] = v
	}
	r.scopes = append(r.scopes, names)
	defer func() { r.scopes = r.scopes[:len(r.scopes)-1] }()
	return r.nodes(n.body)
}

// callMacro renders the body with the arguments as its names.
func (r *render) callMacro(m *macro, g given, line int) (any, error) {
	if len(g.list) > len(m.params) {
		return nil, errorf(line, "macro %s takes %d arguments, not %d", m.name, len(m.params), len(g.list))
	}
	for name := range g.named {
		if at := slices.Index(m.params, name); at < len(g.list) {
			return nil, errorf(line, "macro %s takes no argument %q here", m.name, name)
		}
	}
	if r.macros++; r.macros > maxNested {
		return nil, errorf(line, "macros call each other more than %d deep", maxNested)
	}
	outer := r.scopes
	defer func() { r.scopes = outer; r.macros-- }()
	own := map[string]any{}
	r.scopes = append(slices.Clone(m.scopes), own)
	for i, name := range m.params {
		v := g.arg(i, name, undefined{name})
		if e, ok := m.defaults[name]; ok && !g.has(i, name) {
			var err error
			if v, err = r.eval(e); err != nil {
				return nil, err
			}
		}
		own[name] = v
	}
	text, err := r.capture(m.body)
	return text, err
}
