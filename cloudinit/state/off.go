package state

import (
	"slices"
	"strings"

	"rancheros/cloudinit/tree"
)

// SwitchedOff says by upstream's code and in words why cloud-init does nothing
// at this boot; code is empty when it does.
func SwitchedOff(t *tree.Tree) (code, why string) {
	switch {
	case t.Exists(DisabledMark):
		return "disabled-by-marker-file", "there is " + DisabledMark
	case slices.Contains(strings.Fields(t.ReadString("/proc/cmdline")), "cloud-init=disabled"):
		return "disabled-by-kernel-command-line", "the kernel command line says cloud-init=disabled"
	case t.Exists(Disabled):
		var doc struct {
			Why string `json:"why"`
		}
		_, _ = readJSON(t, Disabled, &doc) // that it is there is enough
		return "disabled-by-generator", doc.Why
	}
	return "", ""
}
