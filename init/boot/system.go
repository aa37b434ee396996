package boot

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"rancheros/cloudconfig"
	"rancheros/cloudinit/execute"
	"rancheros/init/root"
	"rancheros/init/step"
	"rancheros/paths"
	"rancheros/sys/blkdev"
	"rancheros/sys/module"
	"rancheros/sys/mount"
)

// system is the second half of boot: we are on the real root, and nothing but
// us is running.
var system = []step.Step[*machine]{
	step.Must("mount kernel filesystems", mountKernel),
	step.Must("make /etc", makeEtc),
	step.Should("set the clock", setClock),
	step.Should("load modules of devices", coldPlug),
	step.Should("read config for the state disk", readConfig),
	step.Should("mount OEM", mountOEM),
	step.Must("recovery", askedForRecovery),
	step.Must("mount state", mountState),
	step.Should("grow state", growState),
	step.Should("reserve on the state disk", reserveState),
	step.Should("mount boot", mountBoot),
	step.Should("make folders", makeFolders),
	step.Should("read config", readConfig),
	step.Should("load modules of config", configModules),
	step.Should("cloud-init-save", runSave),
	step.Should("read config with user-data", readUserData),
	step.Should("memory", tuneMemory),
	step.Should("hostname", hostname),
	step.Should("bootcmd", bootcmd),
	step.Should("sysctl", sysctl),
	step.Should("seed System Docker", seedSystemDocker),
}

const noexec = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC

var kernelFS = []mount.Point{
	{Source: "devpts", Target: "/dev/pts", FSType: "devpts", Flags: unix.MS_NOSUID | unix.MS_NOEXEC, Data: "gid=5,mode=620,ptmxmode=666"},
	{Source: "shm", Target: "/dev/shm", FSType: "tmpfs", Flags: unix.MS_NOSUID | unix.MS_NODEV, Data: "mode=1777"},
	{Source: "mqueue", Target: "/dev/mqueue", FSType: "mqueue", Flags: noexec},
	{Source: "cgroup2", Target: "/sys/fs/cgroup", FSType: "cgroup2", Flags: noexec, Data: "nsdelegate"},
}

// optionalFS are mounted where the kernel has them.
var optionalFS = []mount.Point{
	{Source: "securityfs", Target: "/sys/kernel/security", FSType: "securityfs", Flags: noexec},
	{Source: "debugfs", Target: "/sys/kernel/debug", FSType: "debugfs", Flags: noexec, Data: "mode=0700"},
	{Source: "bpf", Target: "/sys/fs/bpf", FSType: "bpf", Flags: noexec, Data: "mode=0700"},
	{Source: "pstore", Target: "/sys/fs/pstore", FSType: "pstore", Flags: noexec},
	{Source: "efivarfs", Target: "/sys/firmware/efi/efivars", FSType: "efivarfs", Flags: noexec},
}

// rootLinks are names that programs expect and that are links today.
var rootLinks = map[string]string{
	"/dev/fd": "/proc/self/fd", "/dev/stdin": "/proc/self/fd/0", "/dev/stdout": "/proc/self/fd/1", "/dev/stderr": "/proc/self/fd/2",
	"/etc/mtab": "/proc/self/mounts",
}

func mountKernel(_ context.Context, m *machine) error {
	if err := mount.All(kernelFS); err != nil {
		return err
	}
	for _, p := range optionalFS {
		if _, err := os.Stat(p.Target); err != nil {
			continue
		}
		if err := mount.Mount(p); err != nil {
			m.log.Debug("optional", "err", err)
		}
	}
	for name, target := range rootLinks {
		if err := os.Symlink(target, name); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
	}
	// What a container mounts below a shared folder must be seen by the others.
	if err := unix.Mount("", "/", "", unix.MS_SHARED|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("share /: %w", err)
	}
	return os.Chmod("/tmp", 0o1777)
}

// coldPlug loads drivers of devices that the initrd had no module for.
func coldPlug(_ context.Context, m *machine) error {
	set, err := module.Open("/")
	if err != nil {
		return err
	}
	m.modules = set
	// What no device asks for (nf_tables, bridge, veth, ...) the kernel loads
	// itself when it is used, by modprobe.
	_, err = set.ColdPlug("/sys")
	return err
}

// mountOEM mounts the maker's partition, whose config may say where the state
// is.
func mountOEM(ctx context.Context, m *machine) error {
	s := m.config.Rancher.State
	spec := cmp.Or(s.OEMDev, "LABEL="+paths.LabelOEM)
	dev, err := blkdev.Resolve("/", spec)
	if err != nil {
		return step.Skip("no %s", spec)
	}
	err = mount.Mount(mount.Point{Source: dev.Path, Target: paths.OEMDir, FSType: root.Kind(s.OEMFSType, dev), Flags: unix.MS_RDONLY | noexec})
	if err != nil {
		return err
	}
	return readConfig(ctx, m)
}

// readConfig merges the layers that can be read by now. A layer that is
// broken is named and left out; the rest still makes a machine.
func readConfig(_ context.Context, m *machine) error {
	c, _, err := cloudconfig.Load("/")
	if c != nil {
		m.config = c
	}
	return err
}

// readUserData is readConfig when all layers are there: it also names keys that
// cloud-init has and this OS has not, with what to do instead.
func readUserData(_ context.Context, m *machine) error {
	c, trace, err := cloudconfig.Load("/")
	if c != nil {
		m.config = c
	}
	if trace != nil {
		for _, p := range trace.Unsupported() {
			m.log.Warn("not on this OS", "config", p.String())
		}
	}
	return err
}

func askedForRecovery(_ context.Context, m *machine) error {
	if m.config.Rancher.Recovery {
		return errRecovery
	}
	return step.Skip("not asked for")
}

func mountState(ctx context.Context, m *machine) error {
	dev, err := root.Mount(ctx, m.config.Rancher.State)
	switch {
	case err == nil:
		m.state = dev
		return nil
	case m.config.Rancher.State.Required:
		return err
	case errors.Is(err, root.ErrAbsent) && m.config.Rancher.State.Dev == "":
		return step.Skip("%v: running from RAM", err)
	}
	m.log.Warn("running from RAM: nothing is kept over a reboot", "err", err)
	return step.Skip("%v", err)
}

func growState(_ context.Context, m *machine) error {
	if m.state == "" {
		return step.Skip("no state disk")
	}
	grew, err := root.Grow(m.state)
	if err == nil && !grew {
		return step.Skip("it is as large as its disk")
	}
	return err
}

func reserveState(_ context.Context, m *machine) error {
	if m.state == "" {
		return step.Skip("no state disk")
	}
	full, err := root.Reserve()
	if err == nil && full {
		return fmt.Errorf("the state disk %s is full: its reserve is given up so that the machine can boot; make room below /var, /home or /opt", m.state)
	}
	return err
}

func mountBoot(_ context.Context, m *machine) error {
	s := m.config.Rancher.State
	spec := cmp.Or(s.BootDev, "LABEL="+paths.LabelBoot)
	dev, err := blkdev.Resolve("/", spec)
	if err != nil {
		return step.Skip("no %s", spec)
	}
	return mount.Mount(mount.Point{Source: dev.Path, Target: paths.Boot, FSType: root.Kind(s.BootFSType, dev), Flags: unix.MS_RDONLY | noexec})
}

// folders are what programs expect and a new state disk does not have.
var folders = []struct {
	path string
	mode os.FileMode
}{
	{"/var/lib", 0o755}, {"/var/log", 0o755}, {"/var/log/boot", 0o755}, {"/var/cache", 0o755}, {"/var/spool", 0o755}, {"/var/tmp", 0o1777},
	{"/var/empty", 0o755}, {paths.RancherDir, 0o755}, {paths.ConfDir, 0o700}, {paths.ConfigDir, 0o700},
	{paths.Cache, 0o755}, {paths.Preload + "/docker", 0o755}, {paths.Preload + "/system-docker", 0o755},
	{paths.UserDockerData, 0o710}, {paths.SystemDockerData, 0o710}, {"/var/lib/docker", 0o710},
	{"/opt", 0o755}, {"/home", 0o755}, {"/run/lock", 0o1777},
}

func makeFolders(_ context.Context, _ *machine) error {
	var errs []error
	for _, f := range folders {
		if err := os.MkdirAll(f.path, f.mode.Perm()); err != nil {
			errs = append(errs, err)
			continue
		}
		if f.mode&0o1000 != 0 {
			errs = append(errs, os.Chmod(f.path, os.ModeSticky|f.mode.Perm()))
		}
	}
	for name, target := range map[string]string{"/var/run": "../run", "/var/lock": "../run/lock"} {
		if err := os.Symlink(target, name); err != nil && !errors.Is(err, os.ErrExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func configModules(_ context.Context, m *machine) error {
	if len(m.config.Rancher.Modules) == 0 {
		return step.Skip("rancher.modules is empty")
	}
	if m.modules == nil {
		return errors.New("the module tree could not be read")
	}
	var errs []error
	for _, line := range m.config.Rancher.Modules {
		name, params, _ := strings.Cut(strings.TrimSpace(line), " ")
		errs = append(errs, m.modules.Load(name, params))
	}
	return errors.Join(errs...)
}

func hostname(_ context.Context, m *machine) error {
	name := m.config.Hostname
	if name == "" {
		name = m.config.Rancher.Defaults.Hostname
	}
	if name == "" {
		name = "rancher"
	}
	if err := unix.Sethostname([]byte(name)); err != nil {
		return fmt.Errorf("set hostname %s: %w", name, err)
	}
	return os.WriteFile("/etc/hostname", []byte(name+"\n"), 0o644)
}

func sysctl(_ context.Context, m *machine) error {
	// The engines route between containers and the world.
	errs := []error{setSysctl("net.ipv4.ip_forward", "1")}
	settings := m.config.Rancher.Sysctl
	for _, key := range slices.Sorted(maps.Keys(settings)) {
		errs = append(errs, setSysctl(key, settings[key]))
	}
	return errors.Join(errs...)
}

func setSysctl(key, value string) error {
	path, err := execute.SysctlPath(key)
	if err != nil {
		return err
	}
	if err := os.WriteFile(path, []byte(value), 0); err != nil {
		return fmt.Errorf("sysctl %s: %w", key, err)
	}
	return nil
}
