package vmware

import (
	"strings"
	"testing"
	"testing/fstest"

	"rancheros/datasources"
	"rancheros/datasources/dstest"
)

func Test(t *testing.T) { dstest.Run(t, Kind) }

func host(virt string, vars map[string]string) *datasources.Host {
	return &datasources.Host{Root: fstest.MapFS{}, Facts: datasources.Facts{Virt: virt, GuestInfo: vars}}
}

func TestVariablesOfOtherHypervisorsAreNotBelieved(t *testing.T) {
	h := host("kvm", map[string]string{"metadata": "instance-id: x"})
	if f := detect(h); f.Match != datasources.No {
		t.Errorf("detect() = %v, want no", f)
	}
	if in, err := fetch(t.Context(), dstest.Env(h, "", nil)); err == nil {
		t.Errorf("fetch() = %v, want an error", in)
	}
}

func TestEnvironmentIsBelievedEverywhere(t *testing.T) {
	h := host("lxc", nil)
	h.Env = map[string]string{"VMX_GUESTINFO": "1", "VMX_GUESTINFO_METADATA": "aW5zdGFuY2UtaWQ6IHgK", "VMX_GUESTINFO_METADATA_ENCODING": "b64"}
	in, err := fetch(t.Context(), dstest.Env(h, "", nil))
	if err != nil || in.ID != "x" || detect(h).Match != datasources.Yes {
		t.Errorf("fetch() = %+v, %v, want instance x", in, err)
	}
}

func TestMetadataTakesNetworkInAnyForm(t *testing.T) {
	v2 := "  version: 2\n  ethernets: {nic0: {match: {name: ens*}, dhcp4: true}}\n"
	for name, md := range map[string]string{
		"mapping":      "network:\n" + v2,
		"below config": "network:\n  config:\n" + strings.ReplaceAll("  "+v2, "\n  ", "\n    "),
		"encoded": "network.encoding: base64\nnetwork: " +
			"Y29uZmlnOgogIHZlcnNpb246IDIKICBldGhlcm5ldHM6IHtuaWMwOiB7bWF0Y2g6IHtuYW1lOiBlbnMqfSwgZGhjcDQ6IHRydWV9fQo=\n",
	} {
		in, err := parse(host("vmware", nil), []byte(md))
		if err != nil || in.Network == nil || len(in.Network.Links) != 1 || !in.Network.Links[0].DHCP4 {
			t.Errorf("%s: parse() = %+v, %v, want one link with DHCP", name, in, err)
		}
	}
}

func TestOneListOfKeysCounts(t *testing.T) {
	for md, want := range map[string]string{
		"public-keys: [ssh-rsa A, ssh-rsa B]":                                   "ssh-rsa A,ssh-rsa B",
		"public_keys_data: |\n  ssh-rsa A\n  ssh-rsa B\npublic-keys: ssh-rsa C": "ssh-rsa A,ssh-rsa B",
		"public-keys-data: [ssh-rsa A]\npublic-keys: {me: ssh-rsa C}":           "ssh-rsa A",
	} {
		in, err := parse(host("vmware", nil), []byte(md))
		if err != nil || strings.Join(in.PublicKeys, ",") != want {
			t.Errorf("parse(%q) = %+v, %v, want keys %s", md, in, err, want)
		}
	}
}

func TestAnEncodingThatNobodyKnowsIsNone(t *testing.T) {
	h := host("vmware", map[string]string{"metadata": "instance-id: x", "userdata": "#cloud-config", "userdata.encoding": "rot13"})
	in, err := fetch(t.Context(), dstest.Env(h, "", nil))
	if err != nil || string(in.UserData) != "#cloud-config" {
		t.Errorf("fetch() = %+v, %v, want the user-data as it is", in, err)
	}
}

func TestReportRedactsWhatTheUserSaid(t *testing.T) {
	h := host("vmware", map[string]string{"metadata": "redact: [userdata]", "userdata": "#cloud-config\n", "userdata.encoding": "b64"})
	in := &datasources.Instance{Metadata: map[string]any{"redact": []any{"userdata"}}}
	if err := report(t.Context(), dstest.Env(h, "", nil), in, nil); err != nil {
		t.Fatal(err)
	}
	if h.GuestInfo["userdata"] != "---" || h.GuestInfo["userdata.encoding"] != "" || h.GuestInfo["metadata"] == "---" {
		t.Errorf("guestinfo is %v after the report", h.GuestInfo)
	}
}

func TestRancherKeysAreChecked(t *testing.T) {
	for want, vars := range map[string]map[string]string{
		"interface.0.ip.0": {"interface.0.ip.0.address": "here"},
		"dns.server":       {"hostname": "x", "dns.server.0": "there"},
		"interface.0.dhcp": {"interface.0.dhcp": "perhaps"},
		"gateway":          {"interface.0.name": "eth0", "interface.0.route.0.gateway": "up"},
		"rot13":            {"cloud-init.config.data": "x", "cloud-init.data.encoding": "rot13"},
	} {
		_, err := fetch(t.Context(), dstest.Env(host("vmware", vars), "", nil))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("fetch(%v) = %v, want an error with %q", vars, err, want)
		}
	}
}

func TestVariablesGoBeforeACustomization(t *testing.T) {
	for metadata, want := range map[string]string{"instance-id: x": "x", "": "imc", "---\n": "imc"} {
		h := host("vmware", map[string]string{"metadata": metadata})
		h.Root = fstest.MapFS{"run/vmware-imc/cust.cfg": {Data: []byte("[NETWORK]\nHOSTNAME = web\n[MISC]\nINSTANCE-ID = imc\n")}}
		in, err := fetch(t.Context(), dstest.Env(h, "", nil))
		if err != nil || in.ID != want {
			t.Errorf("metadata %q: fetch() = %+v, %v, want %s", metadata, in, err, want)
		}
	}
}

func TestABlankVariableIsNoSign(t *testing.T) {
	for v, want := range map[string]datasources.Match{"---": datasources.Yes, " \n": datasources.No} {
		if f := detect(host("vmware", map[string]string{"userdata": v})); f.Match != want {
			t.Errorf("detect() with %q = %+v, want %s", v, f, want)
		}
	}
}

func TestKeysOfCoreOSAreEnough(t *testing.T) {
	h := host("vmware", map[string]string{"coreos.config.data": "I2Nsb3VkLWNvbmZpZwo=", "coreos.config.data.encoding": "base64"})
	in, err := fetch(t.Context(), dstest.Env(h, "", nil))
	if err != nil || string(in.UserData) != "#cloud-config\n" || detect(h).Match != datasources.Yes {
		t.Errorf("fetch() = %+v, %v, want the user-data", in, err)
	}
	h = host("vmware", map[string]string{"coreos.config.url": "http://192.0.2.1/x"})
	if detect(h).Match != datasources.Yes || needs(h) != datasources.Network {
		t.Errorf("detect() = %+v, needs() = %s, want a machine that needs the network", detect(h), needs(h))
	}
}
