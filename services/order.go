package services

import (
	"fmt"
	"slices"
	"strings"
)

// An order says which services each one waits for.
type order struct {
	index map[string]int      // place in the project
	after map[string][]edge   // by name
	known map[string]*Service // by name
}

// An edge is one wait, and who asked for it.
type edge struct {
	name     string
	declarer string
}

// newOrder reads After and Before of all services. A name that is not there is
// nothing to wait for. Where services wait for each other in a circle, the
// youngest of them in the config loses its wish, and problems says so: a user's
// service must not keep the machine from coming up.
func newOrder(all []Service) (o *order, problems []error) {
	o = &order{index: map[string]int{}, after: map[string][]edge{}, known: map[string]*Service{}}
	for i := range all {
		o.index[all[i].Name], o.known[all[i].Name] = i, &all[i]
	}
	for i := range all {
		s := &all[i]
		for _, name := range s.After {
			o.add(s.Name, edge{name, s.Name})
		}
		for _, name := range s.Before {
			o.add(name, edge{s.Name, s.Name})
		}
	}
	for {
		circle := o.circle()
		if circle == nil {
			return o, problems
		}
		problems = append(problems, o.cut(circle))
	}
}

func (o *order) add(name string, e edge) {
	_, from := o.known[name]
	_, to := o.known[e.name]
	if from && to && name != e.name && !slices.ContainsFunc(o.after[name], func(have edge) bool { return have.name == e.name }) {
		o.after[name] = append(o.after[name], e)
	}
}

// waitsFor lists who must be done before name.
func (o *order) waitsFor(name string) []string {
	var out []string
	for _, e := range o.after[name] {
		out = append(out, e.name)
	}
	return out
}

// circle finds services that wait for each other: each for the next, the last
// for the first.
func (o *order) circle() []string {
	const open, closed = 1, 2
	state := map[string]int{}
	var path []string
	var visit func(string) []string
	visit = func(name string) []string {
		state[name] = open
		path = append(path, name)
		for _, next := range o.waitsFor(name) {
			if state[next] == open {
				return slices.Clone(path[slices.Index(path, next):])
			}
			if state[next] == 0 {
				if found := visit(next); found != nil {
					return found
				}
			}
		}
		path = path[:len(path)-1]
		state[name] = closed
		return nil
	}
	for _, name := range o.names() {
		if state[name] == 0 {
			if found := visit(name); found != nil {
				return found
			}
		}
	}
	return nil
}

// names in the order of the project.
func (o *order) names() []string {
	out := make([]string, len(o.index))
	for name, i := range o.index {
		out[i] = name
	}
	return slices.DeleteFunc(out, func(s string) bool { return s == "" }) // a name defined twice
}

// cut takes one wait out of a circle.
func (o *order) cut(circle []string) error {
	var (
		from  string
		which edge
		found bool
	)
	for i, name := range circle {
		next := circle[(i+1)%len(circle)]
		for _, e := range o.after[name] {
			if e.name == next && (!found || o.index[e.declarer] > o.index[which.declarer]) {
				from, which, found = name, e, true
			}
		}
	}
	o.after[from] = slices.DeleteFunc(o.after[from], func(e edge) bool { return e == which })
	return fmt.Errorf("services wait for each other: %s -> %s; that %s comes after %s, which %s asks for, is left out",
		strings.Join(circle, " -> "), circle[0], from, which.name, which.declarer)
}

// sorted lists all services so that each comes after those it waits for; what
// may come in any order stays in the order of the project.
func (o *order) sorted() []string {
	var out []string
	done := map[string]bool{}
	var visit func(string)
	visit = func(name string) {
		if done[name] {
			return
		}
		done[name] = true
		for _, next := range o.waitsFor(name) {
			visit(next)
		}
		out = append(out, name)
	}
	for _, name := range o.names() {
		visit(name)
	}
	return out
}
