package network

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// An Initramfs is what the kernel command line and an initramfs say of the
// network.
type Initramfs struct {
	Cmdline string
	// Files below /run by their path there: net-eth0.conf, net6-eth0.conf,
	// initramfs/open-iscsi.interface.
	Files map[string][]byte
	// MACs are the addresses of this machine's devices by name.
	MACs map[string]string
}

// FromKernel reads the kernel command line's network-config=, ip= and ip6=.
// Where an initramfs has configured links for them and left net-*.conf files,
// those links are taken as they are (Manual): the root file system may lie
// behind them. A nil Config means that nothing is said.
func FromKernel(in Initramfs) (*Config, []Problem) {
	words := Words(in.Cmdline)
	for _, w := range words {
		if s, ok := strings.CutPrefix(w, "network-config="); ok {
			return fromBase64(s)
		}
	}
	var asked []string
	for _, w := range words {
		if strings.HasPrefix(w, "ip=") || strings.HasPrefix(w, "ip6=") {
			asked = append(asked, w)
		}
	}
	_, iscsi := in.Files["initramfs/open-iscsi.interface"]
	if len(asked) == 0 && !iscsi {
		return nil, nil
	}
	k := &kernel{cfg: &Config{}, macs: in.MACs}
	names := make([]string, 0, len(in.Files))
	for name := range in.Files {
		if strings.HasSuffix(name, ".conf") && (strings.HasPrefix(name, "net-") || strings.HasPrefix(name, "net6-")) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		k.conf(name, in.Files[name])
	}
	if len(names) == 0 {
		for _, w := range asked {
			k.ip(w)
		}
	}
	if len(k.cfg.Links) == 0 {
		return nil, k.problems
	}
	return k.cfg, k.problems
}

// FromKlibc reads one net-*.conf file of an initramfs.
func FromKlibc(file []byte) (*Config, []Problem) {
	k := &kernel{cfg: &Config{}}
	k.conf("net.conf", file)
	return k.cfg, k.problems
}

// Words splits a command line as the kernel does: at blanks, but not inside
// double quotes, which are taken off.
func Words(cmdline string) []string {
	var out []string
	var word strings.Builder
	quoted := false
	flush := func() {
		if word.Len() > 0 {
			out = append(out, word.String())
			word.Reset()
		}
	}
	for _, r := range cmdline {
		switch {
		case r == '"':
			quoted = !quoted
		case !quoted && (r == ' ' || r == '\t' || r == '\n'):
			flush()
		default:
			word.WriteRune(r)
		}
	}
	flush()
	return out
}

// fromBase64 reads network-config=, which may be compressed.
func fromBase64(s string) (*Config, []Problem) {
	bad := func(err error) (*Config, []Problem) {
		return nil, []Problem{{Path: "network-config", Message: err.Error(), Severity: Error}}
	}
	if s == "disabled" {
		return &Config{}, nil
	}
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		if b, err = base64.RawStdEncoding.DecodeString(s); err != nil {
			return bad(fmt.Errorf("not base64: %w", err))
		}
	}
	if bytes.HasPrefix(b, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(bytes.NewReader(b))
		if err != nil {
			return bad(fmt.Errorf("not gzip: %w", err))
		}
		if b, err = io.ReadAll(io.LimitReader(z, maxDocument+1)); err != nil {
			return bad(fmt.Errorf("not gzip: %w", err))
		}
	}
	return FromV1V2(b)
}

type kernel struct {
	cfg      *Config
	macs     map[string]string
	problems []Problem
}

func (k *kernel) errorf(path, format string, args ...any) {
	k.problems = append(k.problems, Problem{Path: path, Message: fmt.Sprintf(format, args...), Severity: Error})
}

// link is the entry of a device, made when it is first named.
func (k *kernel) link(name string) *Link {
	i := slices.IndexFunc(k.cfg.Links, func(l Link) bool { return l.ID == name })
	if i < 0 {
		l := Link{ID: name, Kind: Physical}
		if mac := strings.ToLower(k.macs[name]); mac != "" {
			l.Match.MAC, l.Name = mac, name
		}
		k.cfg.Links = append(k.cfg.Links, l)
		i = len(k.cfg.Links) - 1
	}
	return &k.cfg.Links[i]
}

// conf reads a file of shell variables that klibc's ipconfig or initramfs-tools
// wrote.
func (k *kernel) conf(path string, file []byte) {
	vars := shellVars(file)
	device := vars["DEVICE"]
	if device == "" {
		device = vars["DEVICE6"]
	}
	if !validName(device) {
		k.errorf(path, "DEVICE is missing, or %q is no name for a link", device)
		return
	}
	l := k.link(device)
	l.Manual = true
	switch proto := strings.ToLower(vars["PROTO"]); proto {
	case "dhcp", "bootp", "rarp", "both", "any", "on":
		l.DHCP4 = true
		k.names(path, l, vars, "IPV4", "DOMAINSEARCH")
	case "":
	default: // none, static, off
		k.static(path, l, vars, "IPV4")
		k.names(path, l, vars, "IPV4", "DOMAINSEARCH")
	}
	switch proto := strings.ToLower(vars["IPV6PROTO"]); proto {
	case "dhcp6", "dhcp", "any", "on":
		l.DHCP6 = true
		k.names(path, l, vars, "IPV6", "IPV6DOMAINSEARCH", "DOMAINSEARCH")
	case "":
		if vars["PROTO"] == "" && vars["DEVICE6"] != "" && vars["IPV6ADDR"] != "" {
			k.static(path, l, vars, "IPV6")
			k.names(path, l, vars, "IPV6", "IPV6DOMAINSEARCH", "DOMAINSEARCH")
		}
	default:
		k.static(path, l, vars, "IPV6")
		k.names(path, l, vars, "IPV6", "IPV6DOMAINSEARCH", "DOMAINSEARCH")
	}
}

func (k *kernel) static(path string, l *Link, vars map[string]string, family string) {
	if vars[family+"ADDR"] == "" {
		return // This family has none.
	}
	p, err := parsePrefix(vars[family+"ADDR"], vars[family+"NETMASK"], true)
	if err != nil {
		k.errorf(path, "%sADDR: %s", family, err)
		return
	}
	l.Addresses = appendNew(l.Addresses, p)
	k.gateway(path, l, vars[family+"GATEWAY"])
}

func (k *kernel) gateway(path string, l *Link, s string) {
	s = unbracket(s)
	if s == "" || s == "0.0.0.0" || s == "::" {
		return
	}
	via, err := parseAddr(s)
	if err != nil {
		k.errorf(path, "gateway: %q is no IP address", s)
		return
	}
	l.Routes = append(l.Routes, Route{To: defaultRoute(via.Is6()), Via: via, OnLink: !l.contains(via)})
}

func (k *kernel) names(path string, l *Link, vars map[string]string, family string, search ...string) {
	for _, n := range []string{"0", "1", "2"} {
		k.server(path, l, vars[family+"DNS"+n])
	}
	for _, key := range search {
		add(&l.DNS, DNS{Search: strings.FieldsFunc(vars[key], func(r rune) bool { return r == ',' || r == ' ' })})
	}
}

func (k *kernel) server(path string, l *Link, s string) {
	s = unbracket(s)
	if s == "" || s == "0.0.0.0" || s == "::" {
		return
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		k.errorf(path, "name server %q is no IP address", s)
		return
	}
	add(&l.DNS, DNS{Nameservers: []string{a.String()}})
}

// shellVars reads NAME='value' lines. Nothing is expanded or run.
func shellVars(file []byte) map[string]string {
	out := map[string]string{}
	for _, line := range strings.Split(string(file[:min(len(file), 64<<10)]), "\n") {
		name, v, ok := strings.Cut(strings.TrimSpace(line), "=")
		if !ok || strings.HasPrefix(name, "#") {
			continue
		}
		v = strings.TrimSpace(v)
		if len(v) >= 2 && (v[0] == '\'' || v[0] == '"') && v[len(v)-1] == v[0] {
			v = v[1 : len(v)-1]
		}
		out[strings.TrimPrefix(name, "export ")] = v
	}
	return out
}

// ip reads ip=ADDRESS:SERVER:GATEWAY:NETMASK:HOSTNAME:DEVICE:AUTOCONF:DNS0:DNS1,
// or one of its short forms: ip=dhcp, ip=eth0:dhcp. In place of name servers
// dracut takes an MTU and a MAC address.
//
// https://docs.kernel.org/admin-guide/nfs/nfsroot.html
// https://man7.org/linux/man-pages/man7/dracut.cmdline.7.html
func (k *kernel) ip(word string) {
	key, v, _ := strings.Cut(word, "=")
	f := splitFields(v)
	if len(f) == 1 {
		k.auto(key, k.link(anyCard), f[0], key == "ip6")
		return
	}
	if validName(f[0]) && (len(f) == 2 || slices.Contains(methods(), f[1])) {
		l := k.link(f[0])
		k.rest(key, l, f[2:])
		k.auto(key, l, f[1], key == "ip6")
		return
	}
	f = append(f, make([]string, 9)...)
	name := f[5]
	if name == "" {
		name = anyCard
	}
	if !validName(name) {
		k.errorf(key, "%q is no name for a link", name)
		return
	}
	l := k.link(name)
	k.rest(key, l, f[7:])
	if f[0] == "" {
		k.auto(key, l, f[6], key == "ip6")
		return
	}
	p, err := parsePrefix(unbracket(f[0]), f[3], true)
	if err != nil {
		k.errorf(key, "%s", err)
		k.dropIdle(l)
		return
	}
	l.Addresses = appendNew(l.Addresses, p)
	k.gateway(key, l, f[2])
}

// rest reads what may follow a method: name servers, or an MTU and the six parts
// of a MAC address.
func (k *kernel) rest(key string, l *Link, f []string) {
	f = append(slices.Clone(f), make([]string, 7)...)
	mac := strings.ToLower(strings.Join(f[1:7], ":"))
	mtu, err := strconv.Atoi(f[0])
	if (err != nil || mtu <= 0 || mtu > maxMTU) && (f[0] != "" || !validMAC(mac)) {
		k.server(key, l, f[0])
		k.server(key, l, f[1])
		return
	}
	l.MTU = mtu
	if validMAC(mac) {
		l.MAC = mac
	}
}

// methods are the words for ways of configuration.
func methods() []string {
	return []string{"dhcp", "on", "any", "both", "single-dhcp", "dhcp6", "either6", "auto6", "link6", "off", "none", "ibft", "link-local"}
}

// anyCard stands for every network card, where the command line names none.
const anyCard = "e*"

func (k *kernel) auto(path string, l *Link, how string, v6 bool) {
	switch how {
	case "dhcp", "on", "any", "both", "single-dhcp", "":
		if v6 {
			l.DHCP6 = true
			return
		}
		l.DHCP4 = true
	case "dhcp6", "either6":
		l.DHCP6 = true
	case "auto6", "link6":
		l.IPv6Mode = "slaac"
	case "off", "none", "ibft", "link-local":
		if how == "link-local" {
			l.IPv4LL = true
			return
		}
		k.dropIdle(l)
	default:
		k.errorf(path, "%q is no way of configuration: dhcp, dhcp6, auto6 and off are", how)
		k.dropIdle(l)
	}
}

// dropIdle forgets a link that nothing was said of: it would keep the machine
// from asking DHCP.
func (k *kernel) dropIdle(l *Link) {
	if id := l.ID; len(l.Addresses) == 0 && !l.DHCP4 && !l.DHCP6 && l.IPv6Mode == "" && !l.IPv4LL {
		k.cfg.Links = slices.DeleteFunc(k.cfg.Links, func(l Link) bool { return l.ID == id })
	}
}

// splitFields splits at colons, but not inside [brackets].
func splitFields(s string) []string {
	var out []string
	depth, start := 0, 0
	for i := range len(s) {
		switch s[i] {
		case '[':
			depth++
		case ']':
			depth--
		case ':':
			if depth == 0 {
				out, start = append(out, s[start:i]), i+1
			}
		}
	}
	return append(out, s[start:])
}

func unbracket(s string) string { return strings.Trim(s, "[]") }
