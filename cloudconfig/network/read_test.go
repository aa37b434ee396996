package network

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// body is version 2 without its first lines.
func body(c *Config) string {
	s := string(ToV2(c))
	s = strings.TrimPrefix(s, "network:\n")
	// Some MAC addresses look like numbers to YAML and are quoted.
	s = strings.ReplaceAll(s, `"`, "")
	return strings.TrimSpace(strings.ReplaceAll("\n"+s, "\n  ", "\n"))
}

func TestVersion1MeansTheSameInVersion2(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"DHCPAndStatic", `
version: 1
config:
- type: physical
  name: lan0
  mac_address: 02:00:00:00:00:0A
  mtu: 1400
  subnets:
  - type: dhcp4
    metric: 50
  - type: static
    address: 198.51.100.7
    netmask: 255.255.255.128
    gateway: 198.51.100.1
    dns_nameservers: 198.51.100.53
    dns_search: [a.example, b.example]
    routes:
    - {network: 203.0.113.0, netmask: 255.255.255.0, gateway: 198.51.100.2, metric: 3}
`, `
ethernets:
  lan0:
    addresses:
      - 198.51.100.7/25
    dhcp4: true
    dhcp4-overrides:
      route-metric: 50
    match:
      macaddress: 02:00:00:00:00:0a
    mtu: 1400
    nameservers:
      addresses:
        - 198.51.100.53
      search:
        - a.example
        - b.example
    routes:
      - to: 0.0.0.0/0
        via: 198.51.100.1
      - metric: 3
        to: 203.0.113.0/24
        via: 198.51.100.2
    set-name: lan0
version: 2`},
		{"BondBridgeAndVLANInEverySpelling", `
network:
  version: 1
  config:
  - {type: physical, name: a0}
  - {type: physical, name: a1}
  - type: bond
    name: bond9
    mac_address: 02:00:00:00:00:0b
    bond_interfaces: [a0, a1]
    params: {bond-mode: active-backup, bond_miimon: 80, fail_over_mac: active, bond-xmit-hash-policy: layer2, primary: a0}
  - type: vlan
    name: bond9.30
    vlan_link: bond9
    vlan_id: 30
    subnets: [{type: static6, address: 2001:db8::7}]
  - type: bridge
    name: sw0
    bridge_interfaces: [bond9.30]
    params: {bridge_stp: 'off', bridge_fd: 2, bridge_pathcost: ["bond9.30 44"], bridge_ports: ignored}
`, `
bonds:
  bond9:
    interfaces:
      - a0
      - a1
    macaddress: 02:00:00:00:00:0b
    parameters:
      fail-over-mac-policy: active
      mii-monitor-interval: 80
      mode: active-backup
      primary: a0
      transmit-hash-policy: layer2
bridges:
  sw0:
    interfaces:
      - bond9.30
    parameters:
      forward-delay: 2
      path-cost:
        bond9.30: 44
      stp: false
ethernets:
  a0: {}
  a1: {}
version: 2
vlans:
  bond9.30:
    addresses:
      - 2001:db8::7/64
    id: 30
    link: bond9`},
		{"NameServersForOneLinkAndForAll", `
version: 1
config:
- {type: nameserver, interface: b0, address: 192.0.2.53}
- {type: nameserver, address: ["2001:DB8::53"], search: all.example}
- {type: physical, name: b0}
`, `
ethernets:
  b0:
    nameservers:
      addresses:
        - 192.0.2.53
        - 2001:db8::53
      search:
        - all.example
version: 2`},
		{"AGatewayOutsideIsOnLink", `
version: 1
config:
- type: physical
  name: c0
  subnets:
  - {type: static, address: 192.0.2.8/32, gateway: 172.31.1.1}
  - {type: static6, address: '2001:db8::8/64', gateway: 'fe80::1'}
`, `
ethernets:
  c0:
    addresses:
      - 192.0.2.8/32
      - 2001:db8::8/64
    routes:
      - on-link: true
        to: 0.0.0.0/0
        via: 172.31.1.1
      - on-link: true
        to: ::/0
        via: fe80::1
version: 2`},
		{"WhatIsLeftOutIsAsCloudInitHasIt", `
version: 1
config:
- type: physical
  name: f0
  config_id: one
  mtu: 9000
  subnets:
  - {type: static, address: 192.0.2.8, metric: 7, mtu: 1400, gateway: 192.0.2.1, routes: [{destination: 198.51.100.0, gateway: 192.0.2.2}]}
  - {type: static, address: 203.0.113.8, prefix: 28, routes: [{destination: 0.0.0.0, gateway: 203.0.113.2, metric: 3}]}
  - {type: static6, address: '2001:db8::8', mtu: 1300}
`, `
ethernets:
  f0:
    addresses:
      - 192.0.2.8/24
      - 203.0.113.8/28
      - 2001:db8::8/64
    mtu: 1400
    routes:
      - metric: 7
        to: 0.0.0.0/0
        via: 192.0.2.1
      - metric: 7
        to: 198.51.100.0/24
        via: 192.0.2.2
      - metric: 3
        to: 0.0.0.0/0
        via: 203.0.113.2
version: 2`},
		{"TheLoopbackHasMoreAddresses", `
version: 1
config:
- {type: physical, name: g0, subnets: [{type: dhcp}]}
- {type: loopback, name: lo, subnets: [{type: loopback}, {type: static, address: 192.0.2.7/32}]}
- {type: nameserver, address: 192.0.2.53}
`, `
ethernets:
  g0:
    dhcp4: true
    nameservers:
      addresses:
        - 192.0.2.53
  lo:
    addresses:
      - 192.0.2.7/32
version: 2`},
		{"TheLoopbackAsItAlwaysIs", `
version: 1
config:
- {type: physical, name: g0, subnets: [{type: dhcp}]}
- {type: loopback, name: lo, subnets: [{type: loopback}]}
`, `
ethernets:
  g0:
    dhcp4: true
version: 2`},
		{"JSONWithTabs", "{\n\t\"version\": 1,\n\t\"config\": [{\"type\": \"physical\", \"name\": \"d0\", \"subnets\": [{\"type\": \"ipv6_dhcpv6-stateful\"}]}]\n}", `
ethernets:
  d0:
    accept-ra: true
    dhcp6: true
version: 2`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg, problems := FromV1V2([]byte(tt.in))
			if len(problems) > 0 {
				t.Errorf("problems = %v", problems)
			}
			if diff := cmp.Diff(strings.TrimSpace(tt.want), body(cfg)); diff != "" {
				t.Errorf("ToV2(FromV1V2()) (-want +got):\n%s", diff)
			}
		})
	}
}

func TestVersion2ComesBackAsItWas(t *testing.T) {
	in := `network:
  bridges:
    br7:
      activation-mode: manual
      interfaces:
        - e7
      parameters:
        ageing-time: 15
        port-priority:
          e7: 5
        stp: true
  ethernets:
    e7:
      accept-ra: false
      dhcp4: true
      dhcp4-overrides:
        hostname: other
        route-metric: 7
        use-dns: false
        use-domains: route
      link-local:
        - ipv4
        - ipv6
      match:
        driver:
          - e1000*
          - igb
        name: en*
      optional: true
      wakeonlan: true
    e8:
      addresses:
        - 192.0.2.9/24
      match:
        macaddress: 02:00:00:00:00:0c
      nameservers:
        addresses:
          - 192.0.2.53
      routes:
        - from: 192.0.2.9
          metric: 5
          mtu: 1300
          on-link: true
          table: 77
          to: 198.51.100.0/24
          type: blackhole
          via: 192.0.2.1
      routing-policy:
        - from: 192.0.2.0/24
          mark: 4
          priority: 99
          table: 77
      set-name: wan0
  version: 2
`
	cfg, problems := FromV1V2([]byte(in))
	if len(problems) > 0 {
		t.Errorf("problems = %v", problems)
	}
	if diff := cmp.Diff(in, string(ToV2(cfg))); diff != "" {
		t.Errorf("ToV2() (-want +got):\n%s", diff)
	}
}

func TestLinkLocalAddressesAreThoseOfTheList(t *testing.T) {
	yes, no := true, false
	for _, tt := range []struct {
		list, written, warning string
		four                   bool
		six                    *bool
	}{
		{"null", "", "", false, nil},
		{"[]", " []", "", false, &no},
		{"[ipv4]", "\n      - ipv4", "", true, &no},
		{"[ipv6]", "\n      - ipv6", "", false, &yes},
		{"[ipv4, ipv6]", "\n      - ipv4\n      - ipv6", "", true, &yes},
		{"[], dhcp6: true", " []", "3:19: warning: ethernets.a.link-local: dhcp6 asks from an address of fe80::/10: add ipv6 here, or it gets no answer", false, &no},
		{"[ipv5]", "", `3:20: ethernets.a.link-local[0]: "ipv5" is not known here; did you mean ipv4?`, false, nil},
	} {
		cfg, problems := FromV1V2([]byte("version: 2\nethernets:\n  a: {link-local: " + tt.list + "}\n"))
		said := ""
		for _, p := range problems {
			said += p.String()
		}
		if said != tt.warning {
			t.Errorf("link-local: %s: problems = %s, want %s", tt.list, said, tt.warning)
		}
		if diff := cmp.Diff(Link{ID: "a", Kind: Physical, IPv4LL: tt.four, IPv6LL: tt.six, DHCP6: cfg.Links[0].DHCP6}, cfg.Links[0]); diff != "" {
			t.Errorf("link-local: %s (-want +got):\n%s", tt.list, diff)
		}
		if got := strings.TrimSuffix(body(cfg), "\nversion: 2"); tt.written != "" && !strings.HasSuffix(got, "link-local:"+tt.written) || tt.written == "" && strings.Contains(got, "link-local") {
			t.Errorf("link-local: %s is written as\n%s", tt.list, got)
		}
	}
}

func TestWhatOthersWriteInVersion2IsUnderstood(t *testing.T) {
	cfg, problems := FromV1V2([]byte(`
version: 2
ethernets:
  a: {set-name: wan0, addresses: [192.0.2.5, 198.51.100.5/24], gateway4: 198.51.100.1, dhcp4domain: route, dhcp6domain: "no"}
bonds:
  b: {interfaces: [a], parameters: {gratuitious-arp: 3, all-members-active: true, packets-per-member: 2}}
bridges:
  c: {parameters: {aging-time: 9}}# glued
`))
	if HasErrors(problems) || len(cfg.Links) != 3 {
		t.Fatalf("FromV1V2() = %+v, %v", cfg, problems)
	}
	a := cfg.Links[0]
	if a.Name != "wan0" || a.Addresses[0].Bits() != 24 || !a.Routes[0].OnLink || a.DHCP4Overrides.UseDomains != "route" || a.DHCP6Overrides.UseDomains != "false" {
		t.Errorf("a = %+v", a)
	}
	want := map[string]string{"gratuitous-arp": "3", "all-slaves-active": "true", "packets-per-slave": "2"}
	if diff := cmp.Diff(want, cfg.Links[1].Parameters); diff != "" {
		t.Errorf("parameters of a bond (-want +got):\n%s", diff)
	}
	if got := cfg.Links[2].Parameters["ageing-time"]; got != "9" {
		t.Errorf("ageing-time = %q, want 9", got)
	}
}

func TestTheLoopbackOfVersion2IsOne(t *testing.T) {
	for _, entry := range []string{"lo: {", "any: {match: {name: lo}, "} {
		cfg, problems := FromV1V2([]byte("version: 2\nethernets:\n  " + entry + "addresses: [192.0.2.7/32]}\n"))
		if len(problems) != 0 || len(cfg.Links) != 1 || cfg.Links[0].Kind != Loopback || len(cfg.Links[0].Addresses) != 1 {
			t.Errorf("%s: %+v, %v; want a loopback", entry, cfg.Links, problems)
		}
	}
}

func TestADeviceThatIsFoundByItsKeyIsRenamed(t *testing.T) {
	cfg, _ := FromV1V2([]byte("version: 2\nethernets:\n  eth0: {set-name: wan0}\n"))
	if got, want := body(cfg), "ethernets:\n  eth0:\n    match:\n      name: eth0\n    set-name: wan0\nversion: 2"; got != want {
		t.Errorf("ToV2() = %s, want %s", got, want)
	}
}

func TestAnAddressDoesWithoutItsZone(t *testing.T) {
	cfg, problems := FromV1V2([]byte("version: 2\nethernets:\n  a: {addresses: ['2001:db8::7/64'], routes: [{to: '2001:db8:1::/48', via: 'fe80::1%a'}]}\n"))
	if len(problems) != 0 || cfg.Links[0].Routes[0].Via.Zone() != "" {
		t.Errorf("FromV1V2() = %+v, %v", cfg.Links, problems)
	}
}

func TestMistakesAreNamedWithTheirPlace(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"Empty", "", "the document is empty"},
		{"NotYAML", "a: [", "not YAML: line 2, column 1: did not find expected node content"},
		{"NoVersion", "ethernets: {}", "1:1: the key version is missing: 1 and 2 are known"},
		{"WrongVersion", "version: 3", "1:10: version: version 3 is not known: 1 and 2 are"},
		{"NoConfig", "version: 1", "config: the key config is missing"},
		{"Typo", "version: 1\nconfig:\n- type: physical\n  name: a\n  subnts: []", "5:3: config[0].subnts: unknown key; did you mean subnets?"},
		{"WrongType", "version: 1\nconfig:\n- type: phisical\n  name: a", `3:9: config[0].type: "phisical" is no type; did you mean physical?`},
		{"NoName", "version: 1\nconfig:\n- type: physical", "3:3: config[0]: the key name is missing"},
		{"ServersForNobody", "version: 1\nconfig:\n- {type: nameserver, interface: x, address: 192.0.2.1}", `3:33: config[0].interface: there is no interface "x"`},
		{"BadAddress", "version: 2\nethernets:\n  a:\n    addresses: [10.0.0.300/24]", `4:17: ethernets.a.addresses[0]: "10.0.0.300/24" is no IP address`},
		{"BadLength", "version: 2\nethernets:\n  a:\n    addresses: [10.0.0.3/33]", `4:17: ethernets.a.addresses[0]: /33 is no prefix length of 10.0.0.3`},
		{"BadBool", "version: 2\nethernets:\n  a:\n    dhcp4: maybe", `4:12: ethernets.a.dhcp4: should be true or false, not "maybe"`},
		{"DefaultToNowhere", "version: 1\nconfig:\n- {type: route, destination: default}", "3:30: config[0].destination: a default route needs a gateway"},
		{"NullConfig", "version: 1\nconfig:", "2:8: config: the key config is missing"},
		{"DomainsTwice", "version: 2\nethernets:\n  a: {dhcp4-overrides: {use-domains: true}, dhcp4domain: route}", "3:58: ethernets.a.dhcp4domain: there is use-domains as well; one of them has to go"},
		{"Twice", "version: 2\nethernets:\n  a: {}\nbonds:\n  a: {interfaces: [b]}", `5:3: bonds.a: the link "a" is there twice, as a physical as well`},
		{"EmptyName", "version: 1\nconfig:\n- {type: physical, name: ''}", "3:3: config[0]: the key name is missing"},
		{"ConfigOfNothing", "version: 1\nconfig:", "2:8: config: the key config is missing"},
		{"Renderer", "version: 2\nrenderer: network-manager", `2:11: renderer: "network-manager" is not known here; did you mean NetworkManager?`},
		{"BondMode", "version: 2\nbonds:\n  a: {parameters: {mode: active-back}}", `3:26: bonds.a.parameters.mode: "active-back" is not known here; did you mean active-backup?`},
		{"VLANWithoutNumber", "version: 2\nvlans:\n  a: {link: b}\nethernets:\n  b: {}", "3:6: vlans.a: the key id is missing"},
		{"GatewayOfTheOtherFamily", "version: 2\nethernets:\n  a: {gateway4: '2001:db8::1'}", "3:17: ethernets.a.gateway4: 2001:db8::1 is of the other address family"},
		{"BadMask", "version: 1\nconfig:\n- type: physical\n  name: a\n  subnets:\n  - {type: static, address: 10.0.0.1, netmask: 255.0.255.0}", `6:29: config[0].subnets[0].address: "255.0.255.0" is no network mask: its ones are not in front`},
		{"BondParameter", "version: 2\nbonds:\n  a:\n    interfaces: [b]\n    parameters: {lacp-rat: fast}", "5:18: bonds.a.parameters.lacp-rat: unknown parameter of a bond; did you mean lacp-rate?"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, problems := FromV1V2([]byte(tt.in))
			if len(problems) != 1 || problems[0].String() != tt.want || !HasErrors(problems) {
				t.Errorf("problems = %v, want %s", problems, tt.want)
			}
		})
	}
}

func TestOfAKeyThatIsThereTwiceTheLastCounts(t *testing.T) {
	for _, doc := range []string{
		"version: 2\nethernets:\n  a: {mtu: 1400, dhcp4: true, mtu: 9000}\n",
		"version: 1\nconfig:\n- {type: physical, name: a, mtu: 1400, subnets: [{type: dhcp}], mtu: 9000}\n",
	} {
		cfg, problems := FromV1V2([]byte(doc))
		if len(problems) != 1 || HasErrors(problems) || len(cfg.Links) != 1 || cfg.Links[0].MTU != 9000 || !cfg.Links[0].DHCP4 {
			t.Errorf("%s: %+v, %v; want a warning and an MTU of 9000", doc, cfg.Links, problems)
		}
	}
}

func TestUnknownSectionsAreOnlyWarnings(t *testing.T) {
	cfg, problems := FromV1V2([]byte("version: 2\nrenderer: networkd\nwifis: {w: {}}\nethernet: {t: {}}\nethernets: {a: {dhcp4: true}}\n"))
	if len(problems) != 2 || HasErrors(problems) || len(cfg.Links) != 1 || problems[1].Suggestion != "ethernets" {
		t.Errorf("FromV1V2() = %+v, %v; want two warnings", cfg.Links, problems)
	}
}

func TestWhatIsGoodOfABadDocumentIsKept(t *testing.T) {
	cfg, problems := FromV1V2([]byte("version: 2\nethernets:\n  a:\n    dhcp4: true\n    addresses: [nonsense, 192.0.2.1/24]\n  b: 7\n"))
	if len(problems) != 2 || len(cfg.Links) != 1 || !cfg.Links[0].DHCP4 || len(cfg.Links[0].Addresses) != 1 {
		t.Errorf("FromV1V2() = %+v, %v", cfg.Links, problems)
	}
}

func TestListsAreReadInBounds(t *testing.T) {
	var addresses, words strings.Builder
	for i := range 2 * maxItems {
		fmt.Fprintf(&addresses, "2001:db8::%x/128, ", i)
		fmt.Fprintf(&words, "w%d ", i)
	}
	cfg, problems := FromV1V2([]byte("version: 2\nethernets:\n  a:\n    addresses: [" + addresses.String() + "]\n    nameservers: {search: '" + words.String() + "'}\n"))
	if len(problems) != 2 || !HasErrors(problems) || len(cfg.Links[0].Addresses) != maxItems || len(cfg.Links[0].DNS.Search) != maxItems {
		t.Errorf("%d addresses and %d domains with %v, want %d of each and two problems", len(cfg.Links[0].Addresses), len(cfg.Links[0].DNS.Search), problems, maxItems)
	}
}

func TestAliasesThatMultiplyAreRefused(t *testing.T) {
	var b strings.Builder
	b.WriteString("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n")
	for i := 1; i < 20; i++ {
		p, n := string(rune('a'+i-1)), string(rune('a'+i))
		b.WriteString(n + "0: &" + n + "0 [*" + p + "0,*" + p + "0,*" + p + "0,*" + p + "0,*" + p + "0,*" + p + "0]\n")
	}
	_, problems := FromV1V2([]byte(b.String()))
	if len(problems) != 1 || !strings.Contains(problems[0].Message, "repeats itself") {
		t.Errorf("problems = %v", problems)
	}
}
