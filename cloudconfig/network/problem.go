package network

import (
	"fmt"
	"strings"
)

// A Severity says what a problem means for the document.
type Severity string

const (
	// Error: the document is not valid. What is good of it is used all the same.
	Error Severity = "error"
	// Warning: it is valid, but not what its writer may think.
	Warning Severity = "warning"
)

// A Problem is one thing that is wrong with a network document. It has the
// shape of cloudconfig.Problem, which imports this package.
type Problem struct {
	File string `json:"file,omitempty"`
	// Line and Column count from 1; 0 where there is none.
	Line   int `json:"line,omitempty"`
	Column int `json:"column,omitempty"`
	// Path of the key: config[0].subnets[1].address.
	Path    string `json:"path,omitempty"`
	Message string `json:"message"`
	// Suggestion is what was probably meant, if that can be guessed.
	Suggestion string   `json:"suggestion,omitempty"`
	Severity   Severity `json:"severity"`
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
	if p.Path != "" {
		b.WriteString(p.Path + ": ")
	}
	b.WriteString(p.Message)
	if p.Suggestion != "" {
		fmt.Fprintf(&b, "; did you mean %s?", p.Suggestion)
	}
	return b.String()
}

// HasErrors says whether one of them makes the document invalid.
func HasErrors(ps []Problem) bool {
	for _, p := range ps {
		if p.Severity == Error {
			return true
		}
	}
	return false
}

// nearest is the word that is most like the given one, or "".
func nearest(word string, known []string) string {
	best, distance := "", max(2, len(word)/3)+1
	for _, k := range known {
		if d := editDistance(word, k); d < distance {
			best, distance = k, d
		}
	}
	return best
}

// editDistance counts the letters to add, drop or change.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		last := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			last, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, last+cost)
		}
	}
	return row[len(b)]
}
