// Package problem says what is wrong with a document: where, what, and what was
// probably meant.
package problem

import (
	"fmt"
	"slices"
	"strings"
)

// A Severity says what a problem means for the document.
type Severity string

const (
	// Error: the document is not valid.
	Error Severity = "error"
	// Warning: it is valid, but not what its writer may think.
	Warning Severity = "warning"
)

// A Problem is one thing that is wrong with a document. It never holds a
// secret.
type Problem struct {
	// File is the name of the document as the caller gave it.
	File string `json:"file,omitempty"`
	// Line and Column count from 1; 0 where there is none.
	Line   int `json:"line,omitempty"`
	Column int `json:"column,omitempty"`
	// Path of the key: users[0].name. Empty for the document as a whole.
	Path string `json:"path,omitempty"`
	// Message says what is wrong.
	Message string `json:"message"`
	// Suggestion is what was probably meant, if that can be guessed.
	Suggestion string   `json:"suggestion,omitempty"`
	Severity   Severity `json:"severity"`
	// Deprecated: a warning because the key or the form is old.
	Deprecated bool `json:"deprecated,omitempty"`
}

// String is `file:line:column: path: message; did you mean X?`.
func (p Problem) String() string {
	var b strings.Builder
	if p.File != "" {
		b.WriteString(p.File + ":")
	}
	if p.Line > 0 {
		fmt.Fprintf(&b, "%d:%d:", p.Line, max(p.Column, 1))
	}
	if b.Len() > 0 {
		b.WriteString(" ")
	}
	if p.Severity == Warning {
		b.WriteString("warning: ")
	}
	if p.Path != "" {
		b.WriteString(p.Path + ": ")
	}
	b.WriteString(p.Message)
	if p.Suggestion != "" {
		fmt.Fprintf(&b, "; did you mean %s?", p.Suggestion)
	}
	return b.String()
}

// Problems are an error of one line each.
type Problems []Problem

func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// Errors leaves the warnings out.
func (ps Problems) Errors() Problems {
	return slices.DeleteFunc(slices.Clone(ps), func(p Problem) bool { return p.Severity != Error })
}

// HasErrors says whether one of them makes the document invalid.
func (ps Problems) HasErrors() bool {
	return slices.ContainsFunc(ps, func(p Problem) bool { return p.Severity == Error })
}

// AsError is nil when there are none.
func (ps Problems) AsError() error {
	if len(ps) == 0 {
		return nil
	}
	return ps
}

// Sorted orders problems as they stand in the document and keeps one error of
// each place: both passes of validation find what is plainly wrong.
func (ps Problems) Sorted() Problems {
	slices.SortStableFunc(ps, func(a, b Problem) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	return slices.CompactFunc(ps, func(a, b Problem) bool {
		return a.Line == b.Line && a.Column == b.Column && a.Path == b.Path && a.Severity == b.Severity &&
			(a.Severity == Error || a.Message == b.Message)
	})
}
