package opennebula

import (
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"rancheros/datasources"
	"rancheros/datasources/dstest"
)

func Test(t *testing.T) { dstest.Run(t, Kind) }

func TestContextIsReadAndNeverRun(t *testing.T) {
	tests := []struct {
		name, text string
		want       map[string]string
	}{
		{"quotes", `A='a b'` + "\n" + `B="c d"` + "\nC=e\n", map[string]string{"A": "a b", "B": "c d", "C": "e"}},
		{"quote in quotes", `A='it'\''s'`, map[string]string{"A": "it's"}},
		{"lines", "A='x\ny\n'\nB='z'", map[string]string{"A": "x\ny\n", "B": "z"}},
		{"backslash is a letter", `A='\t'` + "\n" + `B='\'`, map[string]string{"A": `\t`, "B": `\`}},
		{"escapes in double quotes", `A="a\"b\$c\d"`, map[string]string{"A": `a"b$c\d`}},
		{"ANSI quotes", `A=$'a\nb'`, map[string]string{"A": "a\nb"}},
		{"comment and export", "# A='no'\nexport B='yes'\n", map[string]string{"B": "yes"}},
		{"commands", "touch /owned\nA=$(touch /owned)\nB=`id`\nC='$HOME'", map[string]string{"A": "$(touch", "B": "`id`", "C": "$HOME"}},
		{"what bash sets", "A=1\nSECONDS=2\nB=3", map[string]string{"A": "1", "B": "3"}},
		{"open quote", "A='never closed", map[string]string{"A": "never closed"}},
		{"nothing", "\n", map[string]string{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseContext(tt.text)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("want -, got +:\n%s", diff)
			}
		})
	}
}

func TestFilesThatSetNothingAreNoContext(t *testing.T) {
	for text, broken := range map[string]bool{";": true, "rm -rf /": true, "": false, "\n": false, "# Context variables\n": false} {
		if _, err := parseContext(text); (err != nil) != broken {
			t.Errorf("parseContext(%q) = %v", text, err)
		}
	}
}

func FuzzParseContext(f *testing.F) {
	f.Add("A='b'\\''c'\nexport D=\"e\"\n# f\n")
	f.Fuzz(func(t *testing.T, s string) { parseContext(s) })
}

func TestHostnameComesFromTheFirstThatIsSet(t *testing.T) {
	h := &datasources.Host{Root: fstest.MapFS{}}
	for text, want := range map[string]string{
		"SET_HOSTNAME='a'\nHOSTNAME='b'": "a", "HOSTNAME='b'\nETH0_IP='192.0.2.3'": "b", "ETH0_IP='192.0.2.3'": "ip-192-0-2-3",
	} {
		in, err := parse(h, []byte(text))
		if err != nil || in.Hostname != want {
			t.Errorf("parse(%q) = %+v, %v, want host %s", text, in, err, want)
		}
	}
}

func TestBase64NeedsToBeSaid(t *testing.T) {
	in, err := parse(&datasources.Host{Root: fstest.MapFS{}}, []byte("USER_DATA='I2Nsb3VkLWNvbmZpZwo='"))
	if err != nil || string(in.UserData) != "I2Nsb3VkLWNvbmZpZwo=" {
		t.Errorf("parse() = %q, %v, want it as it is", in.UserData, err)
	}
}

func TestContextWithoutPasswordInMetadata(t *testing.T) {
	in, err := parse(&datasources.Host{Root: fstest.MapFS{}}, []byte("PASSWORD='x'"))
	if err != nil || in.Password != "x" || in.Metadata["PASSWORD"] != nil {
		t.Errorf("parse() = %+v, %v, want the password as a secret only", in, err)
	}
}

func TestContextsWithoutHardwareAddressesNameLinks(t *testing.T) {
	h := &datasources.Host{Root: fstest.MapFS{}, Facts: datasources.Facts{Links: []datasources.HostLink{{Name: "eth0", MAC: "02:00:0a:12:01:01"}}}}
	in, err := parse(h, []byte("ETH0_IP='192.0.2.3'\nETH0_GATEWAY='192.0.2.1'\nETH1_IP='198.51.100.3'\nETH1_MASK='255.255.0.0'"))
	if err != nil || in.Network == nil || len(in.Network.Links) != 2 {
		t.Fatalf("parse() = %+v, %v, want two links", in, err)
	}
	for i, want := range []struct{ id, mac, addr string }{{"eth0", "02:00:0a:12:01:01", "192.0.2.3/24"}, {"eth1", "", "198.51.100.3/16"}} {
		l := in.Network.Links[i]
		if l.ID != want.id || l.Match.MAC != want.mac || len(l.Addresses) != 1 || l.Addresses[0].String() != want.addr {
			t.Errorf("link %d is %+v, want %+v", i, l, want)
		}
	}
}

func TestALinkOfWhichNothingIsSaidIsLeftToDHCP(t *testing.T) {
	in, err := parse(&datasources.Host{Root: fstest.MapFS{}}, []byte("ETH0_MAC='02:00:0a:12:01:01'\nETH0_DNS='192.0.2.53'"))
	if err != nil || in.Network != nil {
		t.Errorf("parse() = %+v, %v, want no network config", in.Network, err)
	}
}

func TestUserDataThatIsNoBase64CostsOnlyItself(t *testing.T) {
	in, err := parse(&datasources.Host{Root: fstest.MapFS{}}, []byte("SSH_KEY='ssh-ed25519 AAAA'\nUSER_DATA='%'\nUSERDATA_ENCODING='base64'"))
	if err != nil || in.UserData != nil || len(in.PublicKeys) != 1 || len(in.Problems) != 1 {
		t.Errorf("parse() = %+v, %v, want the key, a problem and no user-data", in, err)
	}
}
