package qemu_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"cloud.google.com/go/compute/metadata"
	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"

	"rancheros/datasources"
	"rancheros/datasources/dstest"
	"rancheros/datasources/gce"
	"rancheros/image/qemu"
)

// TestGooglesClientReadsWhatWeCallGCE asks our metadata servers with Google's
// client as programs use it: at Google's address, and after a look at the
// firmware. So each server is in a network and a /sys of its own, and in a
// process of its own, because the client remembers what it was told. What our
// datasource understands must be the same.
func TestGooglesClientReadsWhatWeCallGCE(t *testing.T) {
	for _, c := range []struct {
		name   string
		folder func(t *testing.T) string
	}{
		{"made up", madeUpGCE},
		{"recorded", func(*testing.T) string { return "../../datasources/gce/testdata/plain/http" }},
	} {
		t.Run(c.name, func(t *testing.T) {
			if inCloud(t) {
				serveGoogle(t, c.folder(t))
				compareWithGoogle(t)
			}
		})
	}
}

func madeUpGCE(t *testing.T) string {
	t.Helper()
	dir, u := t.TempDir(), qemu.User{Data: []byte("#cloud-config\n"), Keys: []string{"ssh-ed25519 AAAA k"}, Hostname: "ros", ID: "one"}
	if _, err := qemu.NewCloud("gce", dir, "ros-image", u, nil); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "gce/http")
}

// inCloud says whether we are in namespaces of our own. If not, it runs the test
// again, in such, and says no when that is over.
func inCloud(t *testing.T) bool {
	t.Helper()
	if os.Getenv("ROS_TEST_NETNS") != "" {
		return true
	}
	first, rest, _ := strings.Cut(t.Name(), "/")
	c := exec.Command(os.Args[0], "-test.run=^"+first+"$/^"+rest+"$", "-test.v")
	c.Env = append(os.Environ(), "ROS_TEST_NETNS=1")
	c.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
		Pdeathsig:   syscall.SIGKILL,
	}
	out, err := c.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Fatalf("in a network of its own: %v\n%s", err, out)
	}
	return false
}

// serveGoogle makes this a machine of Google's: firmware, and a server at its
// address.
func serveGoogle(t *testing.T, folder string) {
	t.Helper()
	h, err := dstest.Handler(folder)
	if err != nil {
		t.Fatal(err)
	}
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		t.Fatal(err)
	}
	addr, err := netlink.ParseAddr("169.254.169.254/32")
	if err != nil {
		t.Fatal(err)
	}
	const dmi = "/sys/class/dmi/id"
	for _, err := range []error{
		netlink.LinkSetUp(lo),
		netlink.AddrAdd(lo, addr),
		syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""),
		syscall.Mount("tmpfs", "/sys", "tmpfs", 0, ""),
		os.MkdirAll(dmi, 0o755),
		os.WriteFile(dmi+"/product_name", []byte("Google Compute Engine\n"), 0o644),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	l, err := net.Listen("tcp", "169.254.169.254:80")
	if err != nil {
		t.Fatal(err)
	}
	s := &httptest.Server{Listener: l, Config: &http.Server{Handler: h}}
	s.Start()
	t.Cleanup(s.Close)
	t.Setenv("GCE_METADATA_HOST", "") // with it the client believes that this is Google
}

// A reading is what both clients understand.
type reading struct {
	ID, Name, Hostname, Zone, PrivateIP, PublicIP, UserData string
	Instance, Project                                       map[string]any
}

func compareWithGoogle(t *testing.T) {
	t.Helper()
	client := metadata.NewClient(nil)
	if !client.OnGCEWithContext(t.Context()) {
		t.Error("Google's client says that this is not Google")
	}
	in, err := gce.Kind.Fetch(t.Context(), datasources.Env{Host: &datasources.Host{}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ours := reading{ID: in.ID, Name: in.Hostname, Zone: in.Zone, PrivateIP: in.PrivateIPv4, PublicIP: in.PublicIPv4, UserData: string(in.UserData)}
	ours.Hostname, _ = in.Metadata["local-hostname"].(string)
	ours.Instance, _ = in.Metadata["instance-data"].(map[string]any)
	ours.Project, _ = in.Metadata["project-data"].(map[string]any)
	if diff := cmp.Diff(readAsGoogle(t, client), ours); diff != "" {
		t.Errorf("Google's client -, ours +:\n%s", diff)
	}
}

// readAsGoogle is by Google's client alone. It fails for what every machine of
// Google's has and ours has not, and for what is there and should not be.
func readAsGoogle(t *testing.T, c *metadata.Client) reading {
	t.Helper()
	ctx := t.Context()
	must := func(s string, err error) string {
		t.Helper()
		if err != nil || s == "" {
			t.Errorf("Google's client reads %q: %v", s, err)
		}
		return s
	}
	r := reading{
		ID: must(c.InstanceIDWithContext(ctx)), Name: must(c.InstanceNameWithContext(ctx)), Hostname: must(c.HostnameWithContext(ctx)),
		Zone: must(c.ZoneWithContext(ctx)), PrivateIP: must(c.InternalIPWithContext(ctx)), UserData: must(c.InstanceAttributeValueWithContext(ctx, "user-data")),
		Instance: attributes(t, c.InstanceAttributesWithContext, c.InstanceAttributeValueWithContext),
		Project:  attributes(t, c.ProjectAttributesWithContext, c.ProjectAttributeValueWithContext),
	}
	must(c.ProjectIDWithContext(ctx))
	must(c.NumericProjectIDWithContext(ctx))
	if _, err := c.InstanceTagsWithContext(ctx); err != nil {
		t.Errorf("tags: %v", err)
	}
	if ip, err := netip.ParseAddr(r.PrivateIP); err == nil && ip.IsLinkLocalUnicast() {
		r.PrivateIP = "" // as in QEMU's network; nobody else would know the machine by it
	}
	var err error
	if r.PublicIP, err = c.ExternalIPWithContext(ctx); err != nil && !undefined(err) {
		t.Errorf("external IP: %v", err)
	}
	return r
}

// attributes are all that a list names, and not one that it does not name.
func attributes(t *testing.T, list func(context.Context) ([]string, error), value func(context.Context, string) (string, error)) map[string]any {
	t.Helper()
	names, err := list(t.Context())
	if err != nil {
		t.Errorf("list of attributes: %v", err)
	}
	all := map[string]any{}
	for _, name := range names {
		if name == "" { // of an empty list the client makes one empty name
			continue
		}
		if all[name], err = value(t.Context(), name); err != nil {
			t.Errorf("attribute %s: %v", name, err)
		}
	}
	if v, err := value(t.Context(), "none"); !undefined(err) {
		t.Errorf("attribute none = %q, %v, want a NotDefinedError", v, err)
	}
	return all
}

func undefined(err error) bool {
	_, ok := errors.AsType[metadata.NotDefinedError](err)
	return ok
}
