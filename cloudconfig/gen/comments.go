package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
)

// comments are what the source says of types ("Docker") and fields
// ("Docker.Engine").
type comments map[string]string

func readComments(top string) (comments, error) {
	files, err := filepath.Glob(filepath.Join(top, "cloudconfig", "*.go"))
	if err != nil {
		return nil, err
	}
	out := comments{}
	fset := token.NewFileSet()
	for _, file := range files {
		tree, err := parser.ParseFile(fset, file, nil, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		for _, d := range tree.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok {
				continue
			}
			for _, s := range g.Specs {
				t, ok := s.(*ast.TypeSpec)
				if !ok {
					continue
				}
				out[t.Name.Name] = oneLine(g.Doc.Text())
				out.fields(t.Name.Name, t.Type)
			}
		}
	}
	return out, nil
}

func (c comments) fields(owner string, t ast.Expr) {
	s, ok := t.(*ast.StructType)
	if !ok {
		return
	}
	above := ""
	for _, f := range s.Fields.List {
		text := oneLine(f.Doc.Text())
		if text == "" {
			text = above // one comment for several fields
		}
		above = text
		for _, name := range f.Names {
			c[owner+"."+name.Name] = strings.TrimSpace(text)
			c.fields(owner+"."+name.Name, f.Type)
		}
	}
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// of is the comment of a field, told of its key instead of its Go name.
func (c comments) of(owner string, f reflect.StructField) string {
	text := c[owner+"."+f.Name]
	rest, ok := strings.CutPrefix(text, f.Name+" ")
	if !ok {
		return text
	}
	first, _, _ := strings.Cut(rest, " ")
	if slices.Contains([]string{"of", "to", "on", "as", "that", "below", "or", "and", "with", "in", "from"}, first) {
		return text // "Name of the account": the name is a word of the sentence
	}
	return sentence(rest)
}

// sentence makes one of what followed a name.
func sentence(s string) string {
	s = strings.TrimPrefix(strings.TrimPrefix(s, "is "), "are ")
	return strings.ToUpper(s[:1]) + s[1:]
}

// ownerName is how comments name a type.
func ownerName(t reflect.Type, owner string, f reflect.StructField) string {
	if t.Name() == "" { // written in place
		return owner + "." + f.Name
	}
	return t.Name()
}
