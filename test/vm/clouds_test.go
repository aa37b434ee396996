package vm

import (
	"testing"
	"time"

	"rancheros/image/qemu"
)

// TestClouds boots a machine in each cloud that QEMU can imitate: firmware
// strings and the cloud's drive or metadata service.
func TestClouds(t *testing.T) {
	for _, name := range qemu.Clouds() {
		if name == "nocloud" {
			continue // every other test is one
		}
		t.Run(name, func(t *testing.T) {
			v := Boot(t, Machine{Datasource: name, UserData: Lines("#cloud-config", "hostname: chosen")})
			v.Says("hostname", "chosen")
			v.Says("cat /run/cloud-init/cloud-id", "")
			v.Says("sudo ros datasource detect", name)
		})
	}
}

// TestSilentMetadataService is a machine in EC2 whose metadata service takes
// connections and says nothing.
func TestSilentMetadataService(t *testing.T) {
	v := Start(t, Machine{Datasource: "ec2", Metadata: "cat", Append: "cc.hostname=silent"})
	v.WaitMark("datasource", 6*time.Minute)
	v.WaitMark("ssh", 4*time.Minute)
	v.WaitLine("ec2", time.Second)
}
