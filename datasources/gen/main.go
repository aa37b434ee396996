// Gen writes docs/datasources.md from the datasources themselves.
package main

import (
	"flag"
	"fmt"
	"go/doc/comment"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"

	_ "embed"

	"rancheros/datasources"
	"rancheros/datasources/all"
)

//go:embed intro.md
var intro string

//go:generate go run rancheros/datasources/gen -top ../..

func main() {
	top := flag.String("top", ".", "root of the repository")
	flag.Parse()
	if err := write(*top); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func write(top string) error {
	text, err := page(filepath.Join(top, "datasources"))
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(top, "docs/datasources.md"), []byte(text), 0o644)
}

// page is the introduction, a table and a section for each datasource.
func page(dir string) (string, error) {
	var b strings.Builder
	b.WriteString("<!-- Written by datasources/gen; run `make generate`. -->\n\n")
	b.WriteString(intro)
	b.WriteString("\n## The datasources\n\nIn the order in which they are tried where nothing else decides.\n\n")
	b.WriteString("| name | cloud-init's name | needs | checks in |\n|---|---|---|---|\n")
	for _, k := range all.Kinds() {
		fmt.Fprintf(&b, "| [%s](#%s) | %s | %s | %s |\n", k.Name, k.Name, k.Upstream, needs(k), yes(k.Report != nil))
	}
	for _, k := range all.Kinds() {
		about, err := packageComment(filepath.Join(dir, k.Name))
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "\n### %s\n\n%s", k.Name, about)
		if len(k.Aliases) > 0 {
			fmt.Fprintf(&b, "\nAlso called %s.\n", strings.Join(k.Aliases, ", "))
		}
		if k.Explicit {
			b.WriteString("\nOnly tried when it is named.\n")
		}
	}
	return b.String(), nil
}

func needs(k datasources.Kind) string {
	if k.NeedsOn != nil {
		return k.Needs.String() + ", or what the machine says"
	}
	return k.Needs.String()
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return ""
}

// packageComment is what a datasource's package says of itself, as Markdown,
// without the words "Package x".
func packageComment(dir string) (string, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return "", err
	}
	for _, name := range files {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.PackageClauseOnly|parser.ParseComments)
		if err != nil {
			return "", err
		}
		if f.Doc == nil {
			continue
		}
		text := strings.TrimPrefix(f.Doc.Text(), "Package "+f.Name.Name+" ")
		text = strings.ToUpper(text[:1]) + text[1:]
		var p comment.Parser
		return string((&comment.Printer{HeadingLevel: 4}).Markdown(p.Parse(text))), nil
	}
	return "", fmt.Errorf("%s has no package comment", dir)
}
