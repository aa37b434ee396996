package vm

import (
	"archive/tar"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// TestDockerMachine is a machine that docker-machine makes: the key lies at the
// head of an empty disk, and all else is said over ssh, in its words.
func TestDockerMachine(t *testing.T) {
	m := Machine{User: "docker", UserData: "-", Disk: NewDisk(t, 2)}
	askToFormat(t, m.Disk)
	v := Boot(t, m)
	v.Says("sudo ros dev LABEL=B2D_STATE", "/dev/vda")
	v.Says("df -P /home | tail -1", "/dev/vda")
	// The tests' own command line is a layer above it.
	v.Says("sudo ros config explain rancher.state.dev", "machine.yml:")
	v.Says("sudo tar tf /var/lib/boot2docker/userdata.tar 2>&1 | head -1", "boot2docker, please format-me")
	v.Says("sudo cat /home/rancher/.ssh/authorized_keys", PublicKey(t))
	v.WaitMark("user_docker", bootTime)

	certs := newCerts(t)
	for _, step := range provision(certs) {
		if out, err := v.Try(step); err != nil {
			t.Fatalf("docker-machine's step fails: %v\n%s\n%s", err, step, out)
		}
	}
	const listens = "if ! type netstat 1>/dev/null; then ss -tln; else netstat -tln; fi"
	v.Eventually(listens+" | grep -E ':2376\\s+.*:.*' && echo it listens", "it listens", bootTime)
	info := certs.info(t, v, true)
	for _, want := range []string{`"Driver":"overlay2"`, `"Name":"box"`, `"provider=test"`, `"HttpProxy":"http://engine.example.test"`} {
		if !strings.Contains(info, want) {
			t.Errorf("docker info over TLS does not say %s:\n%s", want, info)
		}
	}
	if got := certs.info(t, v, false); !strings.Contains(got, "certificate required") && !strings.Contains(got, "bad certificate") {
		t.Errorf("a client without a certificate gets %q", got)
	}
	v.Says("cat /etc/os-release | grep -x ID=rancheros", "ID=rancheros")
	v.Run("sudo rancherctl service enabled --help")
	if _, err := v.Try("sudo reboot"); err != nil {
		t.Logf("reboot: %v", err) // the connection may end first
	}
	v.WaitOff(3 * time.Minute)

	v = Boot(t, m)
	v.Says("hostname", "box")
	v.Says("grep 127.0.1.1 /etc/hosts", "box")
	v.WaitMark("user_docker", bootTime)
	v.Eventually(listens+" | grep -E ':2376\\s+.*:.*' && echo it listens", "it listens", time.Minute)
	if info := certs.info(t, v, true); !strings.Contains(info, `"provider=test"`) {
		t.Errorf("after a reboot: %s", info)
	}
}

// askToFormat writes what docker-machine's drivers write to a new disk.
func askToFormat(t *testing.T, disk string) {
	t.Helper()
	const magic = "boot2docker, please format-me"
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	key := PublicKey(t) + "\n"
	for _, f := range []struct{ name, content string }{{magic, magic}, {".ssh/", ""}, {".ssh/authorized_keys", key}, {".ssh/authorized_keys2", key}} {
		h := &tar.Header{Name: f.name, Size: int64(len(f.content)), Mode: 0o644}
		if strings.HasSuffix(f.name, "/") {
			h.Typeflag, h.Mode = tar.TypeDir, 0o700
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, f.content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(disk, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write(b.Bytes()); err != nil {
		t.Fatal(err)
	}
}

// provision is what docker-machine runs over ssh, in its order.
func provision(c certs) []string {
	const conf = "/var/lib/rancher/conf"
	steps := []string{
		"exit 0",
		"cat /etc/os-release",
		"sed /127.0.1.1/d /etc/hosts > /tmp/hosts && cat /tmp/hosts | sudo tee /etc/hosts",
		`sudo hostname box && echo "box" | sudo tee /etc/hostname`,
		`if ! grep -xq '.*\sbox' /etc/hosts; then
			if grep -xq '127.0.1.1\s.*' /etc/hosts; then
				sudo sed -i 's/^127.0.1.1\s.*/127.0.1.1 box/g' /etc/hosts;
			else
				echo '127.0.1.1 box' | sudo tee -a /etc/hosts;
			fi
		fi`,
		"sudo mkdir -p " + conf + "/cloud-config.d/",
		"sudo tee " + conf + "/cloud-config.d/machine-hostname.yml << EOF\n#cloud-config\n\nhostname: box\nEOF",
		"sudo system-docker stop docker",
		`if [ ! -z "$(ip link show docker0)" ]; then sudo ip link delete docker0; fi`,
	}
	for _, f := range []struct{ name, text string }{{"ca.pem", c.ca}, {"server.pem", c.server}, {"server-key.pem", c.serverKey}} {
		steps = append(steps, fmt.Sprintf("printf '%%s' '%s' | sudo tee %s/%s", f.text, conf, f.name))
	}
	opts := `
DOCKER_OPTS='
-H tcp://0.0.0.0:2376
-H unix:///var/run/docker.sock
--storage-driver overlay
--tlsverify
--tlscacert /var/lib/rancher/conf/ca.pem
--tlscert /var/lib/rancher/conf/server.pem
--tlskey /var/lib/rancher/conf/server-key.pem
--label provider=test
'
export \"HTTP_PROXY=http://engine.example.test\"
`
	return append(steps,
		"sudo mkdir -p "+conf+" && printf %s \""+opts+"\" | sudo tee "+conf+"/docker",
		"sudo system-docker start docker")
}

// certs are an authority's, in PEM.
type certs struct {
	ca, server, serverKey string
	client                tls.Certificate
	pool                  *x509.CertPool
}

func newCerts(t *testing.T) certs {
	t.Helper()
	caKey, caCert := issue(t, "test", nil, nil)
	serverKey, server := issue(t, "box", caCert, caKey)
	clientKey, client := issue(t, "client", caCert, caKey)
	c := certs{ca: pemOf("CERTIFICATE", caCert.Raw), server: pemOf("CERTIFICATE", server.Raw), pool: x509.NewCertPool()}
	c.pool.AddCert(caCert)
	der, err := x509.MarshalPKCS8PrivateKey(serverKey)
	if err != nil {
		t.Fatal(err)
	}
	c.serverKey = pemOf("PRIVATE KEY", der)
	c.client = tls.Certificate{Certificate: [][]byte{client.Raw}, PrivateKey: clientKey}
	return c
}

// issue makes a certificate for this name, or with no parent an authority.
func issue(t *testing.T, name string, parent *x509.Certificate, signer *ecdsa.PrivateKey) (*ecdsa.PrivateKey, *x509.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: time.Now().Add(240 * time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if parent == nil {
		parent, signer, c.IsCA, c.BasicConstraintsValid = c, key, true, true
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return key, made
}

func pemOf(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// info asks the engine at port 2376, and returns its answer or the error.
func (c certs) info(t *testing.T, v *VM, known bool) string {
	t.Helper()
	if err := v.connect(); err != nil {
		t.Fatal(err)
	}
	conf := &tls.Config{RootCAs: c.pool}
	if known {
		conf.Certificates = []tls.Certificate{c.client}
	}
	web := http.Client{Transport: &http.Transport{Dial: v.client.Dial, TLSClientConfig: conf, DisableKeepAlives: true}, Timeout: 2 * time.Minute}
	r, err := web.Get("https://127.0.0.1:2376/info")
	if err != nil {
		return err.Error()
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return err.Error()
	}
	return string(b)
}
