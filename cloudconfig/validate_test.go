package cloudconfig

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rancheros/cloudconfig/shape"
)

func TestProblemsSayWhereAndWhatInstead(t *testing.T) {
	tests := []struct{ name, doc, want string }{
		{"the place is said once", "output: {all: [a, b, c]}\n", "\nf:1:15: output.all: want a list of two: where output goes and where errors go"},
		{"all of them at once", "hostnam: x\nrancher:\n  upgrade: {policy: downlod}\n  debug: 7\n", `
f:1:1: hostnam: no such key; did you mean hostname?
f:3:21: rancher.upgrade.policy: want auto, download, none, not "downlod"; did you mean download?
f:4:10: rancher.debug: want true or false, not the number "7"`},
		{"addresses", "rancher: {network: {interfaces: {eth0: {address: 10.0.0.5, gateway: 10.0.0.1/24}}, dns: {nameservers: [x]}}}\n", `
f:1:50: rancher.network.interfaces.eth0.address: "10.0.0.5" has no prefix length; did you mean 10.0.0.5/24?
f:1:69: rancher.network.interfaces.eth0.gateway: want an address without a prefix length, not "10.0.0.1/24"; did you mean 10.0.0.1?
f:1:104: rancher.network.dns.nameservers[0]: want an address, not "x"`},
		{"places", "rancher:\n  directories: [{path: srv}, {permissions: 0750}]\n  links: [{path: /l, target: x}, {path: /m, hard: 3}]\n", `
f:2:24: rancher.directories[0].path: want a path that begins with a slash, not "srv"
f:2:30: rancher.directories[1]: path is missing
f:3:34: rancher.links[1]: target is missing
f:3:51: rancher.links[1].hard: want true or false, not the number "3"`},
		{"a mode is quoted", "write_files:\n- path: /a\n  permissions: 0644\n", `
f:3:16: write_files[0].permissions: want a string, not the number 0644; did you mean '0644'?`},
		{"a bool is not", "ntp: {enabled: 'yes'}\n", `
f:1:16: ntp.enabled: want true or false, not the string "yes"; did you mean true?`},
		{"old names", "users: [{name: a, lock-passwd: true}]\nca-certs: {remove-defaults: true}\n", `
f:1:19: warning: users[0].lock-passwd: deprecated since cloud-init 22.3: use lock_passwd
f:2:1: warning: ca-certs: deprecated since cloud-init 22.3: use ca_certs
f:2:12: warning: ca-certs.remove-defaults: deprecated since cloud-init 22.3: use remove_defaults`},
		{"not here", "snap: {commands: [ls]}\n", `
f:1:1: warning: snap: not supported on this operating system: there is no package manager; run the software as a container, or as a service in rancher.services`},
		{"missing", "power_state: {delay: now}\nmounts: []\nchpasswd: {users: [{name: a, type: hash}]}\n", `
f:1:14: power_state: mode is missing
f:2:9: mounts: has 0 items; it needs at least 1
f:3:20: chpasswd.users[0]: password is missing`},
		{"a script", "#!/bin/sh\nid\n", `
f:1:1: this is a script, not a cloud-config; ` + "`ros cloud-init render FILE`" + ` prints the config it means`},
		{"variables stand for addresses", "rancher: {network: {interfaces: {eth0: {gateway: $private_ipv4}}}}\n", ""},
		{"passwords are not shown", "password: 12345\nchpasswd: {list: [hunter2]}\nssh_keys: {rsa_private: 99}\n", `
f:1:11: password: want a string, not this one
f:2:12: warning: chpasswd.list: deprecated since cloud-init 22.2: use users
f:2:19: chpasswd.list[0]: want name:password, not this one
f:3:25: ssh_keys.rsa_private: want a string, not this one`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := Validate("f", []byte(tt.doc), CloudConfig).Error()
			if diff := cmp.Diff(strings.TrimPrefix(tt.want, "\n"), got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestNetworkConfigIsValidatedAsSuch(t *testing.T) {
	good := "version: 2\nethernets:\n  eth0: {dhcp4: true}\n"
	if ps := Validate("f", []byte(good), NetworkConfig); len(ps) > 0 {
		t.Errorf("Validate = %v", ps)
	}
	if ps := Validate("f", []byte("version: 2\nethernets:\n  eth0: {dhcp4: perhaps}\n"), NetworkConfig); len(ps.Errors()) == 0 {
		t.Error("dhcp4: perhaps is no problem")
	}
}

func TestTheImagesOwnConfigIsValid(t *testing.T) {
	const file = "../templates/os-config.yml"
	doc, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if ps := Validate(file, doc, CloudConfig); len(ps) > 0 {
		t.Error(ps)
	}
}

func TestOnlyTheFirstOfManyUnknownKeysGetASuggestion(t *testing.T) {
	const many = 1000
	for _, line := range []string{"hostnam%d: a\n", "  config%d: a\n"} {
		doc := ""
		if line[0] == ' ' {
			doc = "rsyslog:\n"
		}
		for i := range many {
			doc += fmt.Sprintf(line, i)
		}
		ps, guesses := Validate("f.yml", []byte(doc), CloudConfig), 0
		for _, p := range ps {
			if p.Suggestion != "" {
				guesses++
			}
		}
		if len(ps) < many || guesses == 0 || guesses > 2*shape.MaxGuesses {
			t.Errorf("%q: %d of %d problems have a suggestion", line, guesses, len(ps))
		}
	}
}
