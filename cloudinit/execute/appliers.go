package execute

import (
	"fmt"
	"slices"
	"strings"

	"rancheros/cloudconfig/shape"
)

// table is all appliers in the order in which they run. Users come before
// files that name them, files after the mounts on which they lie, what users
// wrote to run comes last.
//
// Every is how often each runs on our OS, whose /etc is made afresh at every
// boot; elsewhere is what cloud-init does on other systems, where people edit
// what was written and expect to keep it.
var table = []struct {
	Applier
	elsewhere Every
}{
	{Applier{"unsupported", PreConsole, Boot, unsupported}, Boot},
	{Applier{"seed_random", PreConsole, Instance, seedRandom}, Instance},
	{Applier{"bootcmd", PreConsole, Boot, bootcmd}, Boot},
	{Applier{"hostname", PreConsole, Boot, hostname}, Boot},
	{Applier{"modules", PreConsole, Boot, modules}, Boot},
	{Applier{"sysctl", PreConsole, Boot, sysctl}, Boot},
	{Applier{"ntp", PreConsole, Boot, ntp}, Instance},
	{Applier{"resize", PreConsole, Boot, resize}, Boot},
	{Applier{"disk_setup", PreConsole, Instance, diskSetup}, Instance},
	{Applier{"fs_setup", PreConsole, Instance, fsSetup}, Instance},
	{Applier{"mounts", Console, Boot, mounts}, Boot},
	{Applier{"etc_hosts", Console, Boot, etcHosts}, Boot},
	{Applier{"resolv_conf", Console, Boot, resolvConf}, Instance},
	{Applier{"ca_certs", Console, Boot, caCerts}, Instance},
	{Applier{"environment", Console, Boot, environment}, Boot},
	{Applier{"timezone", Console, Boot, timezone}, Instance},
	{Applier{"locale", Console, Boot, locale}, Instance},
	{Applier{"keyboard", Console, Boot, keyboard}, Instance},
	{Applier{"rsyslog", Console, Boot, rsyslog}, Instance},
	{Applier{"absent", Console, Boot, absent}, Instance},
	{Applier{"users", Console, Boot, users}, Instance},
	{Applier{"passwords", Console, Boot, passwords}, Instance},
	{Applier{"ssh_host_keys", Console, Boot, sshHostKeys}, Instance},
	{Applier{"ssh_keys", Console, Boot, sshKeys}, Instance},
	{Applier{"sshd", Console, Boot, sshd}, Instance},
	{Applier{"ssh_publish_hostkeys", Console, Instance, publishHostKeys}, Instance},
	{Applier{"ssh_import_id", Console, Instance, sshImportID}, Instance},
	{Applier{"places", Console, Boot, places}, Instance},
	{Applier{"write_files", Console, Boot, writeFiles}, Instance},
	{Applier{"hard_links", Console, Boot, hardLinks}, Instance},
	{Applier{"departed", Console, Boot, departed}, Boot},
	{Applier{"wireguard", Console, Boot, wireguard}, Instance},
	{Applier{"registry_auths", Console, Boot, registryAuths}, Boot},
	{Applier{"disable_ec2_metadata", Console, Boot, disableMetadata}, Boot},
	{Applier{"restart_services", Console, Boot, restartServices}, Boot},
	{Applier{"write_files_deferred", Final, Boot, writeFilesDeferred}, Instance},
	{Applier{"scripts_vendor", Final, Instance, scriptsVendor}, Instance},
	{Applier{"scripts_per_once", Final, Once, scriptsPerOnce}, Once},
	{Applier{"scripts_per_boot", Final, Boot, scriptsPerBoot}, Boot},
	{Applier{"scripts_per_instance", Final, Instance, scriptsPerInstance}, Instance},
	{Applier{"scripts_user", Final, Instance, scriptsUser}, Instance},
	{Applier{"runcmd", Final, Instance, runcmd}, Instance},
	{Applier{"authkey_fingerprints", Final, Instance, authkeyFingerprints}, Instance},
	{Applier{"keys_to_console", Final, Instance, keysToConsole}, Instance},
	{Applier{"hotplug", Final, Boot, hotplug}, Boot},
	{Applier{"check_in", Final, Instance, checkIn}, Instance},
	{Applier{"phone_home", Final, Instance, phoneHome}, Instance},
	{Applier{"final_message", Final, Boot, finalMessage}, Boot},
	{Applier{"power_state", Final, Instance, powerState}, Instance},
}

// Appliers are all there are, in the order in which they run; ours says
// whether for our OS.
func Appliers(ours bool) []Applier {
	all := make([]Applier, 0, len(table))
	for _, row := range table {
		if !ours {
			row.Every = row.elsewhere
		}
		all = append(all, row.Applier)
	}
	return slices.Clip(all)
}

// ApplierNames are those of all appliers.
func ApplierNames() []string {
	var all []string
	for _, row := range table {
		all = append(all, row.Name)
	}
	return all
}

// CheckNames says which of the names is no applier's: who mistypes one must not
// believe that it had nothing to do.
func CheckNames(names []string) error {
	known := ApplierNames()
	for _, n := range names {
		if slices.Contains(known, n) {
			continue
		}
		hint := ""
		if near := shape.Nearest(n, known); near != "" {
			hint = fmt.Sprintf("; did you mean %s?", near)
		}
		return fmt.Errorf("there is no applier %q%s; there are %s", n, hint, strings.Join(known, ", "))
	}
	return nil
}
