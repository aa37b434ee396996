package vm

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// userDataOfAllKinds is user-data with what RancherOS' own tests had in machines of
// their own.
var userDataOfAllKinds = Lines("#cloud-config",
	"hostname: by-user-data",
	"mounts:",
	"- [LABEL=DATA, /mnt/data, '', '']",
	"- [/mnt/data, /mnt/bound, '', bind]",
	"- [/dev/vde, /mnt/auto, auto, defaults]",
	"- [LABEL=SWAP, none, swap, '']",
	"- [/dev/vdz]",
	"write_files:",
	"- {path: /opt/rancher/bin/start.sh, permissions: '0755', content: \"#!/bin/sh\\necho start >> /home/rancher/order\\n\"}",
	"- {path: /etc/rc.local, permissions: '0755', content: \"#!/bin/sh\\nwait-for-docker && echo rc >> /home/rancher/order\\n\"}",
	"- {path: /in-syslog, container: syslog, content: syslog}",
	"- {path: /in-ntp, container: ntp, content: ntp}",
	"runcmd:",
	"- echo line >> /home/rancher/order",
	"- [sh, -c, 'echo list >> /home/rancher/order']",
	"- ''",
	"- []",
	"- 'false'",
	"- echo last >> /home/rancher/order",
	"rancher:",
	"  environment: {A: A, BC: BC, BCD: BCD, envy/ONLY: own, other/ONLY: others}",
	"  modules: [dummy numdummies=3]",
	"  sysctl: {net.ipv4.tcp_retries2: 7, dev/cdrom/debug: '1', no.such.key: 1}",
	"  services_include: {/var/lib/rancher/conf/local.yml: true}",
	"  services:",
	"    envy: {image: 'rancheros/os-base:${VERSION}', command: [sh, -c, 'env; exec sleep 1000'], labels: {io.rancher.os.scope: system},",
	"           environment: [A, 'B*', ONLY, EXTRA_CMDLINE]}",
	"    odd: {image: 'rancheros/os-base:${VERSION}', command: sleep 1000, labels: {io.rancher.os.scope: system}, privileged: perhaps, wat: 1}",
	"    broken: [1]",
)

// TestConfigReachesTheMachine is one machine with a state disk of its own kind,
// what lay on that disk before, and userDataOfAllKinds in its user-data.
func TestConfigReachesTheMachine(t *testing.T) {
	archive := BusyboxTar(t)
	const conf = "below/var/lib/rancher/conf/"
	state := FolderDisk(t, "MINE", 1500, map[string]string{
		conf + "cloud-config.d/10-disk.yml": Lines("rancher: {environment: {FROM_DISK: disk}}", "hostname: by-disk"),
		conf + "local.yml": Lines(
			"local-system: {image: system-preloaded, labels: {io.rancher.os.scope: system}}",
			"local-user: {image: user-preloaded, command: sh -c 'echo hello from it; sleep 1000'}"),
		"below/var/lib/rancher/preload/docker/user.tar.gz":          ImageArchive(t, archive, "user-preloaded:latest"),
		"below/var/lib/rancher/preload/docker/broken.tar":           "no archive",
		"below/var/lib/rancher/preload/system-docker/system.tar.gz": ImageArchive(t, archive, "system-preloaded:latest"),
	})
	here := func(label, text string) string { return FolderDisk(t, label, 16, map[string]string{"here": text}) }
	v := Boot(t, Machine{
		UserData: userDataOfAllKinds,
		Disks:    []string{state, here("DATA", "data"), here("AUTO", "auto"), here("STARTER", "boot"), swapDisk(t)},
		Append: "rancher.state.dev=LABEL=MINE rancher.state.directory=below rancher.state.fstype=ext4 rancher.state.wait rancher.state.required " +
			"rancher.state.boot_dev=LABEL=STARTER rancher.state.boot_fstype=ext4 -- cc.hostname=elided rancher.password=hunter2 rancher.environment.TOKEN=x",
	})
	v.WaitMark("user_docker", bootTime)

	// The state: a folder of a disk, and the boot partition.
	v.Says("df -P /home | tail -1", "/dev/vdc")
	v.Says("sudo nsenter -t 1 -m cat /state/below/home/rancher/.ssh/authorized_keys", PublicKey(t))
	v.Says("sudo nsenter -t 1 -m cat /boot/here", "boot")

	// The kernel command line wins, and what it hides stays hidden.
	v.Says("hostname", "elided")
	v.Says("grep 127.0.1.1 /etc/hosts", "elided")
	v.Says("sudo ros config get rancher.environment.FROM_DISK", "disk")
	v.Says("echo \"[$(sudo ros config get rancher.password)]\"", "[]")
	v.Says("sudo grep -c '^rancher:[$]' /etc/shadow", "1")
	if out := v.Run("sudo ros config export --full"); strings.Contains(out, "hunter2") {
		t.Errorf("export shows what stood after --:\n%s", out)
	}

	// Environments of services, and services that are not well written.
	env := v.Eventually("sudo system-docker logs envy", "ONLY=own", bootTime)
	for _, want := range []string{"A=A", "BC=BC", "BCD=BCD", "EXTRA_CMDLINE=/init cc.hostname=elided rancher.password=hunter2 rancher.environment.TOKEN=x"} {
		if !strings.Contains("\n"+env+"\n", "\n"+want+"\n") {
			t.Errorf("the service does not have %s:\n%s", want, env)
		}
	}
	v.Eventually("sudo system-docker ps --format '{{.Names}}' | sort | xargs", "envy local-system", bootTime)
	v.Says("sudo system-docker ps --format '{{.Names}}'", "odd")
	v.Says("sudo dmesg", "broken")
	v.Says("sudo ros env printenv A", "A")

	// Preloaded images, local services of both scopes.
	v.Eventually("docker ps --format '{{.Names}}'", "local-user", bootTime)
	v.Says("sudo ros service logs local-user", "hello from it")
	v.Says("sudo ros service list", "local.yml")
	v.Says("sudo ros service logs preload-user-images 2>&1", "broken.tar")
	v.Says("ls /var/lib/rancher/preload/docker /var/lib/rancher/preload/system-docker | xargs", "user.tar.gz.done")

	// Kernel settings.
	v.Says("ip -br link show dummy2", "dummy2")
	v.Says("cat /proc/sys/net/ipv4/tcp_retries2", "7")
	v.Says("sudo ros os boot", "no.such.key")

	// Mounts, and again after they were taken away.
	const mounted = "cat /mnt/data/here /mnt/bound/here /mnt/auto/here; awk 'END { print NR }' /proc/swaps"
	for range 2 {
		if got := v.Run(mounted); got != "datadataauto2" {
			t.Errorf("mounts: %q", got)
		}
		v.Run("sudo swapoff -a && sudo umount /mnt/bound /mnt/data /mnt/auto && sudo cloud-init-execute || true")
	}

	// What users have run, in its order; and files of services.
	v.Eventually("cat /home/rancher/order | xargs", "line list last start rc", bootTime)
	v.Says("sudo system-docker exec syslog cat /in-syslog", "syslog")
	v.Says("sudo system-docker exec ntp cat /in-ntp", "ntp")

	// A mount in a user's container is seen in the console.
	v.Run("docker run --rm --privileged -v /mnt:/mnt:shared user-preloaded /bin/busybox sh -c '/bin/busybox mkdir -p /mnt/shared && /bin/busybox mount -t tmpfs seen /mnt/shared'")
	v.Says("mount | grep /mnt/shared", "tmpfs")
	v.Says("grep -h ^VERSION= /etc/os-release /usr/share/ros/etc/os-release | uniq | wc -l", "1")
}

func swapDisk(t *testing.T) string {
	t.Helper()
	disk := filepath.Join(t.TempDir(), "swap")
	if b, err := exec.Command("sh", "-ec", "truncate -s 16M $1; chmod 600 $1; mkswap -q -L SWAP $1", "sh", disk).CombinedOutput(); err != nil {
		t.Fatalf("mkswap: %v: %s", err, b)
	}
	return disk
}
