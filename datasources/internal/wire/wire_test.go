package wire

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rancheros/datasources"
)

func TestKeysComeInManyShapes(t *testing.T) {
	tests := []struct {
		name string
		in   any
		want []string
	}{
		{"text", "a\n# note\n\nb\n", []string{"a", "b"}},
		{"list", []any{"a", "b", "a"}, []string{"a", "b"}},
		{"by name", map[string]any{"2": "b", "1": "a"}, []string{"a", "b"}},
		{"EC2", map[string]any{"0": map[string]any{"openssh-key": "a"}}, []string{"a"}},
		{"lists by name", map[string]any{"x": map[string]any{"openssh-key": []any{"a", "b"}}}, []string{"a", "b"}},
		{"empty list by name", map[string]any{"x": map[string]any{"openssh-key": []any{}}}, nil},
		{"number", 7, nil},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, Keys(tt.in)); diff != "" {
			t.Errorf("%s: want -, got +:\n%s", tt.name, diff)
		}
	}
}

func TestMaybeBase64LeavesTextAlone(t *testing.T) {
	for in, want := range map[string]string{
		"I2Nsb3VkLWNvbmZpZwo=": "#cloud-config\n", "#!/bin/sh": "#!/bin/sh", "": "",
		"not base64!": "not base64!", "abc": "abc",
	} {
		if got := string(MaybeBase64([]byte(in))); got != want {
			t.Errorf("MaybeBase64(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestDecodeKnowsItsEncodings(t *testing.T) {
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	w.Write([]byte("#cloud-config\n"))
	w.Close()
	b64 := base64.StdEncoding.EncodeToString
	for encoding, in := range map[string]string{
		"": "#cloud-config\n", "base64": b64([]byte("#cloud-config\n")), "B64": b64([]byte("#cloud-config\n")),
		"gz+b64": b64(z.Bytes()), "gzip+base64": b64(z.Bytes()),
	} {
		got, err := Decode([]byte(in), encoding)
		if err != nil || string(got) != "#cloud-config\n" {
			t.Errorf("Decode(%s) = %q, %v", encoding, got, err)
		}
	}
	if _, err := Decode([]byte("x"), "rot13"); err == nil || !strings.Contains(err.Error(), "rot13") {
		t.Errorf("Decode(rot13) = %v, want an error that names it", err)
	}
}

func TestGunzipIsBounded(t *testing.T) {
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	zero := make([]byte, 1<<20)
	for range 20 {
		w.Write(zero)
	}
	w.Close()
	if _, err := Gunzip(z.Bytes()); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("Gunzip(bomb) = %v, want an error", err)
	}
}

func TestXMLRefusesWhatExpands(t *testing.T) {
	bomb := `<!DOCTYPE a [<!ENTITY b "x"><!ENTITY c "&b;&b;">]><a>&c;</a>`
	deep := strings.Repeat("<a>", 100) + strings.Repeat("</a>", 100)
	for _, doc := range []string{bomb, deep, "badxml", "", "<a><b></a>"} {
		if n, err := ParseXML([]byte(doc)); err == nil {
			t.Errorf("ParseXML(%.20q) = %v, want an error", doc, n)
		}
	}
}

func TestTreeIsReadAsEC2WritesIt(t *testing.T) {
	files := map[string]string{
		"/m/":                                  "instance-id\npublic-keys/\nnetwork/\nsecret/\nlist\n",
		"/m/instance-id":                       "i-1\n",
		"/m/public-keys/":                      "0=mine\n",
		"/m/public-keys/0/openssh-key":         "ssh-ed25519 A\n",
		"/m/network/":                          "macs/",
		"/m/network/macs/":                     "02:00:00:00:00:01/",
		"/m/network/macs/02:00:00:00:00:01/":   "ip",
		"/m/network/macs/02:00:00:00:00:01/ip": `{"a": 1}`,
		"/m/secret/":                           "token", "/m/secret/token": "hush", "/m/list": "a\nb",
	}
	get := func(_ context.Context, path string) ([]byte, error) {
		if b, ok := files[path]; ok {
			return []byte(b), nil
		}
		return nil, nil
	}
	got, err := Tree(t.Context(), get, "/m/", nil, []string{"secret"})
	if err != nil {
		t.Fatal(err)
	}
	want := Doc{
		"instance-id": "i-1",
		"public-keys": map[string]any{"0": "ssh-ed25519 A"},
		"network":     map[string]any{"macs": map[string]any{"02:00:00:00:00:01": map[string]any{"ip": map[string]any{"a": 1.0}}}},
		"list":        []any{"a", "b"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
}

func TestTreeHasAnEnd(t *testing.T) {
	get := func(context.Context, string) ([]byte, error) { return []byte("a/\nb/\n"), nil }
	if _, err := Tree(t.Context(), get, "/m", nil, nil); err == nil {
		t.Error("a tree without end gives no error")
	}
}

func TestPrefixTakesAnyMask(t *testing.T) {
	tests := []struct{ addr, mask, want string }{
		{"192.0.2.5", "255.255.255.0", "192.0.2.5/24"},
		{"192.0.2.5", "24", "192.0.2.5/24"},
		{"192.0.2.5", "/24", "192.0.2.5/24"},
		{"192.0.2.5/26", "", "192.0.2.5/26"},
		{"192.0.2.5", "", "192.0.2.5/32"},
		{"2001:db8::1", "64", "2001:db8::1/64"},
		{"2001:db8::1", "", "2001:db8::1/128"},
		{"192.0.2.5", "255.0.255.0", ""},
		{"192.0.2.5", "33", ""},
		{"here", "24", ""},
	}
	for _, tt := range tests {
		p, err := Prefix(tt.addr, tt.mask)
		if (err != nil) != (tt.want == "") || err == nil && p.String() != tt.want {
			t.Errorf("Prefix(%s, %s) = %v, %v, want %s", tt.addr, tt.mask, p, err, tt.want)
		}
	}
}

func TestHostnameIsOneAMachineCanBear(t *testing.T) {
	for in, want := range map[string]string{
		"web-1": "web-1", "web-1.example.com.": "web-1.example.com", "web a.example b.example": "web",
		"192.0.2.7": "ip-192-0-2-7", "": "", "  web \n": "web",
	} {
		if got := Hostname(in); got != want {
			t.Errorf("Hostname(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestMACIsSpeltOneWay(t *testing.T) {
	for _, in := range []string{"000D3A047598", "00-0D-3A-04-75-98", "00:0d:3a:04:75:98"} {
		if got := MAC(in); got != "00:0d:3a:04:75:98" {
			t.Errorf("MAC(%s) = %s", in, got)
		}
	}
}

func TestAddressesGoWhereTheyBelong(t *testing.T) {
	var in datasources.Instance
	SortIPs(&in, "10.0.0.1", "192.0.2.1/24", "fd00::1", "2001:db8::1", "fe80::1", "127.0.0.1", "junk", "10.0.0.2")
	got := []string{in.PrivateIPv4, in.PublicIPv4, in.PrivateIPv6, in.PublicIPv6}
	if want := []string{"10.0.0.1", "192.0.2.1", "fd00::1", "2001:db8::1"}; !slices.Equal(got, want) {
		t.Errorf("SortIPs() = %v, want %v", got, want)
	}
}

func FuzzParseXML(f *testing.F) {
	f.Add([]byte(`<Environment><PropertySection><Property key="a" value="b"/></PropertySection></Environment>`))
	f.Add([]byte("<a>&lt;</a>"))
	f.Fuzz(func(t *testing.T, b []byte) {
		OVFProperties(b)
	})
}

func TestDropTakesAwayWhatIsSecret(t *testing.T) {
	d := Doc{"user-data": "x", "a": map[string]any{"b.c": 1, "d": 2}, "keep": 3}
	d.Drop("user-data", "a.d", "a.b.c", "absent.too")
	if diff := cmp.Diff(Doc{"a": map[string]any{}, "keep": 3}, d); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
}

func TestWhatIsLeftOutOfANetworkIsNamed(t *testing.T) {
	h := &datasources.Host{}
	doc := map[string]any{"version": 2, "ethernets": map[string]any{
		"eth0": map[string]any{"dhcp4": true, "addresses": []any{"not an address"}},
	}}
	var in datasources.Instance
	SetNetwork(h, &in, doc)
	if in.Network == nil || len(in.Network.Links) != 1 || !in.Network.Links[0].DHCP4 {
		t.Fatalf("network is %+v, want eth0 with DHCP", in.Network)
	}
	if len(in.Problems) == 0 || !strings.Contains(in.Problems[0], "not an address") {
		t.Errorf("problems are %q, want the address named", in.Problems)
	}
	in = datasources.Instance{}
	SetNetwork(h, &in, "version: 7")
	if in.Network != nil || len(in.Problems) != 1 {
		t.Errorf("network is %+v, problems are %q, want one problem and nothing else", in.Network, in.Problems)
	}
}
