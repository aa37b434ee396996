package deb

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const archive = `Package: app
Version: 1:2.0-1
Architecture: amd64
Pre-Depends: base (>= 1)
Depends: lib:any (>= 2.0), mta | exim, libssl (= 3) | libtls, awk
SHA256: aa
Filename: pool/app.deb
Description: an app
 that has: a colon

Package: base
Version: 1

Package: lib
Version: 2
Depends: deep

Package: deep
Version: 3
Depends: lib

Package: exim
Version: 4
Provides: mta

Package: libtls
Version: 1

Package: gawk
Version: 5
Provides: awk

Package: mawk
Version: 6
Provides: awk
`

func TestParseIndexReadsStanzas(t *testing.T) {
	x, err := ParseIndex(strings.NewReader(archive))
	if err != nil {
		t.Fatal(err)
	}
	want := &Package{
		Name: "app", Version: "1:2.0-1", Architecture: "amd64", SHA256: "aa", Filename: "pool/app.deb",
		Depends: [][]string{{"base"}, {"lib"}, {"mta", "exim"}, {"libssl", "libtls"}, {"awk"}},
	}
	if diff := cmp.Diff(want, x.byName["app"]); diff != "" {
		t.Errorf("app (-want +got):\n%s", diff)
	}
}

func TestClosure(t *testing.T) {
	for _, c := range []struct {
		name     string
		ask, not []string
		want     string
		fails    string
	}{
		{name: "takes what is needed, loops and virtual packages too", ask: []string{"app"}, want: "app base deep exim gawk lib libtls"},
		{name: "what was asked for decides among alternatives", ask: []string{"app", "mawk"}, want: "app base deep exim lib libtls mawk"},
		{name: "what is excluded is not followed", ask: []string{"app"}, not: []string{"lib", "mta"}, want: "app base gawk libtls"},
		{name: "a prefix excludes", ask: []string{"app"}, not: []string{"lib*", "exim", "gawk"}, want: "app base"},
		{name: "an unknown package", ask: []string{"apq"}, fails: "package apq, which the image needs"},
	} {
		t.Run(c.name, func(t *testing.T) {
			x, err := ParseIndex(strings.NewReader(archive))
			if err != nil {
				t.Fatal(err)
			}
			list, err := x.Closure(c.ask, c.not)
			if c.fails != "" {
				if err == nil || !strings.Contains(err.Error(), c.fails) {
					t.Errorf("Closure() = %v, want an error with %q", err, c.fails)
				}
				return
			}
			var got []string
			for _, p := range list {
				got = append(got, p.Name)
			}
			if s := strings.Join(got, " "); err != nil || s != c.want {
				t.Errorf("Closure() = %q, %v, want %q", s, err, c.want)
			}
		})
	}
}
