package netconf

import (
	"sort"
	"strings"

	"rancheros/cloudconfig/network"
)

// A parameter of network-config and the file of sysfs it is written to.
type parameter struct {
	key, file string
	// scale: the config counts seconds, the kernel hundredths.
	scale int
	words map[string]string
}

// bondParameters are in the order in which the kernel takes them: the mode
// decides which others are allowed.
func bondParameters() []parameter {
	onOff := map[string]string{"true": "1", "false": "0"}
	return []parameter{
		{key: "mode", file: "mode"},
		{key: "mii-monitor-interval", file: "miimon"},
		{key: "up-delay", file: "updelay"},
		{key: "down-delay", file: "downdelay"},
		{key: "lacp-rate", file: "lacp_rate"},
		{key: "transmit-hash-policy", file: "xmit_hash_policy"},
		{key: "min-links", file: "min_links"},
		{key: "ad-select", file: "ad_select"},
		{key: "ad-actor-sys-prio", file: "ad_actor_sys_prio"},
		{key: "ad-actor-system", file: "ad_actor_system"},
		{key: "ad-user-port-key", file: "ad_user_port_key"},
		{key: "all-slaves-active", file: "all_slaves_active", words: onOff},
		{key: "arp-interval", file: "arp_interval"},
		{key: "arp-ip-targets", file: arpTargets},
		{key: "arp-validate", file: "arp_validate"},
		{key: "arp-all-targets", file: "arp_all_targets"},
		{key: "fail-over-mac-policy", file: "fail_over_mac"},
		{key: "gratuitous-arp", file: "num_grat_arp"},
		{key: "num-unsol-na", file: "num_unsol_na"},
		{key: "packets-per-slave", file: "packets_per_slave"},
		// The kernel remembers a primary that is no member yet.
		{key: "primary", file: "primary"},
		{key: "primary-reselect-policy", file: "primary_reselect"},
		{key: "resend-igmp", file: "resend_igmp"},
		{key: "learn-packet-interval", file: "lp_interval"},
		{key: "peer-notify-delay", file: "peer_notif_delay"},
		{key: "tlb-dynamic-lb", file: "tlb_dynamic_lb", words: onOff},
		{key: "use-carrier", file: "use_carrier", words: onOff},
	}
}

func bridgeParameters() []parameter {
	return []parameter{
		{key: "forward-delay", file: "forward_delay", scale: 100},
		{key: "hello-time", file: "hello_time", scale: 100},
		{key: "max-age", file: "max_age", scale: 100},
		{key: "ageing-time", file: "ageing_time", scale: 100},
		{key: "priority", file: "priority"},
		{key: "stp", file: "stp_state", words: map[string]string{"true": "1", "false": "0"}},
	}
}

func bondOptions() []string   { return files(bondParameters()) }
func bridgeOptions() []string { return files(bridgeParameters()) }

func files(ps []parameter) (out []string) {
	for _, p := range ps {
		out = append(out, p.file)
	}
	return out
}

// arpTargets is a list.
const arpTargets = "arp_ip_target"

// Some of a bond's options can be set only while it is down, some only while it
// has no members.
var (
	onlyWhileDown  = []string{"lacp_rate", "ad_select", "ad_actor_sys_prio", "ad_actor_system", "ad_user_port_key", "tlb_dynamic_lb"}
	onlyWhileEmpty = []string{"mode", "fail_over_mac"}
)

// options of a bond or bridge, as the kernel spells them; name turns an ID into
// the name of its link. A key that is not in the table is handed on as it is
// written: RancherOS' bond_opts are sysfs names.
func options(l network.Link, name func(id string) string) []Option {
	table := bondParameters()
	if l.Kind == network.Bridge {
		table = bridgeParameters()
	}
	var out []Option
	known := map[string]bool{"path-cost": true, "port-priority": true}
	for _, p := range table {
		known[p.key] = true
		if v, ok := l.Parameters[p.key]; ok {
			out = append(out, Option{p.file, kernelValue(p, v, name)})
		}
	}
	var rest []string
	for k := range l.Parameters {
		if !known[k] {
			rest = append(rest, k)
		}
	}
	sort.Strings(rest)
	for _, k := range rest {
		if safeOption(k) {
			out = append(out, Option{strings.ReplaceAll(k, "-", "_"), l.Parameters[k]})
		}
	}
	return out
}

// safeOption keeps a name from being a path.
func safeOption(name string) bool { return name != "" && !strings.ContainsAny(name, "/.\x00") }

func kernelValue(p parameter, v string, name func(id string) string) string {
	switch p.file {
	case "primary":
		return name(v)
	case arpTargets:
		return strings.Join(strings.FieldsFunc(v, func(r rune) bool { return r == ',' || r == ' ' }), ",")
	}
	if w, ok := p.words[v]; ok {
		return w
	}
	if p.scale > 0 && strings.Trim(v, "0123456789") == "" {
		return v + "00"
	}
	return v
}

// holds says whether the option has the value already. The kernel shows some as
// a word and its number, and takes either.
func (o Option) holds(value string) bool {
	if o.Value == value {
		return true
	}
	word, number, both := strings.Cut(o.Value, " ")
	return both && (value == word || value == number)
}

// portOptions are what a bridge's parameters say of one of its ports:
// path-cost is "eth0=10,eth1=20".
func portOptions(bridge network.Link, port string) []Option {
	var out []Option
	for _, p := range []parameter{{key: "path-cost", file: "path_cost"}, {key: "port-priority", file: "priority"}} {
		for _, pair := range strings.Split(bridge.Parameters[p.key], ",") {
			if name, v, ok := strings.Cut(pair, "="); ok && name == port {
				out = append(out, Option{p.file, v})
			}
		}
	}
	return out
}
