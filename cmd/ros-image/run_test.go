package main

import (
	"strings"
	"testing"
)

func TestVariablesOfMakeAreNumbersOrRefused(t *testing.T) {
	t.Setenv("MEM", "2G")
	t.Setenv("CPUS", "4")
	cmd := newRun()
	if err := fromEnv(cmd); err == nil || !strings.Contains(err.Error(), "MEM=2G") {
		t.Errorf("fromEnv = %v, want MEM=2G refused", err)
	}
	if err := cmd.Flags().Set("mem", "512"); err != nil {
		t.Fatal(err)
	}
	if err := fromEnv(cmd); err != nil {
		t.Errorf("fromEnv = %v although a flag says the memory", err)
	}
	if mem, cpus := cmd.Flag("mem").Value.String(), cmd.Flag("cpus").Value.String(); mem != "512" || cpus != "4" {
		t.Errorf("mem = %s, cpus = %s, want 512 of the flag and 4 of the variable", mem, cpus)
	}
}
