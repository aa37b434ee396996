package all

import (
	_ "embed"
	"fmt"
	"go/doc/comment"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rancheros/datasources"
	"rancheros/datasources/dstest"
)

//go:generate go test -run TestPageIsWhatTheCodeSays -update

//go:embed intro.md
var intro string

// TestPageIsWhatTheCodeSays makes docs/datasources.md from the datasources
// themselves, and with -update writes it.
func TestPageIsWhatTheCodeSays(t *testing.T) {
	const file = "../../docs/datasources.md"
	want, err := page("..")
	if err != nil {
		t.Fatal(err)
	}
	if dstest.Update() {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil || string(got) != want {
		t.Errorf("docs/datasources.md is not up to date (%v); run `make generate`", err)
	}
}

// page is the introduction, a table and a section for each datasource.
func page(dir string) (string, error) {
	var b strings.Builder
	b.WriteString("<!-- Written by datasources/all; run `make generate`. -->\n\n")
	b.WriteString(intro)
	b.WriteString("\n## The datasources\n\nIn the order in which they are tried where nothing else decides.\n\n")
	b.WriteString("| name | cloud-init's name | needs | checks in |\n|---|---|---|---|\n")
	for _, k := range Kinds() {
		fmt.Fprintf(&b, "| [%s](#%s) | %s | %s | %s |\n", k.Name, k.Name, k.Upstream, needs(k), yes(k.Report != nil))
	}
	for _, k := range Kinds() {
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
