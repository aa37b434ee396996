package oracle

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/fstest"
	"testing/synctest"

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

func TestVNICsThatTheMachineLacksAreLeftOut(t *testing.T) {
	h := &datasources.Host{Root: fstest.MapFS{}, Facts: datasources.Facts{Links: []datasources.HostLink{{Name: "ens3", MAC: "02:00:17:00:00:01"}}}}
	c, err := networkOf(h, []vnic{{MAC: "02:00:17:00:00:01", PrivateIP: "10.0.0.10"}, {MAC: "02:00:17:00:00:02", PrivateIP: "10.0.5.10", Subnet: "10.0.5.0/24"}})
	if err != nil || len(c.Links) != 1 || c.Links[0].ID != "ens3" {
		t.Errorf("networkOf() = %+v, %v, want ens3 alone", c, err)
	}
}

// failing is a service whose list of VNICs is broken.
type failing string

func (f failing) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.Contains(r.URL.Path, "/vnics") {
		if f == "" {
			return &http.Response{StatusCode: http.StatusInternalServerError, Body: http.NoBody, Request: r}, nil
		}
		return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(string(f))), Request: r}, nil
	}
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(`{"id": "ocid1"}`)), Request: r}, nil
}

func TestAListOfVNICsThatIsBrokenCostsTheNetworkOnly(t *testing.T) {
	for _, list := range []failing{"", "<html>"} {
		synctest.Test(t, func(t *testing.T) {
			in, err := fetch(t.Context(), dstest.Env(&datasources.Host{Root: fstest.MapFS{}}, "", list))
			if err != nil || in.ID != "ocid1" || len(in.Problems) != 1 {
				t.Errorf("%q: fetch() = %+v, %v, want ocid1 with a problem", list, in, err)
			}
		})
	}
}
