package image

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"rancheros/image/tree"
	"rancheros/paths"
)

const (
	sector = 512
	mib    = 1 << 20
)

// A partition of the disk image. Sizes are in MiB.
type partition struct {
	name string
	kind string // GPT type
	size int64
	// make returns the partition's content as a file in dir, or "".
	make func(b *build, ctx context.Context, dir string) (string, error)
}

// partitions of the disk, in order. The last one grows at the first boot.
func partitions() []partition {
	return []partition{
		{"BIOS", "21686148-6449-6E6F-744E-656564454649", 1, (*build).biosPartition},
		{"EFI", "C12A7328-F81F-11D2-BA4B-00A0C93EC93B", 4, (*build).efiPartition},
		{paths.LabelBoot, "0FC63DAF-8483-4772-8E79-3D69D8477DE4", 512, (*build).bootPartition},
		{paths.LabelState, "0FC63DAF-8483-4772-8E79-3D69D8477DE4", 64, (*build).statePartition},
	}
}

// start is where partition i begins, in MiB: the first MiB is the table's.
func start(i int) int64 {
	at := int64(1)
	for _, p := range partitions()[:i] {
		at += p.size
	}
	return at
}

// writeDisk writes disk.raw and disk.qcow2, which boot by BIOS and UEFI.
func (b *build) writeDisk(ctx context.Context) error {
	dir, err := os.MkdirTemp(b.Cache, "disk-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	err = b.create("disk.raw", func(f *os.File) error {
		// One more MiB for the second table at the end.
		if err := f.Truncate((start(len(partitions())) + 1) * mib); err != nil {
			return err
		}
		if err := b.partitionTable(ctx, f.Name()); err != nil {
			return err
		}
		for i, p := range partitions() {
			name, err := p.make(b, ctx, dir)
			if err != nil {
				return fmt.Errorf("partition %s: %w", p.name, err)
			}
			if err := copySparse(f, start(i)*mib, name, p.size*mib); err != nil {
				return fmt.Errorf("partition %s: %w", p.name, err)
			}
		}
		return b.bootSector(f)
	})
	if err != nil {
		return err
	}
	return b.qcow2(ctx)
}

func (b *build) qcow2(ctx context.Context) error {
	tmp := b.path("disk.qcow2.tmp")
	out, err := exec.CommandContext(ctx, "qemu-img", "convert", "-O", "qcow2", b.path("disk.raw"), tmp).CombinedOutput()
	if errors.Is(err, exec.ErrNotFound) {
		return fmt.Errorf("make disk.qcow2: %w: apt-get install qemu-utils", err)
	}
	if err != nil {
		return fmt.Errorf("make disk.qcow2: %w: %s", err, out)
	}
	return os.Rename(tmp, b.path("disk.qcow2"))
}

func (b *build) partitionTable(ctx context.Context, file string) error {
	script := fmt.Sprintf("label: gpt\nlabel-id: %s\nfirst-lba: 34\n", uuidText(b.uuid("disk")))
	for i, p := range partitions() {
		script += fmt.Sprintf("start=%d, size=%d, type=%s, uuid=%s, name=%s\n",
			start(i)*mib/sector, p.size*mib/sector, p.kind, uuidText(b.uuid("partition "+p.name)), p.name)
	}
	_, err := b.tools.run(ctx, b.Out, nil, strings.NewReader(script), "usr/sbin/sfdisk", "-q", file)
	return err
}

// copySparse copies a file to an offset, leaving holes where it has zeros.
func copySparse(to *os.File, off int64, name string, limit int64) error {
	data, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	if int64(len(data)) > limit {
		return fmt.Errorf("%d bytes do not fit into %d", len(data), limit)
	}
	var zero [4096]byte
	for len(data) > 0 {
		n := min(len(data), len(zero))
		if !bytes.Equal(data[:n], zero[:n]) {
			if _, err := to.WriteAt(data[:n], off); err != nil {
				return err
			}
		}
		data, off = data[n:], off+int64(n)
	}
	return nil
}

func (b *build) biosPartition(ctx context.Context, dir string) (string, error) {
	core, err := b.grub(ctx, bios, paths.LabelBoot)
	if err != nil {
		return "", err
	}
	if err := patchCore(core, start(0)*mib/sector); err != nil {
		return "", err
	}
	name := filepath.Join(dir, "core.img")
	return name, os.WriteFile(name, core, 0o644)
}

// patchCore tells GRUB's core where the rest of it is: its first sector ends in
// a list of blocks (include/grub/i386/pc/boot.h, struct
// grub_pc_bios_boot_blocklist), of which grub-mkimage filled in the length.
func patchCore(core []byte, lba int64) error {
	const blocklist = sector - 12
	if len(core) < sector {
		return fmt.Errorf("GRUB's core.img has only %d bytes", len(core))
	}
	binary.LittleEndian.PutUint64(core[blocklist:], uint64(lba+1))
	return nil
}

// bootSector writes GRUB's boot.img into the first sector, around the table.
func (b *build) bootSector(f *os.File) error {
	boot, err := os.ReadFile(b.tools.path("usr/lib/grub/i386-pc/boot.img"))
	if err != nil {
		return err
	}
	if len(boot) != sector {
		return fmt.Errorf("GRUB's boot.img has %d bytes, want %d", len(boot), sector)
	}
	// Offsets of include/grub/i386/pc/boot.h.
	const kernelSector, bootDrive, driveCheck, code = 0x5c, 0x64, 0x66, 0x1b8
	binary.LittleEndian.PutUint64(boot[kernelSector:], uint64(start(0)*mib/sector))
	boot[bootDrive] = 0xff                            // the drive that the BIOS names
	boot[driveCheck], boot[driveCheck+1] = 0x90, 0x90 // no work-around for floppies
	_, err = f.WriteAt(boot[:code], 0)
	return err
}

func (b *build) efiPartition(ctx context.Context, dir string) (string, error) {
	esp, err := b.espImage(ctx, paths.LabelBoot, partitions()[1].size*mib)
	if err != nil {
		return "", err
	}
	name := filepath.Join(dir, "esp.img")
	return name, os.WriteFile(name, esp, 0o644)
}

// bootPartition holds one folder for each version of the OS, and GRUB's menu.
func (b *build) bootPartition(ctx context.Context, dir string) (string, error) {
	t := tree.New()
	sums := ""
	for _, name := range []string{"vmlinuz", "initrd", "root.squashfs"} {
		c, err := tree.OnDisk(b.path(name))
		if err != nil {
			return "", err
		}
		sum, err := c.Sum()
		if err != nil {
			return "", err
		}
		sums += fmt.Sprintf("%x  %s\n", sum, name)
		t.AddFile(b.Version+"/"+name, 0o644, c, ours)
	}
	t.AddFile(b.Version+"/SHA256SUMS", 0o644, tree.Bytes([]byte(sums)), ours)
	cfg, err := b.bootConfig("disk.cfg")
	if err != nil {
		return "", err
	}
	t.AddFile("boot/grub/grub.cfg", 0o644, tree.Bytes([]byte(cfg)), ours)
	t.AddFile("boot/grub/grubenv", 0o644, tree.Bytes(grubEnv("version="+b.Version)), ours)
	return b.ext4(ctx, dir, partitions()[2], t)
}

// grubEnv is GRUB's environment block: 1024 bytes that it can change in place.
func grubEnv(lines ...string) []byte {
	s := "# GRUB Environment Block\n"
	for _, l := range lines {
		s += l + "\n"
	}
	return []byte(s + strings.Repeat("#", 1024-len(s)))
}

func (b *build) statePartition(ctx context.Context, dir string) (string, error) {
	return b.ext4(ctx, dir, partitions()[3], tree.New())
}

// ext4 makes a file system of a tree.
func (b *build) ext4(ctx context.Context, dir string, p partition, t *tree.Tree) (string, error) {
	img, list := filepath.Join(dir, p.name), filepath.Join(dir, p.name+".tar")
	f, err := os.Create(list)
	if err != nil {
		return "", err
	}
	defer f.Close()
	if err := t.WriteTar(f, tree.TarOptions{Time: b.Time}); err != nil {
		return "", err
	}
	env := []string{"SOURCE_DATE_EPOCH=" + strconv.FormatInt(b.Time.Unix(), 10)}
	id := uuidText(b.uuid("file system " + p.name))
	// GRUB 2.12 does not know the newest features of ext4.
	args := []string{"-q", "-t", "ext4", "-L", p.name, "-U", id, "-E", "hash_seed=" + id + ",root_owner=0:0", "-O", "^metadata_csum_seed,^orphan_file", "-m", "0"}
	if t.Len() > 0 {
		args = append(args, "-d", list)
	}
	_, err = b.tools.run(ctx, dir, env, nil, "usr/sbin/mke2fs", append(args, img, strconv.FormatInt(p.size, 10)+"M")...)
	return img, err
}
