package vm

import (
	"os/exec"
	"path/filepath"
	"testing"

	"rancheros/cloudinit/state"
	"rancheros/cloudinit/tree"
	"rancheros/paths"
)

// Saved reads from the state disk of a machine without power what it has kept
// of its datasource; nil if nothing.
func Saved(t testing.TB, disk string) *state.Known {
	t.Helper()
	// What was written before the power went is in the journal: this plays it.
	// Exit codes below 4 say that all is well now.
	out, err := exec.Command("/usr/sbin/e2fsck", "-fp", disk).CombinedOutput()
	if e, ok := err.(*exec.ExitError); err != nil && (!ok || e.ExitCode() >= 4) {
		t.Fatalf("check the state disk: %v: %s", err, out)
	}
	root := t.TempDir()
	tool(t, "mkdir", "-p", filepath.Join(root, filepath.Dir(paths.CloudInitLib)))
	tool(t, "debugfs", "-R", "rdump "+paths.CloudInitLib+" "+filepath.Join(root, filepath.Dir(paths.CloudInitLib)), disk)
	tr, err := tree.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	known, err := state.Load(tr)
	if err != nil {
		t.Fatal(err)
	}
	return known
}
