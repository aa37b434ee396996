package datasources

import (
	"io/fs"
	"slices"
	"strings"
)

// ConfigDriveSeeds are folders that stand for a config drive.
func ConfigDriveSeeds() []string {
	return append([]string{"config-drive"}, SeedDirs("config_drive")...)
}

// HasConfigDrive says whether the machine has OpenStack's config drive, which
// several clouds copy and which goes before OpenStack's service. A drive that
// IBM's classic cloud uses while it provisions is none.
func HasConfigDrive(h *Host) bool { return len(ConfigDrives(h)) > 0 || ConfigDriveSeed(h) != "" }

// ConfigDrives are the drives with the label, in the case that OpenStack or
// mkfs.vfat gives it.
func ConfigDrives(h *Host) []Block {
	var found []Block
	for _, b := range h.Blocks {
		labels := []string{b.Label, b.LabelFATBoot}
		if slices.Contains(labels, "config-2") || slices.Contains(labels, "CONFIG-2") {
			if !IBMDrive(h, b) {
				found = append(found, b)
			}
		}
	}
	return found
}

// IBMDrive says whether b is the config drive of IBM's classic cloud, which has
// always the same UUID and only counts there as what IBM makes of it, unless a
// person has left IBM out of datasource_list.
func IBMDrive(h *Host, b Block) bool {
	if h.Virt != "xen" || !strings.EqualFold(b.UUID, "9796-932E") {
		return false
	}
	names, _ := h.CloudConfig()["datasource_list"].([]any)
	return len(names) == 0 || slices.Contains(names, any("IBMCloud"))
}

// ConfigDriveSeed is a seed folder with metadata of some version, or "".
func ConfigDriveSeed(h *Host) string {
	for _, dir := range ConfigDriveSeeds() {
		for _, version := range []string{"2???-??-??", "latest"} {
			found, err := fs.Glob(h.Root, dir+"/openstack/"+version+"/meta_data.json")
			if err == nil && len(found) > 0 {
				return dir
			}
		}
	}
	return ""
}
