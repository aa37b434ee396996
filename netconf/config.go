package netconf

import (
	"strconv"
	"strings"

	"rancheros/cloudconfig"
	"rancheros/cloudconfig/network"
)

// Settings are what the network service needs of the machine's config.
type Settings struct {
	Network *network.Config
	// Hostname that the config sets; empty lets DHCP name the machine.
	Hostname string
	// DefaultHostname holds when nobody says another.
	DefaultHostname string
	// DefaultDNS holds when neither config nor leases name a server.
	DefaultDNS network.DNS
	// KeepHostname: the name is none of our business.
	KeepHostname bool
	// Wifi are the wireless networks that links may join, by name.
	Wifi     map[string]cloudconfig.WifiNetwork
	Problems []network.Problem
}

// Load reads the machine's merged config below root. Settings are good to use
// even if there is an error.
func Load(root string) (Settings, error) {
	c, _, err := cloudconfig.Load(root)
	return FromConfig(c), err
}

// FromConfig takes the network out of a config: rancher.network where a person
// described links there, else what the cloud described.
func FromConfig(c *cloudconfig.Config) Settings {
	n := c.Rancher.Network
	cfg, problems := network.FromRancher(rancherOf(n))
	problems = append(problems, joinWifi(cfg, n.WifiNetworks)...)
	if len(n.ModemNetworks) > 0 {
		problems = append(problems, network.Problem{
			Path: "modem_networks", Severity: network.Warning, Message: "nothing here dials by modem: run a service that does",
		})
	}
	if len(n.Interfaces) == 0 && c.CloudNetwork != nil {
		cloud := *c.CloudNetwork
		cloud.PreCommands = append(cfg.PreCommands, cloud.PreCommands...)
		cloud.PostCommands = append(cloud.PostCommands, cfg.PostCommands...)
		if len(cfg.DNS.Nameservers) > 0 || len(cfg.DNS.Search) > 0 {
			cloud.DNS = cfg.DNS
			// A person's servers replace those of the links.
			cloud.Links = append([]network.Link(nil), cloud.Links...)
			for i := range cloud.Links {
				cloud.Links[i].DNS = network.DNS{}
			}
		}
		if cfg.DHCPTimeout > 0 {
			cloud.DHCPTimeout = cfg.DHCPTimeout
		}
		cfg = &cloud
	}
	d := c.Rancher.Defaults
	return Settings{
		Network: cfg, Hostname: c.Hostname, DefaultHostname: d.Hostname, KeepHostname: c.PreserveHostname,
		DefaultDNS: network.DNS{Nameservers: d.Network.DNS.Nameservers, Search: d.Network.DNS.Search},
		Wifi:       n.WifiNetworks,
		Problems:   problems,
	}
}

func rancherOf(n cloudconfig.Network) network.Rancher {
	out := network.Rancher{
		PreCommands: commands(n.PreCmds), PostCommands: commands(n.PostCmds), DHCPTimeout: int(n.DHCPTimeout),
		DNS:        network.DNS{Nameservers: n.DNS.Nameservers, Search: n.DNS.Search},
		Interfaces: map[string]network.RancherInterface{},
	}
	for name, i := range n.Interfaces {
		if out.DHCPTimeout == 0 {
			out.DHCPTimeout = dhcpcdTimeout(i.DHCPArgs)
		}
		out.Interfaces[name] = network.RancherInterface{
			Match: i.Match, DHCP: i.DHCP, Address: i.Address, Addresses: i.Addresses, IPv4LL: i.IPv4LL,
			Gateway: i.Gateway, GatewayIPv6: i.GatewayIPv6, MTU: i.MTU, Bridge: string(i.Bridge), Bond: i.Bond,
			BondOpts: i.BondOpts, PreUp: commands(i.PreUp), PostUp: commands(i.PostUp), VLANs: i.VLANs,
			WifiNetwork: i.WifiNetwork,
		}
	}
	return out
}

// dhcpcdTimeout finds -t N or --timeout N among the arguments of dhcpcd, which
// RancherOS ran. The others have no meaning here.
func dhcpcdTimeout(args string) int {
	words := strings.FieldsFunc(args, func(r rune) bool { return r == ' ' || r == '=' })
	for i := 0; i+1 < len(words); i++ {
		if words[i] == "-t" || words[i] == "--timeout" {
			n, err := strconv.Atoi(words[i+1])
			if err == nil && n > 0 {
				return n
			}
		}
	}
	return 0
}

// commands as shell lines.
func commands(list []cloudconfig.Command) []string {
	var out []string
	for _, c := range list {
		line := c.Shell
		if len(c.Args) > 0 {
			quoted := make([]string, len(c.Args))
			for i, a := range c.Args {
				quoted[i] = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
			}
			line = strings.Join(quoted, " ")
		}
		if line != "" {
			out = append(out, line)
		}
	}
	return out
}
