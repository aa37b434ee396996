package proxmox

import (
	"testing"
	"testing/fstest"

	"rancheros/datasources"
	"rancheros/datasources/dstest"
)

func Test(t *testing.T) { dstest.Run(t, Kind) }

func TestLabelledDrivesAreLeftToTheirOwn(t *testing.T) {
	h := &datasources.Host{
		Root:  fstest.MapFS{"sys/class/dmi/id/product_name": {Data: []byte("Proxmox\n")}},
		Facts: datasources.Facts{Blocks: []datasources.Block{{Name: "sr0", Label: "cidata", FSType: "iso9660"}}},
	}
	if f := detect(h); f.Match != datasources.No {
		t.Errorf("detect() = %+v, want no", f)
	}
}
