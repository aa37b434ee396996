// Package shape says what a YAML value may be, and holds values against that.
//
// A Shape is built when it is needed and thrown away: a table of functions
// costs nothing at start. The kinds of scalars are those of YAML 1.1, as
// cloud-init reads them: `yes` is a bool and 2030-01-01 is a date.
package shape

import "slices"

// A Kind is a set of kinds of values.
type Kind uint8

// Kinds of values.
const (
	Null Kind = 1 << iota
	Bool
	Int
	Float
	String
	Date
	List
	Map
)

// A Shape says what a value may be. The zero Shape takes anything.
type Shape struct {
	// Kinds that are allowed; zero allows all.
	Kinds Kind
	// Enum are the only values allowed: string, bool, int.
	Enum []any
	// Match, if set, must be true of a string; Format says what it wants.
	Match  func(string) bool
	Format string
	// Pattern is Match as a regular expression, for the JSON schema.
	Pattern string
	// Min is the lowest number allowed.
	Min *int

	// Item is the shape of each item of a list; nil takes anything.
	Item *Shape
	// Items are the shapes of the items by place, when they differ.
	Items              []*Shape
	MinItems, MaxItems int
	Unique             bool

	// Keys of a map, in the order of documentation.
	Keys []Key
	// Open takes keys that are not named; Rest is the shape of their values.
	Open bool
	Rest *Shape
	// KeyMatch must be true of keys that are not named; KeyPattern is the same
	// as a regular expression, for the JSON schema.
	KeyMatch   func(string) bool
	KeyPattern string
	MinKeys    int
	// Requires are sets of keys; a map must have all keys of one of them.
	Requires [][]string
	// Only: of exactly one of them.
	Only bool

	// Any are alternatives: the value must have one of these shapes.
	Any []*Shape

	// Old is set for what is allowed but should not be used any more: since
	// when, and what to do.
	Old string
}

// A Key is one key of a map.
type Key struct {
	Name  string
	Shape *Shape
}

// K is a Key.
func K(name string, s *Shape) Key { return Key{name, s} }

// Builders of plain shapes.
func Anything() *Shape { return &Shape{} }
func Text() *Shape     { return &Shape{Kinds: String} }
func Flag() *Shape     { return &Shape{Kinds: Bool} }
func Integer() *Shape  { return &Shape{Kinds: Int} }
func Number() *Shape   { return &Shape{Kinds: Int | Float} }
func Nothing() *Shape  { return &Shape{Kinds: Null} }

// Of allows several kinds.
func Of(k Kind) *Shape { return &Shape{Kinds: k} }

// OneOf allows only these values.
func OneOf(values ...any) *Shape { return &Shape{Enum: values} }

// Either allows any of the shapes; put the one that people should use first.
func Either(shapes ...*Shape) *Shape { return &Shape{Any: shapes} }

// ListOf is a list of items of one shape.
func ListOf(item *Shape) *Shape { return &Shape{Kinds: List, Item: item} }

// Tuple is a list of exactly these items.
func Tuple(items ...*Shape) *Shape {
	return &Shape{Kinds: List, Items: items, MinItems: len(items), MaxItems: len(items)}
}

// Object is a map of these keys and no others.
func Object(keys ...Key) *Shape { return &Shape{Kinds: Map, Keys: keys} }

// MapOf is a map of any keys to values of one shape. The empty key is none.
func MapOf(rest *Shape) *Shape {
	return &Shape{Kinds: Map, Open: true, Rest: rest, KeyPattern: "^.+$", KeyMatch: func(k string) bool { return k != "" }}
}

// AtLeast asks for that many items or keys, or that value.
func (s *Shape) AtLeast(n int) *Shape {
	switch {
	case s.Kinds&(List|Map) == 0:
		s.Min = &n
	default:
		if s.Kinds&List != 0 {
			s.MinItems = n
		}
		if s.Kinds&Map != 0 {
			s.MinKeys = n
		}
	}
	return s
}

// AtMost allows no more items.
func (s *Shape) AtMost(n int) *Shape { s.MaxItems = n; return s }

// Distinct refuses equal items.
func (s *Shape) Distinct() *Shape { s.Unique = true; return s }

// More allows other keys too.
func (s *Shape) More() *Shape { s.Open = true; return s }

// Needs asks for all these keys. Called again it names an alternative set.
func (s *Shape) Needs(keys ...string) *Shape {
	s.Requires = append(s.Requires, keys)
	return s
}

// NeedsOneOf asks for one of the keys, and for no other of them.
func (s *Shape) NeedsOneOf(keys ...string) *Shape {
	for _, k := range keys {
		s.Needs(k)
	}
	s.Only = true
	return s
}

// With adds keys.
func (s *Shape) With(keys ...Key) *Shape {
	s.Keys = append(slices.Clone(s.Keys), keys...)
	return s
}

// Outdated marks what should not be used any more.
func (s *Shape) Outdated(since, instead string) *Shape {
	s.Old = "deprecated since cloud-init " + since
	if instead != "" {
		s.Old += ": " + instead
	}
	return s
}

// Matching wants strings of a format.
func (s *Shape) Matching(format, pattern string, match func(string) bool) *Shape {
	s.Format, s.Pattern, s.Match = format, pattern, match
	return s
}

// KeysMatching wants keys of a format.
func (s *Shape) KeysMatching(pattern string, match func(string) bool) *Shape {
	s.KeyPattern, s.KeyMatch = pattern, match
	return s
}

// key is the shape of a named key.
func (s *Shape) key(name string) (*Shape, bool) {
	for _, k := range s.Keys {
		if k.Name == name {
			return k.Shape, true
		}
	}
	return nil, false
}

// Names are the names of the keys that are not outdated.
func (s *Shape) Names() []string {
	var names []string
	for _, k := range s.Keys {
		if k.Shape.Old == "" {
			names = append(names, k.Name)
		}
	}
	return names
}
