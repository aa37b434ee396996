package state

import (
	"path"
	"slices"
	"strings"

	"rancheros/cloudinit/tree"
)

// modules are upstream's names of what our appliers do, where they differ. An
// applier that does a part of a module has a name of its own.
var modules = map[string]string{
	"users": "users_groups", "passwords": "set_passwords", "ssh_host_keys": "ssh",
	"authkey_fingerprints": "ssh_authkey_fingerprints", "power_state": "power_state_change",
}

// parts are appliers that each do a part of one of upstream's modules.
var parts = map[string][]string{
	"ssh": {"ssh_keys"}, "set_passwords": {"sshd"}, "disk_setup": {"fs_setup"},
}

// Per begins the names of what cloud-init-per runs.
const Per = "per."

// Semaphore is the name of the file that says, on another Linux, that an
// applier has run: upstream's own, so that the two can take each other's place
// on a living machine.
func Semaphore(applier string) string {
	if per, ok := strings.CutPrefix(applier, Per); ok {
		return "bootper." + per
	}
	if module, ok := modules[applier]; ok {
		applier = module
	}
	return "config_" + applier
}

// Adopt takes over what another cloud-init has done for an instance that we
// have not saved yet: a machine that runs is not to get new host keys, file
// systems and passwords because its cloud-init was replaced.
func Adopt(t *tree.Tree, id string) error {
	dir := path.Join(InstanceDir(id), "sem")
	names, err := t.List(dir)
	if err != nil || t.Exists(InstanceDir(id)+knownFile) {
		return err
	}
	for module, appliers := range parts {
		if !slices.Contains(names, "config_"+module) {
			continue
		}
		for _, a := range appliers {
			if _, err := t.WriteFile(path.Join(dir, Semaphore(a)), nil, public); err != nil {
				return err
			}
		}
	}
	return nil
}
