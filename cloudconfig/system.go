package cloudconfig

// System are settings of the machine.
type System struct {
	// NTP says whom to ask for the time.
	NTP NTP `yaml:"ntp"`
	// Timezone is a name as Europe/Berlin.
	Timezone string `yaml:"timezone"`
	// Locale is a name as C.UTF-8; `false` leaves it alone.
	Locale Choice `yaml:"locale"`
	// LocaleConfigFile is where the locale is written.
	LocaleConfigFile string `yaml:"locale_configfile"`
	// Keyboard of the console.
	Keyboard Keyboard `yaml:"keyboard"`
	// CACerts are authorities to trust, or not to.
	CACerts CACerts `yaml:"ca_certs"`
	// WireGuard are tunnels.
	WireGuard WireGuard `yaml:"wireguard"`
	// Rsyslog says where log messages are sent.
	Rsyslog Rsyslog `yaml:"rsyslog"`
	// RandomSeed is fed to the kernel's random number generator.
	RandomSeed RandomSeed `yaml:"random_seed"`
	// DisableEC2Metadata takes the routes to the metadata services of all clouds
	// away, from containers too.
	DisableEC2Metadata bool `yaml:"disable_ec2_metadata"`
}

// NTP says whom to ask for the time.
type NTP struct {
	// Enabled defaults to true.
	Enabled *bool `yaml:"enabled"`
	// Pools of servers.
	Pools []string `yaml:"pools"`
	// Servers to ask.
	Servers []string `yaml:"servers"`
	// Peers to agree with.
	Peers []string `yaml:"peers"`
	// Allow are networks that may ask us.
	Allow []string `yaml:"allow"`
	// NTPClient is chrony, systemd-timesyncd, ntp, openntpd, or one that config
	// describes; auto (the default) takes what is there. On our OS it is chrony.
	NTPClient string `yaml:"ntp_client"`
	// Config of a client of one's own.
	Config NTPConfig `yaml:"config"`
}

// An NTPConfig describes an NTP client of one's own.
type NTPConfig struct {
	// ConfPath is its config file.
	ConfPath string `yaml:"confpath"`
	// CheckExe is its program.
	CheckExe string `yaml:"check_exe"`
	// Packages to install. Not supported here.
	Packages []string `yaml:"packages"`
	// ServiceName to restart.
	ServiceName string `yaml:"service_name"`
	// Template of the config file.
	Template string `yaml:"template"`
}

// A Keyboard is the layout of the console's keyboard.
type Keyboard struct {
	// Layout as de or us.
	Layout string `yaml:"layout"`
	// Model defaults to pc105.
	Model string `yaml:"model"`
	// Variant of the layout as nodeadkeys.
	Variant string `yaml:"variant"`
	// Options as compose:rwin.
	Options string `yaml:"options"`
}

// CACerts are authorities to trust.
type CACerts struct {
	// RemoveDefaults distrusts those of the image.
	RemoveDefaults bool `yaml:"remove_defaults"`
	// Trusted are certificates in PEM.
	Trusted []string `yaml:"trusted"`
}

// WireGuard are tunnels.
type WireGuard struct {
	// Interfaces to make.
	Interfaces []WireGuardInterface `yaml:"interfaces"`
	// ReadinessProbe are commands that must succeed when the tunnels are up.
	ReadinessProbe []string `yaml:"readinessprobe"`
}

// A WireGuardInterface is a tunnel.
type WireGuardInterface struct {
	// Name of the link as wg0.
	Name string `yaml:"name"`
	// ConfigPath is where content is written.
	ConfigPath string `yaml:"config_path"`
	// Content is a config of wg-quick, with the private key.
	Content Secret `yaml:"content"`
}

// Rsyslog says where log messages are sent.
type Rsyslog struct {
	// ConfigDir defaults to /etc/rsyslog.d.
	ConfigDir string `yaml:"config_dir"`
	// ConfigFilename defaults to 20-cloud-config.conf.
	ConfigFilename string `yaml:"config_filename"`
	// Configs are pieces of config.
	Configs []RsyslogConfig `yaml:"configs"`
	// Remotes are receivers by name: `10.0.0.1`, `@host:514`, `@@host`.
	Remotes map[string]string `yaml:"remotes"`
	// ServiceReloadCommand is `auto` or a command.
	ServiceReloadCommand StringList `yaml:"service_reload_command"`
	// InstallRsyslog installs a package. Not needed here.
	InstallRsyslog bool `yaml:"install_rsyslog"`
	// CheckExe is the program whose absence means: install.
	CheckExe string `yaml:"check_exe"`
	// Packages to install. Not supported here.
	Packages []string `yaml:"packages"`
}

// A RandomSeed is entropy.
type RandomSeed struct {
	// File to write to. Default /dev/urandom.
	File string `yaml:"file"`
	// Data is the seed, encoded as encoding says.
	Data Secret `yaml:"data"`
	// Encoding is raw, base64, b64, gzip or gz.
	Encoding string `yaml:"encoding"`
	// Command is run to seed, with RANDOM_SEED_FILE set.
	Command []string `yaml:"command"`
	// CommandRequired fails when the command is not there.
	CommandRequired bool `yaml:"command_required"`
}
