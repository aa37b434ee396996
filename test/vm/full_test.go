package vm

import (
	"testing"
	"time"
)

// TestFullStateDisk fills the state disk: what cannot be written is an error,
// what was there is whole, and the machine still boots and lets people in.
func TestFullStateDisk(t *testing.T) {
	m := Machine{Disk: NewDisk(t, 1), UserData: Lines("#cloud-config", "hostname: full")}
	v := Boot(t, m)
	v.WaitMark("user_docker", bootTime)
	v.Run("sudo ros config set rancher.environment.BEFORE yes")
	v.Run("sudo dd if=/dev/zero of=/var/fill bs=1M 2>/dev/null; sudo dd if=/dev/zero of=/var/fill2 bs=1k 2>/dev/null; sync")
	out, err := v.Try("for i in $(seq 200); do sudo ros config set rancher.environment.N$i $(head -c 4000 /dev/zero | tr '\\0' x) || exit 1; done")
	if err == nil {
		t.Errorf("200 values went on to a full disk: %s", out)
	}
	v.Says("sudo ros config get rancher.environment.BEFORE", "yes")
	v.Run("sudo ros config validate")
	if _, err := v.Try("sudo reboot"); err != nil {
		t.Logf("reboot: %v", err)
	}
	v.WaitOff(3 * time.Minute)
	v = Boot(t, m)
	v.Says("hostname", "full")
	v.Says("sudo ros config get rancher.environment.BEFORE", "yes")
}
