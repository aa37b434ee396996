package shape

import (
	"strings"

	"go.yaml.in/yaml/v4"
)

// KindOf is the kind of a value as YAML 1.1 has it.
func KindOf(n *yaml.Node) Kind {
	switch n.Kind {
	case yaml.MappingNode:
		return Map
	case yaml.SequenceNode:
		return List
	case yaml.AliasNode:
		return KindOf(n.Alias)
	}
	if n.Style&yaml.TaggedStyle != 0 {
		return tagged(n.ShortTag())
	}
	if n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		return String
	}
	switch v := n.Value; {
	case v == "" || v == "~" || v == "null" || v == "Null" || v == "NULL":
		if v == "" && n.Tag == "!!str" {
			return String
		}
		return Null
	case isBool(v):
		return Bool
	case isInt(v):
		return Int
	case isFloat(v):
		return Float
	case isDate(v):
		return Date
	}
	return String
}

func tagged(tag string) Kind {
	switch tag {
	case "!!null":
		return Null
	case "!!bool":
		return Bool
	case "!!int":
		return Int
	case "!!float":
		return Float
	case "!!timestamp":
		return Date
	}
	return String
}

func isBool(v string) bool {
	switch v {
	case "yes", "Yes", "YES", "no", "No", "NO", "true", "True", "TRUE", "false", "False", "FALSE",
		"on", "On", "ON", "off", "Off", "OFF":
		return true
	}
	return false
}

// truth of a bool of any spelling.
func truth(v string) bool {
	switch strings.ToLower(v) {
	case "yes", "true", "on":
		return true
	}
	return false
}

func only(s, letters string) bool {
	return strings.Trim(s, letters) == ""
}

const digits = "0123456789_"

// isInt: decimal, 0b…, 0x…, octal with a leading 0, and base 60 (1:30).
func isInt(v string) bool {
	v = strings.TrimLeft(v, "+-")
	if v == "" || len(v) > 64 {
		return false
	}
	switch {
	case strings.HasPrefix(v, "0b") && len(v) > 2:
		return only(v[2:], "01_")
	case strings.HasPrefix(v, "0x") && len(v) > 2:
		return only(v[2:], digits+"abcdefABCDEF")
	case v == "0":
		return true
	case v[0] == '0':
		return only(v[1:], "01234567_")
	case v[0] < '1' || v[0] > '9':
		return false
	}
	head, rest, sixty := strings.Cut(v, ":")
	return only(head, digits) && (!sixty || allSixty(rest))
}

func isSixty(s string) bool {
	return len(s) == 1 && only(s, digits[:10]) || len(s) == 2 && s[0] >= '0' && s[0] <= '5' && only(s[1:], digits[:10])
}

// isFloat: with a point, and if with an exponent then one that has a sign; or
// in base 60 (1:30.5). A sign may not stand before a bare point.
func isFloat(v string) bool {
	bare := strings.TrimPrefix(strings.TrimPrefix(v, "-"), "+")
	switch bare {
	case ".inf", ".Inf", ".INF":
		return true
	case ".nan", ".NaN", ".NAN":
		return bare == v
	}
	whole, frac, point := strings.Cut(bare, ".")
	if !point || len(v) > 64 || whole == "" && (bare != v || frac == "" || frac[0] == '_') {
		return false
	}
	if head, rest, sixty := strings.Cut(whole, ":"); sixty {
		return digitFirst(head) && allSixty(rest) && only(frac, digits)
	}
	if at := strings.IndexAny(frac, "eE"); at >= 0 {
		exp := frac[at+1:]
		if len(exp) < 2 || (exp[0] != '+' && exp[0] != '-') || !only(exp[1:], digits[:10]) {
			return false
		}
		frac = frac[:at]
	}
	return (whole == "" || digitFirst(whole)) && only(frac, digits)
}

// digitFirst: digits and _ that begin with a digit.
func digitFirst(s string) bool {
	return s != "" && s[0] != '_' && only(s, digits)
}

// allSixty: numbers below 60 between colons.
func allSixty(s string) bool {
	for part := range strings.SplitSeq(s, ":") {
		if !isSixty(part) {
			return false
		}
	}
	return true
}

// isDate: 2030-01-01, perhaps with a time behind it.
func isDate(v string) bool {
	if len(v) < 8 || v[4] != '-' || !only(v[:4], digits[:10]) {
		return false
	}
	day, rest := v, ""
	if at := strings.IndexAny(v, "Tt \t"); at >= 0 {
		day, rest = v[:at], strings.TrimLeft(v[at+1:], " \t")
		hour, more, _ := strings.Cut(rest, ":")
		minute, second, _ := strings.Cut(more, ":")
		if hour == "" || len(minute) != 2 || len(second) < 2 || !only(rest, digits[:10]+":.+-Zz \t") {
			return false
		}
		return datePart(day, 1)
	}
	return datePart(day, 2)
}

func datePart(day string, least int) bool {
	month, date, ok := strings.Cut(day[5:], "-")
	part := func(s string) bool { return len(s) >= least && len(s) <= 2 && only(s, digits[:10]) }
	return ok && part(month) && part(date)
}
