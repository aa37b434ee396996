package network

import "rancheros/cloudconfig/problem"

type (
	// A Problem is one thing that is wrong with a network document. What is good
	// of the document is used all the same.
	Problem = problem.Problem
	// A Severity says what a problem means for the document.
	Severity = problem.Severity
)

// The severities.
const (
	Error   = problem.Error
	Warning = problem.Warning
)

// HasErrors says whether one of them makes the document invalid.
func HasErrors(ps []Problem) bool { return problem.Problems(ps).HasErrors() }
