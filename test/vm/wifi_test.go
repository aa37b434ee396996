package vm

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"rancheros/image/deb"
	"rancheros/image/tree"
)

// accessPoint makes the second of the two simulated radios a WPA2 access point
// that gives out addresses, in a network of its own: the air is the only way to
// it. Programs are Debian's, on the drive with the label TOOLS.
const accessPoint = `set -e
mkdir -p /tmp/tools && mount -r LABEL=TOOLS /tmp/tools
cat > /tmp/run <<'END'
p=$1; shift
exec /tmp/tools/usr/lib64/ld-linux-x86-64.so.2 --library-path /tmp/tools/usr/lib/x86_64-linux-gnu /tmp/tools/usr/sbin/$p "$@"
END
cat > /tmp/ap.conf <<'END'
interface=wlan1
driver=nl80211
ssid=our "home"
hw_mode=g
channel=1
wpa=2
wpa_key_mgmt=WPA-PSK
rsn_pairwise=CCMP
wpa_passphrase=over # the air
END
ip netns add ap
sh /tmp/run iw phy "$(cat /sys/class/net/wlan1/phy80211/name)" set netns name ap
ip -n ap link set lo up
ip -n ap address add 192.0.2.1/24 dev wlan1
cat > /tmp/ap <<'END'
case $1 in
start) ip netns exec ap sh /tmp/run hostapd -B -P /tmp/hostapd.pid -f /tmp/hostapd.log /tmp/ap.conf;;
stop) kill "$(cat /tmp/hostapd.pid)";;
esac
END
sh /tmp/ap start
ip netns exec ap sh /tmp/run dnsmasq -C /dev/null -p 0 -i wlan1 -F 192.0.2.50,192.0.2.99 -O 3 -O 6 -u root -x /tmp/dnsmasq.pid -l /tmp/leases
`

// TestWifiOverTheAir boots Debian's kernel for all machines, which is not ours
// and has drivers for wireless cards, with PROFILE=wifi. A link joins a WPA2
// network and gets its address there. The radios are mac80211_hwsim's.
func TestWifiOverTheAir(t *testing.T) {
	bzImage, modules := genericKernel(t)
	image := Variant(t, "wifi", "--profile", "wifi", "--kernel", bzImage, "--modules", modules)
	v := Boot(t, Machine{Image: image, Drives: []string{toolsDisc(t, "hostapd", "iw", "dnsmasq-base")}, UserData: Lines("#cloud-config",
		"rancher:", "  modules: [mac80211_hwsim]", "  network:", "    dhcp_timeout: 1",
		"    interfaces: {eth0: {dhcp: true}, wlan0: {wifi_network: home}}",
		`    wifi_networks: {home: {ssid: 'our "home"', psk: 'over # the air'}}`)})
	v.Says("uname -r", strings.TrimPrefix(filepath.Base(bzImage), "vmlinuz-"))
	script := filepath.Join(t.TempDir(), "ap.sh")
	if err := os.WriteFile(script, []byte(accessPoint), 0o644); err != nil {
		t.Fatal(err)
	}
	v.Send(script, "sudo sh")
	status := "sudo system-docker exec network wpa_cli -i wlan0 status"
	v.Eventually(status, "ip_address=192.0.2.", bootTime)
	for _, want := range []string{"wpa_state=COMPLETED", "key_mgmt=WPA2-PSK", "pairwise_cipher=CCMP"} {
		v.Says(status, want)
	}
	v.Says("sudo sh /tmp/run iw dev wlan0 link", "SSID: our \"home\"")
	t.Log(v.Run("sudo sh /tmp/run iw dev wlan0 link"))
	v.Says("ping -c 3 -W 5 192.0.2.1", " 0% packet loss")
	// The access point goes, and comes back.
	v.Run("sudo sh /tmp/ap stop")
	v.Eventually("cat /sys/class/net/wlan0/carrier", "0", bootTime)
	v.Run("sudo sh /tmp/ap start")
	v.Eventually("ping -c 1 -W 5 192.0.2.1 || true", " 0% packet loss", bootTime)
	// What may be sent where is known: the list is there and its signature good.
	v.Run("sudo sh /tmp/run iw reg set DE")
	v.Eventually("sudo sh /tmp/run iw reg get", "country DE: DFS-ETSI", bootTime)

	v.WaitMark("user_docker", bootTime)
	v.Send(BusyboxTar(t), "docker import - bb")
	v.Says("docker run --rm bb echo in a container", "in a container")
}

// genericKernel is Debian's kernel for all machines: its bzImage and the folder
// of its modules.
func genericKernel(t testing.TB) (bzImage, modules string) {
	t.Helper()
	dir := unpacked(t, []string{"linux-image-amd64"}, "boot/vmlinuz*", "usr/lib/modules")
	found, err := filepath.Glob(filepath.Join(dir, "boot/vmlinuz-*"))
	if err != nil || len(found) != 1 {
		t.Fatalf("kernels in %s: %v, %v", dir, found, err)
	}
	return found[0], dir
}

// toolsDisc is a drive with programs of Debian packages, and all that those are
// linked with.
func toolsDisc(t testing.TB, packages ...string) string {
	t.Helper()
	dir := unpacked(t, packages, "usr/sbin", "usr/bin", "usr/lib64", "usr/lib/x86_64-linux-gnu")
	disc := filepath.Join(t.TempDir(), "tools.iso")
	if b, err := exec.Command("xorriso", "-as", "mkisofs", "-quiet", "-r", "-V", "TOOLS", "-o", disc, dir).CombinedOutput(); err != nil {
		t.Fatalf("make the drive with tools: %v: %s", err, b)
	}
	return disc
}

// unpacked is a folder with the files that match of Debian packages and of what
// they need to run. Nothing is installed; the folder is kept in .cache while the
// packages are the same.
func unpacked(t testing.TB, packages []string, only ...string) string {
	t.Helper()
	making.Lock()
	defer making.Unlock()
	cache, err := filepath.Abs(filepath.Join(top(), ".cache"))
	if err != nil {
		t.Fatal(err)
	}
	a := &deb.Apt{Dir: filepath.Join(cache, "apt"), Suite: debianSuite, Log: t.Logf}
	index, err := a.Index(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	list, err := index.Closure(packages, []string{"adduser", "debconf*", "init-system-helpers", "initramfs-tools", "kmod", "linux-base", "openssl", "perl*"})
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.New()
	for _, p := range list {
		fmt.Fprintln(sum, p.ID(), only)
	}
	dir := filepath.Join(cache, fmt.Sprintf("%s-%x", packages[0], sum.Sum(nil)[:8]))
	if _, err := os.Stat(dir); err == nil {
		return dir
	}
	files, err := a.Unpack(t.Context(), list)
	if err != nil {
		t.Fatal(err)
	}
	old, err := filepath.Glob(filepath.Join(cache, packages[0]+"-*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range old {
		if err := os.RemoveAll(o); err != nil {
			t.Fatal(err)
		}
	}
	all := tree.New()
	for _, p := range list {
		all.Merge("", files[p.Name])
	}
	all.Filter(func(e *tree.Entry) bool { return tree.Match(only, e.Path) })
	if err := all.WriteDir(dir + ".tmp"); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(dir+".tmp", dir); err != nil {
		t.Fatal(err)
	}
	return dir
}
