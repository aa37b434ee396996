package nwcs

import (
	"testing"
	"testing/fstest"

	"rancheros/datasources"
	"rancheros/datasources/dstest"
)

func Test(t *testing.T) { dstest.Run(t, Kind) }

func TestLinksKeepTheirNames(t *testing.T) {
	h := &datasources.Host{Root: fstest.MapFS{}, Facts: datasources.Facts{Links: []datasources.HostLink{{Name: "enp1s0", MAC: "96:00:00:00:00:01"}}}}
	in, err := parse(h, []byte(`{"instance-id": "i", "network": {"version": 1, "config": [
		{"type": "physical", "name": "eth7", "mac_address": "96:00:00:00:00:01", "subnets": [{"type": "dhcp"}]}]}}`))
	if err != nil || in.Network == nil || len(in.Network.Links) != 1 || in.Network.Links[0].Name != "enp1s0" {
		t.Errorf("parse() = %+v, %v, want enp1s0 and not the service's eth7", in, err)
	}
}
