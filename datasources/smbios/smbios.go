// Package smbios reads what lies in the firmware's tables and in systemd's
// system credentials: strings of SMBIOS type 11 that a hypervisor's user sets,
//
//	-smbios type=11,value=io.systemd.credential.binary:cloud-init.user-data=BASE64
//
// the same by fw_cfg and on the kernel command line, and credentials that were
// unpacked already. The names are cloud-init.user-data, cloud-init.meta-data,
// cloud-init.vendor-data and cloud-init.network-config, and of systemd's own
// system.hostname and ssh.authorized_keys.root.
//
// https://systemd.io/CREDENTIALS/
package smbios

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"rancheros/datasources"
	"rancheros/datasources/internal/wire"
)

// Kind is the datasource of SMBIOS strings and system credentials.
var Kind = datasources.Kind{
	Name:    "smbios",
	Aliases: []string{"credentials"},
	Needs:   datasources.Local,
	Detect:  detect,
	Fetch:   fetch,
	// Reading again costs nothing, and many machines of one maker have the
	// same firmware strings.
	Same: func(*datasources.Host, datasources.Identity) bool { return false },
}

// The credentials that are read.
const (
	userData   = "cloud-init.user-data"
	metaData   = "cloud-init.meta-data"
	vendorData = "cloud-init.vendor-data"
	netConfig  = "cloud-init.network-config"
	hostname   = "system.hostname"
	hostname2  = "firstboot.hostname"
	rootKeys   = "ssh.authorized_keys.root"
)

// detect: documents of cloud-init are proof; a name or a key is what some
// hypervisors always give, beside another datasource that says more.
func detect(h *datasources.Host) datasources.Finding {
	creds := credentials(h)
	for _, name := range []string{userData, metaData} {
		if _, ok := creds[name]; ok {
			return datasources.Finding{Match: datasources.Yes, Evidence: "there is a system credential " + name}
		}
	}
	for _, name := range []string{hostname, hostname2, rootKeys} {
		if _, ok := creds[name]; ok {
			return datasources.Finding{Match: datasources.Maybe, Evidence: "there is a system credential " + name}
		}
	}
	return datasources.Finding{}
}

func fetch(_ context.Context, env datasources.Env) (*datasources.Instance, error) {
	creds := credentials(env.Host)
	if len(creds) == 0 {
		return nil, errors.New("there are no system credentials: not in SMBIOS type 11, not in fw_cfg, not on the kernel command line, not in /run/credentials/@system")
	}
	seed := wire.Seed{User: creds[userData], Meta: creds[metaData], Vendor: creds[vendorData], Network: creds[netConfig]}
	in, err := seed.Instance(env.Host, "smbios")
	if err != nil {
		return nil, fmt.Errorf("system credentials: %w", err)
	}
	for _, name := range []string{hostname, hostname2} {
		if in.Hostname == "" {
			in.Hostname = wire.Hostname(string(creds[name]))
		}
	}
	in.PublicKeys = append(in.PublicKeys, wire.KeyLines(string(creds[rootKeys]))...)
	in.Subplatform = "system credentials"
	return in, nil
}

// credentials are those that concern us, from wherever they come; what systemd
// has unpacked goes before the rest.
func credentials(h *datasources.Host) map[string][]byte {
	out := map[string][]byte{}
	add := func(name string, value []byte) {
		switch name {
		case userData, metaData, vendorData, netConfig, hostname, hostname2, rootKeys:
			if _, ok := out[name]; !ok {
				out[name] = value
			}
		}
	}
	for _, name := range []string{userData, metaData, vendorData, netConfig, hostname, hostname2, rootKeys} {
		if b, err := fs.ReadFile(h.Root, "run/credentials/@system/"+name); err == nil {
			add(name, b)
		}
	}
	for _, entry := range glob(h, "sys/firmware/dmi/entries/11-*/raw") {
		b, err := fs.ReadFile(h.Root, entry)
		if err != nil {
			continue
		}
		for _, s := range oemStrings(b) {
			if name, value, ok := fromString(s); ok {
				add(name, value)
			}
		}
	}
	const fwcfg = "sys/firmware/qemu_fw_cfg/by_name/opt/io.systemd.credentials/"
	for _, file := range glob(h, fwcfg+"*/raw") {
		if b, err := fs.ReadFile(h.Root, file); err == nil {
			add(path.Base(path.Dir(file)), b)
		}
	}
	for _, word := range h.CmdlineWords() {
		if name, value, ok := fromCmdline(word); ok {
			add(name, value)
		}
	}
	return out
}

func glob(h *datasources.Host, pattern string) []string {
	names, err := fs.Glob(h.Root, pattern)
	if err != nil {
		return nil
	}
	return names
}

// oemStrings are the strings of an SMBIOS structure: after the part whose
// length is in its second byte, each ends in a zero, the last in two.
func oemStrings(b []byte) []string {
	const typeOEM, shortest = 11, 5
	if len(b) < shortest || b[0] != typeOEM || int(b[1]) >= len(b) {
		return nil
	}
	var out []string
	for _, s := range strings.Split(string(b[b[1]:]), "\x00") {
		if s == "" {
			break
		}
		out = append(out, s)
	}
	return out
}

// fromString reads io.systemd.credential:NAME=VALUE.
func fromString(s string) (string, []byte, bool) {
	if v, ok := strings.CutPrefix(s, "io.systemd.credential.binary:"); ok {
		return binary(v, "=")
	}
	v, ok := strings.CutPrefix(s, "io.systemd.credential:")
	if !ok {
		return "", nil, false
	}
	name, value, ok := strings.Cut(v, "=")
	return name, []byte(value), ok
}

// fromCmdline reads systemd.set_credential=NAME:VALUE.
func fromCmdline(word string) (string, []byte, bool) {
	if v, ok := strings.CutPrefix(word, "systemd.set_credential_binary="); ok {
		return binary(v, ":")
	}
	v, ok := strings.CutPrefix(word, "systemd.set_credential=")
	if !ok {
		return "", nil, false
	}
	name, value, ok := strings.Cut(v, ":")
	return name, []byte(value), ok
}

func binary(s, sep string) (string, []byte, bool) {
	name, value, ok := strings.Cut(s, sep)
	if !ok {
		return "", nil, false
	}
	b, err := base64.StdEncoding.DecodeString(strings.TrimSpace(value))
	return name, b, err == nil
}
