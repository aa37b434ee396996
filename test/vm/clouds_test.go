package vm

import (
	"slices"
	"strings"
	"testing"
	"time"

	"rancheros/image/qemu"
)

// TestMadeUpClouds starts a machine in each cloud of `make run DATASOURCE=`, up
// to what it keeps of its datasource.
func TestMadeUpClouds(t *testing.T) {
	for _, name := range qemu.Clouds() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := Machine{Datasource: name, Mem: 384, CPUs: 1, Disk: stateDisk(t, ""), UserData: Lines("#cloud-config", "hostname: chosen")}
			v := Start(t, m)
			v.WaitMark("datasource", bootTime)
			v.Kill()
			known := Saved(t, m.Disk)
			if known == nil {
				t.Fatal("the machine has kept nothing of a datasource")
			}
			in := known.Instance
			if known.Identity.Datasource != name || string(in.UserData) != m.UserData || !slices.Contains(in.PublicKeys, PublicKey(t)) || !strings.HasPrefix(in.Hostname, "given") {
				t.Errorf("kept of %s: %+v", known.Identity.Datasource, in)
			}
		})
	}
}

// TestMetadataServiceConfiguresTheMachine goes all the way, once: what differs
// between clouds ends where the datasource has been kept.
func TestMetadataServiceConfiguresTheMachine(t *testing.T) {
	v := Boot(t, Machine{Datasource: "ec2", UserData: Lines("#cloud-config", "hostname: chosen")})
	v.Says("hostname", "chosen")
	v.Says("cat /run/cloud-init/cloud-id", "aws")
	v.Says("sudo ros datasource detect", "ec2")
}

// TestSilentMetadataService is a machine in EC2 whose metadata service takes
// connections and says nothing.
func TestSilentMetadataService(t *testing.T) {
	v := Start(t, Machine{Datasource: "ec2", Metadata: "cat", Append: "cc.hostname=silent"})
	v.WaitMark("datasource", 6*time.Minute)
	v.WaitMark("ssh", 4*time.Minute)
	v.WaitLine("ec2", time.Second)
}
