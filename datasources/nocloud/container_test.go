package nocloud_test

import (
	"testing"
	"testing/fstest"

	"rancheros/datasources"
	"rancheros/datasources/nocloud"
)

func TestTheFirmwareOfTheHostSaysNothingOfAContainer(t *testing.T) {
	root := fstest.MapFS{"sys/class/dmi/id/product_serial": {Data: []byte("ds=nocloud;s=http://192.0.2.1/\n")}}
	for virt, want := range map[string]datasources.Match{"kvm": datasources.Yes, "lxc": datasources.No, "docker": datasources.No} {
		h := &datasources.Host{Root: root, Facts: datasources.Facts{Virt: virt}}
		if got := nocloud.Kind.Detect(h).Match; got != want {
			t.Errorf("in %s: Detect() = %v, want %v", virt, got, want)
		}
	}
}
