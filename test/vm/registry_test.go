package vm

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestPulls is a machine whose images lie in registries that want a login, and
// that reaches others by a mirror and a proxy.
//
// It has no state disk where its config says, and may format only disks on which
// there is something.
func TestPulls(t *testing.T) {
	images := Registry(t, BusyboxTar(t), "app", "library/mirrored")
	right := Serve(t, WithPassword("robot", "s3cret-right", images))
	wrong := Serve(t, WithPassword("robot", "another", images))
	mirror := Serve(t, images)
	proxy := Serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }))
	disks := disksWithData(t)
	v := Boot(t, Machine{
		Disks:  disks,
		Append: "rancher.state.dev=LABEL=NONEXISTENT rancher.state.wait rancher.state.autoformat=[/dev/vda,/dev/vdc,/dev/vdd,/dev/vde,/dev/vdf]",
		UserData: strings.NewReplacer("RIGHT", right.Addr, "WRONG", wrong.Addr, "MIRROR", mirror.Addr, "PROXY", proxy.Addr).Replace(Lines(
			"#cloud-config", "rancher:",
			"  network: {http_proxy: 'http://PROXY', https_proxy: 'http://PROXY', no_proxy: '10.0.2.2,localhost'}",
			"  system_docker: {insecure_registry: ['RIGHT', 'WRONG']}",
			"  docker: {insecure_registry: ['RIGHT', 'WRONG'], registry_mirror: 'http://MIRROR'}",
			"  registry_auths:",
			"    RIGHT: {username: robot, password: s3cret-right}",
			"    WRONG: {username: robot, password: s3cret-wrong}",
			"  services:",
			"    wanted: {image: RIGHT/app, labels: {io.rancher.os.scope: system}}",
			"    refused: {image: WRONG/app, labels: {io.rancher.os.scope: system}}",
			"    theirs: {image: RIGHT/app}"))})
	v.Says("sudo ros config get rancher.state.dev", "LABEL=NONEXISTENT")
	v.Says("stat -f -c %T /home", "tmpfs")
	v.Says("sudo ros os boot", "it did not appear in 30s")
	for disk, why := range map[string]string{"vda": "is in use", "vdc": "holds data", "vdd": "holds crypto_LUKS", "vde": "holds ext4", "vdf": "holds data"} {
		v.Says("sudo ros os boot", "/dev/"+disk+" is not formatted: it "+why)
	}

	v.WaitMark("user_docker", bootTime)
	v.Eventually("sudo system-docker ps --format '{{.Names}}'", "wanted", bootTime)
	v.Eventually("docker ps --format '{{.Names}}'", "theirs", bootTime)
	v.Run("docker pull -q " + right.Addr + "/app")
	if out, err := v.Try("docker pull -q " + wrong.Addr + "/app"); err == nil {
		t.Errorf("a wrong password pulls: %s", out)
	}
	boot := v.Eventually("sudo ros os boot", "refused", bootTime)
	if !strings.Contains(boot, "pull "+wrong.Addr+"/app") || !strings.Contains(strings.ToLower(boot), "unauthorized") {
		t.Errorf("the boot's record does not say which registry refused:\n%s", boot)
	}
	v.Run("docker pull -q mirrored")
	if !mirror.Saw("/v2/library/mirrored/") {
		t.Error("the mirror was not asked")
	}
	for _, engine := range []string{"docker", "sudo system-docker"} {
		if out, err := v.Try(engine + " pull -q registry.example.test/x"); err == nil {
			t.Errorf("%s: a pull by a dead proxy works: %s", engine, out)
		}
		if !proxy.Saw("CONNECT registry.example.test:443") {
			t.Errorf("%s did not ask the proxy", engine)
		}
		proxy.Forget()
	}
	v.Says("sudo cat /proc/$(pgrep -of 'dockerd.*ros/docker.json')/environ | tr '\\0' '\\n'", "NO_PROXY=10.0.2.2")
	v.Says("bash -lc env", "http_proxy=http://"+proxy.Addr)

	if out, err := v.Try("(sudo ros config export --full; sudo ros os boot; sudo dmesg; sudo cat /var/log/*.log /var/log/boot/* /var/log/syslog; grep -rs s3cret /run /var /etc /tmp) | grep -a s3cret-"); err == nil {
		t.Errorf("a password is in logs, in what is exported, or in a file that everybody may read:\n%s", out)
	}
	v.Kill()
	for _, d := range disks {
		if before, err := os.ReadFile(d + ".before"); err != nil {
			t.Error(err)
		} else if after, err := os.ReadFile(d); err != nil || string(before) != string(after) {
			t.Errorf("%s has changed (%v)", d, err)
		}
	}
}

// disksWithData makes disks that hold a partition table, LUKS, a file system and
// a single byte, each with a copy beside it.
func disksWithData(t *testing.T) []string {
	t.Helper()
	var disks []string
	for _, script := range []string{
		"echo ',,L' | sfdisk -q --label gpt $1",
		"printf x | cryptsetup -q luksFormat --pbkdf pbkdf2 --pbkdf-force-iterations 1000 $1 -",
		"mke2fs -q -t ext4 $1",
		"printf x | dd of=$1 bs=1 seek=33554431 conv=notrunc status=none",
	} {
		disk := filepath.Join(t.TempDir(), "disk")
		if b, err := exec.Command("sh", "-ec", "truncate -s 32M $1;"+script+"; cp $1 $1.before", "sh", disk).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", script, err, b)
		}
		disks = append(disks, disk)
	}
	return disks
}
