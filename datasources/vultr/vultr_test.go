package vultr

import (
	"testing"
	"testing/fstest"

	"rancheros/datasources"
	"rancheros/datasources/dstest"
	"rancheros/datasources/internal/wire"
)

func Test(t *testing.T) { dstest.Run(t, Kind) }

func TestLinksThatTheUserKeepsForHimselfAreLeftOut(t *testing.T) {
	md := wire.Doc{"interfaces": []any{
		map[string]any{"mac": "56:00:03:aa:00:01", "network-type": "public"},
		map[string]any{"mac": "5a:00:03:aa:00:02", "network-type": "private", "unconfigured": true},
	}}
	c, err := networkOf(&datasources.Host{Root: fstest.MapFS{}}, md)
	if err != nil || len(c.Links) != 1 {
		t.Fatalf("networkOf() = %+v, %v, want one link", c, err)
	}
}

func TestLabelBecomesAHostname(t *testing.T) {
	for in, want := range map[string]string{"web 1 (prod)": "web-1-prod", "CLOUDINIT_2": "CLOUDINIT_2", "a.example.com": "a-example-com"} {
		if got := hostname(in); got != want {
			t.Errorf("hostname(%q) = %q, want %q", in, got, want)
		}
	}
}
