package netconf

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"rancheros/cloudconfig"
	"rancheros/cloudconfig/network"
)

// hostapd is a real authenticator on the far end. It ends with the test, and
// gives the function that says what it has said.
func (w wire) hostapd(t *testing.T, users, conf string) func() string {
	t.Helper()
	bin := "/usr/sbin/hostapd"
	if _, err := os.Stat(bin); err != nil {
		t.Fatal("needs a real authenticator: apt-get install hostapd; `make test` does")
	}
	dir := t.TempDir()
	for name, text := range map[string]string{
		"users": users,
		"conf": "interface=far\ndriver=wired\nlogger_stdout=-1\nlogger_stdout_level=0\nieee8021x=1\neap_server=1\n" +
			"eap_user_file=" + filepath.Join(dir, "users") + "\n" + conf,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	said := filepath.Join(dir, "log")
	log, err := os.Create(said)
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command("ip", "netns", "exec", w.ns, bin, filepath.Join(dir, "conf"))
	c.Stdout, c.Stderr = log, log
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	read := func() string { b, _ := os.ReadFile(said); return string(b) }
	t.Cleanup(func() {
		c.Process.Kill()
		c.Wait()
		log.Close()
		if t.Failed() {
			t.Logf("hostapd said:\n%s", read())
		}
	})
	await(t, "hostapd", func() bool { return strings.Contains(read(), "AP-ENABLED") })
	return read
}

// authority makes certificates and keys below dir: ca, server, client.
func authority(t *testing.T, dir string) {
	t.Helper()
	write := func(name, kind string, der []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var ca *x509.Certificate
	var caKey *ecdsa.PrivateKey
	for i, name := range []string{"ca", "server", "client"} {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		cert := &x509.Certificate{
			SerialNumber: big.NewInt(int64(i + 1)), Subject: pkix.Name{CommonName: name},
			NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
		}
		if ca == nil {
			cert.IsCA, cert.BasicConstraintsValid, cert.KeyUsage = true, true, x509.KeyUsageCertSign
			ca, caKey = cert, key
		}
		der, err := x509.CreateCertificate(rand.Reader, cert, ca, &key.PublicKey, caKey)
		if err != nil {
			t.Fatal(err)
		}
		keyDER, err := x509.MarshalECPrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		write(name+".pem", "CERTIFICATE", der)
		write(name+".key", "EC PRIVATE KEY", keyDER)
	}
}

// TestASupplicantLogsIn runs a real wpa_supplicant with our config against a real
// authenticator. Over a cable: radios are in test/vm, TestWifiOverTheAir.
func TestASupplicantLogsIn(t *testing.T) {
	certs := t.TempDir()
	authority(t, certs)
	in := func(name string) string { return filepath.Join(certs, name) }
	server := "ca_cert=" + in("ca.pem") + "\nserver_cert=" + in("server.pem") + "\nprivate_key=" + in("server.key") + "\n"
	for _, tt := range []struct {
		name, users, conf string
		network           cloudconfig.WifiNetwork
	}{
		{"MD5", `"me" MD5 "a pass#word"`, "", cloudconfig.WifiNetwork{
			SSID: "office", KeyMgmt: "IEEE8021X", EAP: "MD5", Identity: "me", Password: "a pass#word", EAPOLFlags: "0",
		}},
		{"PEAP", "\"outside\" PEAP\n\"me\" MSCHAPV2 \"hidden\" [2]", server, cloudconfig.WifiNetwork{
			SSID: "office", KeyMgmt: "IEEE8021X", EAP: "PEAP", AnonymousIdentity: "outside", Identity: "me", Password: "hidden",
			CACerts: []string{in("ca.pem")}, Phases: []string{"peaplabel=0", "auth=MSCHAPV2"}, EAPOLFlags: "0",
		}},
		{"TLS", `"client" TLS`, server, cloudconfig.WifiNetwork{
			SSID: "office", KeyMgmt: "IEEE8021X", EAP: "TLS", Identity: "client", CACerts: []string{in("ca.pem")},
			ClientCerts: []string{in("client.pem")}, PrivateKeys: []string{in("client.key")}, EAPOLFlags: "0",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWire(t, "eth0", "10.1.0.1/24")
			said := w.hostapd(t, tt.users, tt.conf)
			tt.network.Address = "10.1.0.5/24"
			s := Settings{
				Network: links(network.Link{ID: "eth0", Kind: network.Physical, WifiNetwork: "office", Addresses: prefixes("10.1.0.5/24")}),
				Wifi:    map[string]cloudconfig.WifiNetwork{"office": tt.network}, KeepHostname: true,
			}
			leases := filepath.Join(t.TempDir(), "leases")
			r := serve(t, s, leases)
			await(t, "the log-in", func() bool {
				return strings.Contains(said(), ": authenticated - EAP type")
			})
			st, err := os.Stat(filepath.Join(leases, "wpa_supplicant-eth0.conf"))
			if err != nil || st.Mode().Perm() != 0o600 {
				t.Errorf("config with secrets: %v, %v, want mode 0600", st, err)
			}
			r.stop()
			if out, err := exec.Command("wpa_cli", "-p", "/run/wpa_supplicant", "-i", "eth0", "ping").CombinedOutput(); err == nil {
				t.Errorf("wpa_supplicant outlives the service: %s", out)
			}
		})
	}
}

// TestASupplicantReadsEveryKey asks a real wpa_supplicant what it has read.
func TestASupplicantReadsEveryKey(t *testing.T) {
	newWire(t, "eth0")
	s := Settings{KeepHostname: true, Wifi: map[string]cloudconfig.WifiNetwork{"all": {
		SSID: "my \"net\"", PSK: "a secret with \"quotes\"", ScanSSID: 1, Priority: 7, Pairwise: "CCMP", Group: "CCMP", EAP: "PEAP",
		Identity: "me", AnonymousIdentity: "anyone", CACerts: []string{"/ca1.pem", "/ca2.pem"}, ClientCerts: []string{"/c1.pem", "/c2.pem"},
		PrivateKeys: []string{"/k1.pem", "/k2.pem"}, PrivateKeyPasswds: []cloudconfig.Secret{"pass1", "pass2"},
		Phases: []string{"peaplabel=1", "auth=MSCHAPV2"}, EAPOLFlags: "3", KeyMgmt: "WPA-PSK WPA-EAP", Password: "hidden",
	}}, Network: links(network.Link{ID: "eth0", Kind: network.Physical, WifiNetwork: "all", Addresses: prefixes("10.1.0.5/24")})}
	serve(t, s, "")
	get := func(key string) string {
		out, _ := exec.Command("wpa_cli", "-p", "/run/wpa_supplicant", "-i", "eth0", "get_network", "0", key).Output()
		return strings.TrimSpace(string(out))
	}
	await(t, "wpa_supplicant", func() bool { return get("priority") == "7" })
	for key, want := range map[string]string{
		"ssid": `"my "net""`, "scan_ssid": "1", "pairwise": "CCMP", "group": "CCMP", "eap": "PEAP", "identity": `"me"`,
		"anonymous_identity": `"anyone"`, "ca_cert": `"/ca1.pem"`, "ca_cert2": `"/ca2.pem"`, "client_cert": `"/c1.pem"`, "client_cert2": `"/c2.pem"`,
		"private_key": `"/k1.pem"`, "private_key2": `"/k2.pem"`, "phase1": `"peaplabel=1"`, "phase2": `"auth=MSCHAPV2"`, "eapol_flags": "3",
		"key_mgmt": "WPA-PSK WPA-EAP",
		// It shows that there are secrets, not which.
		"psk": "*", "password": "*", "private_key_passwd": "*", "private_key2_passwd": "*",
	} {
		if got := get(key); got != want {
			t.Errorf("%s = %s, want %s", key, got, want)
		}
	}
}

func TestMistakesInWirelessNetworksAreProblems(t *testing.T) {
	s := configOf(t, `
rancher:
  network:
    interfaces: {wlan0: {wifi_network: short}, wlan1: {wifi_network: open}}
    wifi_networks: {short: {ssid: a, psk: hunter2}, open: {ssid: b}}
`, nil)
	if len(s.Problems) != 1 || !strings.Contains(s.Problems[0].Message, "psk has 7 letters") || strings.Contains(s.Problems[0].Message, "hunter2") {
		t.Errorf("problems = %v, want one about the psk's length, without the psk", s.Problems)
	}
	if conf, err := wpaConf(s.Wifi["open"]); err != nil || !strings.Contains(string(conf), "\tkey_mgmt=NONE\n") {
		t.Errorf("wpaConf(open) = %s, %v", conf, err)
	}
}
