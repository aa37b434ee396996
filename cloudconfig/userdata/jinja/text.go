package jinja

import (
	"strings"
	"unicode"
)

// textMethod calls a method of text; ok is false if there is none, or if it would
// make too much.
func textMethod(s, name string, g given) (any, bool) {
	chars := g.text(0, "chars", " \t\r\n\v\f")
	switch name {
	case "upper":
		return strings.ToUpper(s), true
	case "lower":
		return strings.ToLower(s), true
	case "title":
		return titleWords(s, func(r rune) bool { return !unicode.IsLetter(r) }), true
	case "capitalize":
		return capitalize(s), true
	case "strip":
		return strings.Trim(s, chars), true
	case "lstrip":
		return strings.TrimLeft(s, chars), true
	case "rstrip":
		return strings.TrimRight(s, chars), true
	case "startswith":
		return strings.HasPrefix(s, g.text(0, "", "")), true
	case "endswith":
		return strings.HasSuffix(s, g.text(0, "", "")), true
	case "replace":
		if product(strings.Count(s, g.text(0, "", "")), len(g.text(1, "", ""))) {
			return nil, false
		}
		return strings.Replace(s, g.text(0, "", ""), g.text(1, "", ""), int(g.int(2, "count", -1))), true
	case "split", "rsplit":
		if len(s) > maxElements {
			return nil, false
		}
		return split(s, g, name == "rsplit"), true
	case "splitlines":
		if strings.Count(s, "\n") > maxElements {
			return nil, false
		}
		l := []any{}
		for _, line := range strings.Split(strings.TrimSuffix(s, "\n"), "\n") {
			l = append(l, line)
		}
		return l, true
	case "join":
		items, _ := iterate(g.arg(0, "", nil))
		texts, size := make([]string, len(items)), 0
		for i := range items {
			texts[i] = str(items[i])
			if size += len(texts[i]) + len(s); size > maxMemory {
				return nil, false
			}
		}
		return strings.Join(texts, s), true
	case "find":
		return int64(strings.Index(s, g.text(0, "", ""))), true
	case "count":
		return int64(strings.Count(s, g.text(0, "", ""))), true
	case "rfind":
		return int64(strings.LastIndex(s, g.text(0, "", ""))), true
	case "swapcase":
		return strings.Map(func(r rune) rune {
			if unicode.IsUpper(r) {
				return unicode.ToLower(r)
			}
			return unicode.ToUpper(r)
		}, s), true
	case "casefold":
		return strings.ToLower(s), true
	case "removeprefix":
		return strings.TrimPrefix(s, g.text(0, "", "")), true
	case "removesuffix":
		return strings.TrimSuffix(s, g.text(0, "", "")), true
	case "ljust", "rjust", "center", "zfill":
		return justify(s, name, g), true
	}
	return askText(s, name)
}

// justify makes text as wide as asked for.
func justify(s, name string, g given) string {
	n := int(min(g.int(0, "width", 0), 10_000)) - len([]rune(s))
	if n <= 0 {
		return s
	}
	fill := g.text(1, "fillchar", " ")
	switch name {
	case "ljust":
		return s + strings.Repeat(fill, n)
	case "rjust":
		return strings.Repeat(fill, n) + s
	case "zfill":
		sign := ""
		if s != "" && (s[0] == '-' || s[0] == '+') {
			sign, s = s[:1], s[1:]
		}
		return sign + strings.Repeat("0", n) + s
	}
	left := n / 2
	if n%2 == 1 && (n+len([]rune(s)))%2 == 1 { // as Python does it
		left++
	}
	return strings.Repeat(fill, left) + s + strings.Repeat(fill, n-left)
}

// askText are the questions to text.
func askText(s, name string) (any, bool) {
	all := func(is func(rune) bool) bool {
		return s != "" && strings.IndexFunc(s, func(r rune) bool { return !is(r) }) < 0
	}
	switch name {
	case "isdigit":
		return all(unicode.IsDigit), true
	case "isalpha":
		return all(unicode.IsLetter), true
	case "isalnum":
		return all(func(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) }), true
	case "isspace":
		return all(unicode.IsSpace), true
	case "isupper":
		return hasCase(s, "upper"), true
	case "islower":
		return hasCase(s, "lower"), true
	}
	return nil, false
}

func split(s string, g given, fromEnd bool) any {
	most := int(g.int(1, "maxsplit", -1))
	var parts []string
	sep := g.text(0, "sep", "")
	switch {
	case sep == "":
		parts = strings.Fields(s)
	case most < 0:
		parts = strings.Split(s, sep)
	case fromEnd:
		parts = strings.Split(s, sep)
		if first := len(parts) - most; first > 1 {
			parts = append([]string{strings.Join(parts[:first], sep)}, parts[first:]...)
		}
	default:
		parts = strings.SplitN(s, sep, most+1)
	}
	l := make([]any, len(parts))
	for i := range parts {
		l[i] = parts[i]
	}
	return l
}
