package execute

import (
	"context"
	"path"
	"regexp"
	"strings"
	"sync"
	"time"

	"rancheros/cloudconfig"
)

// deviceTime is how long a disk may take to appear that the config names.
const deviceTime = 5 * time.Second

// awaitDevice waits until a device is there, not for long: at a first boot a
// cloud may still be attaching it.
func (t *Target) awaitDevice(ctx context.Context, dev string) {
	if !t.Live || t.Tree.Planned() || t.Tree.Exists(dev) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, deviceTime)
	defer cancel()
	t.Kernel.AwaitDevice(ctx, dev) // who needs it says that it is not there
}

// knownDisks are where udev rules of images put a cloud's scratch disk.
var knownDisks = map[string][]string{
	"ephemeral0": {"/dev/disk/cloud/azure_resource", "/dev/disk/azure/resource"},
}

// kernelName is a name that the kernel gives: sda1, xvdb, nvme0n1.
var kernelName = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(x?[shv]d[a-z]+[0-9]*|sr[0-9]+|nvme[0-9]+n[0-9]+(p[0-9]+)?)$`)
})

// cloudsName is what EC2 and those like it call disks; no kernel does.
var cloudsName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^(ephemeral|ebs)[0-9]*(\.[0-9]+)?$`) })

// device is a device's path for what a config calls it: an alias, a cloud's own
// name as ephemeral0, xvdb, LABEL=x, host:/path, or a kind of file system without
// a device.
func (t *Target) device(name string, c *cloudconfig.Config) string {
	if name == "ephemeral" {
		name = "ephemeral0"
	}
	if alias, ok := c.DeviceAliases[name]; ok {
		name = alias
	} else if dev := t.cloudsDisk(name); dev != "" {
		name = dev
	}
	if !strings.ContainsAny(name, "/=:") && (kernelName().MatchString(name) || t.Tree.Exists("/dev/"+name)) {
		name = "/dev/" + name
	}
	return t.renamed(name)
}

// cloudsDisk is the device that the cloud means by a name of its own; "" when it
// means none.
func (t *Target) cloudsDisk(name string) string {
	for _, dev := range knownDisks[name] {
		if t.Tree.Exists(dev) {
			return dev
		}
	}
	return t.BlockDevices[name]
}

// renamed is a disk by the name that this kernel gives it: clouds say sdb of what
// is xvdb or vdb here.
func (t *Target) renamed(dev string) string {
	rest, ok := strings.CutPrefix(dev, "/dev/sd")
	if !ok || t.Tree.Exists(dev) {
		return dev
	}
	for _, prefix := range []string{"/dev/xvd", "/dev/vd"} {
		if t.Tree.Exists(prefix + rest) {
			return prefix + rest
		}
	}
	return dev
}

// dotted takes name.2 apart, where name is something that has partitions.
func (t *Target) dotted(name string) (disk, part string) {
	head, tail, ok := strings.Cut(name, ".")
	if !ok || t.Tree.Exists(name) || strings.Trim(tail, "0123456789") != "" && tail != "auto" || strings.Contains(head, "/") && !strings.HasPrefix(head, "/dev/") {
		return name, ""
	}
	return head, tail
}

// mountDevice is what a line of mounts means: a partition that is named, else
// the first one of a disk that has any.
func (t *Target) mountDevice(name string, c *cloudconfig.Config) string {
	if strings.ContainsAny(name, "=:") {
		return name
	}
	disk, part := t.dotted(name)
	dev := t.device(disk, c)
	if !strings.HasPrefix(dev, "/dev/") {
		return t.device(name, c)
	}
	if part != "" && part != "auto" {
		return partition(dev, part)
	}
	if first := partition(dev, "1"); t.Tree.Exists(first) {
		return first
	}
	return dev
}

// fsDevice is the device that an entry of fs_setup means, its partition
// included.
func (t *Target) fsDevice(c *cloudconfig.Config, fs cloudconfig.FileSystem) string {
	name, part := fs.Device, fs.Partition
	if disk, dotted := t.dotted(name); dotted != "" {
		name, part = disk, dotted
	}
	dev := t.device(name, c)
	if !path.IsAbs(dev) {
		dev = "/dev/" + dev
	}
	switch part {
	case "", "none", "any", "0":
		return dev
	case "auto":
		part = "1"
	}
	if strings.Trim(part, "0123456789") != "" {
		return dev
	}
	return partition(dev, part)
}

// partition is the name of a disk's partition: sda1, nvme0n1p1, and -part1 for
// the links that udev makes.
func partition(dev, part string) string {
	switch last := dev[len(dev)-1]; {
	case strings.HasPrefix(dev, "/dev/disk/"):
		return dev + "-part" + part
	case last >= '0' && last <= '9':
		return dev + "p" + part
	}
	return dev + part
}
