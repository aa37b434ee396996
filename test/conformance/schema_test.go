package conformance

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// oneSchema: valid, valid with something deprecated, or not valid.
func oneSchema(_ *testing.T, bin, dir string) error {
	var want struct{ Verdict string }
	b, err := os.ReadFile(filepath.Join(dir, "expect.json"))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, &want); err != nil {
		return err
	}
	cmd := exec.Command(bin, "config", "validate", "--as", "cloud-config", "--output", "json", filepath.Join(dir, "config.yaml"))
	out, err := cmd.Output()
	code := 0
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		code = e.ExitCode()
	} else if err != nil {
		return err
	}
	var got struct {
		Valid    bool
		Problems []struct {
			Path, Message, Severity string
			Deprecated              bool
		}
	}
	if err := json.Unmarshal(out, &got); err != nil {
		return fmt.Errorf("output of validate: %w", err)
	}
	verdict := "valid"
	for _, p := range got.Problems {
		if p.Deprecated {
			verdict = "deprecated"
		}
	}
	if !got.Valid {
		verdict = "error"
	}
	if got.Valid != (code == 0) {
		return fmt.Errorf("exit code %d with valid %v", code, got.Valid)
	}
	if verdict != want.Verdict {
		return fmt.Errorf("%s, want %s: %v", verdict, want.Verdict, got.Problems)
	}
	return nil
}
