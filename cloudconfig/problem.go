package cloudconfig

import "rancheros/cloudconfig/problem"

type (
	// A Problem is one thing that is wrong with a document.
	Problem = problem.Problem
	// Problems are an error of one line each.
	Problems = problem.Problems
	// A Severity says what a problem means for the document.
	Severity = problem.Severity
)

// The severities.
const (
	Error   = problem.Error
	Warning = problem.Warning
)
