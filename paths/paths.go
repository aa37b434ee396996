// Package paths names every absolute path on the machine that more than one
// package, a user's script or another program depends on.
package paths

// What the image carries, read-only.
const (
	// OSConfig is the lowest layer of config.
	OSConfig = "/usr/share/ros/os-config.yml"
	// OEMDir is where the partition labelled RANCHER_OEM is mounted.
	OEMDir = "/usr/share/ros/oem"
	// OEMConfig is the second layer of config.
	OEMConfig = OEMDir + "/oem-config.yml"
	// EtcDefaults is the tree from which /etc is made at every boot.
	EtcDefaults = "/usr/share/ros/etc"
	// SystemDockerSeed is the data root of System Docker with the system images
	// in it, as the image was built. See image/seed.
	SystemDockerSeed = "/usr/share/ros/system-docker"
	// ServiceCatalogue holds index.yml and the definitions that services_include
	// names.
	ServiceCatalogue = "/usr/share/ros/services"
	// Licences has the licences of everything in the image.
	Licences = "/usr/share/ros/licences.txt"
	// EngineHelpers is where containers see the host's /usr/bin: runc, the shim
	// and docker-init must be seen in the folder that they lie in.
	EngineHelpers = "/usr/libexec/ros"
	// Ros is the multi-call binary.
	Ros = "/usr/bin/ros"
)

// State is where the state disk is mounted; its var, home and opt are seen at /.
const State = "/state"

// Boot is where the boot partition is mounted, read-only.
const Boot = "/boot"

// Config as it lies on the state disk. Other software writes here too:
// docker-machine, installers, users' scripts.
const (
	RancherDir = "/var/lib/rancher"
	ConfDir    = RancherDir + "/conf"
	// LocalConfig is what `ros config set` writes.
	LocalConfig = ConfDir + "/cloud-config.yml"
	// ConfigDir holds drop-ins, merged by name.
	ConfigDir = ConfDir + "/cloud-config.d"
	// UserDataConfig is the cloud-config that the datasource gave.
	UserDataConfig = ConfigDir + "/boot.yml"
	// UserScript is the `#!` script that the datasource gave.
	UserScript = ConfDir + "/cloud-config-script"
	// Metadata is what the datasource said of this machine, as a config layer.
	Metadata = ConfDir + "/metadata"
	// DockerOpts is a shell file with DOCKER_OPTS, written by docker-machine.
	DockerOpts = ConfDir + "/docker"
	// Cache holds fetched service definitions.
	Cache = RancherDir + "/cache"
	// Preload holds image archives that are loaded at boot:
	// system-docker/ and docker/.
	Preload = RancherDir + "/preload"
	// SSHKeys keeps the ssh host keys over reboots.
	SSHKeys = RancherDir + "/ssh"
	// Done holds one stamp per instance and applier that runs once.
	Done = RancherDir + "/state/done"
	// BootScript is run at each console start, if it is there.
	BootScript = "/opt/rancher/bin/start.sh"
	// RCLocal is run after BootScript.
	RCLocal = "/etc/rc.local"
)

// The state of cloud-init, where upstream's consumers look.
const (
	CloudInitRun = "/run/cloud-init"
	CloudInitLib = "/var/lib/cloud"
)

// What this boot did, for `ros os boot` and for tests.
const (
	RunDir = "/run/ros"
	// BootRecord is the record of every boot step, one JSON object per line.
	BootRecord = RunDir + "/boot.jsonl"
	// DatasourceReport is the list of attempts of cloud-init-save.
	DatasourceReport = RunDir + "/datasource.json"
	// Leases holds one JSON file per leased link, so that who configures the
	// network next does not ask again.
	Leases = RunDir + "/leases"
	// NetworkState is what the network service did, for `ros network status`.
	NetworkState = RunDir + "/network.json"
	// NetworkSocket is where `ros network apply` asks the network service.
	NetworkSocket = RunDir + "/network.sock"
	// ConsoleDone exists when the console is up.
	ConsoleDone = "/run/console-done"
	// DockerDone exists when User Docker has been started.
	DockerDone = "/run/docker-done"
)

// Files that the network service keeps.
const (
	ResolvConf = "/etc/resolv.conf"
	Hosts      = "/etc/hosts"
)

// The two engines.
const (
	SystemDockerSocket = "/var/run/system-docker.sock"
	SystemDockerData   = "/var/lib/system-docker"
	SystemDockerLog    = "/var/log/system-docker.log"
	DockerSocket       = "/var/run/docker.sock"
	// UserDockerData is seen as /var/lib/docker in the console.
	UserDockerData = "/var/lib/user-docker"
	DockerLog      = "/var/log/docker.log"
	// BootLogs holds NAME.log of services that ran outside of containers.
	BootLogs = "/var/log/boot"
)

// Labels of partitions and drives.
const (
	LabelState = "RANCHER_STATE"
	LabelBoot  = "RANCHER_BOOT"
	LabelOEM   = "RANCHER_OEM"
	LabelB2D   = "B2D_STATE"
	LabelISO   = "ROS"
)
