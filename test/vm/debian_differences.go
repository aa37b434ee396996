package vm

import "regexp"

// differences between cloud-init and ours on Debian that are meant to be.
var differences = []difference{
	{"ids", regexp.MustCompile(`^uid=2001\(bob\)`), "cloud-init makes groups before their members, and leaves these out"},
	{"groups", regexp.MustCompile(`^ops:`), "the same"},
	{"shadow", regexp.MustCompile(`^carol `), "useradd gives an account of the system no days of its password's life"},
	{"homes", regexp.MustCompile(`^(/home/dave|/srv/bob)/\.ssh`), "an empty authorized_keys is of no use"},
	{"semaphores", regexp.MustCompile(`^config_(apt_configure|byobu|install_hotplug|reset_rmc|seed_random|ssh_import_id)$|^consume_data$`), "modules that have nothing to do here"},
	{"semaphores", regexp.MustCompile(`^config_(mounts|set_hostname)$`), "ours makes these true at every boot"},
	{"semaphores", regexp.MustCompile(`^config_(fs_setup|ssh_keys|sshd)$`), "ours has three appliers that are parts of modules"},
	{"names", regexp.MustCompile(`^(i-debian|NO_PREVIOUS_INSTANCE_ID)$`), "cloud-init forgets the previous instance within the first boot"},
	{"disks", regexp.MustCompile(`^vdc[12] 51[12]M `), "halves of a disk are rounded otherwise"},
	{"files of cloud-init", regexp.MustCompile(`^scripts/(runcmd|per-(boot|instance|once)) `), "ours keeps scripts of user-data with their instance, and runcmd is none of them"},
	{"units", regexp.MustCompile(`^enabled(-runtime)?$`), "cloud-init has a generator that enables it for one boot"},
	{"status.json", warnings, "each warns of what it leaves out"},
	{"data/status.json", warnings, "the same"},
	{"status --format json", warnings, "the same"},
	{"instance-data.json", regexp.MustCompile(`^\.(ds\._doc|ds\.meta_data\.dsmode|merged_system_cfg|sys_info\.\w+|v1\.python_version) `), "cloud-init tells of Python and of its own defaults"},
	{"instance-data.json", regexp.MustCompile(`^\.(availability_zone|cloud_id|cloud_name|distro|distro_release|distro_version|instance_id|kernel_release|local_hostname|machine|platform|public_ssh_keys|python_version|region|subplatform|system_platform|userdata|variant|vendordata) `),
		"cloud-init gives these short names to templates only"},
}

var warnings = regexp.MustCompile(`\.recoverable_errors\.WARNING array$`)

// firstDifferences are those of the first boot only.
var firstDifferences = []difference{
	{"semaphores", regexp.MustCompile(`^apply_network_config\.once$`), "ours writes the network's config when it has changed"},
}
