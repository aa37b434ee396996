package drive

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"rancheros/datasources"
	"rancheros/paths"
)

// Rivals puts the drive from which this machine was set up before all others
// that have its label: whoever plugs in a second one must not take the machine
// over. Where none of several is known, the order stays, and problem says so.
func Rivals(h *datasources.Host, found []datasources.Block) (ordered []datasources.Block, problem string) {
	ordered = slices.Clone(found)
	if i := slices.IndexFunc(ordered, func(b datasources.Block) bool { return b.UUID != "" && b.UUID == savedDrive(h) }); i >= 0 {
		known := ordered[i]
		return slices.Insert(slices.Delete(ordered, i, i+1), 0, known), ""
	}
	var names []string
	for i, b := range ordered {
		if !slices.ContainsFunc(ordered[:i], func(a datasources.Block) bool { return sameDrive(a, b) }) {
			names = append(names, "/dev/"+b.Name)
		}
	}
	if len(names) < 2 {
		return ordered, ""
	}
	return ordered, fmt.Sprintf("%s are all labelled %q: %s was tried first; take the others away", strings.Join(names, ", "), ordered[0].Label, names[0])
}

// sameDrive: a partition and its disk, which both show the label of some ISO
// images, and what has the same UUID.
func sameDrive(a, b datasources.Block) bool {
	return isPart(a.Name, b.Name) || isPart(b.Name, a.Name) || a.UUID != "" && a.UUID == b.UUID
}

// isPart says whether part is a partition of disk by its name: vdb1, nvme0n1p2.
func isPart(disk, part string) bool {
	rest, ok := strings.CutPrefix(part, disk)
	return ok && strings.Trim(strings.TrimPrefix(rest, "p"), "0123456789") == ""
}

// savedDrive is the UUID of the drive that an earlier boot has read.
func savedDrive(h *datasources.Host) string {
	var id datasources.Identity
	if json.Unmarshal([]byte(h.Read(paths.CloudInitLib+"/data/identity.json")), &id) != nil {
		return ""
	}
	return id.Drive
}
