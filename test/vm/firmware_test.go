package vm

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

func TestISOBootsOnBothFirmwares(t *testing.T) {
	for _, f := range []string{"bios", "uefi"} {
		t.Run(f, func(t *testing.T) {
			v := Boot(t, Machine{Firmware: f})
			v.Says("hostname", "given")
		})
	}
}

func TestDiskBootsOnBothFirmwaresAndKeepsItsState(t *testing.T) {
	for _, f := range []string{"bios", "uefi"} {
		t.Run(f, func(t *testing.T) {
			disk := filepath.Join(t.TempDir(), "disk.qcow2")
			copyFile(t, Out(t, "disk.qcow2"), disk)
			// A cloud gives a bigger disk than the image is; the state grows into it.
			if b, err := exec.Command("qemu-img", "resize", disk, "6G").CombinedOutput(); err != nil {
				t.Fatalf("resize: %v: %s", err, b)
			}
			v := Boot(t, Machine{Firmware: f, Disk: disk, NoDisc: true})
			v.Says("sudo ros dev LABEL=RANCHER_STATE", "/dev/vda")
			v.Says("df /home | tail -1", "/dev/vda")
			v.Says("df -Pk /home | awk 'END { print ($2 > 4000000) ? \"grown\" : $2 }'", "grown")
		})
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
}
