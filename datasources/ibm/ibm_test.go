package ibm

import (
	"testing"
	"testing/fstest"
	"time"

	"rancheros/datasources"
	"rancheros/datasources/dstest"
)

func Test(t *testing.T) { dstest.Run(t, Kind) }

func TestDetectLeavesMachinesAloneThatIBMStillSetsUp(t *testing.T) {
	boot := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	file := func(at time.Time) *fstest.MapFile { return &fstest.MapFile{Data: []byte("x"), ModTime: at} }
	tests := []struct {
		name  string
		virt  string
		files fstest.MapFS
		block datasources.Block
		want  datasources.Match
	}{
		{"template", "xen", nil, datasources.Block{Name: "xvdb", Label: "METADATA"}, datasources.Yes},
		{"not on Xen", "kvm", nil, datasources.Block{Name: "xvdb", Label: "METADATA"}, datasources.No},
		{"other config drive", "xen", nil, datasources.Block{Name: "xvdb", Label: "config-2", UUID: "1111-2222"}, datasources.No},
		{"first boot", "xen", fstest.MapFS{"root/provisioningConfiguration.cfg": file(boot)}, datasources.Block{Name: "xvdb", Label: "METADATA"}, datasources.No},
		{"at work", "xen", fstest.MapFS{"root/provisioningConfiguration.cfg": file(boot), "root/swinstall.log": file(boot.Add(time.Minute)), "proc/1/environ": file(boot)}, datasources.Block{Name: "xvdb", Label: "METADATA"}, datasources.No},
		{"done before", "xen", fstest.MapFS{"root/provisioningConfiguration.cfg": file(boot), "root/swinstall.log": file(boot.Add(-time.Hour)), "proc/1/environ": file(boot)}, datasources.Block{Name: "xvdb", Label: "METADATA"}, datasources.Yes},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := &datasources.Host{Root: tt.files, Facts: datasources.Facts{Virt: tt.virt, Blocks: []datasources.Block{tt.block}}}
			if tt.files == nil {
				h.Root = fstest.MapFS{}
			}
			if got := detect(h).Match; got != tt.want {
				t.Errorf("detect() = %v, want %v", got, tt.want)
			}
		})
	}
}
