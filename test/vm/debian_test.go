package vm

import (
	"bytes"
	"compress/gzip"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/template"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/ssh"

	"rancheros/image/debpack"
	"rancheros/image/qemu"
)

// TestDebian holds a Debian that ours provisions to one that cloud-init does:
// the same disk, the same seed with all that people put there, and all that
// they see afterwards, at the first boot and at the second. Then ours takes the
// other's place on the living machine, and is removed from its own.
func TestDebian(t *testing.T) {
	base := theirs(t)
	home := newHome(t)
	seed := richSeed(t, home.port)
	var first, second [2]map[string][]string
	t.Run("machines", func(t *testing.T) {
		for i, name := range []string{"theirs", "ours"} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				d, last := base, replace
				if name == "ours" {
					d, last = ours(t, base), remove
				}
				m := debianMachine{disk: d.newDisk(t), seed: seed, data: NewDisk(t, 1),
					args: []string{"-netdev", "user,id=n1,net=192.0.2.0/24", "-device", "virtio-net-pci,netdev=n1,mac=52:54:00:12:34:57"}}
				for _, said := range []*map[string][]string{&first[i], &second[i]} {
					v := d.start(t, m)
					v.up()
					*said = v.ask(t)
					if said == &second[i] {
						last(t, d, m, v)
					} else {
						v.powerOff()
					}
				}
			})
		}
	})
	if t.Failed() {
		return
	}
	t.Run("first boot", func(t *testing.T) { compare(t, first[0], first[1], slices.Concat(differences, firstDifferences)) })
	t.Run("second boot", func(t *testing.T) { compare(t, second[0], second[1], differences) })
	t.Run("phone_home is called once and told the same", func(t *testing.T) {
		if len(home.calls) != 2 {
			t.Fatalf("there were %d calls; want one of each machine", len(home.calls))
		}
		// cloud-init tells the name in the metadata, ours the one that the config gave
		// to the machine.
		if names := []string{home.calls[0].Get("hostname"), home.calls[1].Get("hostname")}; !slices.Contains(names, "alpha") {
			t.Errorf("the names told are %q; want alpha from ours", names)
		}
		for _, c := range home.calls {
			c.Del("hostname")
			c.Del("fqdn")
		}
		if diff := cmp.Diff(home.calls[0], home.calls[1]); diff != "" {
			t.Error(diff)
		}
	})
}

// replace puts our package in the place of cloud-init on a machine that runs.
// Nothing is done to it a second time.
func replace(t *testing.T, d debian, m debianMachine, v *VM) {
	kept := "cat /etc/ssh/ssh_host_ed25519_key.pub /etc/shadow /home/debian/.ssh/authorized_keys; awk '{ print $1, $2 }' /etc/fstab | sort; lsblk -no UUID /dev/vdc"
	before, order := v.as(kept), v.as("cat /var/log/order")
	v.Send(ourDeb(t), "cat >p.deb")
	v.as("apt-get install -y -q --no-install-recommends ./p.deb")
	v.says("dpkg-query -W -f '${Status}' cloud-init ros-cloud-init", "deinstall ok config-filesinstall ok installed")
	v.says("dpkg --audit; cloud-init --version", "(ros)")
	v.says("apt-mark auto netplan.io; apt-get -s autoremove | grep -c '^Remv netplan.io' || true", "\n0")
	v.powerOff()

	v = d.start(t, m)
	v.up()
	if diff := cmp.Diff(before, v.as(kept)); diff != "" {
		t.Errorf("the machine is another one with ours: %s", diff)
	}
	again := strings.TrimPrefix(v.as("cat /var/log/order"), order)
	if diff := cmp.Diff("boothook bootcmd per-boot-file per-boot", strings.Join(strings.Fields(again), " ")); diff != "" {
		t.Errorf("what ran at the next boot: %s", diff)
	}
	v.says("systemctl --failed --no-legend; systemctl is-system-running", "running")
	// What the old package leaves has the names of our units.
	v.as("dpkg --purge cloud-init")
	v.says("systemctl show -p Wants --value cloud-init.target; systemctl is-enabled cloud-init.target", "enabled")
	v.powerOff()
}

// remove upgrades and removes our package: the machine stays what it is.
func remove(t *testing.T, d debian, m debianMachine, v *VM) {
	v.as("systemctl disable cloud-init-local")
	v.Send(newerDeb(t), "cat >p.deb")
	v.as("apt-get install -y -q ./p.deb")
	v.says("dpkg-query -W -f '${Version}' ros-cloud-init", "99.0.0")
	v.says("systemctl is-enabled cloud-init-local cloud-final cloud-init.target || true", "disabled\nenabled\nenabled")
	v.as("apt-get remove -y -q ros-cloud-init")
	v.powerOff()

	v = d.start(t, m)
	v.up()
	v.says("hostname -f; ip -br addr show lan0; swapon --show=NAME --noheadings; findmnt -no TARGET /data", "alpha.example.test")
	v.says("systemctl --failed --no-legend; systemctl is-system-running --wait", "running")
	v.as("dpkg --purge ros-cloud-init")
	v.says("find /etc/systemd /usr/lib/systemd -name '*cloud*' -print; ls /usr/bin/cloud* 2>/dev/null; echo nothing", "nothing")
	v.powerOff()
}

// newerDeb is our package as a later version.
func newerDeb(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "newer.deb")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	err = debpack.Write(f, debpack.Options{Ros: Out(t, "ros"), Units: os.DirFS(filepath.Join(top(), "templates/systemd")),
		Version: "v99.0.0", Arch: "amd64", Time: time.Unix(1700000000, 0), Maintainer: "test <test@example.org>"})
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// TestDebianInEC2 boots our Debian where the data comes by the network.
func TestDebianInEC2(t *testing.T) {
	d := ours(t, theirs(t))
	user := qemu.User{Data: []byte("#cloud-config\nruncmd: [echo ran >>/var/log/order]\nwrite_files: [{path: /etc/written, content: here}]\n"),
		Keys: []string{PublicKey(t)}, Hostname: "in-ec2", ID: "one"}
	c, err := qemu.NewCloud("ec2", t.TempDir(), Out(t, "ros-image"), user, nil)
	if err != nil {
		t.Fatal(err)
	}
	m := debianMachine{disk: d.newDisk(t), cloud: c}
	for boot, want := range []string{"new", "unchanged", "new"} {
		v := d.start(t, m)
		v.up()
		v.says("cat /run/ros/save.json", `"outcome": "`+want+`"`)
		v.says("hostname; cat /etc/written; echo; cloud-id; cat /var/log/order", "in-ec2\nhere\naws\nran")
		v.says("cloud-init status --wait", "done")
		v.says("systemctl --failed --no-legend; systemctl is-system-running --wait", "running")
		if want == "unchanged" {
			v.says("cat /run/ros/save.json", `"requests": 0`)
			// An image whose network somebody has configured: its services bring the
			// network up, and we ask after that.
			v.as(`rm /etc/netplan/50-cloud-init.yaml /etc/written /var/log/order
umask 077; echo 'network: {version: 2, ethernets: {all: {match: {name: "e*"}, dhcp4: true}}}' >/etc/netplan/90-default.yaml
cloud-init clean`)
		}
		if boot == 2 {
			v.says("journalctl -b -o cat -u cloud-init-local", "later")
		}
		v.powerOff()
	}
}

// A home is a server that machines of the test call.
type home struct {
	port  string
	mu    sync.Mutex
	calls []url.Values
}

func newHome(t *testing.T) *home {
	h := &home{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/included":
			fmt.Fprint(w, "#cloud-config\nmerge_how: [{name: list, settings: [append]}, {name: dict, settings: [recurse_list, recurse_dict]}]\nwrite_files: [{path: /etc/included, content: yes it is}]\n")
			return
		case "/i-debian":
			if err := r.ParseForm(); err != nil {
				t.Error(err)
			}
			h.mu.Lock()
			defer h.mu.Unlock()
			h.calls = append(h.calls, r.PostForm)
			return
		}
		t.Errorf("a machine asks for %s", r.URL)
		http.NotFound(w, r)
	}))
	t.Cleanup(s.Close)
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	h.port = u.Port()
	return h
}

// richSeed is a NoCloud drive with most of what people write.
func richSeed(t *testing.T, port string) map[string]string {
	t.Helper()
	private, public := hostKey(t)
	values := map[string]string{"Key": PublicKey(t), "Port": port, "HostKey": private, "HostKeyPublic": public, "CA": certificate(t),
		// Of the password `not a secret`.
		"Hash": "$6$rosrosros$dCG.zsbw9bk1yEZ3DdLtawMASAe.uvVS2cpck.9jFppsiid5QebcDXRSf1Eyyq63A7IT5mZM.6VJyb1oC8AmE."}
	fill := func(name string) string {
		b, err := os.ReadFile(filepath.Join("testdata/debian", name))
		if err != nil {
			t.Fatal(err)
		}
		tmpl, err := template.New(name).Funcs(template.FuncMap{"gzip": zipped, "indent": indent}).Parse(string(b))
		if err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		if err := tmpl.Execute(&out, values); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	script := func(word string) string { return "#!/bin/sh\necho " + word + " >>/var/log/order\n" }
	user := multipartOf(t, [][2]string{
		{"text/cloud-config", fill("user-data.yml")},
		{"text/cloud-boothook", script("boothook")},
		{"text/x-shellscript", script("user-script")},
		{"text/x-shellscript-per-boot", script("per-boot")},
		{"text/x-shellscript-per-instance", script("per-instance")},
		{"text/x-shellscript-per-once", script("per-once")},
		{"text/jinja2", "## template: jinja\n" + script("jinja {{ v1.local_hostname }} {{ ds.meta_data.instance_id }} {{ v1.distro }}")},
		{"text/cloud-config", "merge_how: [{name: list, settings: [append]}, {name: dict, settings: [recurse_list, recurse_dict]}]\nruncmd: [echo merged >>/var/log/order]\n"},
		{"text/x-include-url", "http://10.0.2.2:" + port + "/included\n"},
	})
	return map[string]string{
		"meta-data":      "instance-id: i-debian\nlocal-hostname: from-metadata\npublic-keys:\n  - " + PublicKey(t) + " meta\n",
		"user-data":      user,
		"vendor-data":    script("vendor"),
		"network-config": fill("network.yml"),
	}
}

// multipartOf is user-data of several parts: type and content each.
func multipartOf(t *testing.T, parts [][2]string) string {
	t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for i, p := range parts {
		h := textproto.MIMEHeader{"Content-Type": {p[0]}, "Mime-Version": {"1.0"}, "Content-Disposition": {fmt.Sprintf(`attachment; filename="part-%d"`, i)}}
		pw, err := w.CreatePart(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := pw.Write([]byte(p[1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return "Content-Type: multipart/mixed; boundary=\"" + w.Boundary() + "\"\nMIME-Version: 1.0\n\n" + body.String()
}

func zipped(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte(text)) // into memory
	_ = w.Close()
	return base64.StdEncoding.EncodeToString(b.Bytes())
}

func indent(n int, text string) string {
	pad := strings.Repeat(" ", n)
	return pad + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n"+pad)
}

// hostKey is an ssh host key in OpenSSH's form, and its public half.
func hostKey(t *testing.T) (private, public string) {
	t.Helper()
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(key, "host")
	if err != nil {
		t.Fatal(err)
	}
	p, err := ssh.NewPublicKey(pub)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(block)), strings.TrimSpace(string(ssh.MarshalAuthorizedKey(p)))
}

// certificate is that of an authority nobody knows.
func certificate(t *testing.T) string {
	t.Helper()
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, pub, key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}
