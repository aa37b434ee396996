package cloudconfig

// A Docker is how one of the engines is started. Empty values are not passed.
type Docker struct {
	// Engine is a catalogue name as docker-29.0.0, or a path or URL of a service
	// definition.
	Engine string `yaml:"engine"`
	// Exec makes System Docker process 1. Default true. With false our init
	// stays and restarts it.
	Exec *bool `yaml:"exec"`
	// StorageContext is the service whose file system the engine sees. Default
	// console.
	StorageContext string `yaml:"storage_context"`

	// Bridge is the link that containers are attached to; none for none.
	Bridge string `yaml:"bridge"`
	// BIP is the address of the bridge.
	BIP string `yaml:"bip"`
	// ConfigFile of the daemon.
	ConfigFile string `yaml:"config_file"`
	// Containerd is the socket of a containerd that already runs.
	Containerd string `yaml:"containerd"`
	// Debug logs more.
	Debug *bool `yaml:"debug"`
	// ExecRoot holds the state of running containers.
	ExecRoot string `yaml:"exec_root"`
	// Group may use the socket.
	Group string `yaml:"group"`
	// Graph is the old name of data_root.
	Graph string `yaml:"graph"`
	// DataRoot is where images and containers lie.
	DataRoot string `yaml:"data_root"`
	// Host are sockets to listen on.
	Host StringList `yaml:"host"`
	// InsecureRegistry are registries used without TLS.
	InsecureRegistry StringList `yaml:"insecure_registry"`
	// LiveRestore keeps containers alive while the engine is down.
	LiveRestore *bool `yaml:"live_restore"`
	// LogDriver is the default of containers.
	LogDriver string `yaml:"log_driver"`
	// LogOpts are its options.
	LogOpts map[string]string `yaml:"log_opts"`
	// PidFile of the daemon.
	PidFile string `yaml:"pid_file"`
	// RegistryMirror is asked first.
	RegistryMirror StringList `yaml:"registry_mirror"`
	// Restart was whether the engine restarts containers itself: ignored.
	Restart *bool `yaml:"restart"`
	// SelinuxEnabled turns SELinux on.
	SelinuxEnabled *bool `yaml:"selinux_enabled"`
	// StorageDriver as overlay2.
	StorageDriver string `yaml:"storage_driver"`
	// UserlandProxy forwards ports in a process of its own.
	UserlandProxy *bool `yaml:"userland_proxy"`
	// UsernsEnabled maps users of containers to a range of their own.
	UsernsEnabled *bool `yaml:"userns_enabled"`

	// TLS listens with the certificates below.
	TLS bool `yaml:"tls"`
	// TLSArgs are the arguments used with tls.
	TLSArgs StringList `yaml:"tls_args"`
	// ServerCert is the certificate of the engine in PEM.
	ServerCert string `yaml:"server_cert"`
	// ServerKey is its key.
	ServerKey Secret `yaml:"server_key"`
	// CACert is the certificate of the authority.
	CACert string `yaml:"ca_cert"`
	// CAKey is its key.
	CAKey Secret `yaml:"ca_key"`

	// Args is a leftover of old configs. See extra_args.
	Args StringList `yaml:"args"`
	// ExtraArgs are added to the command line.
	ExtraArgs StringList `yaml:"extra_args"`
	// Environment of the daemon, as NAME=VALUE.
	Environment StringList `yaml:"environment"`
}
