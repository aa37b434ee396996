package jinja

import (
	"strconv"
	"strings"
)

// A token is a piece of text, or one word of an expression or statement.
type token struct {
	kind tokenKind
	text string
	line int
}

type tokenKind int

const (
	textToken tokenKind = iota
	printBegin
	printEnd
	blockBegin
	blockEnd
	nameToken
	stringToken
	numberToken
	opToken
	endToken
)

// A lexer cuts a template into tokens.
type lexer struct {
	src    string
	pos    int
	line   int
	tokens []token
	// trim: the tag before ended in -%}, so that blanks that follow go.
	trim bool
}

func scan(src string) ([]token, error) {
	l := &lexer{src: src, line: 1}
	for l.pos < len(l.src) {
		at := l.nextTag()
		text := l.src[l.pos:at]
		raw := text
		if l.trim {
			text = strings.TrimLeft(text, " \t\r\n\v\f")
		}
		l.trim = false
		if at+2 < len(l.src) && l.src[at+2] == '-' {
			text = strings.TrimRight(text, " \t\r\n\v\f")
		}
		if text != "" {
			l.add(textToken, text)
		}
		l.advance(raw)
		if at == len(l.src) {
			break
		}
		if err := l.tag(); err != nil {
			return nil, err
		}
	}
	l.add(endToken, "")
	return l.tokens, nil
}

func (l *lexer) add(k tokenKind, text string) {
	l.tokens = append(l.tokens, token{k, text, l.line})
}

func (l *lexer) advance(s string) {
	l.pos += len(s)
	l.line += strings.Count(s, "\n")
}

// nextTag is where the next {{, {% or {# starts.
func (l *lexer) nextTag() int {
	for i := l.pos; i+1 < len(l.src); i++ {
		if l.src[i] == '{' && (l.src[i+1] == '{' || l.src[i+1] == '%' || l.src[i+1] == '#') {
			return i
		}
	}
	return len(l.src)
}

func (l *lexer) tag() error {
	open := l.src[l.pos : l.pos+2]
	start := l.line
	l.pos += 2
	if l.pos < len(l.src) && (l.src[l.pos] == '-' || l.src[l.pos] == '+' && open != "{{") {
		l.pos++
	}
	switch open {
	case "{#":
		return l.comment(start)
	case "{{":
		l.add(printBegin, "")
		return l.words("}}", printEnd, start)
	}
	if done, err := l.raw(start); done || err != nil {
		return err
	}
	l.add(blockBegin, "")
	return l.words("%}", blockEnd, start)
}

func (l *lexer) comment(start int) error {
	end := strings.Index(l.src[l.pos:], "#}")
	if end < 0 {
		return errorf(start, "comment {# is not closed by #}")
	}
	body := l.src[l.pos : l.pos+end]
	l.advance(body)
	l.pos += 2
	l.afterBlock(lastByte(body))
	return nil
}

func lastByte(s string) byte {
	if s == "" {
		return 0
	}
	return s[len(s)-1]
}

// afterBlock drops what the end of a block or comment takes with it: with a
// minus all blanks, with a plus nothing, else one newline.
func (l *lexer) afterBlock(sign byte) {
	switch {
	case sign == '-':
		l.trim = true
	case sign == '+':
	case strings.HasPrefix(l.src[l.pos:], "\n"):
		l.advance("\n")
	}
}

// raw handles {% raw %} ... {% endraw %}, whose inside is text.
func (l *lexer) raw(start int) (bool, error) {
	rest := l.src[l.pos:]
	head, ok := cutWord(rest, "raw")
	if !ok {
		return false, nil
	}
	sign := byte(0)
	if strings.HasPrefix(head, "-") || strings.HasPrefix(head, "+") {
		sign, head = head[0], head[1:]
	}
	head, ok = strings.CutPrefix(head, "%}")
	if !ok {
		return false, nil
	}
	l.advance(rest[:len(rest)-len(head)])
	l.afterBlock(sign)
	if l.trim {
		trimmed := strings.TrimLeft(l.src[l.pos:], " \t\r\n")
		l.advance(l.src[l.pos : len(l.src)-len(trimmed)])
		l.trim = false
	}
	for from := l.pos; ; {
		at := strings.Index(l.src[from:], "{%")
		if at < 0 {
			return true, errorf(start, "{%% raw %%} is not closed by {%% endraw %%}")
		}
		at += from
		if l.endRaw(at) {
			return true, nil
		}
		from = at + 2
	}
}

// endRaw ends a raw block if the tag at this place is {% endraw %}.
func (l *lexer) endRaw(at int) bool {
	inner := l.src[at+2:]
	text := l.src[l.pos:at]
	if strings.HasPrefix(inner, "-") {
		inner, text = inner[1:], strings.TrimRight(text, " \t\r\n")
	} else {
		inner = strings.TrimPrefix(inner, "+")
	}
	tail, ok := cutWord(inner, "endraw")
	if !ok {
		return false
	}
	sign := byte(0)
	if strings.HasPrefix(tail, "-") || strings.HasPrefix(tail, "+") {
		sign, tail = tail[0], tail[1:]
	}
	tail, ok = strings.CutPrefix(tail, "%}")
	if !ok {
		return false
	}
	if text != "" {
		l.add(textToken, text)
	}
	l.advance(l.src[l.pos : len(l.src)-len(tail)])
	l.afterBlock(sign)
	return true
}

// cutWord takes blanks, a word and blanks off the front.
func cutWord(s, word string) (string, bool) {
	s, ok := strings.CutPrefix(strings.TrimLeft(s, " \t\n"), word)
	return strings.TrimLeft(s, " \t\n"), ok
}

// operators, the longest first.
const operators = "// ** == != >= <= + - / * % ~ [ ] ( ) { } > < = . : | , ;"

// words reads the inside of a tag up to its end mark.
func (l *lexer) words(end string, kind tokenKind, start int) error {
	ops := strings.Fields(operators)
	depth := 0
	for l.pos < len(l.src) {
		rest := l.src[l.pos:]
		c := rest[0]
		switch {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			l.advance(rest[:1])
		case depth == 0 && l.endTag(rest, end, kind):
			return nil
		case c == '"' || c == '\'':
			if err := l.str(rest); err != nil {
				return err
			}
		case c >= '0' && c <= '9':
			l.number(rest)
		case isNameByte(c):
			n := 1
			for n < len(rest) && (isNameByte(rest[n]) || rest[n] >= '0' && rest[n] <= '9') {
				n++
			}
			l.add(nameToken, rest[:n])
			l.pos += n
		default:
			op := ""
			for _, o := range ops {
				if strings.HasPrefix(rest, o) {
					op = o
					break
				}
			}
			if op == "" {
				return errorf(l.line, "%q is not allowed inside a tag", c)
			}
			switch op {
			case "(", "[", "{":
				depth++
			case ")", "]", "}":
				depth--
			}
			l.add(opToken, op)
			l.pos += len(op)
		}
	}
	return errorf(start, "a tag that is opened here is not closed by %s", end)
}

func isNameByte(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

// endTag: an end mark, perhaps with a sign before it.
func (l *lexer) endTag(rest, end string, kind tokenKind) bool {
	sign := byte(0)
	if rest[0] == '-' || rest[0] == '+' && kind == blockEnd {
		sign, rest = rest[0], rest[1:]
	}
	if !strings.HasPrefix(rest, end) {
		return false
	}
	l.add(kind, "")
	l.pos = len(l.src) - len(rest) + len(end)
	if kind == blockEnd {
		l.afterBlock(sign)
	} else {
		l.trim = sign == '-'
	}
	return true
}

func (l *lexer) str(rest string) error {
	quote := rest[0]
	var b strings.Builder
	for i := 1; i < len(rest); i++ {
		switch c := rest[i]; {
		case c == quote:
			l.add(stringToken, b.String())
			l.advance(rest[:i+1])
			return nil
		case c == '\\' && i+1 < len(rest):
			i++
			b.WriteString(unescape(rest[i]))
		default:
			b.WriteByte(c)
		}
	}
	return errorf(l.line, "text in quotes is not closed")
}

func unescape(c byte) string {
	switch c {
	case 'n':
		return "\n"
	case 't':
		return "\t"
	case 'r':
		return "\r"
	case '\\', '\'', '"':
		return string(rune(c))
	case '\n':
		return ""
	}
	return "\\" + string([]byte{c})
}

func (l *lexer) number(rest string) {
	if digits := baseDigits(rest); digits > 0 {
		v, _ := strconv.ParseInt(rest[:2+digits], 0, 64)
		l.add(numberToken, strconv.FormatInt(v, 10))
		l.pos += 2 + digits
		return
	}
	n := 0
	for n < len(rest) && (rest[n] >= '0' && rest[n] <= '9' || rest[n] == '_') {
		n++
	}
	if n+1 < len(rest) && rest[n] == '.' && rest[n+1] >= '0' && rest[n+1] <= '9' {
		n++
		for n < len(rest) && rest[n] >= '0' && rest[n] <= '9' {
			n++
		}
	}
	if n+1 < len(rest) && (rest[n] == 'e' || rest[n] == 'E') {
		m := n + 1
		if rest[m] == '+' || rest[m] == '-' {
			m++
		}
		digits := len(rest[m:]) - len(strings.TrimLeft(rest[m:], "0123456789"))
		if digits > 0 {
			n = m + digits
		}
	}
	l.add(numberToken, strings.ReplaceAll(rest[:n], "_", ""))
	l.pos += n
}

// baseDigits counts the digits behind 0x, 0o or 0b, which fit into an int64.
func baseDigits(rest string) int {
	if len(rest) < 3 || rest[0] != '0' {
		return 0
	}
	digits, most := "", 0
	switch rest[1] {
	case 'x', 'X':
		digits, most = "0123456789abcdefABCDEF", 15
	case 'o', 'O':
		digits, most = "01234567", 20
	case 'b', 'B':
		digits, most = "01", 62
	}
	return min(len(rest[2:])-len(strings.TrimLeft(rest[2:], digits)), most)
}
