package image

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"rancheros/image/tree"
	"rancheros/paths"
)

// grubModules are what GRUB needs to read our discs and to show a menu.
var grubModules = []string{
	"normal", "configfile", "linux", "boot", "echo", "test", "search", "search_label", "search_fs_uuid",
	"part_gpt", "part_msdos", "iso9660", "fat", "ext2", "serial", "terminal", "loadenv", "sleep", "reboot", "halt", "minicmd", "all_video",
}

// A firmware is one way to start GRUB.
type firmware struct {
	// format is GRUB's name of it; file is the program on our media.
	format, file string
	modules      []string
}

var (
	bios = firmware{"i386-pc", "core.img", []string{"biosdisk"}}
	uefi = firmware{"x86_64-efi", "BOOTX64.EFI", []string{"efi_gop"}}
)

// writeISO writes the hybrid ISO: a CD or a USB stick, for BIOS and UEFI.
func (b *build) writeISO(ctx context.Context) error {
	stage, err := os.MkdirTemp(b.Cache, "iso-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(stage)
	t := tree.New()
	for _, name := range []string{"vmlinuz", "initrd", "root.squashfs"} {
		c, err := tree.OnDisk(b.path(name))
		if err != nil {
			return err
		}
		t.AddFile(name, 0o644, c, ours)
	}
	cfg, err := b.bootConfig("iso.cfg")
	if err != nil {
		return err
	}
	t.AddFile("boot/grub/grub.cfg", 0o644, tree.Bytes([]byte(cfg)), ours)
	eltorito := firmware{"i386-pc-eltorito", "eltorito.img", []string{"biosdisk"}}
	core, err := b.grub(ctx, eltorito, paths.LabelISO)
	if err != nil {
		return err
	}
	t.AddFile("boot/grub/eltorito.img", 0o644, tree.Bytes(core), ours)
	esp, err := b.espImage(ctx, paths.LabelISO, 0)
	if err != nil {
		return err
	}
	t.AddFile("boot/grub/efi.img", 0o644, tree.Bytes(esp), ours)
	if err := t.WriteDir(stage); err != nil {
		return err
	}
	if err := b.fixTimes(stage); err != nil {
		return err
	}
	return b.xorriso(ctx, stage)
}

func (b *build) xorriso(ctx context.Context, stage string) error {
	tmp := b.path("ros.iso.tmp")
	if err := os.RemoveAll(tmp); err != nil {
		return err
	}
	date := b.Time.UTC().Format("2006010215040500")
	_, err := b.tools.run(ctx, b.Out, []string{"SOURCE_DATE_EPOCH=" + strconv.FormatInt(b.Time.Unix(), 10)}, nil,
		"usr/bin/xorriso", "-as", "mkisofs", "-r", "-J", "-joliet-long", "-V", paths.LabelISO, "-o", tmp, "-no-pad",
		"--modification-date="+date, "--set_all_file_dates", date,
		"-b", "boot/grub/eltorito.img", "-no-emul-boot", "-boot-load-size", "4", "-boot-info-table", "--grub2-boot-info",
		"--grub2-mbr", b.tools.path("usr/lib/grub/i386-pc/boot_hybrid.img"),
		"-eltorito-alt-boot", "-e", "boot/grub/efi.img", "-no-emul-boot", "-isohybrid-gpt-basdat", stage)
	if err != nil {
		return err
	}
	st, err := os.Stat(tmp)
	if err != nil {
		return err
	}
	b.Log("  ros.iso %.1f MB", float64(st.Size())/1e6)
	return os.Rename(tmp, b.path("ros.iso"))
}

// bootConfig is a file of templates/bootloader with {{VERSION}} replaced.
func (b *build) bootConfig(name string) (string, error) {
	text, err := os.ReadFile(filepath.Join(b.Repo, "templates/bootloader", name))
	return strings.ReplaceAll(string(text), "{{VERSION}}", b.Version), err
}

// grub makes a GRUB program that finds its menu on the medium with a label.
func (b *build) grub(ctx context.Context, f firmware, label string) ([]byte, error) {
	dir, err := os.MkdirTemp(b.Cache, "grub-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	early := fmt.Sprintf("search --no-floppy --label %s --set=root\nset prefix=($root)/boot/grub\n", label)
	cfg := filepath.Join(dir, "early.cfg")
	if err := os.WriteFile(cfg, []byte(early), 0o644); err != nil {
		return nil, err
	}
	out := filepath.Join(dir, f.file)
	modules := b.tools.path("usr/lib/grub/" + strings.TrimSuffix(f.format, "-eltorito"))
	args := []string{"-O", f.format, "-d", modules, "-p", "/boot/grub", "-c", cfg, "-o", out}
	args = append(append(args, grubModules...), f.modules...)
	if _, err := b.tools.run(ctx, dir, nil, nil, "usr/bin/grub-mkimage", args...); err != nil {
		return nil, err
	}
	return os.ReadFile(out)
}

// espImage makes a FAT file system with GRUB for UEFI in it, of the given size or
// as small as can be.
func (b *build) espImage(ctx context.Context, label string, size int64) ([]byte, error) {
	program, err := b.grub(ctx, uefi, label)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(b.Cache, "esp-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	img, efi := filepath.Join(dir, "esp.img"), filepath.Join(dir, uefi.file)
	if err := os.WriteFile(efi, program, 0o644); err != nil {
		return nil, err
	}
	// Room for the file and for FAT itself, in whole 32 KiB.
	if size == 0 {
		size = (int64(len(program)) + 96<<10) &^ (32<<10 - 1)
	}
	if err := os.WriteFile(img, nil, 0o644); err != nil {
		return nil, err
	}
	if err := os.Truncate(img, size); err != nil {
		return nil, err
	}
	env := []string{"SOURCE_DATE_EPOCH=" + strconv.FormatInt(b.Time.Unix(), 10), "MTOOLS_SKIP_CHECK=1"}
	if err := b.fixTimes(dir); err != nil {
		return nil, err
	}
	id := fmt.Sprintf("%x", b.uuid("esp")[:4])
	for _, c := range [][]string{
		{"usr/sbin/mkfs.vfat", "--invariant", "-i", id, "-n", "ROS_EFI", img},
		{"usr/bin/mmd", "-i", img, "::EFI", "::EFI/BOOT"},
		{"usr/bin/mcopy", "-m", "-i", img, efi, "::EFI/BOOT/" + uefi.file},
	} {
		if _, err := b.tools.run(ctx, dir, env, nil, c[0], c[1:]...); err != nil {
			return nil, err
		}
	}
	return os.ReadFile(img)
}

// uuid derives 16 bytes from the version and a name: the same build has the
// same identifiers.
func (b *build) uuid(name string) []byte {
	s := sha256.Sum256([]byte("ros " + b.Version + " " + name))
	s[6], s[8] = s[6]&0x0f|0x40, s[8]&0x3f|0x80
	return s[:16]
}

// fixTimes sets the time of every file below dir, deepest first.
func (b *build) fixTimes(dir string) error {
	var names []string
	err := filepath.WalkDir(dir, func(name string, _ os.DirEntry, err error) error {
		names = append([]string{name}, names...)
		return err
	})
	for _, name := range names {
		if err == nil {
			err = os.Chtimes(name, b.Time, b.Time)
		}
	}
	return err
}
