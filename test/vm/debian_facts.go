package vm

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A fact is something that a person sees of a machine: what a command of root
// prints.
type fact struct{ name, command string }

// facts that must be the same with Debian's cloud-init and with ours.
var facts = []fact{
	{"users", `getent passwd | cut -d: -f1,6,7 | sort; getent passwd alice bob dave eve debian | cut -d: -f5`},
	{"ids", `id bob; for u in debian alice carol dave eve; do id -Gn $u | tr ' ' '\n' | sort | xargs echo $u; done; test $(id -u carol) -lt 1000 && echo carol is of the system`},
	{"groups", `getent group | cut -d: -f1 | sort; getent group ops web | cut -d: -f1,4`},
	{"shadow", `getent shadow | awk -F: '{ h = $2; if (h ~ /^\$/) h = "set"; if (h ~ /^!.*\$/) h = "locked"; print $1, h, $3 == 0 ? "expired" : "", $5, $7, $8 }' | sort; getent gshadow | cut -d: -f1 | sort`},
	{"sudo", `for u in debian alice bob dave; do sudo -l -U $u | grep -E '^ +\(|not allowed' | sed 's/on [a-z.]*\.$//'; done`},
	{"sudoers", `stat -c '%n %a %U:%G' /etc/sudoers.d/*; visudo -cq && echo valid`},
	{"homes", `for d in /home/* /root /srv/*; do stat -c '%n %a %U:%G' $d $d/.ssh $d/.ssh/authorized_keys $d/.bashrc 2>/dev/null; done`},
	{"authorized_keys", `for u in /root /home/*; do echo $u; grep -v '^#' $u/.ssh/authorized_keys 2>/dev/null | grep . | sort; done`},
	{"files", `cd /etc/files && stat -c '%n %a %U:%G %s' * && for f in *; do echo $f; cat $f; echo; done; tail -1 /etc/motd; stat -c '%n %a %U:%G' /home/alice/deep /home/alice/deep/er /home/alice/deep/er/deferred; cat /home/alice/deep/er/deferred /data/on-the-mount`},
	{"included", `cat /etc/included`},
	{"hostname", `hostname; hostname -f; cat /etc/hostname`},
	{"hosts", `getent hosts alpha alpha.example.test localhost; getent ahosts alpha | head -1; grep -v '^#' /etc/hosts | grep .`},
	{"timezone", `date -d @0 +%Z; readlink -f /etc/localtime; cat /etc/timezone; test -L /etc/localtime && echo a link`},
	{"locale", `grep -v '^#' /etc/default/locale /etc/locale.conf`},
	{"mounts", `findmnt -rno TARGET,FSTYPE,LABEL /data; findmnt -rno TARGET,FSTYPE,LABEL /mnt/more; findmnt -no OPTIONS /data | tr , '\n' | grep noatime; stat -c '%n %a' /data /mnt/more /mnt/nowhere`},
	{"fstab", `grep -v '^#' /etc/fstab | awk '{ $4 = ""; print }'; findmnt --verify | tail -1`},
	{"disks", `lsblk -rno NAME,SIZE,TYPE,LABEL,FSTYPE,MOUNTPOINT /dev/vdc; lsblk -brno SIZE $(findmnt -no SOURCE /) | awk '{ print int($1 / 1e8) }'; df -k --output=size / | awk 'END { print int($1 / 1e5) }'`},
	{"swap", `swapon --show=NAME,TYPE,SIZE --noheadings; stat -c '%a %s' /swap.img`},
	{"sshd", `sshd -T`},
	{"host keys", `ls /etc/ssh | grep host_key; stat -c '%n %a %U:%G' /etc/ssh/ssh_host_ed25519_key*; ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub; ssh-keyscan -t ed25519 127.0.0.1 2>/dev/null | cut -d' ' -f2-`},
	{"links", `ip -j link | tr '{' '\n' | grep -o '"ifname":"[^"]*"\|"mtu":[0-9]*\|"operstate":"[^"]*"'`},
	{"addresses", `ip -br addr | sed 's/ fe[0-9a-f]*:[^ ]*//g' | sort`},
	{"routes", `ip route | sort; ip -6 route | grep fd00`},
	{"dns", `resolvectl dns lan0; resolvectl domain lan0; grep -v '^#' /etc/resolv.conf; networkctl --no-pager list | awk '/lan0|san0/ { print $2, $4, $5 }'`},
	{"certificates", `awk -v RS= '1' /etc/ssl/certs/ca-certificates.crt | grep -c BEGIN; openssl verify -CAfile /etc/ssl/certs/ca-certificates.crt $(ls /usr/local/share/ca-certificates/*.crt | head -1) | grep -o OK; grep -v '^#' /etc/ca-certificates.conf | grep -v mozilla`},
	{"time servers", `chronyc -n sources | awk '/192.0.2/ { print $2 }'; cat /etc/chrony/chrony.conf /etc/chrony/sources.d/* /etc/chrony/conf.d/* 2>/dev/null | grep -E '^ *(server|pool|peer)'`},
	{"order", `sed "s/$(date +%Y)-.*//" /var/log/order`},
	{"status", `cloud-init status --wait >/dev/null; echo $?; cloud-init status --format json | grep -o '"\(status\|boot_status_code\|detail\|datasource\)": "[^"]*"' | sort; cloud-init status`},
	{"final message", `grep -a provisioned /var/log/cloud-init-output.log`},
	{"names", `cloud-id; cat /run/cloud-init/cloud-id /run/cloud-init/.instance-id /var/lib/cloud/data/instance-id /var/lib/cloud/data/previous-instance-id; readlink -f /var/lib/cloud/instance; cloud-init query v1.cloud_name; cloud-init query ds.meta_data.instance_id; cloud-init query -f '{{ v1.local_hostname }} {{ v1.distro }} {{ v1.platform }}'`},
	{"files of cloud-init", `cd /var/lib/cloud/instance; stat -Lc '%n %a %U:%G' boot-finished cloud-config.txt datasource scripts scripts/* user-data.txt vendor-data.txt vendor-data2.txt sem; cat datasource; cd /run/cloud-init; stat -Lc '%n %a %U:%G' cloud-id instance-data.json instance-data-sensitive.json combined-cloud-config.json result.json status.json sem; stat -c '%n %a' /var/log/cloud-init-output.log`},
	{"semaphores", `ls /var/lib/cloud/instance/sem /var/lib/cloud/sem /run/cloud-init/sem`},
	{"failed units", `systemctl --failed --no-legend --plain; systemctl is-system-running`},
	{"units", `systemctl is-enabled cloud-init-local cloud-init-network cloud-config cloud-final cloud-init.target; systemctl is-active cloud-init-local cloud-init-network cloud-config cloud-final cloud-init.target cloud-config.target`},
	{"cycles", `journalctl -b -p err -o cat -t systemd | grep -i 'ordering cycle\|deleted to break'; systemd-analyze verify default.target 2>&1 | grep -i cloud`},
}

// documents are files for programs: their keys and types must be the same.
var documents = []fact{
	{"status.json", `cat /run/cloud-init/status.json`},
	{"result.json", `cat /run/cloud-init/result.json`},
	{"data/status.json", `cat /var/lib/cloud/data/status.json`},
	{"data/result.json", `cat /var/lib/cloud/data/result.json`},
	{"instance-data.json", `cat /run/cloud-init/instance-data.json`},
	{"status --format json", `cloud-init status --format json`},
}

// mark begins a fact in the output of the one script that asks them all.
const factMark = "=== fact "

// ask asks a machine for all facts, as lines by name. Of a document these are
// its keys and types.
func (v *VM) ask(t testing.TB) map[string][]string {
	t.Helper()
	var script strings.Builder
	for _, f := range slices.Concat(facts, documents) {
		fmt.Fprintf(&script, "echo; echo '%s%s'; (%s)\n", factMark, f.name, f.command)
	}
	out, err := v.root("exec </dev/null\n" + script.String() + "true\n")
	if err != nil {
		t.Fatalf("ask the machine: %v\n%s", err, out)
	}
	all := map[string][]string{}
	for _, part := range strings.Split(out, factMark)[1:] {
		name, text, _ := strings.Cut(part, "\n")
		if slices.ContainsFunc(documents, func(f fact) bool { return f.name == name }) {
			text = shape(t, name, text)
		}
		for line := range strings.Lines(text) {
			if line = strings.TrimSpace(line); line != "" {
				all[name] = append(all[name], line)
			}
		}
	}
	return all
}

// shape is a document's keys with the types of their values, a line each.
func shape(t testing.TB, name, text string) string {
	var doc any
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		t.Errorf("%s: %v\n%s", name, err, text)
		return ""
	}
	lines := map[string]bool{}
	var walk func(at string, v any)
	walk = func(at string, v any) {
		switch v := v.(type) {
		case map[string]any:
			lines[at+" object"] = true
			for key, val := range v {
				walk(at+"."+key, val)
			}
		case []any:
			lines[at+" array"] = true
		default:
			lines[fmt.Sprintf("%s %T", at, v)] = true
		}
	}
	walk("", doc)
	return strings.Join(slices.Sorted(maps.Keys(lines)), "\n")
}

// A difference is allowed: a line of a fact that only one of the two says.
type difference struct {
	fact string
	line *regexp.Regexp
	why  string
}

// compare wants both machines to say the same, but for what is allowed. An
// allowance that nothing needs is an error too.
func compare(t *testing.T, theirs, ours map[string][]string, allowed []difference) {
	t.Helper()
	used := make([]bool, len(allowed))
	expected := func(name, line string) bool {
		for i, d := range allowed {
			if d.fact == name && d.line.MatchString(line) {
				used[i] = true
				return true
			}
		}
		return false
	}
	for _, f := range slices.Concat(facts, documents) {
		var text strings.Builder
		for _, side := range []struct {
			name       string
			have, lack []string
		}{{"only cloud-init: ", theirs[f.name], ours[f.name]}, {"only ours:       ", ours[f.name], theirs[f.name]}} {
			rest := slices.Clone(side.lack)
			for _, line := range side.have {
				if i := slices.Index(rest, line); i >= 0 {
					rest = slices.Delete(rest, i, i+1)
				} else if !expected(f.name, line) {
					text.WriteString(side.name + line + "\n")
				}
			}
		}
		if text.Len() > 0 {
			t.Errorf("%s:\n%s", f.name, text.String())
		}
	}
	for i, d := range allowed {
		if !used[i] {
			t.Errorf("the two no longer differ in %s, %q (%s): take it out of the list", d.fact, d.line, d.why)
		}
	}
}
