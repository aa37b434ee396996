package repo

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// dependencyRow is a row of a table in docs/dependencies.md: module and version.
var dependencyRow = regexp.MustCompile("^\\| `([^`]+)` \\| (v[^ ]+) \\|")

// dependencyDocs reads the tables: heading -> module -> version.
func dependencyDocs(t *testing.T) map[string]map[string]string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(top, "docs/dependencies.md"))
	if err != nil {
		t.Fatal(err)
	}
	all, heading := map[string]map[string]string{}, ""
	for line := range strings.Lines(string(b)) {
		if h, ok := strings.CutPrefix(line, "## "); ok {
			heading = strings.TrimSpace(h)
		}
		if m := dependencyRow.FindStringSubmatch(line); m != nil {
			if all[heading] == nil {
				all[heading] = map[string]string{}
			}
			all[heading][m[1]] = m[2]
		}
	}
	return all
}

// goMod reads the versions, and the programs that are built from other modules.
func goMod(t *testing.T, name string) (versions map[string]string, tools []string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(top, name))
	if err != nil {
		t.Fatal(err)
	}
	versions = map[string]string{}
	inTools := false
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(strings.TrimPrefix(strings.TrimSpace(line), "require "))
		switch {
		case len(f) > 0 && f[0] == "tool":
			inTools = len(f) > 1 && f[1] == "("
			if len(f) > 1 && !inTools {
				tools = append(tools, f[1])
			}
		case len(f) > 0 && f[0] == ")":
			inTools = false
		case inTools && len(f) == 1:
			tools = append(tools, f[0])
		case len(f) > 1 && strings.HasPrefix(f[1], "v") && f[0] != "module":
			versions[f[0]] = f[1]
		}
	}
	return versions, tools
}

// moduleOf is the module that has a package: the longest name that it begins with.
func moduleOf(versions map[string]string, pkg string) string {
	best := ""
	for m := range versions {
		if below(pkg, m) && len(m) > len(best) {
			best = m
		}
	}
	return best
}

func TestEveryDependencyIsDocumented(t *testing.T) {
	docs := dependencyDocs(t)
	for _, m := range []struct {
		heading, mod string
		ours         func(dir string) bool
	}{
		{"The OS", "go.mod", func(dir string) bool { return !below(dir, "engine") }},
		{"Peers", "test/peers/go.mod", func(dir string) bool { return below(dir, "test/peers") }},
		// engine/trim has the names of modules that it stands in for.
		{"The engine", "engine/go.mod", func(dir string) bool { return below(dir, "engine") && !below(dir, "engine/trim") }},
	} {
		versions, used := goMod(t, m.mod)
		for _, f := range files(t) {
			if !m.ours(f.dir) {
				continue
			}
			for _, i := range f.ast.Imports {
				pkg := strings.Trim(i.Path.Value, `"`)
				if host, _, _ := strings.Cut(pkg, "/"); strings.Contains(host, ".") {
					used = append(used, pkg)
				}
			}
		}
		rows, seen := docs[m.heading], map[string]bool{}
		for _, pkg := range used {
			module := moduleOf(versions, pkg)
			if seen[module] {
				continue
			}
			seen[module] = true
			if got, ok := rows[module]; !ok || got != versions[module] {
				t.Errorf("docs/dependencies.md, %q: want a row with %s %s (for %s) that says why, has %q", m.heading, module, versions[module], pkg, got)
			}
		}
		for module := range rows {
			if !seen[module] {
				t.Errorf("docs/dependencies.md, %q: nothing of ours imports %s: take the row away", m.heading, module)
			}
		}
	}
}
