package upcloud

import (
	"testing"
	"testing/fstest"

	"rancheros/datasources"
	"rancheros/datasources/dstest"
)

func Test(t *testing.T) { dstest.Run(t, Kind) }

func TestAnAddressThatIsNoneCostsTheNetworkOnly(t *testing.T) {
	in, err := parse(&datasources.Host{Root: fstest.MapFS{}}, []byte(`{"instance_id": "u", "public_keys": ["ssh-ed25519 AAAA"],
		"network": {"interfaces": [{"mac": "ee:1b:db:ca:61:01", "ip_addresses": [{"address": "here"}]}]}}`))
	if err != nil || in.Network != nil || len(in.PublicKeys) != 1 || len(in.Problems) != 1 {
		t.Errorf("parse() = %+v, %v, want the key and a problem", in, err)
	}
}
