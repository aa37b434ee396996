package yamlerr_test

import (
	"fmt"
	"strings"
	"testing"

	"rancheros/cloudconfig/yamlerr"
)

func TestReadTakesACommentThatIsGluedToAValue(t *testing.T) {
	doc := "é: ['a',#one\n  \"b\"]#two\nc: {d: \"ü\"}#three\ne: 'f'#four\r\ng: \"#h\"\n"
	n, _, err := yamlerr.Read([]byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	m := n.Content[0].Content
	if len(m) != 8 || m[5].Value != "f" || m[7].Value != "#h" || m[7].Line != 5 {
		t.Errorf("read %d nodes, the last %+v", len(m), m[len(m)-1])
	}
	if _, _, err := yamlerr.Read([]byte("a: ''#b\nc: [\n")); err == nil || !strings.Contains(err.Error(), "line 3") {
		t.Errorf("the error behind a glued comment is %v", err)
	}
	if _, _, err := yamlerr.Read([]byte(strings.Repeat("- ''#b\n", 1000))); err == nil {
		t.Error("a document of nothing else is read a thousand times over")
	}
}

func TestReadSaysWhereAnUnreadableCharacterIs(t *testing.T) {
	for doc, want := range map[string]string{
		"a: 1\nb: é\x01\n":    "2:5",
		"a: \x00":             "1:4",
		"a: b\nc: \xff\n":     "2:4",
		"a: b\nc: d\xc3\n":    "2:5",
		"a: b\nc: \ufffe d\n": "2:4",
	} {
		_, _, err := yamlerr.Read([]byte(doc))
		if err == nil {
			t.Errorf("%q is read", doc)
			continue
		}
		line, column, _ := yamlerr.Split(err)
		if got := fmt.Sprintf("%d:%d", line, column); got != want {
			t.Errorf("%q: at %s, want %s: %v", doc, got, want, err)
		}
	}
}
