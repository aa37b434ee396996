package tencent

import (
	"testing"
	"testing/fstest"

	"rancheros/datasources"
	"rancheros/datasources/dstest"
	"rancheros/datasources/internal/wire"
)

func Test(t *testing.T) { dstest.Run(t, Kind) }

func TestOnlyTheFirstLinkHasDHCP(t *testing.T) {
	md := wire.Doc{"mac": "52:54:00:00:00:02", "network": map[string]any{"interfaces": map[string]any{"macs": map[string]any{
		"52:54:00:00:00:01": map[string]any{"local-ipv4s": map[string]any{"10.40.1.9": map[string]any{"gateway": "10.40.1.1", "subnet-mask": "255.255.255.0"}}},
		"52:54:00:00:00:02": map[string]any{"local-ipv4s": map[string]any{"10.40.0.9": map[string]any{"gateway": "10.40.0.1", "subnet-mask": "255.255.255.0"}}},
	}}}}
	c, err := networkOf(&datasources.Host{Root: fstest.MapFS{}}, md)
	if err != nil || len(c.Links) != 2 {
		t.Fatalf("networkOf() = %v, %v, want two links", c, err)
	}
	if l := c.Links[0]; !l.DHCP4 || l.Match.MAC != "52:54:00:00:00:02" {
		t.Errorf("first link = %+v, want DHCP on the primary", l)
	}
	if l := c.Links[1]; l.DHCP4 || len(l.Addresses) != 1 || l.Addresses[0].String() != "10.40.1.9/24" {
		t.Errorf("second link = %+v, want 10.40.1.9/24", l)
	}
}
