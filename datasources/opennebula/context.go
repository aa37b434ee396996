package opennebula

import (
	"errors"
	"strings"
)

// parseContext reads context.sh: assignments as OpenNebula writes them. The
// file is shell, and upstream's readers run it; whoever can attach a disc would
// then run what he likes, so here it is only read. Expansions are not done: $
// and ` stand for themselves, as they do in the single quotes that OpenNebula
// uses.
//
// A file that says something, but sets nothing, is none of OpenNebula's.
func parseContext(text string) (map[string]string, error) {
	vars := map[string]string{}
	p := &scanner{text: text}
	for {
		name, ok := p.name()
		if !ok {
			break
		}
		value := p.value()
		// What bash sets by itself is no context.
		if name != "SECONDS" && name != "RANDOM" {
			vars[name] = value
		}
	}
	if len(vars) == 0 && p.foreign {
		return nil, errors.New("it sets no variable")
	}
	return vars, nil
}

type scanner struct {
	text string
	at   int
	// foreign: there was something that is neither a comment nor sets a variable.
	foreign bool
}

// name finds the next NAME= at the start of a word.
func (p *scanner) name() (string, bool) {
	for p.at < len(p.text) {
		p.skipSpace()
		if p.at < len(p.text) && p.text[p.at] == '#' {
			p.skipLine()
			continue
		}
		start := p.at
		for p.at < len(p.text) && isName(p.text[p.at]) {
			p.at++
		}
		word := p.text[start:p.at]
		if word != "" && p.at < len(p.text) && p.text[p.at] == '=' {
			p.at++
			return word, true
		}
		if word == "export" && p.at < len(p.text) && p.text[p.at] == ' ' {
			continue
		}
		p.foreign = p.foreign || p.at < len(p.text) || p.at > start
		p.value() // some other command: its word is passed over
		if p.at == start {
			p.at++
		}
	}
	return "", false
}

func isName(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
}

func (p *scanner) skipSpace() {
	for p.at < len(p.text) && strings.IndexByte(" \t\r\n;", p.text[p.at]) >= 0 {
		p.foreign = p.foreign || p.text[p.at] == ';'
		p.at++
	}
}

func (p *scanner) skipLine() {
	if i := strings.IndexByte(p.text[p.at:], '\n'); i >= 0 {
		p.at += i + 1
	} else {
		p.at = len(p.text)
	}
}

// value reads one word: pieces in quotes or not, one after the other.
func (p *scanner) value() string {
	var b strings.Builder
	for p.at < len(p.text) {
		switch c := p.text[p.at]; c {
		case ' ', '\t', '\r', '\n', ';':
			return b.String()
		case '\'':
			b.WriteString(p.until('\''))
		case '"':
			p.doubleQuoted(&b)
		case '$':
			if strings.HasPrefix(p.text[p.at:], "$'") {
				p.at++
				p.ansiQuoted(&b)
				continue
			}
			b.WriteByte(c)
			p.at++
		case '\\':
			p.at++
			if p.at < len(p.text) {
				if p.text[p.at] != '\n' {
					b.WriteByte(p.text[p.at])
				}
				p.at++
			}
		default:
			b.WriteByte(c)
			p.at++
		}
	}
	return b.String()
}

// until returns what is between here and the next quote, and goes behind it.
func (p *scanner) until(quote byte) string {
	rest := p.text[p.at+1:]
	i := strings.IndexByte(rest, quote)
	if i < 0 {
		p.at = len(p.text)
		return rest
	}
	p.at += i + 2
	return rest[:i]
}

func (p *scanner) doubleQuoted(b *strings.Builder) {
	for p.at++; p.at < len(p.text); p.at++ {
		switch c := p.text[p.at]; c {
		case '"':
			p.at++
			return
		case '\\':
			if p.at+1 < len(p.text) && strings.IndexByte("\"\\$`\n", p.text[p.at+1]) >= 0 {
				p.at++
				if p.text[p.at] == '\n' {
					continue
				}
			}
			b.WriteByte(p.text[p.at])
		default:
			b.WriteByte(c)
		}
	}
}

// ansiQuoted reads $'...' with its escapes.
func (p *scanner) ansiQuoted(b *strings.Builder) {
	for p.at++; p.at < len(p.text); p.at++ {
		c := p.text[p.at]
		if c == '\'' {
			p.at++
			return
		}
		if c == '\\' && p.at+1 < len(p.text) {
			p.at++
			switch p.text[p.at] {
			case 'n':
				c = '\n'
			case 't':
				c = '\t'
			case 'r':
				c = '\r'
			default:
				c = p.text[p.at]
			}
		}
		b.WriteByte(c)
	}
}
