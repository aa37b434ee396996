package jinja

import (
	"strconv"
)

func (p *parser) primary() (expr, error) {
	t := p.next()
	switch t.kind {
	case nameToken:
		switch t.text {
		case "true", "True":
			return literal{true}, nil
		case "false", "False":
			return literal{false}, nil
		case "none", "None":
			return literal{nil}, nil
		}
		return nameRef{t.text, t.line}, nil
	case stringToken:
		s := t.text
		for p.peek().kind == stringToken {
			s += p.next().text
		}
		return literal{s}, nil
	case numberToken:
		if i, err := strconv.ParseInt(t.text, 10, 64); err == nil {
			return literal{i}, nil
		}
		f, err := strconv.ParseFloat(t.text, 64)
		if err != nil {
			return nil, errorf(t.line, "%s is no number", t.text)
		}
		return literal{f}, nil
	case opToken:
		switch t.text {
		case "(":
			return p.paren()
		case "[":
			items, err := p.items("]")
			return listExpr{items}, err
		case "{":
			return p.dict()
		}
	}
	return nil, errorf(t.line, "expected a value, found %s", t.describe())
}

func (p *parser) paren() (expr, error) {
	if p.takeOp(")") {
		return listExpr{}, nil
	}
	e, err := p.exprList()
	if err != nil {
		return nil, err
	}
	_, err = p.expect(opToken, ")", ")")
	return e, err
}

func (p *parser) items(end string) ([]expr, error) {
	var items []expr
	for !p.takeOp(end) {
		e, err := p.expr()
		if err != nil {
			return nil, err
		}
		items = append(items, e)
		if !p.takeOp(",") && !p.isOp(end) {
			return nil, errorf(p.peek().line, "expected , or %s, found %s", end, p.peek().describe())
		}
	}
	return items, nil
}

func (p *parser) dict() (expr, error) {
	var d dictExpr
	for !p.takeOp("}") {
		k, err := p.expr()
		if err != nil {
			return nil, err
		}
		if _, err := p.expect(opToken, ":", ":"); err != nil {
			return nil, err
		}
		v, err := p.expr()
		if err != nil {
			return nil, err
		}
		d.keys, d.values = append(d.keys, k), append(d.values, v)
		if !p.takeOp(",") && !p.isOp("}") {
			return nil, errorf(p.peek().line, "expected , or }, found %s", p.peek().describe())
		}
	}
	return d, nil
}

func (p *parser) postfix(e expr) (expr, error) {
	for {
		t := p.peek()
		switch {
		case p.takeOp("."):
			name := p.next()
			switch name.kind {
			case nameToken:
				e = attrExpr{e, name.text, name.line}
			case numberToken:
				i, err := strconv.ParseInt(name.text, 10, 64)
				if err != nil {
					return nil, errorf(name.line, "%s is no index", name.text)
				}
				e = indexExpr{e, literal{i}, name.line}
			default:
				return nil, errorf(name.line, "expected a name after the dot, found %s", name.describe())
			}
		case p.takeOp("["):
			var err error
			if e, err = p.subscript(e, t.line); err != nil {
				return nil, err
			}
		case p.takeOp("("):
			a, err := p.args()
			if err != nil {
				return nil, err
			}
			e = callExpr{e, a, t.line}
		default:
			return e, nil
		}
	}
}

func (p *parser) subscript(of expr, line int) (expr, error) {
	var parts [3]expr
	n := 0
	var err error
	for !p.isOp("]") {
		if p.takeOp(":") {
			if n++; n > 2 {
				return nil, errorf(line, "too many colons in a slice")
			}
			continue
		}
		if parts[n] != nil {
			return nil, errorf(line, "expected ], found %s", p.peek().describe())
		}
		if parts[n], err = p.expr(); err != nil {
			return nil, err
		}
	}
	p.pos++
	if n > 0 {
		return sliceExpr{of, parts[0], parts[1], parts[2], line}, nil
	}
	if parts[0] == nil {
		return nil, errorf(line, "[] needs a key or an index")
	}
	return indexExpr{of, parts[0], line}, nil
}

// args reads what follows "(" up to and with ")".
func (p *parser) args() (args, error) {
	var a args
	for !p.takeOp(")") {
		if t := p.peek(); t.kind == nameToken && p.tokens[p.pos+1].kind == opToken && p.tokens[p.pos+1].text == "=" {
			p.pos += 2
			e, err := p.expr()
			if err != nil {
				return a, err
			}
			if a.named == nil {
				a.named = map[string]expr{}
			}
			a.named[t.text] = e
		} else {
			e, err := p.expr()
			if err != nil {
				return a, err
			}
			a.list = append(a.list, e)
		}
		if !p.takeOp(",") && !p.isOp(")") {
			return a, errorf(p.peek().line, "expected , or ), found %s", p.peek().describe())
		}
	}
	return a, nil
}

func (p *parser) filterCall() (call, error) {
	t, err := p.expect(nameToken, "", "the name of a filter")
	if err != nil {
		return call{}, err
	}
	c := call{name: t.text, line: t.line}
	if p.takeOp("(") {
		c.args, err = p.args()
	}
	return c, err
}

func (p *parser) filtersAndTests(e expr) (expr, error) {
	for {
		switch {
		case p.takeOp("|"):
			c, err := p.filterCall()
			if err != nil {
				return nil, err
			}
			e = pipeExpr{e, c}
		case p.takeName("is"):
			t := testExpr{x: e, not: p.takeName("not")}
			var err error
			if t.t, err = p.testCall(); err != nil {
				return nil, err
			}
			e = t
		case p.takeOp("("):
			line := p.peek().line
			a, err := p.args()
			if err != nil {
				return nil, err
			}
			e = callExpr{e, a, line}
		default:
			return e, nil
		}
	}
}

// testCall: a name with arguments in parentheses, or with one value behind it.
func (p *parser) testCall() (call, error) {
	t := p.next()
	c := call{name: t.text, line: t.line}
	switch {
	case t.kind == nameToken:
	case t.kind == opToken && (t.text == "==" || t.text == "!=" || t.text == "<" || t.text == ">" || t.text == "<=" || t.text == ">="):
	default:
		return c, errorf(t.line, "expected the name of a test, found %s", t.describe())
	}
	if p.takeOp("(") {
		var err error
		c.args, err = p.args()
		return c, err
	}
	n := p.peek()
	takes := n.kind == stringToken || n.kind == numberToken || n.kind == opToken && (n.text == "[" || n.text == "{") ||
		n.kind == nameToken && n.text != "else" && n.text != "or" && n.text != "and" && n.text != "if" && n.text != "is" && n.text != "not" && n.text != "in"
	if !takes {
		return c, nil
	}
	e, err := p.primary()
	if err != nil {
		return c, err
	}
	if e, err = p.postfix(e); err != nil {
		return c, err
	}
	c.args.list = []expr{e}
	return c, nil
}
