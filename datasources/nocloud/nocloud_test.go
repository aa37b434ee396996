package nocloud_test

import (
	"testing"

	"rancheros/datasources"
	"rancheros/datasources/dstest"
	"rancheros/datasources/nocloud"
)

func Test(t *testing.T) { dstest.Run(t, nocloud.Kind) }

func TestSeedOnTheNetworkNeedsOne(t *testing.T) {
	for _, c := range []struct {
		name string
		want datasources.Needs
	}{
		{"testdata/url", datasources.Network},
		{"testdata/serial", datasources.Network},
		{"testdata/drive", datasources.Local},
	} {
		h, err := datasources.RecordedHost(c.name)
		if err != nil {
			t.Fatal(err)
		}
		if got := nocloud.Kind.NeedsOn(h); got != c.want {
			t.Errorf("NeedsOn(%s) = %d, want %d", c.name, got, c.want)
		}
	}
}

func TestSameLooksAtTheDrive(t *testing.T) {
	h, err := datasources.RecordedHost("testdata/drive")
	if err != nil {
		t.Fatal(err)
	}
	if !nocloud.Kind.Same(h, datasources.Identity{Drive: "2026-01-02-03-04-05-00"}) {
		t.Error("the same drive is another instance")
	}
	if nocloud.Kind.Same(h, datasources.Identity{Drive: "2025-01-02-03-04-05-00"}) {
		t.Error("another drive is the same instance")
	}
}
