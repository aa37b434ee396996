package all_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rancheros/datasources"
	"rancheros/datasources/all"
	"rancheros/datasources/dstest"
)

// also says which other datasources may recognise a recorded machine beside its
// own, and why that is right.
var also = map[string][]string{}

// TestEachMachineIsRecognisedByItsOwnDatasourceOnly goes through all recordings
// of all datasources.
func TestEachMachineIsRecognisedByItsOwnDatasourceOnly(t *testing.T) {
	for _, own := range all.Kinds() {
		cases, err := filepath.Glob("../" + own.Name + "/testdata/*/want.yaml")
		if err != nil || len(cases) == 0 {
			t.Errorf("%s has no recordings", own.Name)
		}
		for _, c := range cases {
			dir := filepath.Dir(c)
			name := own.Name + "/" + filepath.Base(dir)
			t.Run(name, func(t *testing.T) {
				h, err := datasources.RecordedHost(dir)
				if err != nil {
					t.Fatal(err)
				}
				want := dstest.ReadWant(t, dir)
				if want.Detect != "" && want.Detect != "yes" {
					t.Skip("not a machine that proves where it is")
				}
				for _, k := range all.Kinds() {
					f := k.Detect(h)
					switch {
					case k.Name == own.Name && f.Match != datasources.Yes:
						t.Errorf("%s says %s", k.Name, f.Match)
					case k.Name != own.Name && f.Match == datasources.Yes && !slices.Contains(also[name], k.Name):
						t.Errorf("%s says yes as well: %s", k.Name, f.Evidence)
					}
				}
			})
		}
	}
}

func TestNamesAreUnique(t *testing.T) {
	seen := map[string]string{}
	for _, k := range all.Kinds() {
		for _, n := range append([]string{k.Name, k.Upstream}, k.Aliases...) {
			n = strings.ToLower(n)
			if other, ok := seen[n]; ok && other != k.Name && n != "" {
				t.Errorf("%s is a name of %s and of %s", n, other, k.Name)
			}
			seen[n] = k.Name
		}
	}
}

// ownFaults are datasources whose servers do not speak HTTP; their own tests have
// servers that fail.
var ownFaults = []string{"tftp"}

func TestEveryDatasourceOnTheNetworkMeetsServersThatFail(t *testing.T) {
	for _, k := range all.Kinds() {
		if k.Needs == datasources.Local || slices.Contains(ownFaults, k.Name) {
			continue
		}
		recordings, err := filepath.Glob("../" + k.Name + "/testdata/*/http")
		if err != nil {
			t.Fatal(err)
		}
		fit := func(dir string) bool {
			want := dstest.ReadWant(t, filepath.Dir(dir))
			return want.Error == "" && !want.NoFetch
		}
		if !slices.ContainsFunc(recordings, fit) {
			t.Errorf("%s has no recording of a server that answers: dstest.Run cannot make it fail", k.Name)
		}
	}
}
