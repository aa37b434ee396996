package azure

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"rancheros/datasources"
	"rancheros/datasources/dstest"
)

func Test(t *testing.T) { dstest.Run(t, Kind) }

// envelope is ovf-env.xml with the given properties.
func envelope(props string) []byte {
	return []byte(`<?xml version="1.0" encoding="utf-8"?>
<Environment xmlns="http://schemas.dmtf.org/ovf/environment/1" xmlns:wa="http://schemas.microsoft.com/windowsazure" xmlns:i="http://www.w3.org/2001/XMLSchema-instance">
 <wa:ProvisioningSection><wa:Version>1.0</wa:Version>
  <wa:LinuxProvisioningConfigurationSet>` + props + `</wa:LinuxProvisioningConfigurationSet>
 </wa:ProvisioningSection>
 <wa:PlatformSettingsSection><wa:PlatformSettings>
  <wa:PreprovisionedVMType i:nil="true"/>
 </wa:PlatformSettings></wa:PlatformSettingsSection>
</Environment>`)
}

func TestParseOVFRefusesWhatItCannotTrust(t *testing.T) {
	name := "<wa:HostName>web</wa:HostName>"
	tests := []struct{ name, props, want string }{
		{"no host name", "", "HostName is missing"},
		{"two host names", name + name, "HostName is there 2 times"},
		{"long password", name + "<wa:UserPassword>" + strings.Repeat("p", 73) + "</wa:UserPassword>", "at most 72"},
		{"custom data is no base64", name + "<wa:CustomData>#cloud-config</wa:CustomData>", "CustomData"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := parseOVF(envelope(tt.props))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("parseOVF() = %v, want an error with %q", err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), "ppppp") {
				t.Error("the password is in the error")
			}
		})
	}
}

func TestParseOVFKnowsOtherHypervisors(t *testing.T) {
	_, err := parseOVF([]byte(`<Environment xmlns="http://schemas.dmtf.org/ovf/environment/1"><PropertySection/></Environment>`))
	if !errors.Is(err, errNotAzure) {
		t.Errorf("parseOVF() = %v, want errNotAzure", err)
	}
}

func TestSavedIdentityStaysInAnySpelling(t *testing.T) {
	tests := []struct {
		name, dmi, saved, want string
	}{
		{"first boot", "D0DF4C54-4ECB-4A4B-9954-5BDF3ED5C3B8", "", "d0df4c54-4ecb-4a4b-9954-5bdf3ed5c3b8"},
		{"other case", "D0DF4C54-4ECB-4A4B-9954-5BDF3ED5C3B8", "d0df4c54-4ecb-4a4b-9954-5bdf3ed5c3b8", "d0df4c54-4ecb-4a4b-9954-5bdf3ed5c3b8"},
		{"other byte order", "d0df4c54-4ecb-4a4b-9954-5bdf3ed5c3b8", "544CDFD0-CB4E-4B4A-9954-5BDF3ED5C3B8", "544CDFD0-CB4E-4B4A-9954-5BDF3ED5C3B8"},
		{"other machine", "d0df4c54-4ecb-4a4b-9954-5bdf3ed5c3b8", "11111111-cb4e-4b4a-9954-5bdf3ed5c3b8", "d0df4c54-4ecb-4a4b-9954-5bdf3ed5c3b8"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := &datasources.Host{Root: fstest.MapFS{
				"sys/class/dmi/id/product_uuid":  {Data: []byte(tt.dmi + "\n")},
				"var/lib/cloud/data/instance-id": {Data: []byte(tt.saved + "\n")},
			}}
			if got := instanceID(h, nil); got != tt.want {
				t.Errorf("instanceID() = %s, want %s", got, tt.want)
			}
		})
	}
}

func TestHealthReportSaysWhyInFewWords(t *testing.T) {
	g, err := parseGoalState([]byte(`<GoalState><Version>2012-11-30</Version><Incarnation>7</Incarnation>
<Container><ContainerId>c-1</ContainerId><RoleInstanceList><RoleInstance><InstanceId>r.web_0</InstanceId></RoleInstance></RoleInstanceList></Container></GoalState>`))
	if err != nil {
		t.Fatal(err)
	}
	b, err := healthReport(g, errors.New("disk <full> "+strings.Repeat("x", 600)))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"<GoalStateIncarnation>7</GoalStateIncarnation>", "<ContainerId>c-1</ContainerId>",
		"<InstanceId>r.web_0</InstanceId>", "<State>NotReady</State>",
		"<SubStatus>ProvisioningFailed</SubStatus>", "disk &lt;full&gt;",
	} {
		if !strings.Contains(string(b), want) {
			t.Errorf("report lacks %s", want)
		}
	}
	if n := strings.Count(string(b), "x"); n > maxDescription+20 {
		t.Errorf("description is too long: %d", n)
	}
	ready, err := healthReport(g, nil)
	if err != nil || !strings.Contains(string(ready), "<State>Ready</State>") || strings.Contains(string(ready), "Details") {
		t.Errorf("healthReport(nil) = %s, %v", ready, err)
	}
}

func TestKVPRecordIsOneLineOfFields(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	got := kvpReport(&datasources.Instance{ID: "i"}, errors.New("a|b"), at)
	if want := "result=error|'reason=a|b'|agent=ros|pps_type=None|vm_id=i|timestamp=2026-01-02T03:04:05Z"; got != want {
		t.Errorf("kvpReport() = %s, want %s", got, want)
	}
}

func TestWireServerComesFromDHCPOption245(t *testing.T) {
	h := &datasources.Host{Root: fstest.MapFS{"run/systemd/netif/leases/2": {Data: []byte("ADDRESS=10.0.0.4\nOPTION_245=a83f8110\n")}}}
	if got := wireServerOf(h); got != "168.63.129.16" {
		t.Errorf("wireServerOf() = %s", got)
	}
	h.Root = fstest.MapFS{"run/systemd/netif/leases/2": {Data: []byte("OPTION_245=c0:00:02:07\n")}}
	if got := wireServerOf(h); got != "192.0.2.7" {
		t.Errorf("wireServerOf() = %s, want 192.0.2.7", got)
	}
}

func TestWhatIsWrongInIMDSIsLeftOut(t *testing.T) {
	doc := &document{}
	doc.Compute.UserData = "!!"
	for _, k := range []string{"ssh-rsa AAAA me", "---- BEGIN SSH2 PUBLIC KEY ----", "nonsense"} {
		doc.Compute.PublicKeys = append(doc.Compute.PublicKeys, struct {
			KeyData string `json:"keyData"`
		}{k})
	}
	doc.Network.Interface = []nic{{MAC: "000D3A6E1F5E"}}
	doc.Network.Interface[0].IPv4.IPAddress = make([]struct {
		Private string `json:"privateIpAddress"`
		Public  string `json:"publicIpAddress"`
	}, 2) // a second address that is empty
	in := instance(&datasources.Host{Root: fstest.MapFS{}}, nil, doc)
	if in.Network != nil || in.UserData != nil || len(in.Problems) != 2 || len(in.PublicKeys) != 1 || in.PublicKeys[0] != "ssh-rsa AAAA me" {
		t.Errorf("instance() = %+v, want one key and two problems", in)
	}
}

// The drive of a machine that was captured has the name of an older one, and
// the name of the resource is none of a host: it may have capitals and dots.
func TestHostNameIsIMDSsComputerNameElseTheDrives(t *testing.T) {
	for _, tt := range []struct{ name, drive, computer, want string }{
		{"both", "old", "new", "new"},
		{"the drive alone", "old", "", "old"},
		{"IMDS alone", "", "new", "new"},
		{"neither", "", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			doc := &document{}
			doc.Compute.Name = "resource"
			doc.Compute.OSProfile.ComputerName = tt.computer
			in := instance(&datasources.Host{Root: fstest.MapFS{}}, &environment{hostname: tt.drive}, doc)
			if in.Hostname != tt.want {
				t.Errorf("instance() = %q, want %q", in.Hostname, tt.want)
			}
		})
	}
}
