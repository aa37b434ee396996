package drive

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"rancheros/datasources"
)

// source makes a folder as clouds put it on drives.
func source(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "openstack/latest"), 0o755); err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("long-", 30)
	for name, content := range map[string]string{
		"user-data": "#cloud-config\n", "meta-data": "instance-id: i-1\n",
		"openstack/latest/meta_data.json": `{"uuid":"x"}`, long: "long",
		// Neither is a multiple of any sector or cluster.
		"openstack/latest/user_data": large(600), "openstack/latest/vendor_data.json": large(70_001),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// large is text of n bytes, no part of which is like another.
func large(n int) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, "%d ", i)
	}
	return b.String()[:n]
}

// makers are the ways in which people make drives.
var makers = []struct{ name, script string }{
	{"rock ridge", `genisoimage -quiet -R -V cidata -o $1 $2`},
	{"rock ridge and joliet", `genisoimage -quiet -R -J -joliet-long -V cidata -o $1 $2`},
	{"joliet only", `genisoimage -quiet -J -joliet-long -V cidata -o $1 $2`},
	{"xorriso", `xorriso -as mkisofs -quiet -R -J -joliet-long -V config-2 -o $1 $2`},
	{"no extension", `genisoimage -quiet -iso-level 4 -V cidata -o $1 $2`},
	{"fat12", `truncate -s 2M $1 && mkfs.vfat -F 12 $1 >/dev/null && mcopy -s -i $1 $2/[mou]* ::`},
	{"fat16", `truncate -s 64M $1 && mkfs.vfat -F 16 $1 >/dev/null && mcopy -s -i $1 $2/[mou]* ::`},
	{"fat32", `truncate -s 64M $1 && mkfs.vfat -F 32 $1 >/dev/null && mcopy -s -i $1 $2/[mou]* ::`},
	{"ext4", `truncate -s 8M $1 && mkfs.ext4 -q -d $2 $1`},
}

func makeImage(t *testing.T, script, dir string) string {
	t.Helper()
	tool := strings.Fields(script)[0]
	if _, after, ok := strings.Cut(script, "&& "); ok {
		tool = strings.Fields(after)[0]
	}
	if _, err := exec.LookPath(tool); err != nil {
		t.Fatalf("%v: `make test` installs what makes drives", err)
	}
	img := filepath.Join(t.TempDir(), "image")
	if out, err := exec.Command("sh", "-c", script, "sh", img, dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return img
}

func TestDrivesMadeByAnyToolAreRead(t *testing.T) {
	dir := source(t)
	for _, m := range makers {
		t.Run(m.name, func(t *testing.T) {
			f, err := os.Open(makeImage(t, m.script, dir))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			d, err := Read(f, datasources.Block{Name: "vdb"})
			if err != nil {
				t.Fatal(err)
			}
			for name, want := range map[string]string{
				"user-data": "#cloud-config\n", "/meta-data": "instance-id: i-1\n",
				"openstack/latest/meta_data.json": `{"uuid":"x"}`,
				"openstack/latest/user_data":      large(600), "openstack/latest/vendor_data.json": large(70_001),
			} {
				if got, err := d.Read(name); string(got) != want || err != nil {
					t.Errorf("Read(%s) = %d bytes %.50q, %v, want %d bytes %.50q", name, len(got), got, err, len(want), want)
				}
			}
			if _, err := d.Read("openstack/none"); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("Read(openstack/none) = %v, want not exist", err)
			}
			if got, err := d.List("openstack"); err != nil || !strings.EqualFold(strings.Join(got, " "), "latest/") {
				t.Errorf("List(openstack) = %v, %v, want latest/", got, err)
			}
			if _, err := d.ReadMax("user-data", 3); err == nil {
				t.Error("ReadMax() read more than it may")
			}
			if got, _ := d.Read("link"); len(got) > 20 {
				t.Error("a link led out of the drive")
			}
			if !d.Exists("openstack/latest/meta_data.json") && !d.Exists("user-data") {
				t.Error("Exists() says no")
			}
		})
	}
}

func TestDamagedDrivesNeverPanic(t *testing.T) {
	dir := source(t)
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, m := range makers[:6] {
		t.Run(m.name, func(t *testing.T) {
			good, err := os.ReadFile(makeImage(t, m.script, dir))
			if err != nil {
				t.Fatal(err)
			}
			for range 100 {
				bad := append([]byte(nil), good...)
				for range 200 {
					bad[rnd.IntN(len(bad))] = byte(rnd.IntN(256))
				}
				for i := 0; i < len(bad) && i < 80<<10; i += 1 + rnd.IntN(2000) {
					bad[i] = byte(rnd.IntN(256))
				}
				if d, err := Read(strings.NewReader(string(bad)), datasources.Block{}); err == nil {
					d.Read("openstack/latest/meta_data.json")
					d.List("")
				}
			}
		})
	}
}

func TestFindKnowsTheCasesOfALabel(t *testing.T) {
	h := &datasources.Host{Facts: datasources.Facts{Blocks: []datasources.Block{
		{Name: "vda1", Label: "cidata", PartUUID: "x"},
		{Name: "vdb", Label: "CIDATA"},
		{Name: "vdc", Label: "x", LabelFATBoot: "cidata"},
		{Name: "vdd", Label: "CiData"},
	}}}
	var got []string
	for _, b := range Find(h, "cidata") {
		got = append(got, b.Name)
	}
	if want := "vdc vdb vda1"; strings.Join(got, " ") != want {
		t.Errorf("Find() = %v, want %s", got, want)
	}
}

func TestRecordedDriveIsAFolder(t *testing.T) {
	dir := t.TempDir()
	os.Mkdir(filepath.Join(dir, "cidata"), 0o755)
	os.WriteFile(filepath.Join(dir, "cidata/user-data"), []byte("x"), 0o644)
	d, err := Open(&datasources.Host{Drives: dir}, datasources.Block{Name: "vdb", Label: "cidata"})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if got, err := d.Read("user-data"); string(got) != "x" || err != nil {
		t.Errorf("Read() = %q, %v", got, err)
	}
}

// FuzzISO must not panic and not read without end, whatever the drive says.
func FuzzISO(f *testing.F) {
	head := make([]byte, 20*isoSector)
	copy(head[16*isoSector:], "\x01CD001\x01")
	copy(head[16*isoSector+156:], "\x22\x00\x12\x00\x00\x00")
	f.Add(head)
	f.Fuzz(func(t *testing.T, b []byte) {
		img := make([]byte, 24*isoSector)
		copy(img, b)
		if d, err := readISO(strings.NewReader(string(img)), int64(len(img))); err == nil {
			d.open("user-data")
			d.list("")
		}
	})
}
