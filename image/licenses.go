package image

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"rancheros/image/tree"
	"rancheros/paths"
)

// licences are texts and who stands under them. Most are the same few.
type licences map[string][]string

// addLicences puts the licences of all that is in the host's tree into it, in
// one file: whoever gets an image gets them with it.
func (b *build) addLicences(ctx context.Context, t *tree.Tree) error {
	all := licences{}
	if err := b.debianLicences(t, all); err != nil {
		return err
	}
	if err := b.goLicences(ctx, all); err != nil {
		return err
	}
	t.AddFile(paths.Licences[1:], 0o644, tree.Bytes([]byte(all.text())), ours)
	return nil
}

func (l licences) add(text, who string) {
	text = strings.TrimSpace(text)
	if !slices.Contains(l[text], who) {
		l[text] = append(l[text], who)
	}
}

const licenceHead = `Licences of what is in this image, each with whom it is of.
The sources of a Debian package: apt-get source NAME=VERSION. Of a Go module: go mod download NAME@VERSION.
`

func (l licences) text() string {
	for _, who := range l {
		slices.Sort(who)
	}
	var s strings.Builder
	s.WriteString(licenceHead)
	byName := func(a, b string) int { return cmp.Or(slices.Compare(l[a], l[b]), strings.Compare(a, b)) }
	for _, text := range slices.SortedFunc(maps.Keys(l), byName) {
		fmt.Fprintf(&s, "\n%s\n%s\n%s\n\n%s\n", strings.Repeat("=", 80), strings.Join(l[text], "\n"), strings.Repeat("-", 80), text)
	}
	return s.String()
}

// debianLicences takes the copyright files of the packages that files came
// from, and the texts that those refer to.
func (b *build) debianLicences(t *tree.Tree, all licences) error {
	used := map[string]bool{}
	for _, e := range t.Sorted() {
		used[e.Origin] = true
	}
	for _, list := range b.lists {
		for _, p := range list {
			if !used[p.ID()] {
				continue
			}
			for _, dir := range []string{"usr/share/doc/" + p.Name, "usr/share/common-licenses"} {
				if err := addTexts(all, b.files[p.Name].Sub(dir), p.ID(), dir); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func addTexts(all licences, t *tree.Tree, id, dir string) error {
	for _, e := range t.Sorted() {
		common := strings.HasSuffix(dir, "common-licenses")
		if e.Type != tree.File || !common && e.Path != "copyright" {
			continue
		}
		text, err := e.Content.All()
		if err != nil {
			return fmt.Errorf("licence of %s: %w", id, err)
		}
		who := "Debian package " + id
		if common {
			who = "/" + dir + "/" + e.Path
		}
		all.add(string(text), who)
	}
	return nil
}

// licenceName matches the files of a module that are, or belong to, its licence.
var licenceName = regexp.MustCompile(`(?i)^(un)?(licen[cs]e|copying|copyright|notice|patents)([-_.].*)?$`)

// goLicences takes the licences of the Go modules that our programs are linked
// of, from where Go keeps what it downloaded.
func (b *build) goLicences(ctx context.Context, all licences) error {
	out, err := exec.CommandContext(ctx, "go", "env", "GOMODCACHE", "GOROOT").Output()
	cache, root, ok := strings.Cut(strings.TrimSpace(string(out)), "\n")
	if err != nil || !ok {
		return fmt.Errorf("where Go keeps modules: go env GOMODCACHE GOROOT: %w", err)
	}
	if err := addFolderTexts(all, root, "Go's standard library"); err != nil {
		return err
	}
	for _, name := range goPrograms {
		modules, _, err := b.modulesIn(name)
		if err != nil {
			return err
		}
		for _, m := range modules {
			dir := filepath.Join(cache, escape(m.Path)+"@"+escape(m.Version))
			if err := addFolderTexts(all, dir, "Go module "+m.Path+" "+m.Version); err != nil {
				return err
			}
		}
	}
	return nil
}

func addFolderTexts(all licences, dir, who string) error {
	files, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("licence of %s: %w", who, err)
	}
	found := false
	for _, f := range files {
		if !f.Type().IsRegular() || !licenceName.MatchString(f.Name()) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			return fmt.Errorf("licence of %s: %w", who, err)
		}
		all.add(string(text), who)
		found = true
	}
	if !found {
		all.add("The module has no file with a licence.", who)
	}
	return nil
}

// escape writes a module's path as a folder's name: capitals as ! and the small
// letter. See https://go.dev/ref/mod#module-cache
func escape(path string) string {
	var s strings.Builder
	for _, r := range path {
		if unicode.IsUpper(r) {
			s.WriteByte('!')
			r = unicode.ToLower(r)
		}
		s.WriteRune(r)
	}
	return s.String()
}
