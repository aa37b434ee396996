// Package cloudconfig is what this machine was told: the types of every config
// key, the layers they come from and how those merge, where each value was
// written, and what is wrong with it.
package cloudconfig

import (
	"go.yaml.in/yaml/v4"

	"rancheros/cloudconfig/network"
)

// A Config is the merged result of all layers. A zero field means that no layer
// set it, so the default of its applier holds. The keys beside Rancher have
// the meaning that cloud-init gives them:
// https://docs.cloud-init.io/en/latest/reference/modules.html
type Config struct {
	Identity `yaml:",inline"`
	Access   `yaml:",inline"`
	Disks    `yaml:",inline"`
	System   `yaml:",inline"`
	Actions  `yaml:",inline"`
	Handling `yaml:",inline"`

	// Rancher holds the keys that only this operating system has.
	Rancher Rancher `yaml:"rancher"`

	// CloudNetwork is the network that the cloud described, where no layer that
	// a person wrote describes links in rancher.network. Nil: it described none,
	// or a person did. Only Load sets it.
	CloudNetwork *network.Config `yaml:"-"`
}

// Identity is the name of the machine.
type Identity struct {
	// Hostname is the name of this machine, with or without a domain. Default:
	// what the cloud says, else rancher.defaults.hostname.
	Hostname string `yaml:"hostname"`
	// FQDN is the full name of this machine, written to /etc/hosts.
	FQDN string `yaml:"fqdn"`
	// PreferFQDN makes fqdn the host name even where hostname is set.
	PreferFQDN bool `yaml:"prefer_fqdn_over_hostname"`
	// PreserveHostname leaves the host name as it is.
	PreserveHostname bool `yaml:"preserve_hostname"`
	// CreateHostnameFile says whether /etc/hostname is written. Default true.
	CreateHostnameFile *bool `yaml:"create_hostname_file"`
	// ManageEtcHosts is `true` or `template` to write /etc/hosts whole,
	// `localhost` to keep only the line of 127.0.1.1 right, `false` for neither.
	ManageEtcHosts Choice `yaml:"manage_etc_hosts"`
	// ManageResolvConf says whether resolv_conf is written to /etc/resolv.conf.
	ManageResolvConf bool `yaml:"manage_resolv_conf"`
	// ResolvConf is the content of /etc/resolv.conf.
	ResolvConf ResolvConf `yaml:"resolv_conf"`
}

// A ResolvConf is the content of /etc/resolv.conf.
type ResolvConf struct {
	// Nameservers are addresses of DNS servers.
	Nameservers []string `yaml:"nameservers"`
	// SearchDomains are tried for names without a dot.
	SearchDomains []string `yaml:"searchdomains"`
	// Domain is the local domain.
	Domain string `yaml:"domain"`
	// SortList orders the addresses of an answer.
	SortList []string `yaml:"sortlist"`
	// Options of the resolver: `rotate: true`, `timeout: 1`.
	Options map[string]string `yaml:"options"`
}

// Actions are the things that are run.
type Actions struct {
	// BootCmd are commands run early at every boot.
	BootCmd []Command `yaml:"bootcmd"`
	// RunCmd are commands run once per instance, when the machine is up. See
	// rancher.cloud_init.frequency.
	RunCmd []Command `yaml:"runcmd"`
	// PowerState stops or restarts the machine when all else is done.
	PowerState PowerState `yaml:"power_state"`
	// PhoneHome tells a web server that this machine is ready.
	PhoneHome PhoneHome `yaml:"phone_home"`
	// FinalMessage is printed when all is done. $uptime, $timestamp, $version
	// and $datasource are replaced.
	FinalMessage string `yaml:"final_message"`
}

// A PowerState is how and when to go down.
type PowerState struct {
	// Mode is poweroff, reboot or halt.
	Mode string `yaml:"mode"`
	// Delay is `now` or how many minutes to wait.
	Delay string `yaml:"delay"`
	// Message is written to all who are logged in.
	Message string `yaml:"message"`
	// Timeout is how many seconds to wait for cloud-init to end. Default 30.
	Timeout Seconds `yaml:"timeout"`
	// Condition is a bool, or a command: only if it succeeds.
	Condition Condition `yaml:"condition"`
}

// A PhoneHome is a POST request made once per instance.
type PhoneHome struct {
	// URL to send to. $INSTANCE_ID is replaced.
	URL string `yaml:"url"`
	// Post is `all` or a list of pub_key_rsa, pub_key_ecdsa, pub_key_ed25519,
	// instance_id, hostname, fqdn.
	Post StringList `yaml:"post"`
	// Tries is how often to try. Default 10.
	Tries int `yaml:"tries"`
}

// Handling is how the config itself is treated.
type Handling struct {
	// MergeHow says how this document is merged with the parts before it.
	MergeHow yaml.Node `yaml:"merge_how"`
	// MergeType is another name of merge_how.
	MergeType yaml.Node `yaml:"merge_type"`
	// LaunchIndex makes a part count only for the machine of that number.
	LaunchIndex *int `yaml:"launch-index"`
	// VendorData says whether what the cloud's owner gave is run.
	VendorData VendorData `yaml:"vendor_data"`
	// VendorData2 is the same for the second vendor data.
	VendorData2 VendorData `yaml:"vendor_data2"`
	// Updates says when the network config is asked for again.
	Updates Updates `yaml:"updates"`
	// Output says where what programs print goes, stage by stage.
	Output Output `yaml:"output"`
	// Reporting says to whom progress is told, by a name of your own. The one
	// called logging is there by itself: it writes /var/log/cloud-init.log.
	Reporting map[string]Reporter `yaml:"reporting"`
}

// A VendorData is what may be done with vendor data.
type VendorData struct {
	// Enabled: false ignores vendor data. Default true.
	Enabled *bool `yaml:"enabled"`
	// Prefix is a command that vendor scripts are run by.
	Prefix StringList `yaml:"prefix"`
	// DisabledHandlers names kinds of parts that are left out.
	DisabledHandlers []string `yaml:"disabled_handlers"`
}

// Updates says on which events a scope is applied again.
type Updates struct {
	// Network is the scope of the network config.
	Network struct {
		// When lists boot-new-instance, boot, boot-legacy, hotplug.
		When []string `yaml:"when"`
	} `yaml:"network"`
}

// A Reporter is one receiver of progress events.
type Reporter struct {
	// Type is log, print (on the console), webhook, hyperv, or none.
	Type string `yaml:"type"`
	// Level of log events, as `INFO`.
	Level string `yaml:"level"`
	// Endpoint is the URL of a webhook.
	Endpoint string `yaml:"endpoint"`
	// ConsumerKey, TokenKey and the two secrets are OAuth 1 credentials.
	ConsumerKey    string `yaml:"consumer_key"`
	ConsumerSecret Secret `yaml:"consumer_secret"`
	TokenKey       Secret `yaml:"token_key"`
	TokenSecret    Secret `yaml:"token_secret"`
	// Timeout of one request in seconds. Default 10.
	Timeout float64 `yaml:"timeout"`
	// Retries is how often a request is tried again.
	Retries int `yaml:"retries"`
	// KVPFilePath is the file of Hyper-V's key-value pairs.
	KVPFilePath string `yaml:"kvp_file_path"`
	// EventTypes are the events that are told by it.
	EventTypes []string `yaml:"event_types"`
}
