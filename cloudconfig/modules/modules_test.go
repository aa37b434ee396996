package modules_test

import (
	"testing"

	"go.yaml.in/yaml/v4"

	"rancheros/cloudconfig/modules"
	"rancheros/cloudconfig/shape"
)

// check is how many errors and warnings a document of one key has.
func check(t *testing.T, doc string) (errors, warnings int) {
	t.Helper()
	var n yaml.Node
	if err := yaml.Unmarshal([]byte(doc), &n); err != nil {
		t.Fatalf("%s: %v", doc, err)
	}
	m := n.Content[0]
	k, ok := modules.Find(m.Content[0].Value)
	if !ok {
		t.Fatalf("%s: no such module", doc)
	}
	for _, f := range shape.Check(m.Content[1], k.Shape(), k.Name) {
		if f.Warn {
			warnings++
		} else {
			errors++
		}
	}
	return errors, warnings
}

func TestWhatModulesTake(t *testing.T) {
	for _, doc := range []string{
		"users: [default, a, {name: b, uid: 7, sudo: null, groups: [x]}, {snapuser: s@example.com}]",
		"user: {name: b, shell: /bin/sh}", "groups: {}",
		"groups: [a, {b: [c, d]}, {e: f}]",
		"ssh_keys: {ed25519_private: k, rsa_certificate: k}",
		"ssh_genkeytypes: [rsa, ed25519]",
		"chpasswd: {expire: false, users: [{name: a, type: RANDOM}, {name: b, password: h}]}",
		"manage_etc_hosts: localhost",
		"resolv_conf: {options: {rotate: true}, nameservers: [192.0.2.1]}",
		"write_files: [{path: /a, source: {uri: 'http://h', headers: {A: b}}, encoding: gz+b64, defer: true}]",
		"mounts: [[sdb, /b], [sdc, none, swap, sw, '0', '0']]",
		"mount_default_fields: [null, null, auto, nofail, '0', '2']",
		"swap: {filename: /s, size: 0x40000000, maxsize: .5G}",
		"growpart: {mode: gpart, devices: [/]}",
		"disk_setup: {/dev/x: {table_type: gpt, layout: [[50, 8300], 50], overwrite: true}}",
		"fs_setup: [{device: /dev/x, partition: any, filesystem: ext4, extra_opts: [-E, x]}, {cmd: mkfs}]",
		"ntp: null", "ntp: {pools: [p], config: {confpath: /c}}",
		"locale: false", "keyboard: {layout: de}",
		"wireguard: {interfaces: [{name: wg0, content: c}]}",
		"rsyslog: {configs: ['*.* @h', {content: c, filename: f}], service_reload_command: auto}",
		"random_seed: {data: x, encoding: b64, command: [a]}",
		"bootcmd: [a, [b, c]]", "runcmd: [a, null, [b]]",
		"power_state: {mode: halt, delay: 5, condition: [test, -f, /x]}",
		"phone_home: {url: u, post: [hostname, fqdn], tries: 3}",
		"merge_how: [{name: list, settings: [append]}]",
		"vendor_data: {enabled: false, prefix: [timeout, 30]}",
		"updates: {network: {when: [hotplug]}}",
		"output: {all: '| tee x', init: [a, b], final: {output: o, error: e}}",
		"reporting: {a: {type: webhook, endpoint: e, timeout: 1.5}, b: {type: log, level: WARN}, c: {type: print}}",
		"packages: [a, [b, '1'], {apt: [c, [d, '2']], snap: [e]}]",
		"apt: {sources: {s: {source: x}}, primary: [{arches: [default], uri: u}]}",
		"apt_pipelining: 5", "apk_repos: {alpine_repo: null}",
		"yum_repos: {r: {mirrorlist: m, gpgcheck: true, priority: 1}}",
		"zypper: {repos: [{id: i, baseurl: b, other: 1}]}",
		"snap: {commands: {01: [snap, x], '02': y}, assertions: [a]}",
		"ansible: {galaxy: {actions: [[a, b]]}, pull: [{url: u, playbook_names: [p]}]}",
		"puppet: {conf: {main: {a: 1}, ca_cert: c}}",
		"chef: {install_type: omnibus, run_list: [r], directories: [d]}",
		"landscape: {client: {account_name: a, computer_title: t, tags: 'a,b-c', more: 1}}",
		"lxd: {bridge: {mode: none, mtu: -1}, preseed: x}",
		"ubuntu_pro: {config: {http_proxy: null, more: 1}}",
		"rh_subscription: {org: 'o', add_pool: [p]}",
		"rpi: {interfaces: {serial: {console: true}}}",
		"apt: {generate_mirrorlists: true}", "migrate: 1", "disk_setup: {d: {layout: [['60', '83'], 40]}}",
		"cloud_init_modules: [ssh, write-files, [scripts_user, always]]",
	} {
		if errors, warnings := check(t, doc); errors+warnings > 0 {
			t.Errorf("%s: %d errors, %d warnings", doc, errors, warnings)
		}
	}
}

func TestWhatModulesRefuse(t *testing.T) {
	for _, doc := range []string{
		"users: [{gecos: nobody}]", "users: [{name: a, inactive: 5}]", "users: [{name: a, expiredate: 2030-01-01}]",
		"groups: {a: 1}", "groups: []", "groups: {a: []}", "user: {uid: 7}", "ssh_keys: {dsa_public: k}", "ssh_authorized_keys: k", "ssh_genkeytypes: [dsa]",
		"users: [{name: a, snapuser: s}]", "user: {name: a, snapuser: s}", "cloud_final_modules: [ssh, sssh]",
		"ssh: {}", "chpasswd: {users: [{name: a, type: text}]}", "chpasswd: {list: [nocolon]}", "chpasswd: {list: []}",
		"manage_etc_hosts: sometimes", "manage_resolv_conf: 'true'", "resolv_conf: {search: [a]}",
		"write_files: [{content: c}]", "write_files: [{path: /a, encoding: zip}]", "write_files: [{path: /a, source: {}}]",
		"mounts: [[]]", "mounts: [[a, b, c, d, e, f, g]]", "mounts: [[a, 1]]", "mount_default_fields: [a]",
		"swap: {size: 5X}", "growpart: {mode: 'false'}", "growpart: {mode: true}", "resize_rootfs: 'true'",
		"disk_setup: {d: {layout: [[1, 2, 3]]}}", "fs_setup: {}", "fs_setup: [{partition: 1}]", "device_aliases: {a: 1}",
		"ntp: {pools: [a, a]}", "ntp: {config: {}}", "locale: 1", "keyboard: {}", "ca_certs: {}", "ca_certs: {trusted: []}",
		"wireguard: {}", "rsyslog: {configs: [{filename: f}]}", "random_seed: {encoding: x}",
		"bootcmd: []", "bootcmd: [null]", "runcmd: [[1]]", "power_state: {mode: off}", "power_state: {mode: halt, delay: soon}",
		"phone_home: {post: all}", "merge_how: [{name: set, settings: []}]", "vendor_data: {enabled: 1}",
		"updates: {network: {}}", "output: {all: [a, b, c]}", "reporting: {a: {type: webhook}}", "reporting: {a: {type: mail}}",
		"packages: []", "packages: [[a]]", "apt: {}", "apt: {primary: [{uri: u}]}", "apt_pipelining: maybe",
		"apk_repos: {alpine_repo: {}}", "yum_repos: {r: {name: n}}", "yum_repos: {r: {baseurl: b, 'a b': c}}",
		"zypper: {repos: [{id: i}]}", "snap: {commands: {}}", "snap: {}", "ansible: {galaxy: {actions: [a]}}",
		"puppet: {conf: {other: {}}}", "chef: {install_type: tarball}", "salt_minion: {conf: a}", "mcollective: {conf: {a: {}}}",
		"landscape: {client: {account_name: a}}", "landscape: {client: {account_name: a, computer_title: t, tags: 'a,,b'}}",
		"lxd: {bridge: {mode: new, mtu: -2}}", "autoinstall: {}", "byobu_by_default: yes", "fan: {config: []}",
		"drivers: {nvidia: {}}", "spacewalk: {a: b}", "rpi: {interfaces: {serial: 1}}", "grub_dpkg: {enabled: 'yes'}",
	} {
		if errors, _ := check(t, doc); errors == 0 {
			t.Errorf("%s: no error", doc)
		}
	}
}

func TestWhatIsOldIsAWarning(t *testing.T) {
	for _, doc := range []string{
		"users: [{name: a, lock-passwd: true}]", "users: [{name: a, uid: '7'}]", "user: {name: a, sudo: false}",
		"ssh_pwauth: 'no'", "chpasswd: {list: 'a:b'}", "manage_etc_hosts: template", "growpart: {mode: off}",
		"power_state: {mode: halt, delay: '+5'}", "vendor_data: {enabled: 'yes'}", "ca-certs: {trusted: [c]}",
		"apt_update: true", "apt_pipelining: none", "ubuntu_advantage: {}", "rh_subscription: {org: 5}",
		"grub_dpkg: {grub-pc/install_devices_empty: 'false'}", "ansible: {pull: {url: u, playbook_names: [p]}}",
	} {
		if errors, warnings := check(t, doc); errors != 0 || warnings == 0 {
			t.Errorf("%s: %d errors, %d warnings", doc, errors, warnings)
		}
	}
}
