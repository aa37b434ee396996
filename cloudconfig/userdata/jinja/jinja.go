// Package jinja renders the part of the Jinja template language that people use
// in user-data: variables, filters, tests, if, for, set, raw and comments.
//
// It renders as upstream cloud-init has Jinja do: the newline after a block tag
// is dropped, and a variable that is not there becomes
// CI_MISSING_JINJA_VAR/<name>. Nothing in a template can reach the machine, and
// time and memory are bounded.
//
// https://jinja.palletsprojects.com/en/stable/templates/
package jinja

import (
	"fmt"
	"strings"
)

// MissingPrefix stands before the name of a variable that is not there.
const MissingPrefix = "CI_MISSING_JINJA_VAR/"

// Bounds on one template.
const (
	maxSource = 4 << 20
	maxOutput = 16 << 20
	maxMemory = 64 << 20
	maxSteps  = 2_000_000
	maxNested = 100
	// maxElements of one value, with all that is in it.
	maxElements = 200_000
)

// An Error says where a template is wrong. Line counts from the first line of
// the template.
type Error struct {
	Line    int
	Message string
}

func (e *Error) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Message) }

func errorf(line int, format string, args ...any) *Error {
	return &Error{line, fmt.Sprintf(format, args...)}
}

// Render fills in a template (without its "## template: jinja" line). Missing
// lists the names of variables that were not there, once each. Values are those
// of encoding/json: nil, bool, float64, string, []any, map[string]any, and int64.
func Render(source string, vars map[string]any) (out string, missing []string, err error) {
	if len(source) > maxSource {
		return "", nil, errorf(1, "template is larger than %d MB", maxSource>>20)
	}
	source = strings.ReplaceAll(source, "\r\n", "\n")
	source, newline := strings.CutSuffix(source, "\n")
	tokens, err := scan(source)
	if err != nil {
		return "", nil, err
	}
	p := parser{tokens: tokens}
	body, err := p.body()
	if err != nil {
		return "", nil, err
	}
	r := newRender(vars)
	if err := r.nodes(body); err != nil {
		return "", nil, err
	}
	out = r.out.String()
	if newline {
		out += "\n"
	}
	return out, missingIn(out), nil
}

// missingIn finds the marks of missing variables in what was rendered.
func missingIn(out string) []string {
	var names []string
	seen := map[string]bool{}
	for {
		_, rest, ok := strings.Cut(out, MissingPrefix)
		if !ok {
			return names
		}
		end := strings.IndexAny(rest, " \t\r\n\v\f")
		if end < 0 {
			end = len(rest)
		}
		if name := rest[:end]; name != "" && !seen[name] && len(names) < 100 {
			seen[name] = true
			names = append(names, name)
		}
		out = rest[end:]
	}
}
