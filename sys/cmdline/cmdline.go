// Package cmdline reads the kernel command line, which may hold config of the
// machine: rancher.KEY=VALUE and cc.KEY=VALUE.
package cmdline

import (
	"strings"
)

// maxArgs bounds what is read; the kernel's own limit is some kilobytes.
const maxArgs = 4096

// An Arg is one word of the command line.
type Arg struct {
	// Key is what stands before the first `=`, Value what stands after it.
	Key, Value string
	// HasValue is false for a word without `=`.
	HasValue bool
}

// A Line is a kernel command line.
type Line struct {
	// Args are the words before ` -- `.
	Args []Arg
	// Extra are the words after it. They are meant for init and may be secret.
	Extra []Arg
	// ExtraText are the same as they were written.
	ExtraText string
}

// Parse cuts a command line into words. A word ends at white space outside of
// quotes and brackets; \" and \' are plain letters; quotes that hold a whole
// value or word are taken off.
func Parse(line string) Line {
	var out Line
	args := &out.Args
	for word := range words(line) {
		if word == "--" {
			args = &out.Extra
			continue
		}
		if len(*args) == maxArgs {
			break
		}
		*args = append(*args, parseArg(word))
		if args == &out.Extra {
			out.ExtraText = strings.TrimPrefix(out.ExtraText+" "+word, " ")
		}
	}
	return out
}

// A Setting is a config key on the command line.
type Setting struct {
	// Key is the path: rancher.debug, hostname.
	Key string
	// Value is YAML, or with Text plain text.
	Value string
	Text  bool
}

// Settings are the config keys among args: rancher.* as they are, cc.* without
// the prefix. A word without `=` means true.
func Settings(args []Arg) []Setting {
	var out []Setting
	for _, a := range args {
		key, cc := strings.CutPrefix(a.Key, "cc.")
		if !cc && !strings.HasPrefix(a.Key, "rancher.") || key == "" || key == "rancher." {
			continue
		}
		s := Setting{Key: key, Value: a.Value, Text: plain(a.Value)}
		if !a.HasValue {
			s.Value = "true"
		}
		out = append(out, s)
	}
	return out
}

// plain says whether a value is text that YAML would take for something else:
// a URL, an address, a question. Lists and quoted strings are YAML.
func plain(value string) bool {
	if value == "" {
		return false
	}
	if strings.ContainsRune("[{\"'", rune(value[0])) {
		return false
	}
	return strings.ContainsAny(value, ":?\n#&*!|>%@`") || strings.HasPrefix(value, "- ")
}

func words(line string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		var (
			word  strings.Builder
			quote byte // the quote that is open, or 0
			depth int  // brackets that are open
			some  bool
		)
		for i := 0; i < len(line); i++ {
			c := line[i]
			switch {
			case c == '\\' && i+1 < len(line) && (line[i+1] == '"' || line[i+1] == '\''):
				// Kept as it is for parseArg, which knows what was quoted.
				word.WriteByte(c)
				i++
				word.WriteByte(line[i])
				some = true
				continue
			case quote != 0:
				if c == quote {
					quote = 0
				}
			case c == '"' || c == '\'':
				if strings.IndexByte(line[i+1:], c) >= 0 {
					quote = c
				}
			case c == '[' && (depth > 0 || strings.IndexByte(line[i:], ']') > 0):
				depth++
			case c == ']' && depth > 0:
				depth--
			case isSpace(c) && depth == 0:
				if some && !yield(word.String()) {
					return
				}
				word.Reset()
				some = false
				continue
			}
			word.WriteByte(c)
			some = true
		}
		if some {
			yield(word.String())
		}
	}
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// parseArg cuts a word at its first `=` outside of quotes.
func parseArg(word string) Arg {
	word = unquote(word)
	key, value, has := strings.Cut(word, "=")
	return Arg{Key: unescape(key), Value: unescape(unquote(value)), HasValue: has}
}

// unquote takes a pair of quotes off that holds all of s. In a YAML value they
// would do no harm, but for the kernel's own keys they would stay.
func unquote(s string) string {
	if n := len(s); n >= 2 && (s[0] == '"' || s[0] == '\'') && s[n-1] == s[0] && strings.IndexByte(s[1:n-1], s[0]) < 0 {
		return s[1 : n-1]
	}
	return s
}

func unescape(s string) string {
	return strings.NewReplacer(`\"`, `"`, `\'`, `'`).Replace(s)
}
