package document_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"rancheros/cloudconfig/userdata/document"
)

// pieces are what makes text hard to write down as YAML.
var pieces = []string{"\n", "\n", " ", " ", "\t", ":", "#", "-", "0", "'", `"`, "|", ">", "{", "}", "[", "]", ",", "&", "*", "!", "%", "@", "`", "~", "?", "=", `\`,
	"\r", "\u0085", "\u2028", "\ufeff", "\x00", "\x07", "\x7f", "é", "😀", "yes", "<<", "...", "a", "a", "bc"}

// A writer makes documents of such text in all styles.
type writer struct{ *rand.Rand }

func (w writer) text() *yaml.Node {
	var b strings.Builder
	for range w.IntN(10) {
		b.WriteString(pieces[w.IntN(len(pieces))])
	}
	n := document.String(b.String())
	n.Style = []yaml.Style{0, yaml.LiteralStyle, yaml.FoldedStyle, yaml.SingleQuotedStyle, yaml.DoubleQuotedStyle}[w.IntN(5)]
	return n
}

func (w writer) node(depth int) *yaml.Node {
	kind := w.IntN(4)
	if depth > 3 || kind > 1 {
		return w.text()
	}
	n := document.List()
	if kind == 1 {
		n = document.Map()
	}
	if w.IntN(3) == 0 {
		n.Style = yaml.FlowStyle
	}
	for range w.IntN(3) {
		v := w.node(depth + 1)
		if kind == 0 {
			n.Content = append(n.Content, v)
		} else if k := w.text(); document.Get(n, k.Value) == nil {
			n.Content = append(n.Content, k, v)
		}
	}
	return n
}

func TestWhatIsWrittenIsReadAgain(t *testing.T) {
	w := writer{rand.New(rand.NewPCG(1, 2))}
	for range 30_000 {
		n := w.node(0)
		want, err := document.JSON(n)
		if err != nil {
			t.Fatal(err)
		}
		doc, err := document.YAML(n)
		if err != nil {
			t.Fatalf("write %s: %v", want, err)
		}
		again, _, err := document.Parse(doc)
		if err != nil {
			t.Fatalf("%s was written as\n%s\nwhich is not read: %v", want, doc, err)
		}
		if got, err := document.JSON(again); err != nil || string(got) != string(want) {
			t.Fatalf("%s was written as\n%s\nwhich is read as %s (%v)", want, doc, got, err)
		}
	}
}
