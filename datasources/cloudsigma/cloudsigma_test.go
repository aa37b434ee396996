package cloudsigma

import (
	"net"
	"testing"
	"testing/synctest"

	"rancheros/datasources/dstest"
)

func Test(t *testing.T) { dstest.Run(t, Kind) }

const serverContext = `{"uuid": "20a0059b-0000-4000-8000-00000000000d", "name": "web 1 (prod)", "meta": {"ssh_public_key": "ssh-ed25519 A", "cloudinit-user-data": "I2Nsb3VkLWNvbmZpZwo=", "base64_fields": "cloudinit-user-data"}, "vendor_data": {"cloudinit": "#cloud-config\n"}}`

func TestContextIsOneLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		defer ours.Close()
		go func() {
			defer theirs.Close()
			b := make([]byte, len(request))
			if _, err := theirs.Read(b); err == nil && string(b) == request {
				theirs.Write([]byte("\n" + serverContext + "\x04"))
			}
		}()
		b, err := ask(t.Context(), ours)
		if err != nil || string(b) != serverContext {
			t.Errorf("ask() = %s, %v", b, err)
		}
	})
}

func TestSilentPortEndsInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		defer ours.Close()
		defer theirs.Close()
		go theirs.Read(make([]byte, 10))
		if _, err := ask(t.Context(), ours); err == nil {
			t.Error("ask() succeeds with a silent port")
		}
	})
}

func TestParse(t *testing.T) {
	in, err := parse([]byte(serverContext))
	if err != nil {
		t.Fatal(err)
	}
	if in.Hostname != "20a0059b" || string(in.UserData) != "#cloud-config\n" || len(in.PublicKeys) != 1 || string(in.VendorData) != "#cloud-config\n" {
		t.Errorf("parse() = %+v", in)
	}
}
