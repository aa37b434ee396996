package smartos

import (
	"bufio"
	"context"
	"encoding/base64"
	"net"
	"strings"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"rancheros/datasources"
	"rancheros/datasources/dstest"
)

func Test(t *testing.T) { dstest.Run(t, Kind) }

// host answers on its end of a line, the first damaged times wrongly.
func host(c net.Conn, vars map[string]string, damaged int) {
	defer c.Close()
	r := bufio.NewReader(c)
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimSpace(line)
		switch {
		case line == "":
			c.Write([]byte("left over\r\ninvalid command\n"))
			continue
		case line == "NEGOTIATE V2":
			c.Write([]byte("V2_OK\n"))
			continue
		}
		body, err := unframe(line)
		f := strings.Fields(body)
		if err != nil || len(f) != 3 {
			return
		}
		key, err := base64.StdEncoding.DecodeString(f[2])
		if err != nil {
			return
		}
		answer := f[0] + " NOTFOUND"
		if v, ok := vars[string(key)]; ok {
			answer = f[0] + " SUCCESS " + base64.StdEncoding.EncodeToString([]byte(v))
		}
		out := frame(answer)
		if damaged > 0 {
			damaged--
			out = "V2 1 00000000 x\n"
		}
		c.Write([]byte(out))
	}
}

func TestKeysAreReadOverALineWithErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		go host(theirs, map[string]string{"sdc:uuid": "u-1", "long": strings.Repeat("x", 20_000)}, 2)
		m, err := newMdata(t.Context(), ours)
		if err != nil {
			t.Fatal(err)
		}
		for key, want := range map[string]string{"sdc:uuid": "u-1", "long": strings.Repeat("x", 20_000), "absent": ""} {
			got, ok, err := m.get(t.Context(), key)
			if got != want || ok != (want != "") || err != nil {
				t.Errorf("get(%s) = %.10q, %t, %v", key, got, ok, err)
			}
		}
		ours.Close()
	})
}

func TestSilentHostEndsInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		defer theirs.Close()
		go bufio.NewReader(theirs).ReadString('x')
		begin := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := newMdata(ctx, ours); err == nil {
			t.Error("newMdata() succeeds with a silent host")
		}
		if took := time.Since(begin); took > answerTime {
			t.Errorf("took %v, want at most %v", took, answerTime)
		}
		ours.Close()
	})
}

func TestParseKnowsTheHostsTerms(t *testing.T) {
	vars := map[string]string{
		"sdc:uuid": "u-1", "hostname": "web-1", "root_authorized_keys": "ssh-ed25519 A\nssh-ed25519 B\n",
		"sdc:datacenter_name": "eu-1", "cloud-init:user-data": "#cloud-config\n", "user-script": "echo hi\n",
		"sdc:nics":      `[{"interface": "net0", "mac": "90:b8:d0:00:00:01", "ips": ["192.0.2.16/24", "dhcp"], "gateways": ["192.0.2.1"], "primary": true, "mtu": 1500}, {"mac": "90:b8:d0:00:00:02", "ip": "10.0.0.5", "netmask": "255.0.0.0", "gateway": "10.0.0.1"}]`,
		"sdc:resolvers": `["192.0.2.53"]`, "sdc:dns_domain": "example.com",
		"sdc:routes": `[{"linklocal": false, "dst": "172.16.0.0/12", "gateway": "192.0.2.2"}]`,
	}
	in, err := parse(&datasources.Host{Root: fstest.MapFS{}}, vars)
	if err != nil {
		t.Fatal(err)
	}
	if in.ID != "u-1" || in.Hostname != "web-1" || len(in.PublicKeys) != 2 || in.Zone != "eu-1" {
		t.Errorf("parse() = %+v", in)
	}
	c := in.Network
	if len(c.Links) != 2 || !c.Links[0].DHCP4 || len(c.Links[0].Routes) != 1 || len(c.Links[1].Routes) != 0 ||
		c.Links[1].Addresses[0].String() != "10.0.0.5/8" || len(c.Routes) != 1 || c.DNS.Search[0] != "example.com" {
		t.Errorf("network = %+v", c)
	}
	if v := string(in.VendorData); !strings.HasPrefix(v, "#cloud-config-archive\n") || !strings.Contains(v, "per-boot") || !strings.Contains(v, "#!/bin/sh") {
		t.Errorf("vendor data = %s, want the script for every boot", v)
	}
}

func TestBase64IsUndoneWhereTheUserSaysSo(t *testing.T) {
	got := decoded(map[string]string{"base64_keys": "hostname, user-script", "hostname": "d2ViLTE=", "sdc:uuid": "d2ViLTE="})
	if got["hostname"] != "web-1" || got["sdc:uuid"] != "d2ViLTE=" {
		t.Errorf("decoded() = %v", got)
	}
}
