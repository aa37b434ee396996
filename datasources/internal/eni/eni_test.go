package eni

import (
	"strings"
	"testing"

	"rancheros/cloudconfig/network"
	"rancheros/datasources"
)

func TestParse(t *testing.T) {
	h := &datasources.Host{Facts: datasources.Facts{Links: []datasources.HostLink{{Name: "ens3", MAC: "fa:16:3e:00:00:01"}}}}
	tests := []struct{ name, in, want string }{
		{"static", "auto lo\niface lo inet loopback\n\nauto eth0\niface eth0 inet static\n  address 192.0.2.10\n  netmask 255.255.255.0\n  gateway 192.0.2.1\n  dns-nameservers 192.0.2.53 192.0.2.54\n  dns-search example.com\n", `
network:
  ethernets:
    eth0:
      addresses:
        - 192.0.2.10/24
      nameservers:
        addresses:
          - 192.0.2.53
          - 192.0.2.54
        search:
          - example.com
      routes:
        - to: 0.0.0.0/0
          via: 192.0.2.1
  version: 2`},
		{"both families and an alias", "iface eth0 inet dhcp\niface eth0 inet6 static\n address 2001:db8::2\n netmask 64\niface eth0:1 inet static\n address 192.0.2.11/24\n", `
network:
  ethernets:
    eth0:
      addresses:
        - 2001:db8::2/64
        - 192.0.2.11/24
      dhcp4: true
  version: 2`},
		{"found by its address", "iface nic inet dhcp\n hwaddress ether FA:16:3E:00:00:01\n", `
network:
  ethernets:
    nic:
      dhcp4: true
      match:
        macaddress: fa:16:3e:00:00:01
  version: 2`},
		{"routes are read and commands are not run", "iface eth0 inet manual\n up route add -net 198.51.100.0 netmask 255.255.255.0 gw 192.0.2.1\n post-up ip route add 203.0.113.0/24 via 192.0.2.2\n up rm -rf /\n", `
network:
  ethernets:
    eth0:
      routes:
        - to: 198.51.100.0/24
          via: 192.0.2.1
        - to: 203.0.113.0/24
          via: 192.0.2.2
  version: 2`},
		{"lines that go on", "iface eth0 inet static\n address \\\n 192.0.2.10/24\n", `
network:
  ethernets:
    eth0:
      addresses:
        - 192.0.2.10/24
  version: 2`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := Parse(h, tt.in)
			if c == nil {
				t.Fatal(err)
			}
			if got := strings.TrimSpace(string(network.ToV2(c))); got != strings.TrimSpace(tt.want) {
				t.Errorf("Parse() = %v\n%s\nwant\n%s", err, got, tt.want)
			}
		})
	}
}

func TestBondsAndVLANsAreLinksOfTheirOwn(t *testing.T) {
	c, err := Parse(&datasources.Host{}, `
iface eth0 inet manual
  bond-master bond0
iface eth1 inet manual
  bond-master bond0
iface bond0 inet static
  bond-mode 802.3ad
  address 192.0.2.2/24
iface bond0.7 inet static
  address 198.51.100.2/24
`)
	if err != nil {
		t.Fatal(err)
	}
	text := string(network.ToV2(c))
	for _, want := range []string{"bonds:", "vlans:", "mode: 802.3ad", "- eth0", "- eth1", "id: 7", "link: bond0"} {
		if !strings.Contains(text, want) {
			t.Errorf("lacks %s:\n%s", want, text)
		}
	}
}

func TestWhatIsWrongIsNamed(t *testing.T) {
	for _, in := range []string{"iface eth0\n", "iface eth0 inet ppp\n", "iface eth0 inet static\n address nonsense\n", "iface eth0 inet dhcp\n up reboot\n",
		"iface eth0 inet static\n gateway 192.0.2.1\n", "iface eth0 inet static\n address 192.0.2.2\n", "iface eth0 inet dhcp\n hwaddress ether 02:00\n"} {
		if _, err := Parse(&datasources.Host{}, in); err == nil || !strings.Contains(err.Error(), "interfaces file") {
			t.Errorf("Parse(%q) = %v, want an error that names the file", in, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("iface eth0 inet static\n address 192.0.2.10\n up route add default gw 192.0.2.1\n")
	f.Fuzz(func(t *testing.T, s string) { Parse(&datasources.Host{}, s) })
}
