package vm

import (
	"testing"
	"time"
)

// passphrase of the LUKS device; never on a disk or a command line.
const passphrase = "correct horse"

// makeState builds a state disk as a maker of machines would: a mirror, LUKS on
// it, a volume in that.
const makeState = `set -e
oem=/usr/share/ros/oem
yes | mdadm --create /dev/md/state --run --homehost=any --level=1 --metadata=1.2 --raid-devices=2 --assume-clean /dev/vdc /dev/vdd
cryptsetup luksFormat --batch-mode --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --label RANCHER_STATE /dev/md/state $oem/key
printf 'correct horse' | cryptsetup luksAddKey --batch-mode --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --key-file $oem/key /dev/md/state -
cryptsetup open --key-file $oem/key /dev/md/state opened
vgcreate -q vg /dev/mapper/opened
lvcreate -q -y -n state -L 300M vg
mke2fs -q -t ext4 -L RANCHER_STATE /dev/vg/state
`

// TestStateOnLVMInLUKSOnRAID makes such a disk by rancher.state.script from the
// OEM partition, which opens it with a key file, and then types the passphrase.
func TestStateOnLVMInLUKSOnRAID(t *testing.T) {
	image := Variant(t, "storage", "--profile", "storage")
	one, two := NewDisk(t, 1), NewDisk(t, 1)
	oem := FolderDisk(t, "MAKER", 8, map[string]string{
		"key": "a key in a file\n", "make.sh": makeState,
		"oem-config.yml": Lines("hostname: from-oem", "rancher:", "  environment: {FROM: oem}",
			"  state: {required: true, script: sh /usr/share/ros/oem/make.sh}"),
	})
	v := Boot(t, Machine{Image: image, Disks: []string{one, two, oem}, Append: "rancher.state.oem_dev=LABEL=MAKER"})
	v.Says("hostname", "from-oem")
	v.Says("sudo ros config explain rancher.environment.FROM", "oem-config.yml:3")
	v.Says("df -P /home | tail -1", "/dev/dm-1")
	v.Says("sudo ros dev LABEL=RANCHER_STATE", "/dev/dm-1")
	v.Says("cat /proc/mdstat", "[UU]")
	// udev runs by now: tools in the console wait for it, and must not for ever.
	v.Says("sudo timeout 60 lvcreate -y -n more -L 16M vg && sudo lvs --noheadings -o lv_name | xargs", "more state")
	v.Run("echo kept > /home/rancher/kept")
	if _, err := v.Try("sudo poweroff"); err != nil {
		t.Logf("poweroff: %v", err)
	}
	v.WaitOff(3 * time.Minute)

	locked := Machine{Image: image, Disks: []string{one, two},
		Append: "rancher.state.required rancher.state.wait rancher.state.mdadm_scan rancher.state.cryptsetup rancher.state.lvm_scan"}
	v = Start(t, locked)
	v.Answer("Enter passphrase for /dev/md", "wrong", "No key available", bootTime)
	v.Answer("Enter passphrase for /dev/md", passphrase, "] mount state (", bootTime)
	v.WaitMark("ssh", bootTime)
	v.Says("cat /home/rancher/kept", "kept")
	if out, err := v.Try("sudo grep -rs '" + passphrase + "' /run /var/log /etc; sudo dmesg | grep '" + passphrase + "'"); err == nil {
		t.Errorf("the passphrase is left behind: %s", out)
	}
	v.Kill()

	// Half of the mirror is enough, once nobody can come late any more.
	locked.Disks = locked.Disks[1:]
	v = Start(t, locked)
	v.WaitPrompt("Enter passphrase for /dev/md", bootTime)
}
