// Package yamlerr reads YAML by go.yaml.in/yaml/v4 and takes its errors apart.
package yamlerr

import (
	"errors"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v4"
)

// open are what a missing end is noticed of far below its start.
var open = map[string]string{
	"while parsing a flow sequence":  "the list",
	"while parsing a flow mapping":   "the mapping",
	"while scanning a quoted scalar": "the quoted text",
}

// Split returns line and column, counted from 1, and the message without them.
// Both are 0 when the library gives none.
func Split(err error) (line, column int, message string) {
	if many, ok := errors.AsType[*yaml.LoadErrors](err); ok {
		var all []string
		for _, e := range many.Errors {
			_, _, text := Split(e)
			all = append(all, text)
		}
		message = strings.Join(all, "; ")
		if len(many.Errors) > 0 {
			line, column = many.Errors[0].Mark.Line, many.Errors[0].Mark.Column
		}
		return line, column, message
	}
	one, ok := errors.AsType[*yaml.LoadError](err)
	if !ok {
		return 0, 0, strings.TrimPrefix(err.Error(), "yaml: ")
	}
	message = one.Message
	if begin := one.ContextMark; begin.Line > 0 && open[one.ContextMsg] != "" {
		message += fmt.Sprintf(" of %s that begins at line %d, column %d", open[one.ContextMsg], begin.Line, begin.Column)
	}
	return one.Mark.Line, one.Mark.Column, message
}
