package network

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"rancheros/cloudconfig/shape"
)

// bondKeys are the parameters of a bond as version 2 spells them, by the
// kernel's spelling that version 1 and RancherOS use.
func bondKeys() map[string]string {
	return map[string]string{
		"mode": "mode", "miimon": "mii-monitor-interval", "updelay": "up-delay", "downdelay": "down-delay",
		"lacp-rate": "lacp-rate", "xmit-hash-policy": "transmit-hash-policy", "min-links": "min-links",
		"ad-select": "ad-select", "all-slaves-active": "all-slaves-active", "arp-interval": "arp-interval",
		"arp-ip-target": "arp-ip-targets", "arp-validate": "arp-validate", "arp-all-targets": "arp-all-targets",
		"fail-over-mac": "fail-over-mac-policy", "num-grat-arp": "gratuitous-arp", "gratuitious-arp": "gratuitous-arp", "num-unsol-na": "gratuitous-arp",
		"packets-per-slave": "packets-per-slave", "primary": "primary", "primary-reselect": "primary-reselect-policy",
		"resend-igmp": "resend-igmp", "lp-interval": "learn-packet-interval", "use-carrier": "use-carrier",
		"tlb-dynamic-lb": "tlb-dynamic-lb", "ad-actor-system": "ad-actor-system", "ad-actor-sys-prio": "ad-actor-sys-prio",
		"ad-user-port-key": "ad-user-port-key", "peer-notif-delay": "peer-notify-delay",
		// netplan's newer words.
		"all-members-active": "all-slaves-active", "packets-per-member": "packets-per-slave",
	}
}

// bondModes are the names and the numbers of the kernel's modes, and those of
// Open vSwitch, which the kernel refuses later.
func bondModes() []string {
	return []string{
		"balance-rr", "active-backup", "balance-xor", "broadcast", "802.3ad", "balance-tlb", "balance-alb",
		"0", "1", "2", "3", "4", "5", "6", "balance-tcp", "balance-slb",
	}
}

// bondIgnored are state, or say nothing that a bond needs to be told.
func bondIgnored() []string {
	return []string{"slaves", "active-slave", "queue-id", "mii-status", "ad-actor-key", "ad-aggregator", "ad-num-ports", "ad-partner-key", "ad-partner-mac"}
}

// bridgeKeys are those of a bridge.
func bridgeKeys() map[string]string {
	return map[string]string{
		"ageing": "ageing-time", "ageing-time": "ageing-time", "aging-time": "ageing-time", "bridgeprio": "priority", "priority": "priority",
		"fd": "forward-delay", "forward-delay": "forward-delay", "hello": "hello-time", "hello-time": "hello-time",
		"maxage": "max-age", "max-age": "max-age", "pathcost": "path-cost", "path-cost": "path-cost",
		"portprio": "port-priority", "port-priority": "port-priority", "stp": "stp",
	}
}

func bridgeIgnored() []string {
	return []string{"ports", "hw", "maxwait", "waitport", "gcint"}
}

// params reads the parameters of a bond or bridge in any spelling: bond-mode,
// bond_mode, mode; bridge_fd, forward-delay.
func (v value) params(kind string) map[string]string {
	keys, ignored := bondKeys(), bondIgnored()
	if kind == Bridge {
		keys, ignored = bridgeKeys(), bridgeIgnored()
	}
	var known []string
	for _, k := range keys {
		if _, ok := keys[k]; !ok {
			known = append(known, k)
		}
	}
	for _, k := range known {
		keys[k] = k
	}
	out := map[string]string{}
	for _, p := range v.pairs() {
		bare := strings.TrimPrefix(strings.ReplaceAll(p.key, "_", "-"), kind+"-")
		key, ok := keys[bare]
		switch {
		case ok && p.there():
			out[key] = p.param(key)
		case ok || slices.Contains(ignored, bare):
		default:
			v.r.report(p.at, Error, shape.Nearest(bare, append(known, sortedKeys(keys)...)), "unknown parameter of a %s", kind)
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

func sortedKeys(m map[string]string) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// param is one parameter as text: lists are joined by commas, the costs of
// ports are name=cost.
func (v value) param(key string) string {
	switch key {
	case "mode":
		return v.oneOf(bondModes()...)
	case "path-cost", "port-priority":
		return v.ports()
	case "stp", "all-slaves-active", "use-carrier", "tlb-dynamic-lb":
		if b, ok := boolOf(v.text()); ok {
			if b {
				return "true"
			}
			return "false"
		}
	}
	if v.is(yaml.SequenceNode) {
		return strings.Join(v.words(), ",")
	}
	return v.text()
}

// ports are costs by port: a mapping, or "eth0 50" lines.
func (v value) ports() string {
	var out []string
	if v.is(yaml.MappingNode) {
		for _, p := range v.pairs() {
			out = append(out, p.key+"="+p.text())
		}
		slices.Sort(out)
		return strings.Join(out, ",")
	}
	words := v.words()
	for i := 0; i+1 < len(words); i += 2 {
		out = append(out, words[i]+"="+words[i+1])
	}
	slices.Sort(out)
	return strings.Join(out, ",")
}
