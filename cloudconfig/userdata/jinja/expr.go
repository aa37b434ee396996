package jinja

// An expr is an expression; eval.go gives each its value.
type expr interface{}

type (
	literal struct{ v any }
	nameRef struct {
		name string
		line int
	}
	listExpr struct{ items []expr }
	dictExpr struct{ keys, values []expr }
	attrExpr struct {
		of   expr
		name string
		line int
	}
	indexExpr struct {
		of, key expr
		line    int
	}
	sliceExpr struct {
		of             expr
		from, to, step expr
		line           int
	}
	callExpr struct {
		of   expr
		args args
		line int
	}
	unaryExpr struct {
		op   string
		x    expr
		line int
	}
	binaryExpr struct {
		op   string
		x, y expr
		line int
	}
	compareExpr struct {
		x    expr
		ops  []string
		ys   []expr
		line int
	}
	condExpr struct{ cond, yes, no expr }
	pipeExpr struct {
		x expr
		f call
	}
	testExpr struct {
		x   expr
		t   call
		not bool
	}
	// A call of a filter, a test or a method by its name.
	call struct {
		name string
		args args
		line int
	}
	args struct {
		list  []expr
		named map[string]expr
	}
)

// exprList is an expression, or several with commas, which make a list.
func (p *parser) exprList() (expr, error) { return p.commaList((*parser).expr) }

// exprListNoCond leaves an "if" behind the expression to the caller.
func (p *parser) exprListNoCond() (expr, error) { return p.commaList((*parser).or) }

func (p *parser) commaList(one func(*parser) (expr, error)) (expr, error) {
	e, err := one(p)
	if err != nil || !p.isOp(",") {
		return e, err
	}
	items := []expr{e}
	for p.takeOp(",") {
		if t := p.peek(); t.kind == printEnd || t.kind == blockEnd || p.isOp(")") {
			break
		}
		if e, err = one(p); err != nil {
			return nil, err
		}
		items = append(items, e)
	}
	return listExpr{items}, nil
}

func (p *parser) expr() (expr, error) {
	defer func() { p.depth-- }()
	if err := p.nested(); err != nil {
		return nil, err
	}
	e, err := p.or()
	for err == nil && p.takeName("if") {
		c := condExpr{yes: e}
		if c.cond, err = p.or(); err != nil {
			return nil, err
		}
		if p.takeName("else") {
			if c.no, err = p.expr(); err != nil {
				return nil, err
			}
		}
		e = c
	}
	return e, err
}

func (p *parser) or() (expr, error) { return p.words("or", (*parser).and) }

func (p *parser) and() (expr, error) { return p.words("and", (*parser).not) }

func (p *parser) words(op string, below func(*parser) (expr, error)) (expr, error) {
	x, err := below(p)
	for err == nil && p.isName(op) {
		line := p.next().line
		var y expr
		if y, err = below(p); err == nil {
			x = binaryExpr{op, x, y, line}
		}
	}
	return x, err
}

func (p *parser) not() (expr, error) {
	if p.isName("not") {
		defer func() { p.depth-- }()
		if err := p.nested(); err != nil {
			return nil, err
		}
		line := p.next().line
		x, err := p.not()
		return unaryExpr{"not", x, line}, err
	}
	return p.compare()
}

func (p *parser) compare() (expr, error) {
	x, err := p.sum()
	if err != nil {
		return nil, err
	}
	c := compareExpr{x: x, line: p.peek().line}
	for {
		op := ""
		switch t := p.peek(); {
		case t.kind == opToken && (t.text == "==" || t.text == "!=" || t.text == "<" || t.text == ">" || t.text == "<=" || t.text == ">="):
			op = p.next().text
		case p.takeName("in"):
			op = "in"
		case p.isName("not") && p.tokens[p.pos+1].kind == nameToken && p.tokens[p.pos+1].text == "in":
			p.pos += 2
			op = "not in"
		}
		if op == "" {
			break
		}
		y, err := p.sum()
		if err != nil {
			return nil, err
		}
		c.ops, c.ys = append(c.ops, op), append(c.ys, y)
	}
	if len(c.ops) == 0 {
		return x, nil
	}
	return c, nil
}

func (p *parser) binary(ops []string, below func(*parser) (expr, error)) (expr, error) {
	x, err := below(p)
	for err == nil {
		t, found := p.peek(), false
		for _, op := range ops {
			if p.isOp(op) {
				found = true
			}
		}
		if !found {
			break
		}
		p.pos++
		var y expr
		if y, err = below(p); err == nil {
			x = binaryExpr{t.text, x, y, t.line}
		}
	}
	return x, err
}

func (p *parser) sum() (expr, error) { return p.binary([]string{"+", "-"}, (*parser).concat) }

func (p *parser) concat() (expr, error) { return p.binary([]string{"~"}, (*parser).product) }

func (p *parser) product() (expr, error) {
	return p.binary([]string{"*", "/", "//", "%"}, (*parser).withFilters)
}

func (p *parser) withFilters() (expr, error) { return p.unary(true) }

func (p *parser) unary(filters bool) (expr, error) {
	defer func() { p.depth-- }()
	if err := p.nested(); err != nil {
		return nil, err
	}
	var e expr
	var err error
	if t := p.peek(); p.isOp("-") || p.isOp("+") {
		p.pos++
		if e, err = p.unary(false); err != nil {
			return nil, err
		}
		e = unaryExpr{t.text, e, t.line}
	} else {
		if e, err = p.primary(); err != nil {
			return nil, err
		}
		if e, err = p.postfix(e); err != nil {
			return nil, err
		}
	}
	if p.isOp("**") {
		line := p.next().line
		y, err := p.unary(false)
		if err != nil {
			return nil, err
		}
		e = binaryExpr{"**", e, y, line}
	}
	if !filters {
		return e, nil
	}
	return p.filtersAndTests(e)
}
