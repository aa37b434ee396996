package network

import (
	"bytes"
	"strings"

	"go.yaml.in/yaml/v4"
)

// The formats that Read knows.
const (
	FormatV1        = "network-config-v1"
	FormatV2        = "network-config-v2"
	FormatOpenStack = "network_data"
	FormatKernel    = "kernel"
	FormatKlibc     = "klibc"
)

// Formats are the names that Read takes, with `network-config` for both
// versions of it.
func Formats() []string {
	return []string{"network-config", FormatOpenStack, FormatKernel, FormatKlibc}
}

// Read reads a document of any format. As is the format's name; empty means to
// find out. Macs are the machine's devices by MAC address.
func Read(doc []byte, as string, macs map[string]string) (cfg *Config, format string, problems []Problem) {
	if as == "" {
		as = Detect(doc)
	}
	switch as {
	case FormatOpenStack:
		cfg, problems = FromOpenStack(doc, macs)
	case FormatKlibc:
		cfg, problems = FromKlibc(doc)
	case FormatKernel:
		cfg, problems = FromKernel(Initramfs{Cmdline: string(doc), MACs: byName(macs)})
	case "network-config", FormatV1, FormatV2:
		cfg, problems = FromV1V2(doc)
		as = Detect(doc)
	default:
		return &Config{}, as, []Problem{{Message: "the format " + as + " is not known: " + strings.Join(Formats(), ", ") + " are", Severity: Error}}
	}
	if cfg == nil {
		cfg = &Config{}
	}
	return cfg, as, problems
}

func byName(macs map[string]string) map[string]string {
	out := map[string]string{}
	for mac, name := range macs {
		out[name] = mac
	}
	return out
}

// Detect tells the format of a document by what is in it.
func Detect(doc []byte) string {
	for _, line := range bytes.Split(doc[:min(len(doc), 64<<10)], []byte("\n")) {
		line = bytes.TrimSpace(line)
		if bytes.HasPrefix(line, []byte("DEVICE=")) || bytes.HasPrefix(line, []byte("DEVICE6=")) {
			return FormatKlibc
		}
	}
	r := &reader{}
	v, ok := r.parse(doc)
	if !ok || !v.is(yaml.MappingNode) {
		for _, w := range Words(string(doc[:min(len(doc), 64<<10)])) {
			for _, p := range []string{"ip=", "ip6=", "network-config="} {
				if strings.HasPrefix(w, p) {
					return FormatKernel
				}
			}
		}
		return "network-config"
	}
	if inner := v.get("network"); inner.there() {
		v = inner
	}
	switch version := v.get("version").text(); {
	case version == "2":
		return FormatV2
	case version == "" && v.get("links").there():
		return FormatOpenStack
	}
	return FormatV1
}
