// Package yamlerr finds the line in the syntax errors of gopkg.in/yaml.v3,
// which gives it only as text.
package yamlerr

import (
	"strconv"
	"strings"
)

// parserErrors are messages of the library's parser. Its scanner counts lines
// from 1, its parser from 0 (yaml.v3 decode.go, parser.fail).
var parserErrors = [...]string{
	"did not find expected node content", "did not find expected '-' indicator", "did not find expected key",
	"did not find expected ',' or", "did not find expected <",
}

// Split returns the line, counted from 1, and the message without it. The line
// is 0 when the library gives none.
func Split(err error) (line int, message string) {
	message = strings.TrimPrefix(err.Error(), "yaml: ")
	rest, ok := strings.CutPrefix(message, "line ")
	if !ok {
		return 0, message
	}
	number, after, ok := strings.Cut(rest, ": ")
	n, bad := strconv.Atoi(number)
	if !ok || bad != nil {
		return 0, message
	}
	for _, p := range parserErrors {
		if strings.HasPrefix(after, p) {
			n++
		}
	}
	return n, after
}
