// Package modules knows the keys of cloud-init's modules: which there are, what
// each may hold, and what becomes of it on this operating system.
//
// What a key means is documented at
// https://docs.cloud-init.io/en/latest/reference/modules.html
package modules

import (
	"slices"
	"strings"

	"rancheros/cloudconfig/shape"
)

// A Key is a top-level key of a cloud-config.
type Key struct {
	Name string
	// Shape is built anew at each call.
	Shape func() *shape.Shape
	// Instead says what to do on this operating system, which does not act on
	// the key. Empty: it does.
	Instead string
}

// Find is the key of that name.
func Find(name string) (Key, bool) {
	for _, k := range Keys {
		if k.Name == name {
			return k, true
		}
	}
	return Key{}, false
}

// Why a key is not acted on.
const (
	noPackages = "there is no package manager; run the software as a container, or as a service in rancher.services"
	noAgents   = "agents are not built in; run it as a container, or as a service in rancher.services"
	noUbuntu   = "it belongs to another distribution and does nothing here"
	imageOnly  = "it is for makers of other distributions' images and does nothing here"
)

// Keys are all of them, by module.
var Keys = []Key{
	// Who may log in.
	{"users", users, ""},
	{"user", defaultUser, ""},
	{"groups", groups, ""},
	{"ssh_authorized_keys", sshAuthorizedKeys, ""},
	{"ssh_import_id", stringList, ""},
	{"ssh_keys", sshKeys, ""},
	{"ssh_deletekeys", shape.Flag, ""},
	{"ssh_genkeytypes", sshGenKeyTypes, ""},
	{"ssh_publish_hostkeys", sshPublishHostkeys, ""},
	{"ssh_quiet_keygen", shape.Flag, ""},
	{"allow_public_ssh_keys", shape.Flag, ""},
	{"ssh_pwauth", sshPwauth, ""},
	{"ssh", ssh, ""},
	{"ssh_key_console_blacklist", distinctStrings, ""},
	{"ssh_fp_console_blacklist", distinctStrings, ""},
	{"no_ssh_fingerprints", shape.Flag, ""},
	{"authkey_hash", shape.Text, ""},
	{"disable_root", shape.Flag, ""},
	{"disable_root_opts", shape.Text, ""},
	{"chpasswd", chpasswd, ""},
	{"password", shape.Text, ""},

	// What the machine is called.
	{"hostname", shape.Text, ""},
	{"fqdn", shape.Text, ""},
	{"prefer_fqdn_over_hostname", shape.Flag, ""},
	{"preserve_hostname", shape.Flag, ""},
	{"create_hostname_file", shape.Flag, ""},
	{"manage_etc_hosts", manageEtcHosts, ""},
	{"manage_resolv_conf", shape.Flag, ""},
	{"resolv_conf", resolvConf, ""},

	// Files and disks.
	{"write_files", writeFiles, ""},
	{"mounts", mounts, ""},
	{"mount_default_fields", mountDefaultFields, ""},
	{"swap", swap, ""},
	{"growpart", growpart, ""},
	{"resize_rootfs", resizeRootfs, ""},
	{"disk_setup", diskSetup, ""},
	{"fs_setup", fsSetup, ""},
	{"device_aliases", deviceAliases, ""},

	// Settings.
	{"ntp", ntp, ""},
	{"timezone", shape.Text, ""},
	{"locale", locale, ""},
	{"locale_configfile", shape.Text, ""},
	{"keyboard", keyboard, ""},
	{"ca_certs", caCerts, ""},
	{"wireguard", wireguard, ""},
	{"rsyslog", rsyslog, ""},
	{"random_seed", randomSeed, ""},
	{"disable_ec2_metadata", shape.Flag, ""},

	// What is run.
	{"bootcmd", bootcmd, ""},
	{"runcmd", runcmd, ""},
	{"power_state", powerState, ""},
	{"phone_home", phoneHome, ""},
	{"final_message", shape.Text, ""},

	// The config itself.
	{"merge_how", mergeHow, ""},
	{"merge_type", mergeHow, ""},
	{"launch-index", shape.Integer, ""},
	{"vendor_data", vendorData, ""},
	{"vendor_data2", vendorData, ""},
	{"updates", updates, ""},
	{"output", output, ""},
	{"reporting", reporting, ""},

	// Old names.
	{"ca-certs", func() *shape.Shape { return caCerts().Outdated("22.3", "use ca_certs") }, ""},

	// Packages.
	{"packages", packages, noPackages},
	{"package_update", shape.Flag, noPackages},
	{"package_upgrade", shape.Flag, noPackages},
	{"package_reboot_if_required", shape.Flag, noPackages},
	{"apt_update", func() *shape.Shape { return shape.Flag().Outdated("22.2", "use package_update") }, noPackages},
	{"apt_upgrade", func() *shape.Shape { return shape.Flag().Outdated("22.2", "use package_upgrade") }, noPackages},
	{"apt_reboot_if_required", func() *shape.Shape {
		return shape.Flag().Outdated("22.2", "use package_reboot_if_required")
	}, noPackages},
	{"apt", apt, noPackages},
	{"apt_pipelining", aptPipelining, noPackages},
	{"apk_repos", apkRepos, noPackages},
	{"yum_repos", yumRepos, noPackages},
	{"yum_repo_dir", shape.Text, noPackages},
	{"zypper", zypper, noPackages},
	{"snap", snap, noPackages},

	// Agents.
	{"ansible", ansible, "run ansible-pull in a container of an image that has it, as a service in rancher.services: docs/services.md has one"},
	{"puppet", puppet, noAgents},
	{"chef", chef, noAgents},
	{"salt_minion", saltMinion, noAgents},
	{"mcollective", mcollective, noAgents},
	{"landscape", landscape, noAgents},
	{"lxd", lxd, "LXD is not here; Docker is"},

	// Of other distributions.
	{"ubuntu_pro", ubuntuPro, noUbuntu},
	{"ubuntu_advantage", func() *shape.Shape { return ubuntuPro().Outdated("24.1", "use ubuntu_pro") }, noUbuntu},
	{"drivers", drivers, noUbuntu},
	{"autoinstall", autoinstall, "write the disk image (disk.raw) to the disk instead"},
	{"byobu_by_default", byobu, noUbuntu},
	{"fan", fan, "use a Docker overlay network"},
	{"grub_dpkg", grubDpkg, "the boot loader comes with the disk image"},
	{"grub-dpkg", func() *shape.Shape { return anyMap().Outdated("22.2", "use grub_dpkg") }, "the boot loader comes with the disk image"},
	{"rh_subscription", rhSubscription, noUbuntu},
	{"spacewalk", spacewalk, noUbuntu},
	{"rpi", rpi, noUbuntu},

	// Of images.
	{"system_info", func() *shape.Shape { return anyMap().Outdated("24.2", "it is for images only") }, imageOnly},
	{"cloud_init_modules", moduleList, imageOnly},
	{"cloud_config_modules", moduleList, imageOnly},
	{"cloud_final_modules", moduleList, imageOnly},
	{"migrate", shape.Anything, imageOnly},
	{"version", shape.Anything, "a cloud-config has no version"},
}

func stringList() *shape.Shape      { return shape.ListOf(shape.Text()) }
func distinctStrings() *shape.Shape { return stringList().Distinct() }
func anyMap() *shape.Shape          { return shape.Of(shape.Map) }
func anyList() *shape.Shape         { return shape.Of(shape.List) }

// oldFlag and its like are keys spelt with a hyphen.
func oldKey(name, since, use string, s *shape.Shape) shape.Key {
	return shape.K(name, s.Outdated(since, "use "+use))
}

// moduleList is a list of names, each alone or as [name, frequency, ...].
func moduleList() *shape.Shape {
	name := shape.Text().Matching("the name of a module", "^("+strings.ReplaceAll(strings.Join(moduleNames(), "|"), "_", "[-_]")+")$", func(s string) bool {
		return slices.Contains(moduleNames(), strings.ReplaceAll(s, "-", "_"))
	})
	return shape.ListOf(shape.Either(name, anyList()))
}

// moduleNames are those of cloud-init, which take hyphens as well.
func moduleNames() []string {
	return strings.Fields(`ansible apk_configure apt_configure apt_pipelining bootcmd byobu ca_certs chef
		disable_ec2_metadata disk_setup fan final_message growpart grub_dpkg install_hotplug keyboard keys_to_console
		landscape locale lxd mcollective mounts ntp package_update_upgrade_install phone_home power_state_change puppet
		raspberry_pi reset_rmc resizefs resolv_conf rh_subscription rsyslog runcmd salt_minion scripts_per_boot
		scripts_per_instance scripts_per_once scripts_user scripts_vendor seed_random set_hostname set_passwords snap
		spacewalk ssh ssh_authkey_fingerprints ssh_import_id timezone ubuntu_advantage ubuntu_autoinstall
		ubuntu_drivers ubuntu_pro update_etc_hosts update_hostname users_groups wireguard write_files
		write_files_deferred yum_add_repo zypper_add_repo`)
}
