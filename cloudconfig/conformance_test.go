package cloudconfig

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// accepted are cases whose verdict we do not share, with the reason.
var accepted = map[string]string{
	"rst-apt-01": "it has a key three times; we refuse what would be lost silently",
}

// TestVerdictsAgreeWithCloudInit runs the schema cases of the folder in
// ROS_CONFORMANCE.
func TestVerdictsAgreeWithCloudInit(t *testing.T) {
	dir := os.Getenv("ROS_CONFORMANCE")
	if dir == "" {
		t.Skip("ROS_CONFORMANCE names no folder of cases")
	}
	cases, err := filepath.Glob(filepath.Join(dir, "schema", "*", "expect.json"))
	if err != nil {
		t.Fatal(err)
	}
	agree, exact := 0, 0
	for _, file := range cases {
		var want struct{ Verdict, Module string }
		b, err := os.ReadFile(file)
		if err == nil {
			err = json.Unmarshal(b, &want)
		}
		doc, err2 := os.ReadFile(filepath.Join(filepath.Dir(file), "config.yaml"))
		if err != nil || err2 != nil {
			t.Fatal(err, err2)
		}
		name := filepath.Base(filepath.Dir(file))
		ps := Validate("", doc, CloudConfig)
		valid := len(ps.Errors()) == 0
		if valid != (want.Verdict != "error") {
			if accepted[name] == "" {
				t.Errorf("%s: want %s, got %v", name, want.Verdict, ps)
			}
			continue
		}
		agree++
		deprecated := false
		for _, p := range ps {
			deprecated = deprecated || p.Deprecated
		}
		if want.Verdict == "error" || deprecated == (want.Verdict == "deprecated") {
			exact++
		} else {
			t.Errorf("%s: want %s, got %v", name, want.Verdict, ps)
		}
	}
	t.Logf("%d of %d verdicts agree, %d with the same deprecations", agree, len(cases), exact)
}
