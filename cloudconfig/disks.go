package cloudconfig

// Disks are files, mounts and what lies below them.
type Disks struct {
	// WriteFiles are files to write.
	WriteFiles []File `yaml:"write_files"`
	// Mounts are lines of fstab: device, directory, type, options, dump, pass.
	Mounts []Mount `yaml:"mounts"`
	// MountDefaultFields fill what a line of mounts leaves out.
	MountDefaultFields Mount `yaml:"mount_default_fields"`
	// Swap is a swap file.
	Swap Swap `yaml:"swap"`
	// GrowPart makes partitions as large as their disk allows.
	GrowPart GrowPart `yaml:"growpart"`
	// ResizeRootFS makes the root file system as large as its partition: `true`
	// (the default), `false`, or `noblock` to do it in the background.
	ResizeRootFS Choice `yaml:"resize_rootfs"`
	// DiskSetup are partition tables to write, by device or alias.
	DiskSetup map[string]Disk `yaml:"disk_setup"`
	// FSSetup are file systems to make.
	FSSetup []FileSystem `yaml:"fs_setup"`
	// DeviceAliases are names for devices in disk_setup, fs_setup and mounts.
	DeviceAliases map[string]string `yaml:"device_aliases"`
}

// A File is one to write.
type File struct {
	// Path on the machine. Missing directories are made.
	Path string `yaml:"path"`
	// Content is the text, encoded as encoding says.
	Content string `yaml:"content"`
	// Source is a place to fetch the content from; content is the fallback.
	Source FileSource `yaml:"source"`
	// Encoding is empty or text/plain, b64 or base64, gz or gzip, gz+b64,
	// gz+base64, gzip+b64, gzip+base64.
	Encoding string `yaml:"encoding"`
	// Owner is `user:group`. Default root:root.
	Owner string `yaml:"owner"`
	// Permissions in octal, as '0644', which is the default.
	Permissions Mode `yaml:"permissions"`
	// Append adds to the file instead of replacing it.
	Append bool `yaml:"append"`
	// Overwrite true removes a directory or link in its place, false makes an error
	// of it. Default: a link is followed.
	Overwrite *bool `yaml:"overwrite"`
	// Defer writes the file last, when users and packages are there.
	Defer bool `yaml:"defer"`
	// Container is the system service in whose file system the file is written.
	// Default console.
	Container string `yaml:"container"`
}

// A FileSource is where content is fetched from.
type FileSource struct {
	// URI of http or https.
	URI string `yaml:"uri"`
	// Headers of the request.
	Headers map[string]Secret `yaml:"headers"`
}

// Swap is a swap file.
type Swap struct {
	// Filename of the swap file. Default /swap.img.
	Filename string `yaml:"filename"`
	// Size is `auto`, bytes, or a number with B, K, M, G or T. Unset or 0 makes
	// no swap file. `auto` is the size of memory up to 4 GB, 4 GB up to 16, from
	// there its square root; without maxsize at most a quarter of the free disk.
	Size Size `yaml:"size"`
	// MaxSize bounds `auto`.
	MaxSize Size `yaml:"maxsize"`
}

// A GrowPart says which partitions grow.
type GrowPart struct {
	// Mode is auto (the default), growpart, gpart or off. Growing is done by
	// ourselves in all but off.
	Mode Choice `yaml:"mode"`
	// Devices are mount points or devices. Default: /.
	Devices []string `yaml:"devices"`
	// IgnoreGrowrootDisabled grows although /etc/growroot-disabled is there.
	IgnoreGrowrootDisabled bool `yaml:"ignore_growroot_disabled"`
}

// A Disk is a partition table to write.
type Disk struct {
	// TableType is mbr (the default) or gpt.
	TableType string `yaml:"table_type"`
	// Layout is `true` for one partition, `remove` to clear the disk, or a list
	// of percents, each alone or as [percent, type].
	Layout Layout `yaml:"layout"`
	// Overwrite writes although the disk is not blank.
	Overwrite bool `yaml:"overwrite"`
}

// A FileSystem is one to make.
type FileSystem struct {
	// Label of the file system.
	Label string `yaml:"label"`
	// Filesystem is its type: ext4, xfs, btrfs, vfat, swap.
	Filesystem string `yaml:"filesystem"`
	// Device or alias; `ephemeral0.1` names its first partition.
	Device string `yaml:"device"`
	// Partition is auto, any or none.
	Partition string `yaml:"partition"`
	// Overwrite makes it although there is a file system.
	Overwrite bool `yaml:"overwrite"`
	// ReplaceFS is a type that may be overwritten.
	ReplaceFS string `yaml:"replace_fs"`
	// ExtraOpts are passed to mkfs.
	ExtraOpts StringList `yaml:"extra_opts"`
	// Cmd is run instead of mkfs.
	Cmd StringList `yaml:"cmd"`
}
