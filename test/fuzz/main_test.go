package main

import "testing"

func TestTheEndOfTheFuzzersTimeIsNoFinding(t *testing.T) {
	const counts = "fuzz: elapsed: 1m0s, execs: 345713 (0/sec), new interesting: 115 (total: 593)\n"
	for _, tt := range []struct {
		name, text string
		want       bool
	}{
		{"the deadline alone", counts + "--- FAIL: FuzzA (60.48s)\n    context deadline exceeded\nFAIL\nexit status 1\n", true},
		{"a failing input", counts + "--- FAIL: FuzzA (54.85s)\n    --- FAIL: FuzzA (0.00s)\n        a_test.go:130: context deadline exceeded\n    \n    Failing input written to testdata/fuzz/FuzzA/7d0c\nFAIL\n", false},
		{"a process that died", counts + "--- FAIL: FuzzA (9.1s)\n    fuzzing process hung or terminated unexpectedly: exit status 2\n    Failing input written to testdata/fuzz/FuzzA/7d0c\nFAIL\n", false},
		{"the deadline and a failing input", "--- FAIL: FuzzA (9.1s)\n    context deadline exceeded\n    Failing input written to testdata/fuzz/FuzzA/7d0c\nFAIL\n", false},
		{"no build", "# rancheros/a\na.go:1:1: expected 'package'\nFAIL\n", false},
	} {
		if got := onlyLate(tt.text); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}
