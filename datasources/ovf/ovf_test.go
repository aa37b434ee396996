package ovf

import (
	"strings"
	"testing"
	"testing/fstest"

	"rancheros/datasources"
	"rancheros/datasources/dstest"
)

func Test(t *testing.T) { dstest.Run(t, Kind) }

func TestNetworkConfigMustBeBase64(t *testing.T) {
	h := &datasources.Host{Root: fstest.MapFS{}}
	in, _, err := instance(h, map[string]string{"network-config": "network: {version: 2}", "instance-id": "a"})
	if err != nil || in.Network != nil || in.ID != "a" {
		t.Errorf("instance() = %+v, %v, want no network", in, err)
	}
}

func TestUserDataMayBePlain(t *testing.T) {
	in, _, err := instance(&datasources.Host{Root: fstest.MapFS{}}, map[string]string{"user-data": "#!/bin/sh\n"})
	if err != nil || string(in.UserData) != "#!/bin/sh\n" {
		t.Errorf("instance() = %+v, %v", in, err)
	}
}

func TestWhoeverMightBeAzureIsLeftToAzure(t *testing.T) {
	h := &datasources.Host{
		Root:  fstest.MapFS{"sys/class/dmi/id/chassis_asset_tag": {Data: []byte(azureTag)}},
		Facts: datasources.Facts{Virt: "microsoft", Blocks: []datasources.Block{{Name: "sr0", FSType: "iso9660", Label: "OVF ENV"}}},
	}
	if f := detect(h); f.Match != datasources.No {
		t.Errorf("detect() = %+v, want no", f)
	}
}

func TestSeedMustBeAURL(t *testing.T) {
	err := addSeed(t.Context(), dstest.Env(nil, "", nil), &datasources.Instance{}, "/etc")
	if err == nil || !strings.Contains(err.Error(), "seedfrom") {
		t.Errorf("addSeed() = %v, want an error", err)
	}
}

func TestTheLongerNameOfTheHostNameWins(t *testing.T) {
	for range 20 { // the properties have no order
		in, _, err := instance(&datasources.Host{Root: fstest.MapFS{}}, map[string]string{"hostname": "short", "local-hostname": "long", "instance-id": "i"})
		if err != nil || in.Hostname != "long" {
			t.Fatalf("instance() = %+v, %v, want the host name long", in, err)
		}
	}
}
