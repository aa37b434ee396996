package jinja

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// formatBraces is Python's "{} {0} {name:>5}".format(...).
//
// https://docs.python.org/3/library/string.html#formatspec
func formatBraces(s string, g given, line int) (string, error) {
	var b strings.Builder
	for next := 0; ; {
		if b.Len() > maxMemory {
			return "", errorf(line, "format makes too much text")
		}
		before, rest, ok := strings.Cut(s, "{")
		b.WriteString(strings.ReplaceAll(before, "}}", "}"))
		if !ok {
			return b.String(), nil
		}
		if strings.HasPrefix(rest, "{") {
			b.WriteByte('{')
			s = rest[1:]
			continue
		}
		field, after, ok := strings.Cut(rest, "}")
		if !ok {
			return "", errorf(line, "format %q has a { without its }", s)
		}
		name, spec, _ := strings.Cut(field, ":")
		if name == "" {
			name = strconv.Itoa(next)
			next++
		}
		value, ok := g.named[name]
		if i, err := strconv.Atoi(name); err == nil && i >= 0 && i < len(g.list) {
			value, ok = g.list[i], true
		}
		if !ok {
			return "", errorf(line, "format has no value for {%s}", field)
		}
		text, ok := formatOne(value, spec)
		if !ok {
			return "", errorf(line, "format {%s} does not fit %s", field, typeName(value))
		}
		b.WriteString(text)
		s = after
	}
}

// formatOne writes a value as a format spec says:
// [[fill]align][sign][0][width][.precision][type].
func formatOne(value any, spec string) (string, bool) {
	if spec == "" {
		return str(value), true
	}
	fill, align := "", byte(0)
	if _, n := utf8.DecodeRuneInString(spec); len(spec) > n && strings.IndexByte("<>^=", spec[n]) >= 0 {
		fill, align, spec = spec[:n], spec[n], spec[n+1:]
	} else if strings.IndexByte("<>^=", spec[0]) >= 0 {
		align, spec = spec[0], spec[1:]
	}
	sign := ""
	if spec != "" && strings.IndexByte("+ -", spec[0]) >= 0 {
		sign, spec = strings.TrimPrefix(spec[:1], "-"), spec[1:]
	}
	if rest, ok := strings.CutPrefix(spec, "0"); ok {
		fill, spec = cmp.Or(fill, "0"), rest
	}
	width, spec := leadingNumber(spec)
	precision := -1
	if rest, ok := strings.CutPrefix(spec, "."); ok {
		if precision, spec = leadingNumber(rest); len(spec) == len(rest) {
			return "", false
		}
	}
	if width > maxPadding || precision > maxPadding {
		return "", false
	}
	text, numeric, ok := formatAs(value, spec, sign, precision)
	if !ok || !numeric && (sign != "" || align == '=') {
		return "", false
	}
	return pad(text, cmp.Or(fill, " "), align, width-utf8.RuneCountInString(text), numeric), true
}

// maxPadding bounds how long one value is made.
const maxPadding = 1000

// leadingNumber takes the digits that s starts with; 0 if there are none.
func leadingNumber(s string) (int, string) {
	rest := strings.TrimLeft(s, "0123456789")
	n, err := strconv.Atoi(s[:len(s)-len(rest)])
	if err != nil && len(rest) < len(s) {
		n = maxPadding + 1
	}
	return n, rest
}

func formatAs(value any, verb, sign string, precision int) (text string, numeric, ok bool) {
	f, isNumber := number(value)
	_, isFloat := value.(float64)
	switch verb {
	case "", "s":
		if isNumber && verb == "" && precision < 0 && value != true && value != false {
			text = str(value)
			if sign != "" && f >= 0 {
				text = sign + text
			}
			return text, true, true
		}
		text = str(value)
		if r := []rune(text); precision >= 0 && precision < len(r) {
			text = string(r[:precision])
		}
		return text, false, !isNumber || verb == "" && precision < 0
	case "d", "x", "X", "o", "b":
		return fmt.Sprintf("%"+sign+verb, int64(f)), true, isNumber && !isFloat && precision < 0
	case "f", "F", "e", "E", "g", "G":
		if precision < 0 {
			precision = 6
		}
		return fmt.Sprintf("%"+sign+"."+strconv.Itoa(precision)+verb, f), true, isNumber
	}
	return "", false, false
}

// pad makes text longer by n fills: numbers stand right, the rest left.
func pad(text, fill string, align byte, n int, numeric bool) string {
	if n <= 0 {
		return text
	}
	left := 0
	switch {
	case align == '^':
		left = n / 2
	case align == '>', align == 0 && numeric && fill != "0":
		left = n
	case align == '=', align == 0 && numeric:
		digits := strings.TrimLeft(text, "+- ")
		return text[:len(text)-len(digits)] + strings.Repeat(fill, n) + digits
	}
	return strings.Repeat(fill, left) + text + strings.Repeat(fill, n-left)
}
