package bench

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"rancheros/image/qemu"
	"rancheros/test/vm"
)

const (
	// pairs of boots, unless ROS_BENCH_RUNS says another number.
	defaultPairs = 3
	// peerPatience is how long a boot of the peer may take, with its report.
	peerPatience = 25 * time.Minute
)

// samples are what was measured, by the figure's name; the median is printed.
type samples map[string][]float64

func (s samples) add(name string, v float64) { s[name] = append(s[name], v) }

// A peer is the machine that a person would build instead of this one: Debian
// 13 with systemd, cloud-init and docker.io. Scripts make and boot it.
type peer struct {
	t       *testing.T
	scripts string // their folder
	dir     string // what they build
	sample  string // user-data and meta-data
	env     []string
}

// TestPeer is not a test of anything: it boots the peer and this system in turn
// and prints how they compare. A pair that cannot be measured fails it; the
// others still count.
func TestPeer(t *testing.T) {
	scripts := os.Getenv("ROS_BENCH_PEER")
	if scripts == "" {
		t.Skip("the peer is measured by `make bench-peer`")
	}
	p := newPeer(t, scripts)
	p.build()
	ours, theirs := samples{}, samples{}
	p.cloudInits(ours, theirs)
	work := t.TempDir()
	seed := filepath.Join(work, "seed.iso")
	p.script("peer-debian.sh", "seed", p.sample, seed)
	for n := range pairs(t) {
		t.Run(fmt.Sprintf("pair %d", n+1), func(t *testing.T) {
			q := *p
			q.t = t
			their := q.boot(seed, filepath.Join(work, fmt.Sprintf("run-%d", n+1)))
			our := q.bootOurs()
			for name, v := range their {
				theirs.add(name, v)
			}
			for name, v := range our {
				ours.add(name, v)
			}
		})
	}
	f := compare(ours, theirs)
	b, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("../../out/bench-peer.json", append(b, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
	fmt.Print(comparison(f))
}

func pairs(t *testing.T) int {
	s := os.Getenv("ROS_BENCH_RUNS")
	if s == "" {
		return defaultPairs
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		t.Fatalf("ROS_BENCH_RUNS=%s: give the number of pairs of boots, such as 3", s)
	}
	return n
}

// newPeer checks that what the scripts need is here.
func newPeer(t *testing.T, scripts string) *peer {
	if os.Geteuid() != 0 {
		t.Fatal("the peer needs root: debootstrap makes its file system; run `sudo make bench-peer`")
	}
	for program, pkg := range map[string]string{
		"debootstrap": "debootstrap", "mke2fs": "e2fsprogs", "qemu-img": "qemu-utils", "xorriso": "xorriso", "python3": "python3",
		"ip": "iproute2", "busybox": "busybox-static", "ssh-keygen": "openssh-client", "unshare": "util-linux",
	} {
		if _, err := exec.LookPath(program); err != nil {
			t.Fatalf("%v: apt-get install %s", err, pkg)
		}
	}
	dir, err := filepath.Abs("../../.cache/peer")
	if err != nil {
		t.Fatal(err)
	}
	sample := os.Getenv("ROS_BENCH_SAMPLE")
	if sample == "" {
		sample = filepath.Join(scripts, "samples/rich")
	}
	major, err := qemu.Version(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if qemu.TooOld(major) {
		t.Logf("QEMU %d is too old to emulate kernel 6.12 reliably, the peer may panic: take QEMU 10, from backports on Debian 12", major)
	}
	// Both machines are the same one.
	args := qemu.Machine{Memory: 1024, CPUs: 2, Major: major}.Args()
	env := append(os.Environ(), "PEER_QEMU="+qemu.Program, "PEER_TIMEOUT="+strconv.Itoa(int(peerPatience.Seconds())), "PEER_APPEND=peer.short")
	for arg, name := range map[string]string{"-m": "PEER_MEM", "-smp": "PEER_SMP", "-cpu": "PEER_CPU", "-accel": "PEER_ACCEL", "-machine": "PEER_MACHINE"} {
		for i := range len(args) - 1 {
			if args[i] == arg {
				env = append(env, name+"="+args[i+1])
			}
		}
	}
	if os.Getenv("PEER_MIRROR") == "" {
		env = append(env, "PEER_MIRROR="+mirror(t))
	}
	return &peer{t, scripts, dir, sample, env}
}

// mirror is where this machine's own Debian comes from.
func mirror(t *testing.T) string {
	out, err := exec.Command("apt-get", "indextargets", "--format", "$(LABEL)|$(REPO_URI)", "Created-By: Packages").Output()
	if err != nil {
		t.Fatalf("ask apt for its sources: %v", err)
	}
	for line := range strings.Lines(string(out)) {
		// "Debian Backports" and "Debian-Security" do not have the release itself.
		if uri, ok := strings.CutPrefix(line, "Debian|"); ok {
			return strings.TrimSpace(uri)
		}
	}
	t.Fatal("no Debian mirror among apt's sources: set PEER_MIRROR")
	return ""
}

// script runs one of the peer's scripts; what it printed is told if it fails.
func (p *peer) script(name string, args ...string) {
	p.t.Helper()
	cmd := exec.Command(filepath.Join(p.scripts, name), args...)
	cmd.Env = p.env
	if out, err := cmd.CombinedOutput(); err != nil {
		p.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

// build makes the peer, or takes the one that is in the cache.
func (p *peer) build() {
	p.t.Helper()
	stamp := filepath.Join(p.dir, "ros-bench.stamp")
	var made []byte
	for _, name := range []string{"peer-debian.sh", "guest-report.sh"} {
		b, err := os.ReadFile(filepath.Join(p.scripts, name))
		if err != nil {
			p.t.Fatal(err)
		}
		made = append(made, b...)
	}
	if b, err := os.ReadFile(stamp); err == nil && bytes.Equal(b, made) {
		return
	}
	p.t.Logf("building the peer in %s: some minutes", p.dir)
	p.script("peer-debian.sh", "build", p.dir)
	write(p.t, stamp, made)
}

// boot is one first boot of the peer.
func (p *peer) boot(seed, out string) map[string]float64 {
	p.t.Helper()
	p.script("peer-debian.sh", "boot", p.dir, seed, out)
	return p.booted(out)
}

// booted reads what a boot of the peer left.
func (p *peer) booted(out string) map[string]float64 {
	p.t.Helper()
	b, err := os.ReadFile(filepath.Join(out, "figures.json"))
	if err != nil {
		p.t.Fatal(err)
	}
	var figs struct {
		Busy  float64 `json:"host_other_busy_cores"`
		Marks map[string]struct{ T, CPU float64 }
	}
	if err := json.Unmarshal(b, &figs); err != nil {
		p.t.Fatalf("%s/figures.json: %v", out, err)
	}
	report, err := os.ReadFile(filepath.Join(out, "report.txt"))
	if err != nil {
		p.t.Fatal(err)
	}
	f := p.report(string(report))
	f["host_other_busy_cores"] = figs.Busy
	for mark, name := range map[string]string{"docker-ready": "docker", "sshd-active": "ssh"} {
		m, ok := figs.Marks[mark]
		if !ok {
			p.t.Fatalf("the peer never said %s; its console is in %s", mark, out)
		}
		f[name+"_wall_s"], f[name+"_cpu_s"] = m.T, m.CPU
	}
	return f
}

// bootOurs is one first boot of this system with the same user-data, and the
// same report of the machine at rest. It comes over ssh, so that ours has one
// session more than the peer in its memory.
func (p *peer) bootOurs() map[string]float64 {
	p.t.Helper()
	userData, err := os.ReadFile(filepath.Join(p.sample, "user-data"))
	if err != nil {
		p.t.Fatal(err)
	}
	v := vm.Start(p.t, vm.Machine{
		Disk: vm.NewDisk(p.t, 4), Append: "peer.short",
		UserData: strings.ReplaceAll(string(userData), "@SSH_KEY@", vm.PublicKey(p.t)),
		Args: []string{
			"-drive", "if=none,id=bb,format=raw,readonly=on,file=" + filepath.Join(p.dir, "bb.tar"), "-device", "virtio-blk-pci,drive=bb,serial=bbtar",
		},
	})
	ssh, docker := v.WaitMark("ssh", patience), v.WaitMark("user_docker", patience)
	v.WaitLine("ros is up", patience)
	v.Send(filepath.Join(p.scripts, "guest-report.sh"), "sed s,/dev/ttyS1,/tmp/report.txt, >/tmp/report.sh")
	f := p.report(v.Run("sudo sh /tmp/report.sh; sudo cat /tmp/report.txt"))
	f["ssh_wall_s"], f["ssh_cpu_s"] = ssh.Wall.Seconds(), ssh.CPU.Seconds()
	f["docker_wall_s"], f["docker_cpu_s"] = docker.Wall.Seconds(), docker.CPU.Seconds()
	v.Kill()
	return f
}

// reported are the lines of the guest's report that are compared, and the names
// of their figures.
func reported() map[string]string {
	return map[string]string{
		"mem_used_kb": "memory_used_kb", "mem_nonreclaim_kb": "memory_nonreclaim_kb", "pss_sum_kb": "pss_sum_kb", "procs_user": "processes",
		"docker_import_s": "import_s", "docker_run_s": "first_container_s", "docker_run_bridge_s": "first_bridge_container_s",
	}
}

func (p *peer) report(text string) map[string]float64 {
	p.t.Helper()
	// A container that does not start is quick.
	for _, says := range []string{"docker_run_says hello", "docker_run_bridge_says hello"} {
		if !strings.Contains(text, says) {
			p.t.Fatalf("no %q in the machine's report:\n%s", says, text)
		}
	}
	f := map[string]float64{}
	names := reported()
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		name, ok := names[key]
		if !ok {
			continue
		}
		n, err := strconv.ParseFloat(value, 64)
		if err != nil {
			p.t.Fatalf("report: %s %q is no number", key, value)
		}
		f[name] = n
	}
	if len(f) != len(names) {
		p.t.Fatalf("of %d figures the machine reported %d:\n%s", len(names), len(f), text)
	}
	return f
}

// compare makes the flat figures: the medians, and the ratio where both have
// measured the same.
func compare(ours, theirs samples) figures {
	f := figures{"pairs": len(theirs["docker_wall_s"])}
	for name, v := range ours {
		f["ours_"+name] = median(v)
	}
	for name, v := range theirs {
		f["peer_"+name] = median(v)
		if our, ok := ours[name]; ok && median(v) > 0 {
			f["ratio_"+name] = median([]float64{median(our) / median(v)})
		}
	}
	return f
}

// comparison is the table for people.
func comparison(f figures) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-32s %12s %12s %8s\n", fmt.Sprintf("medians of %v pairs", f["pairs"]), "ours", "peer", "ratio")
	for _, key := range sortedKeys(f) {
		name, ok := strings.CutPrefix(key, "peer_")
		if !ok {
			continue
		}
		our, ratio := f["ours_"+name], f["ratio_"+name]
		if our == nil {
			our = "-"
		}
		if ratio == nil {
			ratio = "-"
		}
		fmt.Fprintf(&b, "%-32s %12v %12v %8v\n", name, our, f[key], ratio)
	}
	return b.String()
}
