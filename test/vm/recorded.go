package vm

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rancheros/datasources"
	"rancheros/image/qemu"
	"rancheros/paths"
)

// A Recorded is a folder datasources/NAME/testdata/CASE as a machine in QEMU.
type Recorded struct {
	// Cloud has the firmware's strings and the drives.
	Cloud qemu.Cloud
	// MACs are those of its network cards, and Renamed what the cards and their
	// drivers are called here, by what they were called there.
	MACs    []string
	Renamed map[string]string
	// Append is its kernel command line.
	Append string
	// Args are further arguments of QEMU: fw_cfg, CDs, serial ports.
	Args []string
	// Disk is its state disk, which has what the recording has of /var, /home
	// and /opt.
	Disk string
}

// NewRecorded reads a recorded machine.
func NewRecorded(t testing.TB, dir string) *Recorded {
	t.Helper()
	h, err := datasources.RecordedHost(dir)
	if err != nil {
		t.Fatal(err)
	}
	r := &Recorded{Renamed: map[string]string{}, Disk: stateDisk(t, filepath.Join(dir, "host"))}
	r.Cloud.SMBIOS = smbios(t, h)
	r.Args = fwCfg(t, h)
	for _, l := range h.Links {
		if !slices.Contains(r.MACs, l.MAC) {
			r.Renamed[l.Name] = fmt.Sprintf("eth%d", len(r.MACs))
			if l.Driver != "" {
				r.Renamed[l.Driver] = "virtio_net"
			}
			r.MACs = append(r.MACs, l.MAC)
		}
	}
	for _, word := range h.CmdlineWords() {
		// The test reads our console, at our loudness.
		if !strings.HasPrefix(word, "console=") && word != "quiet" {
			r.Append += " " + word
		}
	}
	r.Append = strings.TrimSpace(r.Append)
	for i, b := range h.Blocks {
		r.plug(t, i, b, image(t, h.Drives, b))
	}
	return r
}

// dmi says which of QEMU's arguments make the kernel show a string.
var dmi = []struct{ key, kind, field string }{
	{"bios_vendor", "0", "vendor"}, {"bios_version", "0", "version"},
	{"sys_vendor", "1", "manufacturer"}, {"product_name", "1", "product"}, {"product_version", "1", "version"},
	{"product_serial", "1", "serial"}, {"product_uuid", "1", "uuid"}, {"product_sku", "1", "sku"}, {"product_family", "1", "family"},
	{"board_vendor", "2", "manufacturer"}, {"board_name", "2", "product"}, {"board_asset_tag", "2", "asset"},
	{"chassis_vendor", "3", "manufacturer"}, {"chassis_asset_tag", "3", "asset"},
}

// smbios are the firmware's strings. One that cannot be given is an error, not
// a machine that is another than the recorded one.
func smbios(t testing.TB, h *datasources.Host) []string {
	t.Helper()
	fields := map[string]string{}
	known := map[string]bool{}
	for _, d := range dmi {
		known[d.key] = true
		if v := h.Read("sys/class/dmi/id/" + d.key); v != "" {
			fields[d.kind] += "," + d.field + "=" + comma(v)
		}
	}
	entries, err := fs.ReadDir(h.Root, "sys/class/dmi/id")
	for _, e := range entries {
		if !known[e.Name()] {
			t.Fatalf("QEMU has no argument for the DMI string %s", e.Name())
		}
	}
	if err != nil && len(fields) > 0 {
		t.Fatal(err)
	}
	var args []string
	for _, kind := range []string{"0", "1", "2", "3"} {
		if fields[kind] != "" {
			args = append(args, "type="+kind+fields[kind])
		}
	}
	return append(args, oemStrings(t, h)...)
}

// comma is how QEMU wants a comma inside an argument.
func comma(s string) string { return strings.ReplaceAll(s, ",", ",,") }

// oemStrings are those of SMBIOS type 11: after the fixed part of five bytes,
// each ends in a zero.
func oemStrings(t testing.TB, h *datasources.Host) []string {
	t.Helper()
	const fixed = 5
	b, err := fs.ReadFile(h.Root, "sys/firmware/dmi/entries/11-0/raw")
	if err != nil {
		return nil
	}
	if len(b) < fixed || b[1] != fixed {
		t.Fatalf("sys/firmware/dmi/entries/11-0/raw has no fixed part of %d bytes", fixed)
	}
	var args []string
	for s := range strings.SplitSeq(strings.TrimRight(string(b[fixed:]), "\x00"), "\x00") {
		args = append(args, "type=11,value="+comma(s))
	}
	return args
}

// fwCfg hands over the files of QEMU's own channel.
func fwCfg(t testing.TB, h *datasources.Host) []string {
	t.Helper()
	const top = "sys/firmware/qemu_fw_cfg/by_name"
	var args []string
	err := fs.WalkDir(h.Root, top, func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.Name() == "raw" {
			name := strings.TrimPrefix(filepath.Dir(p), top+"/")
			args = append(args, "-fw_cfg", "name="+name+",file="+filepath.Join(h.Dir, p))
		}
		return err
	})
	if err != nil && len(args) > 0 {
		t.Fatal(err)
	}
	return args
}

// image makes the file system of a recorded drive.
func image(t testing.TB, drives string, b datasources.Block) string {
	t.Helper()
	tree := filepath.Join(drives, b.Name)
	if _, err := os.Stat(tree); err != nil {
		tree = filepath.Join(drives, b.Label)
	}
	img := filepath.Join(t.TempDir(), b.Name+".img")
	switch b.FSType {
	case "iso9660":
		tool(t, "xorriso", "-as", "mkisofs", "-quiet", "-J", "-r", "-V", b.Label, "-o", img, tree)
	case "udf":
		tool(t, "genisoimage", "-quiet", "-udf", "-J", "-r", "-V", b.Label, "-o", img, tree)
	case "vfat":
		tool(t, "truncate", "-s", "8M", img)
		tool(t, "mkfs.vfat", "-n", b.Label, img)
		names, err := filepath.Glob(tree + "/*")
		if err != nil {
			t.Fatal(err)
		}
		tool(t, "mcopy", append([]string{"-s", "-i", img}, append(names, "::")...)...)
	case "ext4":
		tool(t, "mke2fs", "-q", "-t", "ext4", "-L", b.Label, "-d", tree, img, "8M")
	default:
		t.Fatalf("drive %s: who makes a file system %q?", b.Name, b.FSType)
	}
	return img
}

// plug gives the machine a drive: a CD if the recorded one was.
func (r *Recorded) plug(t testing.TB, i int, b datasources.Block, img string) {
	t.Helper()
	switch {
	case strings.HasPrefix(b.Name, "sr"):
		r.Args = append(r.Args, "-device", fmt.Sprintf("virtio-scsi-pci,id=scsi%d", i),
			"-drive", fmt.Sprintf("if=none,id=cd%d,media=cdrom,format=raw,readonly=on,file=%s", i, img),
			"-device", fmt.Sprintf("scsi-cd,drive=cd%d,bus=scsi%d.0", i, i))
	case strings.HasPrefix(b.Name, "fd"):
		t.Fatalf("drive %s: the kernel has no driver of floppies", b.Name)
	default:
		r.Cloud.Drives = append(r.Cloud.Drives, img)
	}
}

// stateDisk makes a state disk with what the recorded root, if there is one, has
// of the folders that lie on such a disk.
func stateDisk(t testing.TB, root string) string {
	t.Helper()
	dir := t.TempDir()
	tree, disk := filepath.Join(dir, "tree"), filepath.Join(dir, "state.img")
	for _, d := range []string{"var", "home", "opt"} {
		if err := os.MkdirAll(filepath.Join(tree, d), 0o755); err != nil {
			t.Fatal(err)
		}
		if from := filepath.Join(root, d); root != "" && exists(from) {
			if err := os.CopyFS(filepath.Join(tree, d), os.DirFS(from)); err != nil {
				t.Fatal(err)
			}
		}
	}
	tool(t, "mke2fs", "-q", "-t", "ext4", "-L", paths.LabelState, "-d", tree, disk, "256M")
	return disk
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// tool runs a program that must succeed.
func tool(t testing.TB, name string, args ...string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil && exists("/usr/sbin/"+name) {
		name = "/usr/sbin/" + name // not in the path of everybody
	}
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v: %s", name, strings.Join(args, " "), err, out)
	}
}
