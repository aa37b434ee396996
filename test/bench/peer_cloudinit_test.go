package bench

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"rancheros/test/vm"
)

// peerCloudInitRuns of upstream cloud-init alone, for each datasource.
const peerCloudInitRuns = 3

// cloudInits measures upstream cloud-init as Debian's units run it, and ours,
// without any machine around them.
func (p *peer) cloudInits(ours, theirs samples) {
	p.t.Helper()
	f := figures{}
	cloudInit(p.t, f, p.sample)
	for name, v := range f {
		n, err := strconv.ParseFloat(fmt.Sprint(v), 64)
		if err != nil {
			p.t.Fatalf("figure %s: %v", name, err)
		}
		ours.add(name, n)
	}
	out := p.t.TempDir()
	q := *p
	q.env = append(q.env[:len(q.env):len(q.env)], "CI_MODES=all", "CI_WHAT=nocloud ec2")
	q.script("peer-cloudinit.sh", p.dir, p.sample, out, strconv.Itoa(peerCloudInitRuns))
	for range peerCloudInitRuns {
		p.sameRoot(ours)
	}
	for _, what := range []string{"nocloud", "ec2"} {
		for n := range peerCloudInitRuns {
			p.upstream(theirs, "cloud_init_"+what, filepath.Join(out, what+"-all", fmt.Sprintf("run-%d/result.json", n+1)))
		}
	}
}

// upstream reads one run. Only the process that does all stages counts: what
// finds the datasource before it (ds-identify) and what waits for it are left out.
func (p *peer) upstream(s samples, name, path string) {
	p.t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		p.t.Fatalf("upstream cloud-init did not run: %v", err)
	}
	var r struct {
		Steps []struct {
			Name string
			RC   int
			Wall float64 `json:"wall_s"`
			CPU  float64 `json:"cpu_s"`
			RSS  float64 `json:"maxrss_mb"`
		}
		HTTP float64
	}
	if err := json.Unmarshal(b, &r); err != nil {
		p.t.Fatalf("%s: %v", path, err)
	}
	for _, step := range r.Steps {
		if step.Name != "--all-stages" {
			continue
		}
		s.add(name+"_wall_s", step.Wall)
		s.add(name+"_cpu_s", step.CPU)
		s.add(name+"_rss_kb", step.RSS*1024)
		s.add(name+"_requests", r.HTTP)
		if name == "cloud_init_nocloud" {
			s.add(name+"_same_root_wall_s", step.Wall)
			s.add(name+"_same_root_cpu_s", step.CPU)
		}
		return
	}
	p.t.Fatalf("%s has no step --all-stages", path)
}

// inSameRoot is a first boot of our cloud-init in the peer's file system. There it
// does what upstream does: it makes the users, the host keys, and runs commands.
// Arguments: an empty folder, the peer's root, ros, the seed. It prints wall,
// user and system seconds.
const inSameRoot = `set -eu
cd "$1"
mkdir up work root
mount -t overlay overlay -o "lowerdir=$2,upperdir=up,workdir=work" root
cd root
mount -t proc proc proc
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount -t sysfs -o ro sys sys
mount -t tmpfs run run
mount -t tmpfs dev dev
mknod -m 666 dev/null c 1 3
mknod -m 666 dev/urandom c 1 9
: >etc/fstab
cp "$3" usr/bin/ros
mkdir -p var/lib/cloud/seed/nocloud
cp "$4"/* var/lib/cloud/seed/nocloud
ros() { env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root chroot . /usr/bin/ros "$@"; }
TIMEFORMAT='%3R %3U %3S'
time { ros cloud-init-save --datasource nocloud && ros cloud-init-execute; } >../log 2>&1`

func (p *peer) sameRoot(s samples) {
	p.t.Helper()
	seed, work := p.t.TempDir(), p.t.TempDir()
	for _, name := range []string{"user-data", "meta-data"} {
		b, err := os.ReadFile(filepath.Join(p.sample, name))
		if err != nil {
			p.t.Fatal(err)
		}
		write(p.t, filepath.Join(seed, name), []byte(strings.ReplaceAll(string(b), "@SSH_KEY@", vm.PublicKey(p.t))))
	}
	out, err := exec.Command("unshare", "-m", "-p", "-f", "-u", "-i", "-n", "--kill-child", "--propagation", "private",
		"bash", "-c", inSameRoot, "same-root", work, filepath.Join(p.dir, "rootfs"), vm.Out(p.t, "ros"), seed).CombinedOutput()
	if err != nil {
		log, _ := os.ReadFile(filepath.Join(work, "log"))
		p.t.Fatalf("our cloud-init in the peer's root: %v: %s%s", err, out, log)
	}
	var wall, user, system float64
	if _, err := fmt.Sscan(string(out), &wall, &user, &system); err != nil {
		p.t.Fatalf("bash's time says %q: %v", out, err)
	}
	s.add("cloud_init_nocloud_same_root_wall_s", wall)
	s.add("cloud_init_nocloud_same_root_cpu_s", user+system)
}
