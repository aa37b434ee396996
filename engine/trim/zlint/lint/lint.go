// Package lint has the names that cfssl needs, and no lints.
package lint

import "errors"

// A LintStatus is how bad a finding is. Reserved means that nothing is linted.
type LintStatus int

// Reserved is the status of what was not linted.
const Reserved LintStatus = 0

// A LintResult is a finding.
type LintResult struct{ Status LintStatus }

// A LintSource is who wrote a lint.
type LintSource string

// UnknownLintSource is every source: there are no lints.
const UnknownLintSource LintSource = "Unknown"

// FromString sets the source to what a config calls it.
func (s *LintSource) FromString(string) { *s = UnknownLintSource }

// A SourceList is a list of sources.
type SourceList []LintSource

// FilterOptions choose lints.
type FilterOptions struct {
	ExcludeNames   []string
	ExcludeSources SourceList
}

// Empty says whether all lints are wanted.
func (o *FilterOptions) Empty() bool { return len(o.ExcludeNames)+len(o.ExcludeSources) == 0 }

// A Registry is a set of lints.
type Registry interface {
	Filter(FilterOptions) (Registry, error)
}

// GlobalRegistry is all lints: none.
func GlobalRegistry() Registry { return none{} }

type none struct{}

func (none) Filter(FilterOptions) (Registry, error) {
	return nil, errors.New("lints cannot be chosen: this program is built without zlint")
}
