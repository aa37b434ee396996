package main

import (
	"os"
	"regexp"
	"testing"
)

// TestWhatSystemDockerBecomesIsThere: when process 1 ends as an engine it becomes
// one of these, and a name that is not there would be a kernel panic.
func TestWhatSystemDockerBecomesIsThere(t *testing.T) {
	b, err := os.ReadFile("../../engine/cmd/dockerd/main.go")
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile(`argv :?= \[\]string\{"([a-z-]+)"`).FindAllStringSubmatch(string(b), -1)
	if len(names) != 2 {
		t.Fatalf("found %d names in lastWords, want 2", len(names))
	}
	for _, n := range names {
		if applets[n[1]] == nil {
			t.Errorf("ros has no applet %q", n[1])
		}
	}
}
