package jinja

import "slices"

// A node is something that a template does, in order.
type node interface{}

type (
	textNode  struct{ text string }
	printNode struct {
		line int
		e    expr
	}
	ifNode struct {
		line     int
		branches []branch
	}
	// A branch without a condition is the else.
	branch struct {
		cond expr
		body []node
	}
	forNode struct {
		line    int
		targets []string
		list    expr
		filter  expr
		body    []node
		orElse  []node
	}
	setNode struct {
		line    int
		targets []string
		// attr is set for {% set ns.attr = ... %}.
		attr    string
		value   expr
		body    []node
		filters []call
	}
	doNode struct {
		line int
		e    expr
	}
	filterNode struct {
		line    int
		filters []call
		body    []node
	}
)

type parser struct {
	tokens []token
	pos    int
	depth  int
}

func (p *parser) peek() token { return p.tokens[p.pos] }

func (p *parser) next() token {
	t := p.tokens[p.pos]
	if t.kind != endToken {
		p.pos++
	}
	return t
}

func (p *parser) isOp(text string) bool {
	t := p.peek()
	return t.kind == opToken && t.text == text
}

func (p *parser) isName(text string) bool {
	t := p.peek()
	return t.kind == nameToken && t.text == text
}

func (p *parser) takeOp(text string) bool {
	if p.isOp(text) {
		p.pos++
		return true
	}
	return false
}

func (p *parser) takeName(text string) bool {
	if p.isName(text) {
		p.pos++
		return true
	}
	return false
}

func (p *parser) expect(kind tokenKind, text, what string) (token, error) {
	t := p.next()
	if t.kind != kind || text != "" && t.text != text {
		return t, errorf(t.line, "expected %s, found %s", what, t.describe())
	}
	return t, nil
}

func (t token) describe() string {
	switch t.kind {
	case endToken:
		return "the end of the template"
	case printEnd:
		return "}}"
	case blockEnd:
		return "%}"
	case stringToken:
		return "text \"" + t.text + "\""
	}
	return "\"" + t.text + "\""
}

// nested guards recursion.
func (p *parser) nested() error {
	if p.depth++; p.depth > maxNested {
		return errorf(p.peek().line, "nested more than %d deep", maxNested)
	}
	return nil
}

// body is the whole template.
func (p *parser) body() ([]node, error) {
	nodes, end, err := p.until()
	if err != nil {
		return nil, err
	}
	if end.kind != endToken {
		return nil, errorf(end.line, "{%% %s %%} without a beginning", end.text)
	}
	return nodes, nil
}

// until reads nodes up to a block whose name is one of stops; that name has
// been read then, and is returned. Without stops it reads to the end.
func (p *parser) until(stops ...string) ([]node, token, error) {
	defer func() { p.depth-- }()
	if err := p.nested(); err != nil {
		return nil, token{}, err
	}
	var nodes []node
	for {
		t := p.next()
		switch t.kind {
		case endToken:
			if len(stops) > 0 {
				return nil, t, errorf(t.line, "{%% %s %%} is missing", stops[len(stops)-1])
			}
			return nodes, t, nil
		case textToken:
			nodes = append(nodes, textNode{t.text})
		case printBegin:
			e, err := p.exprList()
			if err != nil {
				return nil, t, err
			}
			if _, err := p.expect(printEnd, "", "}}"); err != nil {
				return nil, t, err
			}
			nodes = append(nodes, printNode{t.line, e})
		case blockBegin:
			name, err := p.expect(nameToken, "", "the name of a statement")
			if err != nil {
				return nil, t, err
			}
			if slices.Contains(stops, name.text) {
				return nodes, name, nil
			}
			n, err := p.statement(name)
			if err != nil {
				return nil, t, err
			}
			nodes = append(nodes, n)
		default:
			return nil, t, errorf(t.line, "unexpected %s", t.describe())
		}
	}
}

func (p *parser) endBlock() error {
	_, err := p.expect(blockEnd, "", "%}")
	return err
}

func (p *parser) statement(name token) (node, error) {
	switch name.text {
	case "if":
		return p.ifStatement(name.line)
	case "for":
		return p.forStatement(name.line)
	case "set":
		return p.setStatement(name.line)
	case "do":
		e, err := p.exprList()
		if err != nil {
			return nil, err
		}
		return doNode{name.line, e}, p.endBlock()
	case "filter":
		return p.filterStatement(name.line)
	case "with":
		return p.withStatement(name.line)
	case "macro":
		return p.macroStatement(name.line)
	case "endif", "endfor", "endset", "else", "elif", "endfilter", "endraw", "endwith", "endmacro":
		return nil, errorf(name.line, "{%% %s %%} without a beginning", name.text)
	}
	return nil, errorf(name.line, "statement %q is not supported in user-data; there are if, for, set, do, filter, with, macro and raw", name.text)
}

func (p *parser) ifStatement(line int) (node, error) {
	n := ifNode{line: line}
	for {
		cond, err := p.expr()
		if err != nil {
			return nil, err
		}
		if err := p.endBlock(); err != nil {
			return nil, err
		}
		body, stop, err := p.until("elif", "else", "endif")
		if err != nil {
			return nil, err
		}
		n.branches = append(n.branches, branch{cond, body})
		if stop.text == "elif" {
			continue
		}
		if stop.text == "else" {
			if err := p.endBlock(); err != nil {
				return nil, err
			}
			if body, _, err = p.until("endif"); err != nil {
				return nil, err
			}
			n.branches = append(n.branches, branch{nil, body})
		}
		return n, p.endBlock()
	}
}

func (p *parser) targets() ([]string, error) {
	paren := p.takeOp("(")
	var names []string
	for {
		t, err := p.expect(nameToken, "", "a name")
		if err != nil {
			return nil, err
		}
		names = append(names, t.text)
		if !p.takeOp(",") {
			break
		}
	}
	if paren && !p.takeOp(")") {
		return nil, errorf(p.peek().line, "expected )")
	}
	return names, nil
}

func (p *parser) forStatement(line int) (node, error) {
	n := forNode{line: line}
	var err error
	if n.targets, err = p.targets(); err != nil {
		return nil, err
	}
	if _, err := p.expect(nameToken, "in", "in"); err != nil {
		return nil, err
	}
	if n.list, err = p.exprListNoCond(); err != nil {
		return nil, err
	}
	if p.takeName("if") {
		if n.filter, err = p.expr(); err != nil {
			return nil, err
		}
	}
	if p.isName("recursive") {
		return nil, errorf(line, "recursive loops are not supported in user-data")
	}
	if err := p.endBlock(); err != nil {
		return nil, err
	}
	body, stop, err := p.until("else", "endfor")
	if err != nil {
		return nil, err
	}
	n.body = body
	if stop.text == "else" {
		if err := p.endBlock(); err != nil {
			return nil, err
		}
		if n.orElse, _, err = p.until("endfor"); err != nil {
			return nil, err
		}
	}
	return n, p.endBlock()
}

func (p *parser) setStatement(line int) (node, error) {
	n := setNode{line: line}
	var err error
	if n.targets, err = p.targets(); err != nil {
		return nil, err
	}
	if len(n.targets) == 1 && p.takeOp(".") {
		t, err := p.expect(nameToken, "", "a name")
		if err != nil {
			return nil, err
		}
		n.attr = t.text
	}
	if p.takeOp("=") {
		if n.value, err = p.exprList(); err != nil {
			return nil, err
		}
		return n, p.endBlock()
	}
	if n.filters, err = p.filterChain(); err != nil {
		return nil, err
	}
	if err := p.endBlock(); err != nil {
		return nil, err
	}
	if n.body, _, err = p.until("endset"); err != nil {
		return nil, err
	}
	return n, p.endBlock()
}

// filterChain: |name(args)|name ...
func (p *parser) filterChain() ([]call, error) {
	var calls []call
	for p.takeOp("|") {
		c, err := p.filterCall()
		if err != nil {
			return nil, err
		}
		calls = append(calls, c)
	}
	return calls, nil
}

func (p *parser) filterStatement(line int) (node, error) {
	first, err := p.filterCall()
	if err != nil {
		return nil, err
	}
	rest, err := p.filterChain()
	if err != nil {
		return nil, err
	}
	if err := p.endBlock(); err != nil {
		return nil, err
	}
	body, _, err := p.until("endfilter")
	if err != nil {
		return nil, err
	}
	return filterNode{line, append([]call{first}, rest...), body}, p.endBlock()
}
