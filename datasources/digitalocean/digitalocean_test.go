package digitalocean_test

import (
	"net/http/httptest"
	"net/url"
	"testing"

	metadata "github.com/digitalocean/go-metadata"

	"rancheros/datasources"
	"rancheros/datasources/digitalocean"
	"rancheros/datasources/dstest"
)

func Test(t *testing.T) { dstest.Run(t, digitalocean.Kind) }

// DigitalOcean's own client is not what Fetch uses, because it takes no
// context, and gives up on a document of which one field has another type. But
// it knows what the fields mean.
func TestDigitalOceansOwnClientReadsTheSame(t *testing.T) {
	h, err := dstest.Handler("testdata/droplet/http")
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(h)
	defer s.Close()
	base, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	want, err := metadata.NewClient(metadata.WithBaseURL(base)).Metadata()
	if err != nil {
		t.Fatal(err)
	}
	got, err := digitalocean.Kind.Fetch(t.Context(), datasources.Env{Host: &datasources.Host{}, Endpoint: s.URL})
	if err != nil {
		t.Fatal(err)
	}
	if got.Hostname != want.Hostname || string(got.UserData) != want.UserData || got.Region != want.Region ||
		got.PublicKeys[0] != want.PublicKeys[0] || got.Network.DNS.Nameservers[0] != want.DNS.Nameservers[0] ||
		got.PublicIPv4 != want.Interfaces["public"][0].IPv4.IPAddress {
		t.Errorf("ours: %+v\ntheirs: %+v", got, want)
	}
}
