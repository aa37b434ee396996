package vm

import (
	"strings"
	"testing"
	"time"
)

// TestAUserThatLeavesTheConfigCanNotLogIn boots the same instance with one config
// after the other. The machine wakes in 1970, as one without a battery does.
func TestAUserThatLeavesTheConfigCanNotLogIn(t *testing.T) {
	first := Lines("#cloud-config",
		"users: [default, {name: ann, plain_text_passwd: correct horse, lock_passwd: false, sudo: 'ALL=(ALL) ALL'}]",
		"write_files: [{path: /etc/ours, content: x}]",
		"output: {final: '> /var/log/final.log'}",
		"runcmd: [echo in the final stage]")
	m := Machine{ID: "i-life", Disk: NewDisk(t, 1), UserData: first, Args: []string{"-rtc", "base=1970-01-02T00:00:00"}}
	v := Boot(t, m)
	v.WaitMark("user_docker", bootTime)
	v.Run("ros cloud-init status --wait")
	if year := strings.TrimSpace(v.Run("date +%Y")); year < "2026" {
		t.Errorf("the machine believes to be in %s", year)
	}
	shadow := strings.Split(v.Run("sudo grep ^ann: /etc/shadow"), ":")
	if len(shadow) < 8 || !strings.HasPrefix(shadow[1], "$6$") || shadow[7] != "" {
		t.Errorf("ann's account: %q, want it open", shadow)
	}
	v.Says("cat /etc/ours", "x")
	v.Says("sudo cat /var/log/final.log", "in the final stage")
	if log := v.Run("sudo cat /var/log/cloud-init.log"); !strings.Contains(log, "finish: modules-final/config-runcmd: SUCCESS") {
		t.Errorf("the log lacks runcmd:\n%s", log)
	}
	if _, err := v.Try("sudo reboot"); err != nil {
		t.Logf("reboot: %v", err)
	}
	v.WaitOff(3 * time.Minute)

	m.UserData = Lines("#cloud-config", "hostname: later")
	v = Boot(t, m)
	v.WaitMark("user_docker", bootTime)
	v.Run("ros cloud-init status --wait")
	// The console is made anew at every boot, with the accounts that are named.
	if line, err := v.Try("sudo grep ^ann: /etc/shadow"); err == nil {
		t.Errorf("ann's account: %q, want none", line)
	}
	if out, err := v.Try("test -d /home/ann"); err != nil {
		t.Errorf("ann's home is gone: %s", out)
	}
	if out, err := v.Try("test -e /etc/ours"); err == nil {
		t.Errorf("/etc/ours is still there: %s", out)
	}
	v.Says("hostname", "later")
}
