package vm

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A Network is that of one machine in a cloud: a namespace where the cloud's
// servers have their real addresses, with a link for the machine.
type Network struct {
	// Link is the machine's end of the wire: a tap device.
	Link string

	t  testing.TB
	do chan func()
}

// A Plan says what there is in a network.
type Plan struct {
	// Serve are the addresses, with a port where it is not 80, at which Handler
	// answers.
	Serve   []string
	Handler http.Handler
	// Names are host names, by address.
	Names map[string]string
	// IPv6 is a network without IPv4: a router advertises its prefix.
	IPv6 bool
	// Slow is how late every answer is, rounded to seconds for DHCP.
	Slow time.Duration
	// TFTP is a folder that Router offers, or "".
	TFTP string
}

// Router is router, DHCP server and name server of every network.
const Router = "10.1.1.1"

// NewNetwork makes a network that lives as long as the test.
func NewNetwork(t testing.TB, p Plan) *Network {
	t.Helper()
	n := &Network{Link: "tap0", t: t, do: make(chan func())}
	entered := make(chan error)
	go n.live(entered)
	if err := <-entered; err != nil {
		t.Fatalf("a network of its own: %v", err)
	}
	// Last of all: what runs inside is ended before.
	t.Cleanup(func() { close(n.do) })
	n.links(p)
	n.dnsmasq(p)
	for _, a := range p.Serve {
		n.serve(a, late(p.Handler, p.Slow))
	}
	return n
}

// live runs functions on a thread that is in a network namespace. The thread
// ends with it: no other goroutine must get there.
func (n *Network) live(entered chan<- error) {
	runtime.LockOSThread()
	err := unix.Unshare(unix.CLONE_NEWNET)
	entered <- err
	if err != nil {
		return
	}
	for f := range n.do {
		f()
	}
}

// inside runs f in the namespace. What it starts and opens stays there.
func (n *Network) inside(f func() error) error {
	done := make(chan error)
	n.do <- func() { done <- f() }
	return <-done
}

// start starts a program, inside if there is a network.
func (n *Network) start(c *exec.Cmd) error {
	if n == nil {
		return c.Start()
	}
	// Its thread lives as long as the network, so that the program ends with it
	// even when the test is killed.
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return n.inside(c.Start)
}

func (n *Network) run(name string, args ...string) {
	n.t.Helper()
	err := n.inside(func() error {
		if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
			return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, out)
		}
		return nil
	})
	if err != nil {
		n.t.Fatal(err)
	}
}

// links makes the wire and gives this end its addresses.
func (n *Network) links(p Plan) {
	n.run("ip", "link", "set", "lo", "up")
	n.run("ip", "tuntap", "add", "dev", n.Link, "mode", "tap")
	n.run("sysctl", "-qw", "net.ipv6.conf."+n.Link+".accept_dad=0")
	n.run("ip", "link", "set", n.Link, "up")
	n.address(Router + "/24")
	if p.IPv6 {
		n.address("2001:db8:1::1/64")
	}
	seen := map[string]bool{}
	for _, a := range p.Serve {
		host, _ := hostPort(a)
		if seen[host] || host == Router {
			continue
		}
		seen[host] = true
		switch ip := net.ParseIP(host); {
		case ip.IsLinkLocalUnicast() && ip.To4() != nil:
			n.address(host + "/16") // machines ask from 169.254/16 as well
		case ip.IsLinkLocalUnicast():
			n.address(host + "/64")
		case ip.To4() != nil:
			n.address(host + "/32")
		default:
			n.address(host + "/128")
		}
	}
}

func (n *Network) address(a string) {
	n.t.Helper()
	args := []string{"addr", "add", a, "dev", n.Link}
	if strings.Contains(a, ":") {
		args = append(args, "nodad")
	}
	n.run("ip", args...)
}

// dnsmasq is DHCP, DNS, TFTP and router advertisements.
func (n *Network) dnsmasq(p Plan) {
	n.t.Helper()
	bin, err := exec.LookPath("dnsmasq")
	if err != nil {
		bin = "/usr/sbin/dnsmasq" // not in the path of everybody
	}
	dir := n.t.TempDir()
	ready := filepath.Join(dir, "pid")
	args := []string{"--keep-in-foreground", "--no-resolv", "--no-hosts", "--no-ping", "--conf-file=/dev/null", "--user=root",
		"--interface=" + n.Link, "--bind-dynamic", "--leasefile-ro", "--dhcp-authoritative", "--log-dhcp", "--log-queries",
		"--log-facility=" + filepath.Join(dir, "log"), "--pid-file=" + ready}
	if p.IPv6 {
		args = append(args, "--enable-ra", "--dhcp-range=2001:db8:1::,ra-only")
	} else {
		args = append(args, "--dhcp-range=10.1.1.10,10.1.1.20,1h")
	}
	for name, address := range p.Names {
		args = append(args, "--address=/"+name+"/"+address)
	}
	if p.Slow > 0 {
		args = append(args, fmt.Sprintf("--dhcp-reply-delay=%d", int(p.Slow.Round(time.Second).Seconds())))
	}
	if p.TFTP != "" {
		args = append(args, "--enable-tftp", "--tftp-root="+p.TFTP)
	}
	c := exec.Command(bin, args...)
	if err := n.start(c); err != nil {
		n.t.Fatalf("%v: apt-get install dnsmasq-base; `make test` does", err)
	}
	n.t.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait()
		if b, err := os.ReadFile(filepath.Join(dir, "log")); n.t.Failed() && err == nil {
			n.t.Logf("dnsmasq said:\n%s", b)
		}
	})
	deadline := time.Now().Add(10 * time.Second)
	for tick := time.NewTicker(10 * time.Millisecond); ; <-tick.C {
		if b, err := os.ReadFile(ready); err == nil && len(b) > 0 {
			return
		}
		if time.Now().After(deadline) {
			n.t.Fatal("dnsmasq did not start in 10 s")
		}
	}
}

// serve answers HTTP at an address, and says in the test's log what was asked
// if the test fails.
func (n *Network) serve(address string, h http.Handler) {
	n.t.Helper()
	host, port := hostPort(address)
	if ip := net.ParseIP(host); ip.To4() == nil && ip.IsLinkLocalUnicast() {
		host += "%" + n.Link
	}
	var l net.Listener
	err := n.inside(func() (err error) {
		l, err = net.Listen("tcp", net.JoinHostPort(host, port))
		return err
	})
	if err != nil {
		n.t.Fatalf("serve at %s: %v", address, err)
	}
	log := &asked{next: h}
	s := &http.Server{Handler: log, ReadHeaderTimeout: time.Minute}
	go s.Serve(l)
	n.t.Cleanup(func() {
		s.Close()
		if n.t.Failed() {
			n.t.Logf("asked of %s:\n%s", address, log)
		}
	})
}

// late makes every answer late.
func late(next http.Handler, by time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-time.After(by):
			next.ServeHTTP(w, r)
		}
	})
}

// hostPort splits an address; the port is 80 if it has none.
func hostPort(a string) (host, port string) {
	if h, p, err := net.SplitHostPort(a); err == nil {
		return h, p
	}
	return a, "80"
}
