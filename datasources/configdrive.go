package datasources

import (
	"io/fs"
	"slices"
	"strings"
)

// ConfigDriveSeeds are folders that stand for a config drive.
func ConfigDriveSeeds() []string {
	return []string{"config-drive", SeedDirs("config_drive")[0]}
}

// HasConfigDrive says whether the machine has OpenStack's config drive, which
// several clouds copy and which goes before OpenStack's service. A drive that
// IBM's classic cloud uses while it provisions is none.
func HasConfigDrive(h *Host) bool { return len(ConfigDrives(h)) > 0 || ConfigDriveSeed(h) != "" }

// ConfigDrives are the drives with the label, in the case that OpenStack or
// mkfs.vfat gives it.
func ConfigDrives(h *Host) []Block {
	found := labelledEither(h, "config-2")
	if len(found) > 0 && InIBMClassic(h) {
		names := datasourceList(h)
		if len(names) == 0 || slices.Contains(names, "IBMCloud") {
			return nil // IBM's own datasource makes more of it
		}
	}
	return found
}

// labelledEither are the drives with that label in lower or in upper case.
func labelledEither(h *Host, label string) []Block {
	var found []Block
	for _, b := range h.Blocks {
		labels := []string{b.Label, b.LabelFATBoot}
		if slices.Contains(labels, label) || slices.Contains(labels, strings.ToUpper(label)) {
			found = append(found, b)
		}
	}
	return found
}

// InIBMClassic says whether this machine is in IBM's classic cloud: a guest of
// Xen which IBM's scripts are just setting up, or that has a drive as only IBM
// makes it. Every config drive of theirs has the same UUID.
func InIBMClassic(h *Host) bool {
	if h.Virt != "xen" {
		return false
	}
	return IBMProvisions(h) || len(labelledEither(h, "metadata")) > 0 ||
		len(labelledEither(h, "config-2")) > 0 && slices.ContainsFunc(h.Blocks, func(b Block) bool { return b.UUID == IBMDriveUUID })
}

// IBMDriveUUID is that of every config drive that IBM makes.
const IBMDriveUUID = "9796-932E"

// IBMProvisions says whether IBM's scripts are at work, before the machine is
// the customer's: their file is there, and their log is not one that was
// finished before this boot.
func IBMProvisions(h *Host) bool {
	if !h.Exists("root/provisioningConfiguration.cfg") {
		return false
	}
	log, err := fs.Stat(h.Root, "root/swinstall.log")
	if err != nil {
		return true
	}
	boot, err := fs.Stat(h.Root, "proc/1/environ")
	return err != nil || log.ModTime().After(boot.ModTime())
}

// ConfigDriveSeed is a seed folder with metadata of some version, or "".
func ConfigDriveSeed(h *Host) string {
	for _, dir := range ConfigDriveSeeds() {
		versions := []string{"2???-??-??", "latest"}
		if dir == "config-drive" {
			versions = versions[:1]
		}
		for _, version := range versions {
			found, err := fs.Glob(h.Root, dir+"/openstack/"+version+"/meta_data.json")
			if err == nil && len(found) > 0 {
				return dir
			}
		}
	}
	return ""
}
