package execute

import (
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
)

// TestTheMetadataServicesOfAllCloudsAreOutOfReach runs in a network of its own.
func TestTheMetadataServicesOfAllCloudsAreOutOfReach(t *testing.T) {
	if os.Getenv("ROS_TEST_NETNS") == "" {
		c := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
		c.Env = append(os.Environ(), "ROS_TEST_NETNS=1")
		c.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET,
			UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
		}
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	everythingByLoopback(t)
	k := linux{}
	if k.MetadataForbidden() {
		t.Fatal("it is forbidden before it was")
	}
	for range 2 { // every boot of an OS may say so twice
		if err := k.ForbidMetadata(); err != nil {
			t.Fatal(err)
		}
	}
	if !k.MetadataForbidden() {
		t.Error("it is not known that it is forbidden")
	}
	for _, a := range metadata {
		_, err := net.DialTimeout("tcp", net.JoinHostPort(a, "80"), time.Second)
		if err == nil || !strings.Contains(err.Error(), "permission denied") {
			t.Errorf("%s: %v, want it refused by the route", a, err)
		}
	}
}

// everythingByLoopback is a network in which each address could be reached.
func everythingByLoopback(t *testing.T) {
	t.Helper()
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		t.Fatal(err)
	}
	if err := netlink.LinkSetUp(lo); err != nil {
		t.Fatal(err)
	}
	for _, cidr := range []string{"192.0.2.1/32", "2001:db8::1/128"} {
		addr, err := netlink.ParseAddr(cidr)
		if err != nil {
			t.Fatal(err)
		}
		all := &net.IPNet{IP: net.IPv6zero, Mask: net.CIDRMask(0, 128)}
		if addr.IP.To4() != nil {
			all = &net.IPNet{IP: net.IPv4zero, Mask: net.CIDRMask(0, 32)}
		}
		if err := netlink.AddrAdd(lo, addr); err != nil {
			t.Fatal(err)
		}
		if err := netlink.RouteAdd(&netlink.Route{LinkIndex: lo.Attrs().Index, Dst: all}); err != nil {
			t.Fatal(err)
		}
	}
}
