package repo

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// namedTest is a test or a recording that docs/traps.md names.
var namedTest = regexp.MustCompile("`(Test[A-Za-z0-9]+|[a-z0-9]+/testdata/[a-z0-9-]+)`")

func TestEveryTrapHasItsTest(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(top, "docs/traps.md"))
	if err != nil {
		t.Fatal(err)
	}
	there := map[string]bool{}
	for _, f := range files(t) {
		for line := range strings.Lines(f.src) {
			if rest, ok := strings.CutPrefix(line, "func Test"); ok {
				name, _, _ := strings.Cut(rest, "(")
				there["Test"+name] = true
			}
		}
	}
	for line := range strings.Lines(string(b)) {
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| trap") {
			continue
		}
		found := namedTest.FindAllStringSubmatch(line, -1)
		if len(found) == 0 && !strings.Contains(line, "| the same |") {
			t.Errorf("docs/traps.md: no test is named in %s", strings.TrimSpace(line))
		}
		for _, m := range found {
			_, err := os.Stat(filepath.Join(top, "datasources", m[1]))
			if !there[m[1]] && err != nil {
				t.Errorf("docs/traps.md names %s, which is not there", m[1])
			}
		}
	}
}
