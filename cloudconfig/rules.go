package cloudconfig

import (
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"rancheros/cloudconfig/shape"
)

// A rule holds the values below rancher at a path against more than their
// type. In a path, * stands for any key and for any item.
type rule struct {
	path  []string
	check func(value string) (message, suggestion string)
	warn  bool
}

// rules of the rancher keys. What an applier checks itself is not here.
var rules = []rule{
	{[]string{"upgrade", "policy"}, among("auto", "download", "none"), false},
	{[]string{"disable", "*"}, among("password", "autologin"), false},
	{[]string{"cloud_init", "frequency", "*"}, among("always", "instance", "once"), false},
	{[]string{"ssh", "port"}, between(1, 65535), false},
	{[]string{"ssh", "listen_address"}, address, false},
	{[]string{"shutdown_timeout"}, atLeast(5), true},
	{[]string{"directories", "*", "path"}, wholePath, false},
	{[]string{"links", "*", "path"}, wholePath, false},
	{[]string{"network", "dns", "nameservers", "*"}, address, false},
	{[]string{"network", "interfaces", "*", "address"}, prefix, false},
	{[]string{"network", "interfaces", "*", "addresses", "*"}, prefix, false},
	{[]string{"network", "interfaces", "*", "gateway"}, address, false},
	{[]string{"network", "interfaces", "*", "gateway_ipv6"}, address, false},
	{[]string{"network", "interfaces", "*", "mtu"}, between(68, 65535), false},
	{[]string{"network", "interfaces", "*", "dhcp_args"}, old("dhcpcd is not used; see rancher.network.dhcp_timeout", ""), true},
	{[]string{"network", "wifi_networks", "*", "address"}, prefix, false},
	{[]string{"docker", "bip"}, prefix, false},
	{[]string{"system_docker", "bip"}, prefix, false},
	{[]string{"docker", "graph"}, old("an old name", "data_root"), true},
	{[]string{"system_docker", "graph"}, old("an old name", "data_root"), true},
	{[]string{"docker", "args"}, old("ignored", "extra_args"), true},
	{[]string{"rm_usr"}, old("ignored: /usr is read-only", ""), true},
	{[]string{"bootstrap"}, old("ignored: there is no bootstrap Docker", ""), true},
	{[]string{"bootstrap_docker"}, old("ignored: there is no bootstrap Docker", ""), true},
	{[]string{"cloud_init_services"}, old("ignored: cloud-init needs no container", ""), true},
	{[]string{"autoformat"}, old("ignored", "state.autoformat"), true},
	{[]string{"preload_wait"}, old("ignored: services always wait for images that are loaded", ""), true},
	{[]string{"state", "rngd"}, old("ignored: the kernel needs no random number daemon", ""), true},
}

// needs are the keys without which items of a list below rancher say nothing.
var needs = []struct{ list, key string }{
	{"directories", "path"}, {"links", "path"}, {"links", "target"},
}

// checkRules finds the values below rancher that break a rule.
func checkRules(file string, root *yaml.Node) Problems {
	var ps Problems
	rancher := child(root, "rancher")
	if rancher == nil {
		return nil
	}
	for _, r := range rules {
		each(rancher, r.path, "rancher", func(n *yaml.Node, path string) {
			message, suggestion := r.check(n.Value)
			if message == "" || isNull(n) {
				return
			}
			p := Problem{File: file, Line: n.Line, Column: n.Column, Path: path, Message: message,
				Suggestion: suggestion, Severity: Error}
			if r.warn {
				p.Severity = Warning
			}
			ps = append(ps, p)
		})
	}
	for _, need := range needs {
		each(rancher, []string{need.list, "*"}, "rancher", func(n *yaml.Node, path string) {
			if v := child(n, need.key); n.Kind == yaml.MappingNode && (v == nil || isNull(v)) {
				ps = append(ps, Problem{File: file, Line: n.Line, Column: n.Column, Path: path,
					Message: need.key + " is missing", Severity: Error})
			}
		})
	}
	return ps
}

// each calls f for all nodes at a path.
func each(n *yaml.Node, path []string, at string, f func(*yaml.Node, string)) {
	switch {
	case len(path) == 0:
		f(n, at)
	case n.Kind == yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			if key := n.Content[i].Value; path[0] == "*" || path[0] == key {
				each(n.Content[i+1], path[1:], join(at, key), f)
			}
		}
	case n.Kind == yaml.SequenceNode && path[0] == "*":
		for i, item := range n.Content {
			each(item, path[1:], at+"["+strconv.Itoa(i)+"]", f)
		}
	case n.Kind == yaml.ScalarNode && path[0] == "*": // one instead of a list
		each(n, path[1:], at, f)
	}
}

func among(words ...string) func(string) (string, string) {
	return func(v string) (string, string) {
		if slices.Contains(words, v) {
			return "", ""
		}
		return fmt.Sprintf("want %s, not %q", strings.Join(words, ", "), v), shape.Nearest(v, words)
	}
}

func between(low, high int) func(string) (string, string) {
	return func(v string) (string, string) {
		if n, err := strconv.Atoi(v); err == nil && (n < low || n > high) {
			return fmt.Sprintf("want a number from %d to %d, not %d", low, high, n), ""
		}
		return "", ""
	}
}

func atLeast(low int) func(string) (string, string) {
	return func(v string) (string, string) {
		if n, err := strconv.Atoi(v); err == nil && n < low {
			return fmt.Sprintf("at least %d is used, not %d", low, n), ""
		}
		return "", ""
	}
}

func wholePath(v string) (string, string) {
	if path.IsAbs(v) && !strings.ContainsRune(v, 0) {
		return "", ""
	}
	return fmt.Sprintf("want a path that begins with a slash, not %q", v), ""
}

func address(v string) (string, string) {
	if _, err := netip.ParseAddr(v); err == nil || variable(v) {
		return "", ""
	}
	if p, err := netip.ParsePrefix(v); err == nil {
		return fmt.Sprintf("want an address without a prefix length, not %q", v), p.Addr().String()
	}
	return fmt.Sprintf("want an address, not %q", v), ""
}

func prefix(v string) (string, string) {
	if _, err := netip.ParsePrefix(v); err == nil || variable(v) {
		return "", ""
	}
	if a, err := netip.ParseAddr(v); err == nil {
		bits := 24
		if a.Is6() {
			bits = 64
		}
		return fmt.Sprintf("%q has no prefix length", v), netip.PrefixFrom(a, bits).String()
	}
	return fmt.Sprintf("want an address with a prefix length as 10.0.0.5/24, not %q", v), ""
}

// variable says whether v is one of the addresses that metadata puts in.
func variable(v string) bool {
	return strings.HasPrefix(v, "$") && variableAt([]byte(v[1:])) != ""
}

func old(message, suggestion string) func(string) (string, string) {
	return func(string) (string, string) { return message, suggestion }
}
