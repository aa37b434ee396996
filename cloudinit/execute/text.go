package execute

import (
	"maps"
	"slices"
	"strings"
)

// oneLine keeps a value from becoming a second line of a file.
func oneLine(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == '\n' || r == '\r' || r == 0 }), " ")
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// shellQuote makes one word of sh.
func shellQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// is says whether a switch is on; def when it is unset.
func is(b *bool, def bool) bool {
	if b == nil {
		return def
	}
	return *b
}
