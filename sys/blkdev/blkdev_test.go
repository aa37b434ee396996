package blkdev

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// image makes a file system with its own tool.
func image(t *testing.T, script string) string {
	t.Helper()
	img := filepath.Join(t.TempDir(), "img")
	cmd := exec.Command("sh", "-ec", script, "sh", img, t.TempDir())
	if out, err := cmd.CombinedOutput(); err != nil {
		if strings.Contains(string(out), "not found") {
			t.Skipf("%s", out)
		}
		t.Fatalf("%v: %s", err, out)
	}
	return img
}

func TestProbeReadsWhatToolsWrite(t *testing.T) {
	const id = "b3f2a1c4-1111-4222-8333-444455556666"
	tests := []struct {
		name, script string
		want         Info
	}{
		{"ext4", "truncate -s 8M $1; mkfs.ext4 -q -L STATE -U " + id + " $1", Info{FSType: "ext4", Label: "STATE", UUID: id}},
		{"ext3", "truncate -s 8M $1; mkfs.ext3 -q -U " + id + " $1", Info{FSType: "ext3", UUID: id}},
		{"ext2", "truncate -s 8M $1; mkfs.ext2 -q -U " + id + " $1", Info{FSType: "ext2", UUID: id}},
		{"fat12", "truncate -s 2M $1; mkfs.vfat -F 12 -n CIDATA -i 1234abcd $1", Info{FSType: "vfat", Label: "CIDATA", LabelFATBoot: "CIDATA", UUID: "1234-ABCD"}},
		{"fat16", "truncate -s 32M $1; mkfs.vfat -F 16 -n 'A B' -i 1234abcd $1", Info{FSType: "vfat", Label: "A B", LabelFATBoot: "A B", UUID: "1234-ABCD"}},
		{"fat32", "truncate -s 64M $1; mkfs.vfat -F 32 -n config-2 -i 1234abcd $1", Info{FSType: "vfat", Label: "config-2", LabelFATBoot: "config-2", UUID: "1234-ABCD"}},
		{"fat, no label", "truncate -s 64M $1; mkfs.vfat -i 1234abcd $1", Info{FSType: "vfat", UUID: "1234-ABCD"}},
		{"iso9660", "touch $2/x; genisoimage -quiet -V cidata -o $1 $2", Info{FSType: "iso9660", Label: "cidata"}},
		{"squashfs", "touch $2/x; mksquashfs $2 $1 -quiet -no-progress", Info{FSType: "squashfs"}},
		{"swap", "truncate -s 1M $1; chmod 600 $1; mkswap -q -L SW -U " + id + " $1", Info{FSType: "swap", Label: "SW", UUID: id}},
		{"xfs", "truncate -s 320M $1; mkfs.xfs -q -L X -m uuid=" + id + " $1", Info{FSType: "xfs", Label: "X", UUID: id}},
		{"btrfs", "truncate -s 128M $1; mkfs.btrfs -q -L B -U " + id + " $1", Info{FSType: "btrfs", Label: "B", UUID: id}},
		{"luks2", "truncate -s 32M $1; echo -n x | cryptsetup -q luksFormat --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --label L --uuid " + id + " $1 -", Info{FSType: "crypto_LUKS", Label: "L", UUID: id}},
		{"nothing", "truncate -s 1M $1", Info{}},
		{"tiny", "echo > $1", Info{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Probe(image(t, tt.script))
			if err != nil {
				t.Fatal(err)
			}
			if tt.name == "iso9660" {
				if len(got.UUID) != len("2026-11-21-09-33-12-00") {
					t.Errorf("UUID of iso9660 = %q", got.UUID)
				}
				got.UUID = ""
			}
			got.Name, got.Path, got.Size = "", "", 0
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("want -, got +:\n%s", diff)
			}
		})
	}
}

func TestSuperblockOfRAIDAndLVM(t *testing.T) {
	img := make([]byte, 1<<20)
	md := []byte{0xfc, 0x4e, 0x2b, 0xa9, 1, 0, 0, 0}
	copy(img[4096:], md)
	copy(img[4096+32:], "host:0")
	if s, _ := Superblock(bytes.NewReader(img), 1<<20); s.FSType != "linux_raid_member" || s.Label != "host:0" {
		t.Errorf("md 1.2 = %+v", s)
	}
	img = make([]byte, 1<<20)
	copy(img[1<<20-8192:], md)
	if s, _ := Superblock(bytes.NewReader(img), 1<<20); s.FSType != "linux_raid_member" {
		t.Errorf("md 1.0 = %+v", s)
	}
	img = make([]byte, 1<<20)
	copy(img[512:], "LABELONE")
	copy(img[512+24:], "LVM2 001"+strings.Repeat("abcdefgh", 4))
	if s, _ := Superblock(bytes.NewReader(img), 1<<20); s.UUID != "abcdef-ghab-cdef-ghab-cdef-ghab-cdefgh" {
		t.Errorf("lvm = %+v", s)
	}
}

// machine makes a root with two disks, one with a partition.
func machine(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	file := func(name string, content []byte) {
		path := filepath.Join(root, name)
		os.MkdirAll(filepath.Dir(path), 0o755)
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	ext := make([]byte, 64<<10)
	copy(ext[1024+0x38:], "\x53\xef")
	copy(ext[1024+0x78:], "STATE")
	file("dev/vda1", ext)
	file("dev/vda", make([]byte, 64<<10))
	file("sys/devices/vda/size", []byte("128\n"))
	file("sys/devices/vda/vda1/size", []byte("128\n"))
	file("sys/devices/vda/vda1/partition", []byte("1\n"))
	file("sys/devices/vda/vda1/uevent", []byte("DEVNAME=vda1\nPARTUUID=AAAA-01\nPARTNAME=root\n"))
	file("sys/devices/sr0/size", []byte("0\n"))
	os.MkdirAll(filepath.Join(root, "sys/class/block"), 0o755)
	for name, to := range map[string]string{"vda": "vda", "vda1": "vda/vda1", "sr0": "sr0"} {
		os.Symlink("../../devices/"+to, filepath.Join(root, "sys/class/block", name))
	}
	return root
}

func TestResolveKnowsEveryWayToNameADevice(t *testing.T) {
	root := machine(t)
	for _, spec := range []string{"LABEL=STATE", `LABEL="STATE"`, "PARTUUID=aaaa-01", "PARTLABEL=root", "/dev/vda1", "vda1", "/dev/disk/by-label/STATE"} {
		got, err := Resolve(root, spec)
		if err != nil || got.Name != "vda1" || got.Disk != "vda" || got.Part != 1 || got.FSType != "ext2" {
			t.Errorf("Resolve(%s) = %+v, %v, want vda1", spec, got, err)
		}
	}
	for _, spec := range []string{"LABEL=none", "/dev/vdz", "UUID=1"} {
		if _, err := Resolve(root, spec); !errors.Is(err, ErrNotFound) {
			t.Errorf("Resolve(%s) = %v, want ErrNotFound", spec, err)
		}
	}
	for _, spec := range []string{"LABEL=", "COLOUR=red"} {
		if _, err := Resolve(root, spec); err == nil || errors.Is(err, ErrNotFound) {
			t.Errorf("Resolve(%s) = %v, want an error that says what is wrong", spec, err)
		}
	}
}

func TestWaitForEndsWithItsContext(t *testing.T) {
	root := machine(t)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := WaitFor(ctx, root, "LABEL=late"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("WaitFor() = %v, want deadline exceeded", err)
	}
	if got, err := WaitFor(t.Context(), root, "LABEL=STATE"); err != nil || got.Name != "vda1" {
		t.Errorf("WaitFor() = %+v, %v, want vda1", got, err)
	}
}

func TestPartitionTablesGiveTheKernelsUUIDs(t *testing.T) {
	disk := make([]byte, 64<<10)
	disk[510], disk[511] = 0x55, 0xAA
	copy(disk[440:], "\x78\x56\x34\x12")
	if got := tableUUID(bytes.NewReader(disk), 2); got != "12345678-02" {
		t.Errorf("MBR: %s, want 12345678-02", got)
	}
	copy(disk[512:], "EFI PART")
	disk[512+72], disk[512+80], disk[512+84] = 2, 128, 128
	copy(disk[1024+128+16:], "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10")
	if got := tableUUID(bytes.NewReader(disk), 2); got != "04030201-0605-0807-090a-0b0c0d0e0f10" {
		t.Errorf("GPT: %s", got)
	}
}

func FuzzSuperblock(f *testing.F) {
	f.Add([]byte("XFSB"))
	f.Add([]byte("\xeb\x3c\x90mkfs.fat\x00\x02\x04"))
	f.Fuzz(func(t *testing.T, b []byte) {
		img := make([]byte, 72<<10)
		copy(img, b)
		Superblock(bytes.NewReader(img), int64(len(img)))
	})
}
