package network

import (
	"bytes"
	"testing"
)

// settled checks what holds for every document: what we write, we read without
// errors, and writing it again changes nothing.
func settled(t *testing.T, cfg *Config) {
	t.Helper()
	if cfg == nil {
		return
	}
	first := ToV2(cfg)
	again, _ := FromV1V2(first)
	if second := ToV2(again); len(again.Links) == len(cfg.Links) && !bytes.Equal(first, second) {
		t.Errorf("written again it is another document:\n%s\n---\n%s", first, second)
	}
}

func FuzzFromV1V2(f *testing.F) {
	for _, s := range []string{
		"version: 1\nconfig:\n- type: physical\n  name: a\n  subnets: [{type: static, address: 192.0.2.1/24, gateway: 192.0.2.2}]\n",
		"network: {version: 1, config: disabled}",
		"version: 2\nethernets: {a: {dhcp4: true, match: {name: 'e*'}, set-name: b}}\nvlans: {v: {id: 3, link: a}}\n",
		"version: 2\nbonds: {b: {interfaces: [a], parameters: {mode: 1, arp-ip-targets: [192.0.2.1]}}}\n",
		"version: 2\nethernets: &x {a: {routes: [{to: default, via: '2001:db8::1'}], routing-policy: [{from: 10.0.0.0/8, table: 5}]}}\nbridges: *x\n",
		"a: &a [*a]",
		"<<: {version: 2}",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		cfg, _ := FromV1V2(doc)
		settled(t, cfg)
	})
}

func FuzzFromOpenStack(f *testing.F) {
	f.Add([]byte(`{"links":[{"id":"a","type":"phy","ethernet_mac_address":"02:00:00:00:00:01"},{"id":"v","type":"vlan","vlan_link":"a","vlan_id":3}],"networks":[{"link":"v","type":"ipv4","ip_address":"192.0.2.1","netmask":"24"}]}`))
	f.Add([]byte(`{"links":[{"id":"v","type":"vlan","vlan_link":"v","vlan_id":3}]}`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		cfg, _ := FromOpenStack(doc, map[string]string{"02:00:00:00:00:01": "eth0"})
		settled(t, cfg)
	})
}

func FuzzFromKernel(f *testing.F) {
	f.Add("ip=192.0.2.5::192.0.2.1:255.255.255.0::eth0:off ip6=dhcp", []byte("DEVICE=eth0\nPROTO=dhcp\n"))
	f.Add("network-config=dmVyc2lvbjogMgo=", []byte(""))
	f.Add(`ip=[2001:db8::5]:::64 "`, []byte("DEVICE6='a'\nIPV6ADDR=::1\n"))
	f.Fuzz(func(t *testing.T, line string, file []byte) {
		cfg, _ := FromKernel(Initramfs{Cmdline: line})
		settled(t, cfg)
		cfg, _ = FromKernel(Initramfs{Cmdline: line, Files: map[string][]byte{"net-x.conf": file}})
		settled(t, cfg)
	})
}
