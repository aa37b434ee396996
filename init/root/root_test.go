package root

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"rancheros/cloudconfig"
)

func diskFile(t *testing.T, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "disk")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, 16<<20); err != nil {
		t.Fatal(err)
	}
	return path
}

func sh(t *testing.T, script string, args ...string) {
	t.Helper()
	if b, err := exec.Command("sh", append([]string{"-ec", script, "sh"}, args...)...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", script, err, b)
	}
}

func TestABlankDiskBecomesTheState(t *testing.T) {
	disk := diskFile(t, nil)
	dev, reasons, err := prepare(t.Context(), cloudconfig.State{Autoformat: []string{filepath.Join(t.TempDir(), "absent"), disk}})
	if err != nil || reasons != nil || dev.Label != "RANCHER_STATE" || dev.FSType != "ext4" {
		t.Fatalf("prepare() = %+v, %v, %v", dev, reasons, err)
	}
	if err := check(t.Context(), dev); err != nil {
		t.Errorf("check of a clean file system: %v", err)
	}
}

// TestADiskWithDataIsNeverFormatted holds what tools write, and single bytes, to
// it: not a byte may change.
func TestADiskWithDataIsNeverFormatted(t *testing.T) {
	for _, tt := range []struct{ name, script, why string }{
		{"a byte in the first MiB", "printf x | dd of=$1 bs=1 seek=1048575 conv=notrunc status=none", "holds data"},
		{"a byte in the last MiB", "printf x | dd of=$1 bs=1 seek=15728640 conv=notrunc status=none", "holds data"},
		{"MBR", "echo ',,L' | sfdisk -q --label dos $1", "holds data"},
		{"GPT", "echo ',,L' | sfdisk -q --label gpt $1", "holds data"},
		{"the spare table of a GPT", "echo ',,L' | sfdisk -q --label gpt $1; dd if=/dev/zero of=$1 bs=1M count=1 conv=notrunc status=none", "holds data"},
		{"LUKS", "echo -n x | cryptsetup -q luksFormat --luks2-metadata-size 16k --luks2-keyslots-size 256k --pbkdf pbkdf2 --pbkdf-force-iterations 1000 $1 -", "crypto_LUKS"},
		{"ext4", "mke2fs -q -t ext4 $1", "ext4"},
		{"vfat", "mkfs.vfat $1 >/dev/null", "vfat"},
		{"swap", "chmod 600 $1; mkswap -q $1", "swap"},
		{"a disc", "genisoimage -quiet -o $1 /etc/hostname; truncate -s 16M $1", "iso9660"},
		{"RAID, whose superblock is at the end", `printf '\374\116\053\251\001\000\000\000' | dd of=$1 bs=1 seek=$((16777216-8192)) conv=notrunc status=none`, "linux_raid_member"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			disk := diskFile(t, nil)
			sh(t, tt.script, disk)
			before, err := os.ReadFile(disk)
			if err != nil {
				t.Fatal(err)
			}
			dev, reasons, err := prepare(t.Context(), cloudconfig.State{Autoformat: []string{disk}})
			if err != nil || dev.Path != "" {
				t.Errorf("prepare() = %+v, %v", dev, err)
			}
			if reasons == nil || !strings.Contains(reasons.Error(), disk) || !strings.Contains(reasons.Error(), tt.why) {
				t.Errorf("reasons = %v, want one that names the disk and %q", reasons, tt.why)
			}
			after, err := os.ReadFile(disk)
			if err != nil || string(before) != string(after) {
				t.Errorf("the disk has changed (%v)", err)
			}
		})
	}
}

func TestADiskInUseIsNotFormatted(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root, to mount")
	}
	disk := diskFile(t, nil)
	out, err := exec.Command("losetup", "--show", "-f", disk).CombinedOutput()
	if err != nil {
		t.Skipf("no loop devices: %s", out)
	}
	loop := strings.TrimSpace(string(out))
	defer func() { _ = exec.Command("losetup", "-d", loop).Run() }()
	if err := notBlank(loop); err != nil {
		t.Fatalf("a blank device: %v", err)
	}
	f, err := os.OpenFile(loop, os.O_RDONLY|os.O_EXCL, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := notBlank(loop); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("notBlank() of a device in use = %v", err)
	}
}

func TestTheMagicDiskKeepsItsArchiveAndGivesItsKeys(t *testing.T) {
	dir := t.TempDir()
	disk := diskFile(t, nil)
	sh(t, `cd $2; m='boot2docker, please format-me'; printf %s "$m" > "$m"; mkdir .ssh
		printf 'ssh-ed25519 AAAA one\n# not a key\n' > .ssh/authorized_keys; printf 'ssh-ed25519 BBBB two' > .ssh/authorized_keys2
		tar cf ../t.tar "$m" .ssh/authorized_keys .ssh/authorized_keys2; dd if=../t.tar of=$1 conv=notrunc status=none; cp ../t.tar $2.tar`, disk, dir)
	if !isB2D(disk) {
		t.Fatal("the magic is not seen")
	}
	dev, reasons, err := prepare(t.Context(), cloudconfig.State{Autoformat: []string{disk}})
	if err != nil || reasons != nil || dev.Label != "B2D_STATE" {
		t.Fatalf("prepare() = %+v, %v, %v", dev, reasons, err)
	}
	cat := func(path string) string {
		b, err := exec.Command("debugfs", "-R", "cat "+path, disk).Output()
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	want := `#cloud-config
# Written when this disk was formatted, of what docker-machine had left on it.
ssh_authorized_keys:
    - ssh-ed25519 AAAA one
    - ssh-ed25519 BBBB two
rancher:
    state:
        dev: LABEL=B2D_STATE
        autoformat:
            - ` + disk + "\n"
	if got := cat("/var/lib/rancher/conf/cloud-config.d/machine.yml"); got != want {
		t.Errorf("machine.yml:\n%s\nwant:\n%s", got, want)
	}
	archive, err := os.ReadFile(dir + ".tar")
	if err != nil || cat("/var/lib/boot2docker/userdata.tar") != string(archive[:b2dBytes]) {
		t.Errorf("userdata.tar is not what was on the disk (%v)", err)
	}
}

func TestAHostileArchiveWritesNothingButKeys(t *testing.T) {
	for name, archive := range map[string][]byte{
		"no archive": []byte(strings.Repeat("x", b2dBytes)), "cut short": append([]byte(b2dMagic), make([]byte, 100)...),
	} {
		c, err := b2dConfig("/dev/vda", archive)
		if err == nil && strings.Contains(string(c), "authorized") {
			t.Errorf("%s: %s", name, c)
		}
	}
}

func TestANameOfAPartIsExplained(t *testing.T) {
	disk := diskFile(t, append([]byte("LUKS\xba\xbe\x00\x01"), make([]byte, 4096)...))
	_, err := resolve(cloudconfig.State{Dev: disk})
	if err == nil || !strings.Contains(err.Error(), "rancher.state.cryptsetup") {
		t.Errorf("resolve() = %v, want an error that says how to open it", err)
	}
	if _, err := resolve(cloudconfig.State{Dev: diskFile(t, nil)}); err == nil || !strings.Contains(err.Error(), "no file system") {
		t.Errorf("resolve(blank) = %v", err)
	}
}

func TestTheStateScriptRunsAsAFileOrALine(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	for _, text := range []string{"echo shell >> " + out, "#!/bin/cat\n"} {
		if err := runScript(t.Context(), text); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
	if b, err := os.ReadFile(out); err != nil || string(b) != "shell\n" {
		t.Errorf("%q, %v", b, err)
	}
	if err := runScript(t.Context(), "echo broken; exit 3"); err == nil || !strings.Contains(err.Error(), "exit status 3: broken") {
		t.Errorf("a script that fails: %v", err)
	}
}
