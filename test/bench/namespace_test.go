package bench

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"rancheros/datasources/dstest"
	"rancheros/image/qemu"
	"rancheros/test/vm"
)

// inside is where the process that has a network of its own writes its figures.
const inside = "ROS_BENCH_INSIDE"

// Limits of how long a machine may take to its datasource.
const (
	eightCardsLimit   = 1500 * time.Millisecond
	noDatasourceLimit = time.Second
)

// withCards measures machines that have cards and nothing else: a real DHCP
// server and a metadata service stand behind one of eight; and nobody at all.
func withCards(t *testing.T, f figures) {
	if os.Geteuid() != 0 {
		t.Log("figures of machines with eight cards are left out: they need root, to make a network of their own")
		return
	}
	out := filepath.Join(t.TempDir(), "figures")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(self, "-test.run", "^TestCardsInANetworkOfTheirOwn$", "-test.v")
	c.Env = append(os.Environ(), inside+"="+out)
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWUTS, Pdeathsig: syscall.SIGKILL}
	if b, err := c.CombinedOutput(); err != nil {
		t.Fatalf("measure in a network of its own: %v\n%s", err, b)
	}
	b, err := os.ReadFile(out)
	if err == nil {
		err = json.Unmarshal(b, &f)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestTheDatasourceIsFoundInTime(t *testing.T) {
	f := figures{}
	withCards(t, f)
	for key, limit := range map[string]time.Duration{"cloud_init_8nics_wall_s": eightCardsLimit, "cloud_init_none_wall_s": noDatasourceLimit} {
		if v, ok := f[key].(float64); ok && v > limit.Seconds() {
			t.Errorf("%s = %.3f, want at most %.1f", key, v, limit.Seconds())
		}
	}
	t.Log(f.table())
}

// TestCardsInANetworkOfTheirOwn is the process that withCards starts.
func TestCardsInANetworkOfTheirOwn(t *testing.T) {
	out := os.Getenv(inside)
	if out == "" {
		t.Skip("is started by withCards, in namespaces of its own")
	}
	for _, m := range []struct{ source, target, kind string }{{"", "/", ""}, {"sysfs", "/sys", "sysfs"}, {"tmpfs", "/run/netns", "tmpfs"}} {
		var flags uintptr
		if m.kind == "" {
			flags = syscall.MS_REC | syscall.MS_PRIVATE
		}
		if err := os.MkdirAll(m.target, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Mount(m.source, m.target, m.kind, flags, ""); err != nil {
			t.Fatalf("mount %s: %v", m.target, err)
		}
	}
	var requests atomic.Int64
	cards(t, &requests)
	f := figures{}
	amazon := map[string]string{"sys_vendor": "Amazon EC2", "product_uuid": "ec2a1b2c-0000-4000-8000-0123456789ab", "product_serial": "ec2a1b2c-0000-4000-8000-0123456789ab"}
	median, report := saveAlone(t, amazon)
	if report.Datasource != "ec2" {
		t.Fatalf("report = %+v, want the datasource ec2", report)
	}
	f["cloud_init_8nics_wall_s"] = median
	f["cloud_init_8nics_requests"] = requests.Load() / runs
	median, report = saveAlone(t, map[string]string{"sys_vendor": "Nobody", "product_name": "Nothing"})
	if report.Outcome != "none" {
		t.Fatalf("report = %+v, want none", report)
	}
	f["cloud_init_none_wall_s"] = median
	b, err := json.Marshal(f)
	if err == nil {
		err = os.WriteFile(out, b, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func tool(t *testing.T, args ...string) {
	t.Helper()
	if b, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", strings.Join(args, " "), err, b)
	}
}

// cards plugs in eight. Behind all but the sixth is a network where nobody
// answers.
func cards(t *testing.T, requests *atomic.Int64) {
	for i := range 8 {
		ns := fmt.Sprintf("far%d", i)
		tool(t, "ip", "netns", "add", ns)
		tool(t, "ip", "link", "add", fmt.Sprintf("eth%d", i), "type", "veth", "peer", "name", "far", "netns", ns)
		tool(t, "ip", "-n", ns, "link", "set", "far", "up")
	}
	const ns = "far5"
	tool(t, "ip", "-n", ns, "link", "set", "lo", "up")
	tool(t, "ip", "-n", ns, "addr", "add", "10.1.0.1/24", "dev", "far")
	tool(t, "ip", "-n", ns, "addr", "add", "169.254.169.254/32", "dev", "lo")
	ready := filepath.Join(t.TempDir(), "pid")
	c := exec.Command("ip", "netns", "exec", ns, "/usr/sbin/dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--port=0", "--no-ping",
		"--interface=far", "--bind-interfaces", "--user=root", "--leasefile-ro", "--dhcp-authoritative", "--pid-file="+ready,
		"--dhcp-range=10.1.0.50,10.1.0.60,1h", "--dhcp-option=option:router,10.1.0.1")
	if err := c.Start(); err != nil {
		t.Fatalf("a DHCP server: %v: apt-get install dnsmasq-base", err)
	}
	t.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait()
	})
	dir := t.TempDir()
	if _, err := qemu.NewCloud("ec2", dir, "", qemu.User{Data: []byte("#cloud-config\n"), Keys: []string{vm.PublicKey(t)}, Hostname: "bench", ID: "bench"}, nil); err != nil {
		t.Fatal(err)
	}
	h, err := dstest.Handler(filepath.Join(dir, "ec2/http"))
	if err != nil {
		t.Fatal(err)
	}
	l := listenIn(t, ns, "169.254.169.254:80")
	t.Cleanup(func() { l.Close() })
	go func() {
		_ = http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { // ends when l is closed
			requests.Add(1)
			h.ServeHTTP(w, r)
		}))
	}()
	late := time.Now().Add(10 * time.Second)
	for tick := time.NewTicker(10 * time.Millisecond); ; <-tick.C {
		if b, err := os.ReadFile(ready); err == nil && len(b) > 0 {
			return
		}
		if time.Now().After(late) {
			t.Fatal("dnsmasq does not start")
		}
	}
}

// listenIn listens in another network.
func listenIn(t *testing.T, ns, address string) net.Listener {
	t.Helper()
	var l net.Listener
	done := make(chan error)
	go func() {
		// The thread is not given back: it ends with the goroutine.
		runtime.LockOSThread()
		done <- func() error {
			f, err := os.Open("/run/netns/" + ns)
			if err != nil {
				return err
			}
			defer f.Close()
			if err := unix.Setns(int(f.Fd()), unix.CLONE_NEWNET); err != nil {
				return err
			}
			l, err = net.Listen("tcp", address)
			return err
		}()
	}()
	if err := <-done; err != nil {
		t.Fatalf("listen on %s in %s: %v", address, ns, err)
	}
	return l
}

// saved is what is read of the report of cloud-init-save.
type saved struct {
	Outcome    string   `json:"outcome"`
	Datasource string   `json:"datasource"`
	Problems   []string `json:"problems"`
}

// saveAlone runs cloud-init-save on a machine of its own, made new for each run:
// a root with this firmware and these cards, which have no address yet. It
// returns the median of the time, and the last report.
func saveAlone(t *testing.T, dmi map[string]string) (float64, saved) {
	var took []float64
	var report saved
	for range runs {
		root := newRoot(t, dmi)
		c := exec.Command("/usr/bin/ros", "cloud-init-save", "--output", "json")
		c.SysProcAttr, c.Dir = &syscall.SysProcAttr{Chroot: root}, "/"
		var stderr strings.Builder
		c.Stderr = &stderr
		start := time.Now()
		out, err := c.Output()
		took = append(took, time.Since(start).Seconds())
		if jerr := json.Unmarshal(out, &report); jerr != nil {
			t.Fatalf("cloud-init-save: %v: %s%s", err, out, stderr.String())
		}
		for i := range 8 {
			tool(t, "ip", "addr", "flush", "dev", fmt.Sprintf("eth%d", i))
			tool(t, "ip", "link", "set", fmt.Sprintf("eth%d", i), "down")
		}
	}
	return median(took), report
}

// newRoot is the root of a machine with these firmware strings.
func newRoot(t *testing.T, dmi map[string]string) string {
	root := t.TempDir()
	for file, text := range map[string]string{"etc/passwd": "root:x:0:0:root:/root:/bin/sh\n", "etc/group": "root:x:0:\n", "etc/os-release": "ID=debian\n"} {
		write(t, filepath.Join(root, file), []byte(text))
	}
	for name, value := range dmi {
		write(t, filepath.Join(root, "sys/class/dmi/id", name), []byte(value+"\n"))
	}
	binds := map[string]string{"proc": "/proc", "sys/class/net": "/sys/class/net", "sys/devices": "/sys/devices", "usr/bin": filepath.Dir(vm.Out(t, "ros"))}
	var targets []string
	for to, from := range binds {
		target := filepath.Join(root, to)
		if err := os.MkdirAll(target, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Mount(from, target, "", syscall.MS_BIND|syscall.MS_REC, ""); err != nil {
			t.Fatalf("mount %s: %v", target, err)
		}
		targets = append(targets, target)
	}
	t.Cleanup(func() {
		for _, target := range slices.Backward(targets) {
			if err := syscall.Unmount(target, syscall.MNT_DETACH); err != nil {
				t.Errorf("unmount %s: %v", target, err)
			}
		}
	})
	return root
}
