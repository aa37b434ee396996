package cloudconfig

import "go.yaml.in/yaml/v4"

// Rancher are the settings of this operating system.
type Rancher struct {
	// Console that is used from the next boot on.
	Console string `yaml:"console"`
	// Environment is put into service definitions (${NAME}) and given to
	// containers that list the name. `service/NAME` is for one service only.
	Environment map[string]string `yaml:"environment"`
	// Services are system services, by name, as compose writes them.
	Services map[string]yaml.Node `yaml:"services"`
	// Bootstrap were containers of the initrd. There is no bootstrap Docker any
	// more: ignored.
	Bootstrap map[string]yaml.Node `yaml:"bootstrap"`
	// CloudInitServices were containers of the initrd: ignored.
	CloudInitServices map[string]yaml.Node `yaml:"cloud_init_services"`
	// BootstrapDocker was the engine of the initrd: ignored.
	BootstrapDocker Docker `yaml:"bootstrap_docker"`
	// SystemDocker is the engine of the system services.
	SystemDocker Docker `yaml:"system_docker"`
	// Docker is the user's engine.
	Docker Docker `yaml:"docker"`
	// CloudInit says where the config of this machine comes from.
	CloudInit CloudInit `yaml:"cloud_init"`
	// Debug logs more, here and in both engines.
	Debug bool `yaml:"debug"`
	// Log shows the output of services on the console while they start.
	Log bool `yaml:"log"`
	// RmUsr copied /usr again at each boot. /usr is read-only now: ignored.
	RmUsr bool `yaml:"rm_usr"`
	// NoSharedRoot leaves the root mount private.
	NoSharedRoot bool `yaml:"no_sharedroot"`
	// ForceConsoleRebuild makes the console new at the next boot.
	ForceConsoleRebuild bool `yaml:"force_console_rebuild"`
	// Recovery boots to a shell on the console and starts nothing.
	Recovery bool `yaml:"recovery"`
	// Disable lists `password` and `autologin`: what the kernel command line may
	// not ask for.
	Disable []string `yaml:"disable"`
	// ServicesInclude are services of the catalogue, files or URLs, and whether
	// they run.
	ServicesInclude map[string]bool `yaml:"services_include"`
	// Modules are kernel modules to load, perhaps with parameters after a space.
	Modules []string `yaml:"modules"`
	// Absent are accounts that are not to be.
	Absent Absent `yaml:"absent"`
	// Directories are made before write_files.
	Directories []Directory `yaml:"directories"`
	// Links are symbolic and hard ones, made before and after write_files.
	Links []Link `yaml:"links"`
	// Network is how this machine reaches others.
	Network Network `yaml:"network"`
	// Repositories are roots of service catalogues.
	Repositories map[string]Repository `yaml:"repositories"`
	// SSH is the ssh daemon.
	SSH SSHDaemon `yaml:"ssh"`
	// State is the disk that keeps everything.
	State State `yaml:"state"`
	// Upgrade says where new versions come from.
	Upgrade Upgrade `yaml:"upgrade"`
	// RegistryAuths are logins at registries, by host. The Hub's is
	// https://index.docker.io/v1/.
	RegistryAuths map[string]RegistryAuth `yaml:"registry_auths"`
	// Defaults hold where no layer says otherwise.
	Defaults Defaults `yaml:"defaults"`
	// ResizeDevice is the disk whose first partition is made as large as the
	// disk, once.
	ResizeDevice string `yaml:"resize_device"`
	// Sysctl are kernel settings, by name with dots or slashes.
	Sysctl map[string]string `yaml:"sysctl"`
	// RestartServices are containers restarted when cloud-init is done.
	RestartServices []string `yaml:"restart_services"`
	// HypervisorService starts the guest tools of the hypervisor we run on.
	// Default true.
	HypervisorService *bool `yaml:"hypervisor_service"`
	// ShutdownTimeout is after how many seconds a shutdown is forced. Default
	// 60, at least 5.
	ShutdownTimeout Seconds `yaml:"shutdown_timeout"`
	// HTTPLoadRetries is how often a service definition is fetched before giving
	// up. Default 6.
	HTTPLoadRetries int `yaml:"http_load_retries"`
	// PreloadWait made services wait for preloaded images. They always do: ignored.
	PreloadWait bool `yaml:"preload_wait"`
	// Password sets the password of user rancher. From the kernel command line
	// only for machines that nobody else can look at.
	Password Secret `yaml:"password"`
	// Autologin logs in on consoles whose name contains one of these.
	Autologin StringList `yaml:"autologin" merge:"append"`
	// Autoformat is a leftover of old configs: ignored. See state.autoformat.
	Autoformat yaml.Node `yaml:"autoformat"`
}

// CloudInit says where the config of this machine comes from and how often it
// is applied.
type CloudInit struct {
	// Datasources are tried in this order, as NAME or NAME:ARGUMENT. `*` stands
	// for all that need no argument.
	Datasources []string `yaml:"datasources"`
	// Frequency says by applier how often it runs: always, instance or once.
	Frequency map[string]string `yaml:"frequency"`
}

// A Repository is the root of a service catalogue.
type Repository struct {
	// URL below which index.yml lies.
	URL string `yaml:"url"`
}

// SSHDaemon is the ssh daemon of the console.
type SSHDaemon struct {
	// Keys are the host keys: `rsa` private, `rsa-pub` public, and so on. Made
	// at the first boot.
	Keys map[string]Secret `yaml:"keys"`
	// Daemon says whether sshd runs. Default true.
	Daemon *bool `yaml:"daemon"`
	// Port defaults to 22.
	Port int `yaml:"port"`
	// ListenAddress defaults to all addresses.
	ListenAddress string `yaml:"listen_address"`
}

// State is the disk that keeps everything.
type State struct {
	// Directory on the disk that is the root of what is kept.
	Directory string `yaml:"directory"`
	// FSType defaults to auto.
	FSType string `yaml:"fstype"`
	// Dev is a device, LABEL=… or UUID=…; a disk that LUKS or RAID lies on stands
	// for what is in it. Default LABEL=RANCHER_STATE.
	Dev string `yaml:"dev"`
	// Wait is whether to wait for the disk to appear, for 30 seconds.
	Wait bool `yaml:"wait"`
	// Required stops the boot when there is no state disk.
	Required bool `yaml:"required"`
	// Autoformat are disks of which the first blank one is formatted: its first and
	// its last MiB are zero, and nothing uses it.
	Autoformat StringList `yaml:"autoformat"`
	// MdadmScan assembles RAID sets first. Like the next two it needs an image
	// with PROFILE=storage.
	MdadmScan bool `yaml:"mdadm_scan"`
	// LvmScan activates volume groups first.
	LvmScan bool `yaml:"lvm_scan"`
	// Cryptsetup opens LUKS volumes first, asking on the console.
	Cryptsetup bool `yaml:"cryptsetup"`
	// Rngd runs a random number daemon. The kernel needs none now: ignored.
	Rngd *bool `yaml:"rngd"`
	// Script is run when RAID, LUKS and LVM have been looked for, and before the
	// disk is: a line for the shell, or a script that begins with #!.
	Script string `yaml:"script"`
	// OEMFSType defaults to auto.
	OEMFSType string `yaml:"oem_fstype"`
	// OEMDev defaults to LABEL=RANCHER_OEM.
	OEMDev string `yaml:"oem_dev"`
	// BootFSType defaults to auto.
	BootFSType string `yaml:"boot_fstype"`
	// BootDev defaults to LABEL=RANCHER_BOOT.
	BootDev string `yaml:"boot_dev"`
}

// Upgrade says where new versions come from.
type Upgrade struct {
	// URL or path of the index of releases.
	URL string `yaml:"url"`
	// Image is the repository of the OS images.
	Image string `yaml:"image"`
	// Rollback is the version before the last upgrade.
	Rollback string `yaml:"rollback"`
	// Policy is auto, download or none.
	Policy string `yaml:"policy"`
}

// A RegistryAuth is a login at a registry.
type RegistryAuth struct {
	// Username to log in as.
	Username string `yaml:"username"`
	// Password of the user.
	Password Secret `yaml:"password"`
	// Auth is base64 of user:password.
	Auth Secret `yaml:"auth"`
	// Email is of no use today.
	Email string `yaml:"email"`
	// ServerAddress defaults to the key.
	ServerAddress string `yaml:"serveraddress"`
	// IdentityToken to get a session with.
	IdentityToken Secret `yaml:"identitytoken"`
	// RegistryToken is sent as it is.
	RegistryToken Secret `yaml:"registrytoken"`
}

// Defaults hold where no layer says otherwise.
type Defaults struct {
	// Hostname of a machine that has no other.
	Hostname string `yaml:"hostname"`
	// Docker is read as RancherOS did, and has no effect: what counts is rancher.docker.
	Docker Docker `yaml:"docker"`
	// Network holds DNS servers for machines without.
	Network Network `yaml:"network"`
	// SystemDockerLogs is the log file of System Docker.
	SystemDockerLogs string `yaml:"system_docker_logs"`
}
