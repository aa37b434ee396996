package oracle

import (
	"testing"
	"testing/fstest"

	"rancheros/datasources"
	"rancheros/datasources/dstest"
)

func Test(t *testing.T) { dstest.Run(t, Kind) }

func TestNetworkIsLeftAloneWhenTheRootDiskIsOnIt(t *testing.T) {
	nics := []vnic{{MAC: "02:00:17:00:00:01", PrivateIP: "10.0.0.10"}, {MAC: "02:00:17:00:00:02", PrivateIP: "10.0.5.10", Subnet: "10.0.5.0/24"}}
	for name, host := range map[string]fstest.MapFS{
		"iBFT":      {"sys/firmware/ibft/target0/index": {Data: []byte("0")}},
		"initramfs": {"run/net-ens3.conf": {Data: []byte("DEVICE=ens3")}},
	} {
		c, err := networkOf(&datasources.Host{Root: host}, nics)
		if c != nil || err != nil {
			t.Errorf("%s: networkOf() = %v, %v, want none", name, c, err)
		}
	}
}

func TestWhatIsWrongCostsOnlyItself(t *testing.T) {
	in, err := parse(&datasources.Host{Root: fstest.MapFS{}},
		[]byte(`{"id": "ocid1", "hostname": "web", "metadata": {"user_data": "%", "ssh_authorized_keys": "ssh-ed25519 AAAA"}}`),
		[]byte(`[{"macAddr": "02:00:17:00:00:01", "privateIp": "10.0.0.10"}, {"macAddr": "02:00:17:00:00:02", "privateIp": "here"}]`))
	if err != nil || in.Network != nil || in.UserData != nil || len(in.PublicKeys) != 1 || len(in.Problems) != 2 {
		t.Errorf("parse() = %+v, %v, want the key and two problems", in, err)
	}
}
