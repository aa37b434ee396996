package nocloud_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/fstest"

	"rancheros/datasources"
	"rancheros/datasources/dstest"
	"rancheros/datasources/nocloud"
)

func Test(t *testing.T) { dstest.Run(t, nocloud.Kind) }

func TestSeedOnTheNetworkNeedsOne(t *testing.T) {
	for _, c := range []struct {
		name string
		want datasources.Needs
	}{
		{"testdata/url", datasources.Network},
		{"testdata/serial", datasources.Network},
		{"testdata/drive", datasources.Local},
	} {
		h, err := datasources.RecordedHost(c.name)
		if err != nil {
			t.Fatal(err)
		}
		if got := nocloud.Kind.NeedsOn(h); got != c.want {
			t.Errorf("NeedsOn(%s) = %d, want %d", c.name, got, c.want)
		}
	}
}

func TestSameLooksAtTheDrive(t *testing.T) {
	h, err := datasources.RecordedHost("testdata/drive")
	if err != nil {
		t.Fatal(err)
	}
	if !nocloud.Kind.Same(h, datasources.Identity{Drive: "2026-01-02-03-04-05-00"}) {
		t.Error("the same drive is another instance")
	}
	if nocloud.Kind.Same(h, datasources.Identity{Drive: "2025-01-02-03-04-05-00"}) {
		t.Error("another drive is the same instance")
	}
}

func TestFirmwareWinsOverTheCommandLine(t *testing.T) {
	h := seed(map[string]string{"proc/cmdline": "ds=nocloud;i=line;h=line", "sys/class/dmi/id/product_serial": "ds=nocloud;i=serial"})
	in, err := nocloud.Kind.Fetch(t.Context(), dstest.Env(h, "", nil))
	if err != nil || in.ID != "serial" || in.Hostname != "line" {
		t.Errorf("Fetch() = %+v, %v, want the ID of the serial number and the host name of the command line", in, err)
	}
}

func TestASeedMaySayThatItIsDisabled(t *testing.T) {
	h := seed(map[string]string{"var/lib/cloud/seed/nocloud/meta-data": "instance-id: x\ndsmode: disabled\n"})
	if in, err := nocloud.Kind.Fetch(t.Context(), dstest.Env(h, "", nil)); err == nil || !strings.Contains(err.Error(), "disabled") {
		t.Errorf("Fetch() = %+v, %v, want an error", in, err)
	}
}

// seed is a machine with a seed folder and more files.
func seed(files map[string]string) *datasources.Host {
	root := fstest.MapFS{
		"var/lib/cloud/seed/nocloud/meta-data": {Data: []byte("instance-id: seed\n")},
		"var/lib/cloud/seed/nocloud/user-data": {Data: []byte("#cloud-config\n")},
	}
	for name, content := range files {
		root[name] = &fstest.MapFile{Data: []byte(content)}
	}
	return &datasources.Host{Root: root}
}

func TestOptionsAreEnough(t *testing.T) {
	h := &datasources.Host{Root: fstest.MapFS{"proc/cmdline": {Data: []byte("quiet ds=nocloud;i=i-1;h=web\n")}}}
	in, err := nocloud.Kind.Fetch(t.Context(), dstest.Env(h, "", nil))
	if err != nil || in.ID != "i-1" || in.Hostname != "web" {
		t.Errorf("Fetch() = %+v, %v, want i-1, web", in, err)
	}
	h.Root = fstest.MapFS{"proc/cmdline": {Data: []byte("ds=nocloud\n")}}
	if in, err := nocloud.Kind.Fetch(t.Context(), dstest.Env(h, "", nil)); err == nil {
		t.Errorf("Fetch() = %+v, want an error where nobody says anything", in)
	}
}

func TestNoLabelMeansNoDrive(t *testing.T) {
	h := seed(map[string]string{"etc/cloud/cloud.cfg": "datasource: {NoCloud: {fs_label: null}}"})
	h.Blocks = []datasources.Block{{Name: "sr0", Label: "cidata", FSType: "iso9660"}}
	in, err := nocloud.Kind.Fetch(t.Context(), dstest.Env(h, "", nil))
	if err != nil || in.ID != "seed" || in.Drive != "" {
		t.Errorf("Fetch() = %+v, %v, want the seed folder only", in, err)
	}
}

// files answers with the path that was asked for, and who asked.
type files struct{}

func (files) RoundTrip(r *http.Request) (*http.Response, error) {
	user, password, _ := r.BasicAuth()
	body := "asked: " + r.URL.RequestURI() + "\nby: " + user + " " + password + "\n"
	if strings.Contains(r.URL.Path, "network-config") {
		body = ""
	}
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

func TestSeedfromMayHaveAUserAndAPlaceForTheName(t *testing.T) {
	for from, want := range map[string]string{
		"http://me:secret@192.0.2.1/seed": "/seed/meta-data",
		"http://me:secret@192.0.2.1/%s/1": "/meta-data/1",
		"http://me:secret@192.0.2.1/?f=":  "/?f=meta-data",
		"http://me:secret@192.0.2.1":      "/meta-data",
	} {
		h := &datasources.Host{Root: fstest.MapFS{"proc/cmdline": {Data: []byte("ds=nocloud;s=" + from)}}}
		in, err := nocloud.Kind.Fetch(t.Context(), dstest.Env(h, "", files{}))
		if err != nil || in.Metadata["asked"] != want || in.Metadata["by"] != "me secret" {
			t.Errorf("Fetch(%s) = %+v, %v, want %s to be asked for", from, in, err, want)
			continue
		}
		for _, shown := range []string{in.Subplatform, in.Metadata["seedfrom"].(string), nocloud.Kind.Detect(h).Evidence} {
			if strings.Contains(shown, "secret") {
				t.Errorf("%q shows the password", shown)
			}
		}
	}
}
