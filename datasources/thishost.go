package datasources

import (
	"io/fs"
	"os"
	"path"
	"runtime"
	"slices"
	"strings"

	"rancheros/paths"
	"rancheros/sys/blkdev"
)

// ThisHost is the machine that we run on.
func ThisHost() *Host {
	h := &Host{Root: os.DirFS("/"), Dir: "/"}
	h.Facts = factsFromFiles(h)
	h.forgetForeign()
	return h
}

// factsFromFiles finds out what can be seen in the machine's files.
func factsFromFiles(h *Host) Facts {
	return Facts{
		Arch:   arch(h),
		Blocks: blocks(h),
		Virt:   virt(h),
		Env:    environment(h),
		Links:  links(h),
	}
}

// blocks are the block devices with something on them.
func blocks(h *Host) []Block {
	found := shares(h)
	devs, err := blkdev.List(h.Dir)
	if err != nil {
		return found // no sysfs, no devices
	}
	for _, d := range devs {
		if d.FSType == "" {
			continue
		}
		found = append(found, BlockOf(d))
	}
	return found
}

// FS9P is the type of a folder that the hypervisor shares. It stands among the
// block devices because its tag is used as a drive's label is.
const FS9P = "9p"

// shares are folders that the hypervisor shares over virtio.
func shares(h *Host) []Block {
	tags, err := fs.Glob(h.Root, "sys/bus/virtio/drivers/9pnet_virtio/virtio*/mount_tag")
	if err != nil {
		return nil
	}
	var found []Block
	for _, name := range tags {
		if tag := strings.TrimRight(h.Read(name), "\x00"); tag != "" {
			found = append(found, Block{Name: tag, Label: tag, FSType: FS9P})
		}
	}
	return found
}

// BlockOf is a device as Facts have it.
func BlockOf(d blkdev.Info) Block {
	return Block{
		Name: d.Name, Label: d.Label, LabelFATBoot: d.LabelFATBoot, FSType: d.FSType,
		UUID: d.UUID, PartUUID: d.PartUUID, Size: d.Size,
	}
}

// arch is known of the machine that we run on only.
func arch(h *Host) string {
	if h.Dir != "/" {
		return ""
	}
	switch runtime.GOARCH {
	case "amd64":
		return "x86_64"
	case "arm64":
		return "aarch64"
	}
	return runtime.GOARCH
}

// links are the physical links: those with a device behind them.
func links(h *Host) []HostLink {
	entries, err := fs.ReadDir(h.Root, "sys/class/net")
	if err != nil {
		return nil
	}
	var found []HostLink
	for _, e := range entries {
		dir := path.Join("sys/class/net", e.Name())
		if !h.Exists(path.Join(dir, "device")) {
			continue
		}
		mac := h.Read(path.Join(dir, "address"))
		if mac == "" || strings.Trim(mac, "0:") == "" {
			continue
		}
		driver, _ := fs.ReadLink(h.Root, path.Join(dir, "device/driver"))
		found = append(found, HostLink{
			Name:   e.Name(),
			MAC:    strings.ToLower(mac),
			Driver: strings.TrimPrefix(path.Base(driver), "."),
			Up:     h.Read(path.Join(dir, "operstate")) == "up",
		})
	}
	return found
}

// environment is what of process 1's environment tells where we are.
func environment(h *Host) map[string]string {
	b, err := fs.ReadFile(h.Root, "proc/1/environ")
	if err != nil {
		return nil
	}
	env := map[string]string{}
	for kv := range strings.SplitSeq(string(b), "\x00") {
		k, v, ok := strings.Cut(kv, "=")
		if ok && (k == "container" || k == "KERNEL_CMDLINE" || k == "product_name" || k == "product_serial" || k == "product_uuid" ||
			strings.HasPrefix(k, "VMX_GUESTINFO")) {
			env[k] = v
		}
	}
	return env
}

// virt says what systemd-detect-virt would: the container first, else the
// hypervisor.
func virt(h *Host) string {
	if c := container(h); c != "" {
		return c
	}
	return hypervisor(h)
}

func container(h *Host) string {
	name := environment(h)["container"]
	if name == "" {
		name = h.Read("run/systemd/container")
	}
	switch {
	case name == "oci", name == "container-other":
		return "container-other"
	case name != "":
		return name
	case strings.Contains(h.Read("proc/sys/kernel/osrelease"), "icrosoft"):
		return "wsl"
	case h.Exists(strings.TrimPrefix(paths.BootRecord, "/")):
		// Our own console: a container, but of this machine, which has no other.
		return ""
	case h.Exists(".dockerenv"):
		return "docker"
	case h.Exists("run/.containerenv"):
		return "podman"
	case h.Exists("proc/vz") && !h.Exists("proc/bc"):
		return "openvz"
	}
	return ""
}

// hypervisors by what firmware strings begin with. The order is that of
// systemd, because a KVM guest of Amazon is "amazon" and not "kvm".
var hypervisors = []struct{ prefix, name string }{
	{"KVM", "kvm"}, {"OpenStack", "kvm"}, {"KubeVirt", "kvm"}, {"Amazon EC2", "amazon"}, {"QEMU", "qemu"},
	{"VMware", "vmware"}, {"VMW", "vmware"}, {"innotek GmbH", "oracle"}, {"VirtualBox", "oracle"},
	{"Oracle Corporation", "oracle"}, {"Xen", "xen"}, {"Bochs", "bochs"}, {"Parallels", "parallels"},
	{"BHYVE", "bhyve"}, {"Hyper-V", "microsoft"}, {"Apple Virtualization", "apple"},
	{"Google Compute Engine", "google"}, {"Google", "google"},
}

func hypervisor(h *Host) string {
	byDMI := ""
	for _, key := range []string{"product_name", "sys_vendor", "board_vendor", "bios_vendor", "product_version"} {
		v := h.Read("sys/class/dmi/id/" + key)
		i := slices.IndexFunc(hypervisors, func(x struct{ prefix, name string }) bool { return strings.HasPrefix(v, x.prefix) })
		if v != "" && i >= 0 {
			byDMI = hypervisors[i].name
			break
		}
	}
	if byDMI == "amazon" || byDMI == "google" || byDMI == "oracle" {
		return byDMI
	}
	if byCPU := cpuHypervisor(h); byCPU != "" && byCPU != "other" {
		return byCPU
	}
	switch {
	case byDMI != "":
		return byDMI
	case h.Read("sys/hypervisor/type") == "xen":
		return "xen"
	case slices.Contains(strings.Fields(h.Read("proc/cpuinfo")), "hypervisor"):
		return "vm-other"
	}
	return "none"
}

// cpuHypervisor is what the CPU says of its hypervisor; only the machine that
// we run on can be asked.
func cpuHypervisor(h *Host) string {
	if h.Dir != "/" {
		return ""
	}
	switch cpuVendor() {
	case "KVMKVMKVM", "Linux KVM Hv":
		return "kvm"
	case "VMwareVMware":
		return "vmware"
	case "Microsoft Hv":
		return "microsoft"
	case "XenVMMXenVMM":
		return "xen"
	case "TCGTCGTCGTCG":
		return "qemu"
	case "bhyve bhyve":
		return "bhyve"
	case "VBoxVBoxVBox":
		return "oracle"
	}
	return ""
}
