package datasources

import (
	"io/fs"
	"strings"
	"sync"
)

// A Host is what can be known of this machine without a network. All of it
// can be recorded and replayed: tests and `--root DIR` use a folder.
type Host struct {
	// Root is the machine's file system, rooted at /.
	Root fs.FS
	// Dir is the same as a path for those who must open devices; empty when
	// Root is not a folder.
	Dir string
	// Drives is a folder with one folder for each drive of a recording, named
	// as the drive's label or device, that has the drive's files. Empty: the
	// drives are devices below Dir.
	Drives string
	Facts

	// config is CloudConfig, once cloudConfig has been done.
	cloudConfig sync.Once
	config      map[string]any
}

// Facts are what is no file.
type Facts struct {
	// Blocks are the block devices that carry a file system.
	Blocks []Block `json:"blocks,omitempty"`
	// Virt is what systemd-detect-virt would say: kvm, vmware, lxc, none, ...
	Virt string `json:"virt,omitempty"`
	// Env is the environment of process 1, where it matters.
	Env map[string]string `json:"env,omitempty"`
	// GuestInfo are VMware's guestinfo variables, without the prefix.
	GuestInfo map[string]string `json:"guestinfo,omitempty"`
	// Arch is the machine's type as uname -m says it: x86_64, aarch64.
	Arch string `json:"arch,omitempty"`
	// Links are the machine's physical links.
	Links []HostLink `json:"links,omitempty"`
}

// A Block is a block device with a file system on it, as blkid sees it.
type Block struct {
	Name     string `json:"name"` // vdb, not /dev/vdb
	Label    string `json:"label,omitempty"`
	FSType   string `json:"fstype,omitempty"`
	UUID     string `json:"uuid,omitempty"`
	PartUUID string `json:"partuuid,omitempty"`
	// LabelFATBoot is the label in a FAT's boot sector, where it differs from
	// the one in its root folder.
	LabelFATBoot string `json:"label_fatboot,omitempty"`
	// Size is the device's size in bytes.
	Size int64 `json:"size,omitempty"`
}

// A HostLink is a physical network device.
type HostLink struct {
	Name   string `json:"name"`
	MAC    string `json:"mac"`
	Driver string `json:"driver,omitempty"`
	Up     bool   `json:"up,omitempty"`
}

// Read returns the content of a file, trimmed, or "" when there is none.
func (h *Host) Read(path string) string {
	b, err := fs.ReadFile(h.Root, strings.TrimPrefix(path, "/"))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// Exists says whether path is there.
func (h *Host) Exists(path string) bool {
	_, err := fs.Stat(h.Root, strings.TrimPrefix(path, "/"))
	return err == nil
}

// DMI returns a string of the firmware's DMI table: sys_vendor, product_name,
// product_serial, product_uuid, chassis_asset_tag, board_name, ...
// In a container the host's table shines through and says nothing of us, so it
// is empty there.
func (h *Host) DMI(key string) string {
	if h.InContainer() {
		return ""
	}
	return h.Read("sys/class/dmi/id/" + key)
}

// InContainer says whether we run in a container.
func (h *Host) InContainer() bool {
	switch h.Virt {
	case "lxc", "lxc-libvirt", "systemd-nspawn", "docker", "podman", "rkt", "jail", "openvz", "container-other":
		return true
	}
	return false
}

// Cmdline is the kernel command line. In a container that is the host's, and
// the arguments of the container's own first process stand for it.
func (h *Host) Cmdline() string {
	if h.InContainer() {
		return strings.TrimSpace(strings.ReplaceAll(h.Read("proc/1/cmdline"), "\x00", " "))
	}
	return h.Read("proc/cmdline")
}

// forgetForeign drops the drives that a container sees: they are its host's.
func (h *Host) forgetForeign() {
	if h.InContainer() {
		h.Blocks = nil
	}
}
