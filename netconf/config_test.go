package netconf

import (
	"strings"
	"testing"

	"rancheros/cloudconfig"
	"rancheros/cloudconfig/network"
)

func configOf(t *testing.T, doc string, cloud *network.Config) Settings {
	t.Helper()
	c, _, err := cloudconfig.Resolve(cloudconfig.Layer{Name: "test", YAML: []byte(doc)})
	if err != nil {
		t.Fatal(err)
	}
	c.CloudNetwork = cloud
	return FromConfig(c)
}

func ids(c *network.Config) string {
	var out []string
	for _, l := range c.Links {
		out = append(out, l.ID)
	}
	return strings.Join(out, " ")
}

func TestAPersonsLinksBeatTheClouds(t *testing.T) {
	cloud := links(network.Link{ID: "cloud0", Kind: network.Physical, DHCP4: true, DNS: network.DNS{Nameservers: []string{"192.0.2.9"}}})
	for _, tt := range []struct{ name, doc, want, dns string }{
		{"Nobody", "hostname: a\n", "cloud0", ""},
		{"OnlyNames", "rancher: {network: {dns: {nameservers: [192.0.2.1]}}}\n", "cloud0", "192.0.2.1"},
		{"Links", "rancher: {network: {interfaces: {eth7: {dhcp: true}}}}\n", "eth7", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := configOf(t, tt.doc, cloud)
			if got := ids(s.Network); got != tt.want {
				t.Errorf("links = %q, want %q", got, tt.want)
			}
			if got := strings.Join(s.Network.DNS.Nameservers, " "); got != tt.dns {
				t.Errorf("name servers = %q, want %q", got, tt.dns)
			}
			if tt.dns != "" && len(s.Network.Links[0].DNS.Nameservers) > 0 {
				t.Errorf("the cloud's servers are used beside the person's: %v", s.Network.Links[0].DNS)
			}
		})
	}
}

func TestRancherKeysArriveAsTheyAreWritten(t *testing.T) {
	s := configOf(t, `
hostname: chosen
rancher:
  defaults: {hostname: fallback, network: {dns: {nameservers: [192.0.2.53]}}}
  network:
    pre_cmds: ["echo $iface", [echo, "it's"]]
    interfaces:
      eth0: {dhcp: true, dhcp_args: "-MA4 --timeout 7", post_up: [true]}
`, nil)
	if got := strings.Join(s.Network.PreCommands, "|"); got != `echo $iface|'echo' 'it'\''s'` {
		t.Errorf("commands = %s", got)
	}
	if s.Hostname != "chosen" || s.DefaultHostname != "fallback" || s.Network.DHCPTimeout != 7 || s.DefaultDNS.Nameservers[0] != "192.0.2.53" {
		t.Errorf("FromConfig() = %+v", s)
	}
}

func TestAConfigForAnotherMachineGivesDHCP(t *testing.T) {
	have := State{Links: []Link{lo(), card("eth0", "52:54:00:00:00:01")}}
	for _, tt := range []struct {
		name string
		cfg  *network.Config
		want string
	}{
		{"Nothing", links(), "eth0"},
		{"Loopback", links(network.Link{ID: "lo", Kind: network.Loopback}), "lo eth0"},
		{"OtherMAC", links(network.Link{ID: "a", Kind: network.Physical, Match: network.Match{MAC: "52:54:00:00:00:99"}}), "a eth0"},
		{"OtherName", links(network.Link{ID: "eth5", Kind: network.Physical}), "eth5"},
		{"OneOfTwo", links(network.Link{ID: "a", Kind: network.Physical, Match: network.Match{MAC: "52:54:00:00:00:99"}}, network.Link{ID: "b", Kind: network.Physical, Match: network.Match{MAC: "52:54:00:00:00:01"}}), "a b"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := newMachine(tt.cfg, Options{})
			if got := ids(m.effective(have)); got != tt.want {
				t.Errorf("effective() = %q, want %q", got, tt.want)
			}
		})
	}
}

func TestAWirelessNetworkIsJoined(t *testing.T) {
	s := configOf(t, `
rancher:
  network:
    interfaces:
      wlan0: {wifi_network: home}
      wlan1: {wifi_network: work}
      wlan2: {wifi_network: nowhere}
    wifi_networks:
      home: {ssid: 'my "net"', psk: very secret}
      work: {ssid: w, address: 192.0.2.5/24, gateway: 192.0.2.1, eap: PEAP, identity: me, password: hidden, phases: ["peaplabel=0", "auth=MSCHAPV2"]}
`, nil)
	if len(s.Problems) != 1 || !strings.Contains(s.Problems[0].Message, "nowhere") {
		t.Errorf("problems = %v", s.Problems)
	}
	if l := s.Network.Links; !l[0].DHCP4 || l[1].DHCP4 || len(l[1].Addresses) != 1 || len(l[1].Routes) != 1 {
		t.Errorf("links = %+v", l)
	}
	conf, err := wpaConf(s.Wifi["home"])
	if err != nil || !strings.Contains(string(conf), "ssid=6d7920226e657422\n") || !strings.Contains(string(conf), `psk="very secret"`) {
		t.Errorf("wpaConf() = %s, %v", conf, err)
	}
	conf, err = wpaConf(s.Wifi["work"])
	if err != nil || !strings.Contains(string(conf), "phase2=\"auth=MSCHAPV2\"\n") {
		t.Errorf("wpaConf() = %s, %v", conf, err)
	}
	bad := s.Wifi["work"]
	bad.Identity = "x\"\nnetwork={"
	if _, err := wpaConf(bad); err == nil {
		t.Error("wpaConf(): no error for a line break")
	}
}

func TestModemsAreNamedAsWhatIsNotDone(t *testing.T) {
	s := configOf(t, "rancher: {network: {modem_networks: {a: {apn: internet}}}}\n", nil)
	if len(s.Problems) != 1 || s.Problems[0].Path != "modem_networks" || s.Problems[0].Severity != network.Warning {
		t.Errorf("problems = %v", s.Problems)
	}
}
