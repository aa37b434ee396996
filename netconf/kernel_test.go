package netconf

import (
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"rancheros/cloudconfig/network"
)

// inside is set in the process that has a network of its own.
const inside = "NETCONF_TEST_INSIDE"

// TestMain runs the tests of root in a network of their own, and with a host name
// of their own: the machine's are not touched.
func TestMain(m *testing.M) {
	if os.Geteuid() != 0 || os.Getenv(inside) != "" {
		if os.Getenv(inside) != "" {
			if err := enter(); err != nil {
				fmt.Fprintln(os.Stderr, "a network for the tests:", err)
				os.Exit(1)
			}
		}
		os.Exit(m.Run())
	}
	self, err := os.Executable()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	c := exec.Command(self, os.Args[1:]...)
	c.Env = append(os.Environ(), inside+"=1")
	c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWUTS, Pdeathsig: syscall.SIGKILL}
	if err := c.Run(); err != nil {
		os.Exit(1)
	}
}

// enter makes sysfs show our own links and hides our namespaces.
func enter() error {
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return err
	}
	if err := syscall.Mount("sysfs", "/sys", "sysfs", 0, ""); err != nil {
		return err
	}
	if err := os.MkdirAll("/run/netns", 0o755); err != nil {
		return err
	}
	return syscall.Mount("tmpfs", "/run/netns", "tmpfs", 0, "")
}

// A wire is a pair of links: one of ours, and its end in a namespace where
// servers run.
type wire struct {
	ns, link string
	// meek servers say nothing about addresses that they did not give.
	meek bool
}

func needKernel(t *testing.T) {
	t.Helper()
	if os.Getenv(inside) == "" {
		t.Skip("needs root, to make a network of its own")
	}
}

func ip(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("ip", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("ip %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// newWire plugs link into a namespace of its own. The far end has address, if
// given.
func newWire(t *testing.T, link string, addresses ...string) wire {
	t.Helper()
	needKernel(t)
	w := wire{ns: "ns-" + link, link: link}
	ip(t, "netns", "add", w.ns)
	t.Cleanup(func() { exec.Command("ip", "netns", "del", w.ns).Run() })
	ip(t, "link", "add", link, "type", "veth", "peer", "name", "far", "netns", w.ns)
	t.Cleanup(func() { exec.Command("ip", "link", "del", link).Run() })
	ip(t, "-n", w.ns, "link", "set", "lo", "up")
	// Servers need not wait until their own address is known to be free.
	ip(t, "netns", "exec", w.ns, "sysctl", "-qw", "net.ipv6.conf.far.accept_dad=0")
	ip(t, "-n", w.ns, "link", "set", "far", "up")
	for _, a := range addresses {
		if strings.Contains(a, ":") {
			ip(t, "-n", w.ns, "addr", "add", a, "dev", "far", "nodad")
			continue
		}
		ip(t, "-n", w.ns, "addr", "add", a, "dev", "far")
	}
	return w
}

// dnsmasq serves DHCP on the far end until stop is called or the test ends.
func (w wire) dnsmasq(t *testing.T, options ...string) (stop func()) {
	t.Helper()
	bin, err := exec.LookPath("dnsmasq")
	if err != nil {
		bin = "/usr/sbin/dnsmasq"
		if _, err := os.Stat(bin); err != nil {
			t.Fatal("needs a real DHCP server: apt-get install dnsmasq-base; `make test` does")
		}
	}
	dir := t.TempDir()
	ready := filepath.Join(dir, "pid")
	args := append([]string{"netns", "exec", w.ns, bin, "--keep-in-foreground", "--no-resolv", "--no-hosts", "--no-ping",
		"--conf-file=/dev/null", "--port=0", "--interface=far", "--bind-interfaces", "--user=root", "--leasefile-ro",
		"--log-dhcp", "--log-facility=" + filepath.Join(dir, "log"), "--pid-file=" + ready}, options...)
	if !w.meek {
		args = append(args, "--dhcp-authoritative")
	}
	c := exec.Command("ip", args...)
	c.SysProcAttr, c.Stderr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}, t.Output()
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	stop = sync.OnceFunc(func() {
		c.Process.Kill()
		c.Wait()
	})
	t.Cleanup(func() {
		stop()
		if b, err := os.ReadFile(filepath.Join(dir, "log")); t.Failed() && err == nil {
			t.Logf("dnsmasq said:\n%s", b)
		}
	})
	await(t, "dnsmasq", func() bool { b, _ := os.ReadFile(ready); return len(b) > 0 })
	return stop
}

// await polls until f says yes.
func await(t *testing.T, what string, f func() bool) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for tick := time.NewTicker(20 * time.Millisecond); ; <-tick.C {
		if f() {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within ten seconds", what)
		}
	}
}

func testOptions(t *testing.T) Options {
	return Options{LeaseDir: filepath.Join(t.TempDir(), "leases"), Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))}
}

func dhcpOn(links ...string) *network.Config {
	cfg := &network.Config{}
	for _, l := range links {
		cfg.Links = append(cfg.Links, network.Link{ID: l, Kind: network.Physical, DHCP4: true})
	}
	return cfg
}

func TestUpTakesALease(t *testing.T) {
	w := newWire(t, "eth0", "10.1.0.1/24")
	w.dnsmasq(t, "--dhcp-range=10.1.0.50,10.1.0.60,1h", "--dhcp-option=option:router,10.1.0.1",
		"--dhcp-option=option:dns-server,10.1.0.53", "--dhcp-option=option:domain-search,a.example,b.example", "--dhcp-option=option:mtu,1400")
	o := testOptions(t)
	res, err := Up(t.Context(), nil, o)
	if err != nil {
		t.Fatal(err)
	}
	if res.First != "eth0" || res.Took > 1500*time.Millisecond {
		t.Errorf("Up() = %s after %s, want eth0 within 1.5s", res.First, res.Took)
	}
	l := res.Leases["eth0"]
	if !netip.MustParsePrefix("10.1.0.0/24").Contains(l.Address.Addr()) || strings.Join(l.Search, " ") != "a.example b.example" || l.MTU != 1400 {
		t.Errorf("lease = %+v", l)
	}
	if got := ip(t, "route", "show", "default"); !strings.Contains(got, "via 10.1.0.1") {
		t.Errorf("default route = %q, want it via 10.1.0.1", got)
	}
	if got := ip(t, "link", "show", "eth0"); !strings.Contains(got, "mtu 1400") {
		t.Errorf("link = %q, want mtu 1400", got)
	}
}
