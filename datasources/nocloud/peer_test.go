package nocloud_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"rancheros/datasources"
	"rancheros/datasources/dstest"
	"rancheros/datasources/nocloud"
	"rancheros/sys/blkdev"
)

// TestDrivesOfCloudLocaldsAreRead takes the drives that people make by Ubuntu's
// cloud-localds, with user-data of more than one sector and cluster.
func TestDrivesOfCloudLocaldsAreRead(t *testing.T) {
	user := "#cloud-config\nhostname: chosen\n# " + strings.Repeat("long ", 3000) + "\n"
	for _, format := range []string{"iso", "vfat"} {
		t.Run(format, func(t *testing.T) {
			root := t.TempDir()
			for name, content := range map[string]string{
				"user": user, "meta": "instance-id: i-1\nlocal-hostname: box\n", "net": "version: 2\nethernets:\n  e0:\n    match: {name: 'e*'}\n    dhcp4: true\n",
				"dev/vdb": "",
			} {
				path := filepath.Join(root, name)
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			c := exec.Command("cloud-localds", "--filesystem", format, "--network-config", "net", "dev/vdb", "user", "meta")
			c.Dir = root
			if out, err := c.CombinedOutput(); err != nil {
				t.Fatalf("cloud-localds: %v: %s: apt-get install cloud-image-utils; `make test` does", err, out)
			}
			dev, err := blkdev.Probe(filepath.Join(root, "dev/vdb"))
			if err != nil {
				t.Fatal(err)
			}
			b := datasources.BlockOf(dev)
			b.Name = "vdb"
			h := &datasources.Host{Root: os.DirFS(root), Dir: root, Facts: datasources.Facts{Blocks: []datasources.Block{b}}}
			if f := nocloud.Kind.Detect(h); f.Match != datasources.Yes {
				t.Errorf("Detect() = %v, want yes; the drive is %+v", f, b)
			}
			in, err := nocloud.Kind.Fetch(t.Context(), dstest.Env(h, "", nil))
			if err != nil {
				t.Fatal(err)
			}
			if in.ID != "i-1" || in.Hostname != "box" || in.Network == nil || string(in.UserData) != user {
				t.Errorf("Fetch() = %.300v", in)
			}
		})
	}
}
