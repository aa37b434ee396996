package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// planOf runs `ros network plan` on a document, on a machine with one card.
func planOf(t *testing.T, doc string, args ...string) (code int, out, errs string) {
	t.Helper()
	dir := t.TempDir()
	links, file := filepath.Join(dir, "links.json"), filepath.Join(dir, "config")
	if err := os.WriteFile(links, []byte(`[{"name": "ens3", "mac": "02:00:00:00:00:0A", "driver": "virtio_net"}]`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(doc), 0o600); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	args = append([]string{"network", "plan", "--links", links, "--config", file}, args...)
	code = Main(t.Context(), args, strings.NewReader(""), &stdout, &stderr)
	return code, stdout.String(), stderr.String()
}

func TestNetworkPlanTellsFormatsApart(t *testing.T) {
	for _, tt := range []struct{ name, doc, format, link string }{
		{"Version1", "version: 1\nconfig: [{type: physical, name: lan, mac_address: '02:00:00:00:00:0a', subnets: [{type: dhcp}]}]", "network-config-v1", "lan"},
		{"Version2", "network: {version: 2, ethernets: {a: {match: {driver: virtio*}, dhcp4: true}}}", "network-config-v2", "ens3"},
		{"OpenStack", `{"links": [{"id": "t", "type": "phy", "ethernet_mac_address": "02:00:00:00:00:0a"}], "networks": [{"link": "t", "type": "ipv4_dhcp"}]}`, "network_data", "ens3"},
		{"Kernel", "quiet ip=ens3:dhcp root=/dev/vda", "kernel", "ens3"},
		{"Klibc", "DEVICE='ens3'\nPROTO='dhcp'\n", "klibc", "ens3"},
		{"CloudConfig", "#cloud-config\nrancher: {network: {interfaces: {'ens*': {dhcp: true}}}}", "cloud-config", "ens3"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			code, out, errs := planOf(t, tt.doc, "--output", "json")
			var doc struct {
				Version int    `json:"version"`
				Format  string `json:"format"`
				Links   []struct {
					Name   string `json:"name"`
					Device string `json:"device"`
					DHCP4  bool   `json:"dhcp4"`
				} `json:"links"`
				Problems []any `json:"problems"`
			}
			if err := json.Unmarshal([]byte(out), &doc); err != nil || code != 0 {
				t.Fatalf("exit %d, %v: %s%s", code, err, out, errs)
			}
			if doc.Version != 1 || doc.Format != tt.format || len(doc.Links) != 1 {
				t.Fatalf("plan = %+v", doc)
			}
			if doc.Problems == nil {
				t.Error("problems is null, want a list")
			}
			if l := doc.Links[0]; l.Name != tt.link || l.Device != "ens3" || !l.DHCP4 {
				t.Errorf("link = %+v, want %s on ens3 with dhcp4", l, tt.link)
			}
		})
	}
}

func TestNetworkPlanEndsWithOneOnAMistake(t *testing.T) {
	code, out, errs := planOf(t, "version: 2\nethernets:\n  ens3:\n    adresses: [192.0.2.1/24]\n    dhcp4: true\n")
	if code != 1 || !strings.Contains(errs, "config:4:5: ethernets.ens3.adresses: unknown key; did you mean addresses?") {
		t.Errorf("exit %d: %s", code, errs)
	}
	if !strings.Contains(out, "ens3  physical  ens3    dhcp4") {
		t.Errorf("what is good is not shown: %s", out)
	}
	if code, _, _ := planOf(t, "version: 2", "--output", "xml"); code != 2 {
		t.Errorf("--output xml: exit %d, want 2", code)
	}
}
