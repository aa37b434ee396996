package jinja

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
)

// filter is value|name(args).
func (r *render) filter(c call, v any) (any, error) {
	g, err := r.given(c.args)
	if err != nil {
		return nil, err
	}
	if err := r.step(c.line); err != nil {
		return nil, err
	}
	out, err := r.applyFilter(c, v, g)
	if err != nil {
		return nil, err
	}
	return out, r.charge(c.line, sizeOf(out))
}

func (r *render) applyFilter(c call, v any, g given) (any, error) {
	switch c.name {
	case "default", "d":
		_, missing := v.(undefined)
		if missing || truthy(g.arg(1, "boolean", false)) && !truthy(v) {
			return g.arg(0, "default_value", ""), nil
		}
		return v, nil
	case "length", "count":
		return length(v, c.line)
	case "int":
		return toInt(v, g), nil
	case "float":
		return toFloat(v, g), nil
	case "abs", "round":
		return rounded(c, v, g)
	case "tojson":
		return toJSON(v, g, c.line)
	case "items":
		if m, ok := v.(map[string]any); ok {
			return pairs(m), nil
		}
		return []any{}, nil
	case "dictsort":
		return dictSort(v, g, c.line)
	case "attr":
		return attr(v, g.text(0, "name", ""), c.line)
	}
	if out, ok := r.textFilter(c, v, g); ok {
		return out, nil
	}
	if c.name == "replace" || c.name == "format" {
		return nil, errorf(c.line, "filter %s cannot be done with these values", c.name)
	}
	return r.listFilter(c, v, g)
}

// textFilter are the filters that make text of text.
func (r *render) textFilter(c call, v any, g given) (any, bool) {
	s := str(v)
	switch c.name {
	case "upper":
		return strings.ToUpper(s), true
	case "lower":
		return strings.ToLower(s), true
	case "capitalize":
		return capitalize(s), true
	case "title":
		return title(s), true
	case "trim":
		return strings.Trim(s, g.text(0, "chars", " \t\r\n\v\f")), true
	case "string", "safe":
		return s, true
	case "replace":
		old, with := g.text(0, "old", ""), g.text(1, "new", "")
		if product(strings.Count(s, old), len(with)) {
			return nil, false
		}
		return strings.Replace(s, old, with, int(g.int(2, "count", -1))), true
	case "e", "escape", "forceescape":
		return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "'", "&#39;", `"`, "&#34;").Replace(s), true
	case "urlencode":
		return strings.ReplaceAll(url.QueryEscape(s), "+", "%20"), true
	case "wordcount":
		return int64(len(strings.FieldsFunc(s, func(r rune) bool { return r != '_' && !unicode.IsLetter(r) && !unicode.IsNumber(r) }))), true
	case "indent":
		return indent(s, g), true
	case "center":
		w := int(min(g.int(0, "width", 80), 10_000)) - len([]rune(s))
		if w <= 0 {
			return s, true
		}
		return strings.Repeat(" ", w/2) + s + strings.Repeat(" ", w-w/2), true
	case "truncate":
		if _, ok := v.([]any); ok {
			return v, true
		}
		n, end := int(g.int(0, "length", 255)), g.text(2, "end", "...")
		if runes := []rune(s); len(runes) > n+int(g.int(3, "leeway", 5)) && n >= len(end) {
			s = string(runes[:n-len(end)])
			if cut := strings.LastIndexByte(s, ' '); !truthy(g.arg(1, "killwords", false)) && cut > 0 {
				s = s[:cut]
			}
			s += end
		}
		return s, true
	case "format":
		if out, err := format(s, g.list, c.line); err == nil {
			return out, true
		}
	}
	return nil, false
}

func capitalize(s string) string {
	r := []rune(strings.ToLower(s))
	if len(r) > 0 {
		r[0] = unicode.ToUpper(r[0])
	}
	return string(r)
}

func title(s string) string {
	return titleWords(s, func(r rune) bool { return strings.ContainsRune("-([{< \t\r\n", r) })
}

// titleWords begins each word with a capital; between says what is between them.
func titleWords(s string, between func(rune) bool) string {
	start := true
	return strings.Map(func(r rune) rune {
		was := start
		start = between(r)
		if was {
			return unicode.ToUpper(r)
		}
		return unicode.ToLower(r)
	}, s)
}

func indent(s string, g given) string {
	pad := strings.Repeat(" ", int(max(0, min(g.int(0, "width", 4), 1000))))
	if w, ok := g.arg(0, "width", nil).(string); ok {
		pad = w
	}
	if product(strings.Count(s, "\n"), len(pad)) {
		return s
	}
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		if i == 0 && !truthy(g.arg(1, "first", false)) || l == "" && !truthy(g.arg(2, "blank", false)) {
			continue
		}
		lines[i] = pad + l
	}
	return strings.Join(lines, "\n")
}

func length(v any, line int) (any, error) {
	switch x := v.(type) {
	case string:
		return int64(len([]rune(x))), nil
	case map[string]any:
		return int64(len(x)), nil
	case []any:
		return int64(len(x)), nil
	case undefined:
		return int64(0), nil
	}
	return nil, errorf(line, "%s has no length", typeName(v))
}

func toInt(v any, g given) any {
	or := g.arg(0, "default", int64(0))
	switch x := v.(type) {
	case int64:
		return x
	case string:
		base := int(g.int(1, "base", 10))
		if base < 2 || base > 36 {
			return or
		}
		t := strings.ToLower(strings.ReplaceAll(strings.TrimSpace(x), "_", ""))
		switch base {
		case 16:
			t = strings.TrimPrefix(t, "0x")
		case 8:
			t = strings.TrimPrefix(t, "0o")
		case 2:
			t = strings.TrimPrefix(t, "0b")
		}
		if i, err := strconv.ParseInt(t, base, 64); err == nil {
			return i
		}
		if f, err := strconv.ParseFloat(t, 64); err == nil && math.Abs(f) < 1<<62 {
			return int64(f)
		}
		return or
	}
	if f, ok := number(v); ok && math.Abs(f) < 1<<62 {
		return int64(f)
	}
	return or
}

func toFloat(v any, g given) any {
	if s, ok := v.(string); ok {
		if f, err := strconv.ParseFloat(strings.TrimSpace(s), 64); err == nil {
			return f
		}
	} else if f, ok := number(v); ok {
		return f
	}
	return g.arg(0, "default", 0.0)
}

func rounded(c call, v any, g given) (any, error) {
	f, ok := number(v)
	if !ok {
		return nil, errorf(c.line, "%s is no number", typeName(v))
	}
	if i, ok := v.(int64); ok && c.name == "abs" {
		return max(i, -i), nil
	}
	if c.name == "abs" {
		return math.Abs(f), nil
	}
	p := math.Pow(10, float64(g.int(0, "precision", 0)))
	method := g.text(1, "method", "common")
	if _, ok := v.(float64); !ok && method == "common" && p >= 1 {
		return int64(f), nil // Python leaves whole numbers whole
	}
	switch method {
	case "ceil":
		return math.Ceil(f*p) / p, nil
	case "floor":
		return math.Floor(f*p) / p, nil
	}
	return math.RoundToEven(f*p) / p, nil
}

// toJSON is json.dumps with sorted keys, safe inside HTML, as Jinja has it.
func toJSON(v any, g given, line int) (any, error) {
	data, err := json.Marshal(plainValue(v))
	if err != nil {
		return nil, errorf(line, "tojson: %v", err)
	}
	if n := g.int(0, "indent", 0); n > 0 && n < 32 {
		var b bytes.Buffer
		if err := json.Indent(&b, data, "", strings.Repeat(" ", int(n))); err != nil {
			return nil, errorf(line, "tojson: %v", err)
		}
		data = b.Bytes()
	} else {
		data = spaced(data)
	}
	return ascii(string(data)), nil
}

// ascii escapes what is not ASCII, and the quote.
func ascii(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\'' || r > '~' && r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		case r >= 0x10000:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// plainValue takes out what JSON does not know.
func plainValue(v any) any {
	switch x := v.(type) {
	case undefined:
		return str(x)
	case *namespace:
		return x.vars
	case *loop:
		return nil
	}
	return v
}

// spaced puts a blank after each comma and colon outside text, as Python does.
func spaced(data []byte) []byte {
	var b bytes.Buffer
	inText := false
	for i := 0; i < len(data); i++ {
		b.WriteByte(data[i])
		switch {
		case inText && data[i] == '\\' && i+1 < len(data):
			i++
			b.WriteByte(data[i])
		case data[i] == '"':
			inText = !inText
		case !inText && (data[i] == ',' || data[i] == ':'):
			b.WriteByte(' ')
		}
	}
	return b.Bytes()
}

func dictSort(v any, g given, line int) (any, error) {
	m, ok := v.(map[string]any)
	if !ok {
		return nil, errorf(line, "dictsort needs a mapping, not %s", typeName(v))
	}
	l := pairs(m)
	at := 0
	if g.text(1, "by", "key") == "value" {
		at = 1
	}
	slices.SortStableFunc(l, func(a, b any) int {
		c, _ := order(fold(a.([]any)[at], g.arg(0, "case_sensitive", false)), fold(b.([]any)[at], g.arg(0, "case_sensitive", false)))
		return c
	})
	if truthy(g.arg(2, "reverse", false)) {
		slices.Reverse(l)
	}
	return l, nil
}

// fold is the sort key of text: its lower case, if case does not count.
func fold(v, caseSensitive any) any {
	if s, ok := v.(string); ok && !truthy(caseSensitive) {
		return strings.ToLower(s)
	}
	return v
}
