package hetzner

import (
	"strings"
	"testing"
	"testing/fstest"

	"rancheros/datasources"
	"rancheros/datasources/dstest"
)

func Test(t *testing.T) { dstest.Run(t, Kind) }

func TestMetadataOfAnotherServerIsRefused(t *testing.T) {
	h := &datasources.Host{Root: fstest.MapFS{"sys/class/dmi/id/product_serial": {Data: []byte("1\n")}}}
	if _, err := parse(h, []byte("instance-id: 2\n"), nil, nil); err == nil || !strings.Contains(err.Error(), "server 2") {
		t.Errorf("parse() = %v, want an error that names server 2", err)
	}
}

func TestUserDataMayBeBase64OrNot(t *testing.T) {
	for in, want := range map[string]string{
		"I2Nsb3VkLWNvbmZpZwo=":       "#cloud-config\n",
		"I2Nsb3VkLWNv\nbmZpZwo=\n":   "#cloud-config\n",
		"#cloud-config\n":            "#cloud-config\n",
		"#!/bin/sh\necho\n":          "#!/bin/sh\necho\n",
		"Content-Type: text/plain\n": "Content-Type: text/plain\n",
	} {
		h := &datasources.Host{Root: fstest.MapFS{}}
		got, err := parse(h, []byte("instance-id: 2\n"), nil, []byte(in))
		if err != nil || string(got.UserData) != want {
			t.Errorf("user-data %q = %q, %v, want %q", in, got.UserData, err, want)
		}
	}
}

func TestLinkLocalIPv6IsAskedFirst(t *testing.T) {
	h := &datasources.Host{Facts: datasources.Facts{Links: []datasources.HostLink{{Name: "eth0"}}}}
	if got := bases(h)[0]; got != "http://[fe80::a9fe:a9fe%25eth0]" {
		t.Errorf("first base is %s", got)
	}
}
