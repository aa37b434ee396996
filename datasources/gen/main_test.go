package main

import (
	"os"
	"testing"
)

func TestPageIsWhatTheCodeSays(t *testing.T) {
	want, err := page("..")
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../../docs/datasources.md")
	if err != nil || string(got) != want {
		t.Errorf("docs/datasources.md is not up to date (%v); run `make generate`", err)
	}
}
