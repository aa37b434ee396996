package netconf

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"

	"rancheros/cloudconfig"
	"rancheros/cloudconfig/network"
)

// A password has so many letters.
const minPSK, maxPSK = 8, 63

// wpaConf is the text of a wpa_supplicant.conf for one network. Words that would
// break out of their line are refused.
//
// https://w1.fi/cgit/hostap/plain/wpa_supplicant/wpa_supplicant.conf
func wpaConf(n cloudconfig.WifiNetwork) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString("ctrl_interface=/run/wpa_supplicant\nupdate_config=0\n\nnetwork={\n")
	if n.SSID == "" {
		return nil, errors.New("ssid is missing")
	}
	// As hexadecimal digits any name is safe.
	fmt.Fprintf(&b, "\tssid=%s\n", hex.EncodeToString([]byte(n.SSID)))
	number := func(key string, v int) {
		if v != 0 {
			fmt.Fprintf(&b, "\t%s=%d\n", key, v)
		}
	}
	number("scan_ssid", n.ScanSSID)
	number("priority", n.Priority)
	var errs []error
	put := func(key, v string, quote bool) {
		if v == "" {
			return
		}
		if strings.ContainsAny(v, "\n\r\x00") || !quote && strings.ContainsAny(v, "\"{}#") {
			errs = append(errs, fmt.Errorf("%s has a letter that it cannot have", key))
			return
		}
		if quote {
			v = `"` + v + `"`
		}
		fmt.Fprintf(&b, "\t%s=%s\n", key, v)
	}
	psk := n.PSK.Reveal()
	if psk != "" && !isKey(psk) && (len(psk) < minPSK || len(psk) > maxPSK) {
		errs = append(errs, fmt.Errorf("psk has %d letters: a password has %d to %d, a key 64 hexadecimal digits", len(psk), minPSK, maxPSK))
	}
	put("psk", psk, !isKey(psk))
	keys := n.KeyMgmt
	if keys == "" && psk == "" && n.EAP == "" {
		keys = "NONE" // An open network.
	}
	put("key_mgmt", keys, false)
	put("pairwise", n.Pairwise, false)
	put("group", n.Group, false)
	put("eap", n.EAP, false)
	put("identity", n.Identity, true)
	put("anonymous_identity", n.AnonymousIdentity, true)
	put("password", n.Password.Reveal(), true)
	put("eapol_flags", n.EAPOLFlags, false)
	numbered := func(key string, list []string) {
		for i, v := range list {
			suffix := ""
			if i > 0 {
				suffix = strconv.Itoa(i + 1)
			}
			put(key+suffix, v, true)
		}
	}
	numbered("ca_cert", n.CACerts)
	numbered("client_cert", n.ClientCerts)
	numbered("private_key", n.PrivateKeys)
	for i, p := range n.PrivateKeyPasswds {
		suffix := ""
		if i > 0 {
			suffix = strconv.Itoa(i + 1)
		}
		put("private_key"+suffix+"_passwd", p.Reveal(), true)
	}
	for i, p := range n.Phases {
		put("phase"+strconv.Itoa(i+1), p, true)
	}
	b.WriteString("}\n")
	return b.Bytes(), errors.Join(errs...)
}

// isKey says whether a psk is the 64 hexadecimal digits of a key, not a
// password.
func isKey(s string) bool {
	_, err := hex.DecodeString(s)
	return len(s) == 64 && err == nil
}

// joinWifi gives links that are in a wireless network its address, or DHCP.
func joinWifi(cfg *network.Config, networks map[string]cloudconfig.WifiNetwork) []network.Problem {
	var problems []network.Problem
	fail := func(l network.Link, format string, args ...any) {
		problems = append(problems, network.Problem{
			Path: "interfaces." + l.ID + ".wifi_network", Message: fmt.Sprintf(format, args...), Severity: network.Error,
		})
	}
	for i := range cfg.Links {
		l := &cfg.Links[i]
		if l.WifiNetwork == "" {
			continue
		}
		n, ok := networks[l.WifiNetwork]
		if !ok {
			fail(*l, "there is no wifi network %q", l.WifiNetwork)
			continue
		}
		if _, err := wpaConf(n); err != nil {
			fail(*l, "wifi network %q: %v", l.WifiNetwork, err)
		}
		if n.Address == "" {
			l.DHCP4 = l.DHCP4 || len(l.Addresses) == 0
			continue
		}
		p, err := netip.ParsePrefix(n.Address)
		if err != nil {
			fail(*l, "the address %q of %q is none; write it as 10.0.0.5/24", n.Address, l.WifiNetwork)
			continue
		}
		l.Addresses = append(l.Addresses, p)
		if via, err := netip.ParseAddr(n.Gateway); err == nil {
			l.Routes = append(l.Routes, network.Route{To: netip.PrefixFrom(zero(via), 0), Via: via})
		}
	}
	sort.SliceStable(problems, func(i, j int) bool { return problems[i].Path < problems[j].Path })
	return problems
}

// zero is the unspecified address of the same family.
func zero(a netip.Addr) netip.Addr {
	if a.Is6() {
		return netip.IPv6Unspecified()
	}
	return netip.IPv4Unspecified()
}

// wpaDriver is how wpa_supplicant talks to the card. A wired one takes part in
// 802.1X (key_mgmt: IEEE8021X).
func wpaDriver(link string) string {
	for _, file := range []string{"phy80211", "wireless"} {
		if _, err := os.Stat(filepath.Join(sysNet, link, file)); err == nil {
			return "nl80211,wext"
		}
	}
	return "wired"
}

// wifi keeps wpa_supplicant running for the link until ctx ends.
func (r *run) wifi(ctx context.Context, link string, n cloudconfig.WifiNetwork) {
	conf, err := wpaConf(n)
	if err == nil {
		err = os.MkdirAll(r.Leases, 0o755)
	}
	file := filepath.Join(r.Leases, "wpa_supplicant-"+link+".conf")
	if err == nil {
		err = writeFile(file, conf, 0o600)
	}
	if err != nil {
		r.Log.Error("wifi not configured", "link", link, "err", err)
		return
	}
	for ctx.Err() == nil {
		c := exec.CommandContext(ctx, "wpa_supplicant", "-i", link, "-c", file, "-D", wpaDriver(link))
		// It says there why it does not get in: a wrong password, no network of that name.
		c.Stdout, c.Stderr = os.Stderr, os.Stderr
		c.Cancel = func() error { return c.Process.Signal(syscall.SIGTERM) }
		c.WaitDelay = 5 * time.Second
		err := c.Run()
		if errors.Is(err, exec.ErrNotFound) {
			r.Log.Error("wifi not started: wpa_supplicant is not in the network service's image; build one with PROFILE=wifi", "link", link)
			return
		}
		if ctx.Err() != nil {
			return
		}
		r.Log.Warn("wpa_supplicant ended; starting it again", "link", link, "err", err)
		if pause(ctx, retryAfter) != nil {
			return
		}
	}
}
