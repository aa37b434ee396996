package cloudconfig

// A Network is how this machine reaches others.
type Network struct {
	// PreCmds are run before anything else.
	PreCmds []Command `yaml:"pre_cmds"`
	// PostCmds are run after everything else.
	PostCmds []Command `yaml:"post_cmds"`
	// DHCPTimeout is how many seconds to wait for a lease. Default 10.
	DHCPTimeout Seconds `yaml:"dhcp_timeout"`
	// DNS says whom to ask for names. It beats what DHCP says.
	DNS DNS `yaml:"dns"`
	// HTTPProxy is given to the console, the engines and login shells.
	HTTPProxy string `yaml:"http_proxy"`
	// HTTPSProxy is the same for https.
	HTTPSProxy string `yaml:"https_proxy"`
	// NoProxy are hosts that are reached directly.
	NoProxy string `yaml:"no_proxy"`
	// Interfaces by name, glob (eth*), or any name with a match in it. With
	// none, all wired links ask DHCP.
	Interfaces map[string]Interface `yaml:"interfaces"`
	// WifiNetworks by the name that wifi_network of an interface uses.
	WifiNetworks map[string]WifiNetwork `yaml:"wifi_networks"`
	// ModemNetworks by name.
	ModemNetworks map[string]ModemNetwork `yaml:"modem_networks"`
}

// A DNS says whom to ask for names.
type DNS struct {
	// Nameservers are addresses.
	Nameservers StringList `yaml:"nameservers"`
	// Search are domains tried for short names.
	Search StringList `yaml:"search"`
}

// An Interface is one link of rancher.network.
type Interface struct {
	// Match finds the device by something else than its name: `mac=52:54:*`.
	Match string `yaml:"match"`
	// DHCP asks for an IPv4 address.
	DHCP *bool `yaml:"dhcp"`
	// DHCPArgs were arguments of dhcpcd. Of these -t and --timeout are read.
	DHCPArgs string `yaml:"dhcp_args"`
	// Address with prefix length.
	Address string `yaml:"address"`
	// Addresses with prefix lengths.
	Addresses StringList `yaml:"addresses"`
	// IPv4LL takes an address of 169.254.0.0/16.
	IPv4LL bool `yaml:"ipv4ll"`
	// Gateway is the IPv4 address of the default router.
	Gateway string `yaml:"gateway"`
	// GatewayIPv6 is its IPv6 address.
	GatewayIPv6 string `yaml:"gateway_ipv6"`
	// MTU of the link.
	MTU int `yaml:"mtu"`
	// Bridge is `true` for a bridge, or the bridge that this link is in.
	Bridge Choice `yaml:"bridge"`
	// Bond is the bond that this link is in.
	Bond string `yaml:"bond"`
	// BondOpts makes this link a bond: `mode: active-backup`.
	BondOpts map[string]string `yaml:"bond_opts"`
	// PreUp are commands run before the link is configured. $iface is its name.
	PreUp []Command `yaml:"pre_up"`
	// PostUp are commands run after it.
	PostUp []Command `yaml:"post_up"`
	// VLANs on this link, as `100,200:name`.
	VLANs string `yaml:"vlans"`
	// WifiNetwork names an entry of wifi_networks.
	WifiNetwork string `yaml:"wifi_network"`
}

// A WifiNetwork is one that wpa_supplicant joins.
type WifiNetwork struct {
	// Address with prefix length; empty asks DHCP.
	Address string `yaml:"address"`
	// Gateway is the address of the default router.
	Gateway string `yaml:"gateway"`
	// ScanSSID is 1 for a hidden network.
	ScanSSID int `yaml:"scan_ssid"`
	// SSID is the name of the network.
	SSID string `yaml:"ssid"`
	// PSK is the password or the 64 hex digits of the key.
	PSK Secret `yaml:"psk"`
	// Priority: the highest is joined first.
	Priority int `yaml:"priority"`
	// Pairwise ciphers.
	Pairwise string `yaml:"pairwise"`
	// Group ciphers.
	Group string `yaml:"group"`
	// EAP methods.
	EAP string `yaml:"eap"`
	// Identity to log in as.
	Identity string `yaml:"identity"`
	// AnonymousIdentity is sent in the clear.
	AnonymousIdentity string `yaml:"anonymous_identity"`
	// CACerts are paths of certificates.
	CACerts []string `yaml:"ca_certs"`
	// ClientCerts are paths of certificates.
	ClientCerts []string `yaml:"client_certs"`
	// PrivateKeys are paths of keys.
	PrivateKeys []string `yaml:"private_keys"`
	// PrivateKeyPasswds are their passwords.
	PrivateKeyPasswds []Secret `yaml:"private_key_passwds"`
	// Phases are phase 1 and 2 parameters.
	Phases []string `yaml:"phases"`
	// EAPOLFlags of dynamic WEP keys.
	EAPOLFlags string `yaml:"eapol_flags"`
	// KeyMgmt as WPA-PSK or WPA-EAP.
	KeyMgmt string `yaml:"key_mgmt"`
	// Password of the identity.
	Password Secret `yaml:"password"`
}

// A ModemNetwork is one that a modem dials.
type ModemNetwork struct {
	// APN of the provider.
	APN string `yaml:"apn"`
	// ExtraArgs of the dialler.
	ExtraArgs string `yaml:"extra_args"`
}
