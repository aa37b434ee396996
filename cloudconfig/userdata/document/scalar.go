package document

import (
	"encoding/base64"
	"math"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

// scalar resolves one value by YAML 1.1.
func (r *resolver) scalar(n *yaml.Node) (*yaml.Node, error) {
	out := &yaml.Node{Kind: yaml.ScalarNode, Value: n.Value, Line: n.Line, Column: n.Column,
		Style: n.Style & (yaml.DoubleQuotedStyle | yaml.SingleQuotedStyle | yaml.LiteralStyle | yaml.FoldedStyle)}
	if n.Style&yaml.TaggedStyle != 0 {
		return tagged(n, out)
	}
	if out.Style != 0 {
		out.Tag = "!!str"
		return out, nil
	}
	out.Tag, out.Value = plain(n.Value)
	if out.Tag == "!!str" && sexagesimal(n.Value) {
		r.warn(n, "%s is kept as text; upstream cloud-init reads it as a number in base 60: quote it", n.Value)
	}
	return out, nil
}

// tagged is a scalar with a tag that the writer gave.
func tagged(n, out *yaml.Node) (*yaml.Node, error) {
	tag, value := plain(n.Value)
	switch want := n.ShortTag(); want {
	case "!", "!!str", "!!timestamp":
		out.Tag = "!!str"
	case "!!binary":
		if _, err := decodeBinary(n.Value); err != nil {
			return nil, fail(n, "!!binary: %v", err)
		}
		out.Tag = want
	case "!!int", "!!bool", "!!null":
		if tag != want {
			return nil, fail(n, "%q is no %s", n.Value, want[2:])
		}
		out.Tag, out.Value, out.Style = tag, value, 0
	case "!!float":
		if tag != "!!int" && tag != "!!float" {
			return nil, fail(n, "%q is no float", n.Value)
		}
		out.Tag, out.Value, out.Style = "!!float", value, 0
	default:
		return nil, fail(n, "tag %s is not supported", n.Tag)
	}
	return out, nil
}

// plain gives the tag of an unquoted scalar and a spelling that YAML 1.1 and
// 1.2 readers agree on. Dates stay text: nothing here wants a date.
func plain(s string) (tag, value string) {
	switch s {
	case "", "~", "null", "Null", "NULL":
		return "!!null", "null"
	case "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON":
		return "!!bool", "true"
	case "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF":
		return "!!bool", "false"
	}
	if c := s[0]; (c < '0' || c > '9') && c != '-' && c != '+' && c != '.' {
		return "!!str", s
	}
	if v, ok := integer(s); ok {
		return "!!int", v
	}
	if v, ok := float(s); ok {
		return "!!float", v
	}
	return "!!str", s
}

// integer: [-+]?0b[01_]+ | 0[0-7_]+ | 0|[1-9][0-9_]* | 0x[0-9a-fA-F_]+.
// An octal number keeps its spelling, which all readers understand and people
// expect of a file mode.
func integer(s string) (string, bool) {
	digits, sign := s, ""
	if s[0] == '-' || s[0] == '+' {
		digits, sign = s[1:], strings.TrimPrefix(s[:1], "+")
	}
	if digits == "" {
		return "", false
	}
	base, body := 10, digits
	switch {
	case strings.HasPrefix(digits, "0b"):
		base, body = 2, digits[2:]
	case strings.HasPrefix(digits, "0x"):
		base, body = 16, digits[2:]
	case len(digits) > 1 && digits[0] == '0':
		base, body = 8, digits[1:]
	case digits[0] == '_':
		return "", false
	}
	bare := strings.ReplaceAll(body, "_", "")
	if bare == "" {
		return "0", base == 8
	}
	for _, c := range bare {
		if !digitOf(c, base) {
			return "", false
		}
	}
	if base == 8 && bare == body && sign == "" {
		return digits, true
	}
	if base == 10 {
		return sign + bare, true
	}
	v, err := strconv.ParseUint(bare, base, 64)
	if err != nil {
		return "", false
	}
	return sign + strconv.FormatUint(v, 10), true
}

func digitOf(c rune, base int) bool {
	switch {
	case base == 16:
		return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
	default:
		return c >= '0' && c < '0'+rune(base)
	}
}

// float: [-+]?[0-9][0-9_]*\.[0-9_]*([eE][-+][0-9]+)? | \.[0-9][0-9_]*(...)? | inf | nan.
func float(s string) (string, bool) {
	body := strings.TrimLeft(s, "+-")
	if len(s)-len(body) > 1 {
		return "", false
	}
	switch body {
	case ".inf", ".Inf", ".INF":
		if s[0] == '-' {
			return "-.inf", true
		}
		return ".inf", true
	case ".nan", ".NaN", ".NAN":
		return ".nan", len(body) == len(s)
	}
	mantissa, exp := body, ""
	if i := strings.IndexAny(body, "eE"); i >= 0 {
		mantissa, exp = body[:i], body[i+1:]
		if len(exp) < 2 || exp[0] != '+' && exp[0] != '-' || strings.Trim(exp[1:], "0123456789") != "" {
			return "", false
		}
	}
	whole, frac, dot := strings.Cut(mantissa, ".")
	if !dot || strings.Trim(whole+frac, "0123456789_") != "" {
		return "", false
	}
	if whole == "" && (frac == "" || frac[0] == '_' || len(body) < len(s)) || whole != "" && whole[0] == '_' {
		return "", false
	}
	v := strings.ReplaceAll(s, "_", "")
	if _, err := strconv.ParseFloat(v, 64); err != nil {
		return "", false
	}
	return strings.TrimPrefix(v, "+"), true
}

// sexagesimal: [1-9][0-9_]*(:[0-5]?[0-9])+
func sexagesimal(s string) bool {
	parts := strings.Split(strings.TrimLeft(s, "+-"), ":")
	if len(parts) < 2 || parts[0] == "" || strings.Trim(parts[0], "0123456789") != "" || parts[0][0] == '0' {
		return false
	}
	for _, p := range parts[1:] {
		v, err := strconv.Atoi(p)
		if err != nil || v < 0 || v > 59 || len(p) > 2 {
			return false
		}
	}
	return true
}

func decodeBinary(s string) ([]byte, error) {
	return base64.StdEncoding.DecodeString(strings.Map(func(r rune) rune {
		if r == ' ' || r == '\n' || r == '\t' || r == '\r' {
			return -1
		}
		return r
	}, s))
}

// Value is the Go value of a resolved node: nil, bool, int64, uint64, float64,
// string, []byte, []any or map[string]any. A nil node is nil.
func Value(n *yaml.Node) any {
	if n == nil {
		return nil
	}
	switch n.Kind {
	case yaml.MappingNode:
		m := make(map[string]any, len(n.Content)/2)
		for i := 0; i+1 < len(n.Content); i += 2 {
			m[n.Content[i].Value] = Value(n.Content[i+1])
		}
		return m
	case yaml.SequenceNode:
		l := make([]any, 0, len(n.Content))
		for _, c := range n.Content {
			l = append(l, Value(c))
		}
		return l
	}
	return scalarValue(n)
}

func scalarValue(n *yaml.Node) any {
	switch n.ShortTag() {
	case "!!null":
		return nil
	case "!!bool":
		return n.Value == "true"
	case "!!int":
		if v, err := strconv.ParseInt(n.Value, 0, 64); err == nil {
			return v
		}
		if v, err := strconv.ParseUint(n.Value, 0, 64); err == nil {
			return v
		}
		if v, err := strconv.ParseFloat(n.Value, 64); err == nil {
			return v
		}
	case "!!float":
		switch n.Value {
		case ".inf":
			return math.Inf(1)
		case "-.inf":
			return math.Inf(-1)
		case ".nan":
			return math.NaN()
		}
		if v, err := strconv.ParseFloat(n.Value, 64); err == nil {
			return v
		}
	case "!!binary":
		if b, err := decodeBinary(n.Value); err == nil {
			return b
		}
	case "!!timestamp":
		if t, err := time.Parse(time.RFC3339, n.Value); err == nil {
			return t.Format(time.RFC3339)
		}
	}
	return n.Value
}
