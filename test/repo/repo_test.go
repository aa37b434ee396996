// Package repo holds the rules of this repository as tests. Each says why.
package repo

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const top = "../.."

// A file is one Go file of ours.
type file struct {
	path string // from the top: netconf/plan.go
	dir  string
	test bool
	ast  *ast.File
	src  string
}

var fset = token.NewFileSet()

// files parses every Go file of the main module and of engine/.
func files(t *testing.T) []file {
	t.Helper()
	var all []file
	err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(top, path)
		if d.IsDir() {
			if name := d.Name(); rel != "." && (strings.HasPrefix(name, ".") || name == "out" || name == "testdata" || name == "node_modules") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") {
			return nil
		}
		src, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		tree, err := parser.ParseFile(fset, path, src, parser.ParseComments)
		if err != nil {
			return err
		}
		all = append(all, file{filepath.ToSlash(rel), filepath.ToSlash(filepath.Dir(rel)), strings.HasSuffix(path, "_test.go"), tree, string(src)})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 10 {
		t.Fatalf("only %d Go files found: the test looks in the wrong place", len(all))
	}
	return all
}

// mayNot says which packages a folder must never import, and why. A name
// stands for the folder and all below it.
var mayNot = []struct{ from, to, why string }{
	{"", "cmd", "cmd is the top: what others need belongs in a package below"},
	{"datasources", "netconf", "finding out is not doing: the caller brings links up"},
	{"datasources", "cloudinit", "a datasource says what it heard; others act on it"},
	{"datasources", "init", "a datasource says what it heard; others act on it"},
	{"datasources", "services", "a datasource says what it heard; others act on it"},
	{"cloudconfig", "netconf", "types are below what acts on them"},
	{"cloudconfig", "datasources", "types are below what fills them"},
	{"cloudconfig", "cloudinit", "types are below what acts on them"},
	{"cloudconfig", "init", "types are below what acts on them"},
	{"cloudconfig", "services", "types are below what acts on them"},
	{"sys", "cloudconfig", "sys is an edge of the kernel and knows nothing of us"},
	{"sys", "datasources", "sys is an edge of the kernel and knows nothing of us"},
	{"paths", "sys", "paths is names only"},
	{"cmd/init", "net/http", "the initrd's program stays small"},
	{"cmd/init", "cloudconfig", "the initrd's program knows no config"},
}

func below(pkg, folder string) bool { return pkg == folder || strings.HasPrefix(pkg, folder+"/") }

func TestImportsPointDown(t *testing.T) {
	for _, f := range files(t) {
		if below(f.dir, "engine") || f.test {
			continue
		}
		for _, i := range f.ast.Imports {
			path := strings.Trim(i.Path.Value, `"`)
			path = strings.TrimPrefix(path, "rancheros/")
			for _, r := range mayNot {
				inside := r.from == "" && !below(f.dir, "cmd") && !below(f.dir, "test") || r.from != "" && below(f.dir, r.from)
				if inside && below(path, r.to) {
					t.Errorf("%s imports %s: %s", f.path, path, r.why)
				}
			}
		}
	}
}

func TestNoDatasourceImportsAnother(t *testing.T) {
	shared := map[string]bool{"all": true, "dstest": true, "internal": true}
	for _, f := range files(t) {
		dir, ok := strings.CutPrefix(f.dir, "datasources/")
		own, _, _ := strings.Cut(dir, "/")
		if !ok || shared[own] {
			continue
		}
		for _, i := range f.ast.Imports {
			other, ok := strings.CutPrefix(strings.Trim(i.Path.Value, `"`), "rancheros/datasources/")
			other, _, _ = strings.Cut(other, "/")
			if ok && other != own && !shared[other] {
				t.Errorf("%s imports datasources/%s: shared wire formats live in datasources/internal", f.path, other)
			}
		}
	}
}

func TestEveryPackageSaysWhatItIsFor(t *testing.T) {
	has := map[string]bool{}
	for _, f := range files(t) {
		if f.test {
			continue
		}
		has[f.dir] = has[f.dir] || f.ast.Doc != nil
	}
	for dir, ok := range has {
		if !ok {
			t.Errorf("%s has no package comment: start one with what it does for the machine", dir)
		}
	}
}

// exits are calls that end the program or lose the caller's deadline.
var exits = regexp.MustCompile(`\b(os\.Exit|log\.Fatal\w*|panic)\(|context\.(Background|TODO)\(\)`)

func TestOnlyMainsEndTheProgram(t *testing.T) {
	for _, f := range files(t) {
		if f.test || below(f.dir, "cmd") || below(f.dir, "engine/cmd") || below(f.dir, "test") || strings.HasPrefix(f.dir, "cloudconfig/gen") {
			continue
		}
		for n, line := range strings.Split(f.src, "\n") {
			code, _, _ := strings.Cut(line, "//")
			if m := exits.FindString(code); m != "" {
				t.Errorf("%s:%d: %s: return an error, or take a context, and let cmd/ decide", f.path, n+1, m)
			}
		}
	}
}

func TestNoInitFunctions(t *testing.T) {
	for _, f := range files(t) {
		for _, d := range f.ast.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				t.Errorf("%s: init(): it costs every start of the binary and hides the order", f.path)
			}
		}
	}
}

// compiledAtStart is a variable of a package that is compiled when a program starts.
var compiledAtStart = regexp.MustCompile(`(?m)^var \w+ += (regexp|template)\.Must`)

func TestNothingIsCompiledAtStart(t *testing.T) {
	for _, f := range files(t) {
		if f.test || below(f.dir, "test") || below(f.dir, "image") {
			continue
		}
		if m := compiledAtStart.FindString(f.src); m != "" {
			t.Errorf("%s: %s: ros starts several times in a boot and pays for it each time: write sync.OnceValue", f.path, m)
		}
	}
}

// decimalMode finds file modes that are not octal: 400 is 0o620.
var decimalMode = regexp.MustCompile(`(WriteFile|MkdirAll|Mkdir|Chmod|OpenFile)\([^\n]*, *([1-9][0-9]{2,3}|0[0-7]{3})\)`)

func TestFileModesAreOctal(t *testing.T) {
	for _, f := range files(t) {
		for n, line := range strings.Split(f.src, "\n") {
			if m := decimalMode.FindStringSubmatch(line); m != nil {
				t.Errorf("%s:%d: file mode %s: write 0o…", f.path, n+1, m[2])
			}
		}
	}
}

// unfinished marks things that are said to be done and are not.
var unfinished = regexp.MustCompile(`\b(TODO|FIXME|XXX)\b|not implemented`)

func TestNothingIsLeftForLater(t *testing.T) {
	for _, f := range files(t) {
		if below(f.dir, "test/repo") {
			continue
		}
		for n, line := range strings.Split(f.src, "\n") {
			if m := unfinished.FindString(line); m != "" {
				t.Errorf("%s:%d: %q: do it, or leave it out", f.path, n+1, m)
			}
		}
	}
}

func TestEveryDatasourceIsListedTestedAndDocumented(t *testing.T) {
	entries, err := os.ReadDir(filepath.Join(top, "datasources"))
	if err != nil {
		t.Fatal(err)
	}
	list, err := os.ReadFile(filepath.Join(top, "datasources/all/all.go"))
	if err != nil {
		t.Fatal(err)
	}
	docs, err := os.ReadFile(filepath.Join(top, "docs/datasources.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		name := e.Name()
		if !e.IsDir() || name == "all" || name == "internal" || name == "dstest" || name == "testdata" {
			continue
		}
		if !strings.Contains(string(list), "rancheros/datasources/"+name+`"`) {
			t.Errorf("datasources/%s is not in datasources/all", name)
		}
		if !strings.Contains(string(docs), name) {
			t.Errorf("datasources/%s is not in docs/datasources.md", name)
		}
		if _, err := os.Stat(filepath.Join(top, "datasources", name, "testdata")); err != nil {
			t.Errorf("datasources/%s has no recorded case in testdata", name)
		}
	}
}
