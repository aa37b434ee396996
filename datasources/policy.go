package datasources

import (
	"slices"
	"strings"
)

// A Policy is what ds-identify does with what it finds. It decides the list
// that upstream would write; Pick goes by it where a person wrote one.
type Policy struct {
	Mode     string // disabled, enabled, search, report
	Found    string // all, first
	Maybe    string // all, none
	NotFound string // enabled, disabled
	// Set: a person wrote it.
	Set bool
}

// policy reads ci.di.policy= of the kernel command line, or policy: of
// /etc/cloud/ds-identify.cfg.
func policy(h *Host) Policy {
	p := Policy{Mode: "search", Found: "all", Maybe: "none", NotFound: "disabled"}
	text := h.IdentifyConfig()["policy"]
	for _, word := range h.CmdlineWords() {
		if v, ok := strings.CutPrefix(word, "ci.di.policy="); ok {
			text = v
		}
	}
	for part := range strings.SplitSeq(text, ",") {
		part = strings.TrimSpace(part)
		p.Set = p.Set || part != ""
		_, value, _ := strings.Cut(part, "=")
		switch part { // a word that nobody knows changes nothing
		case "disabled", "enabled", "search", "report":
			p.Mode = part
		case "found=all", "found=first":
			p.Found = value
		case "maybe=all", "maybe=none":
			p.Maybe = value
		case "notfound=enabled", "notfound=disabled":
			p.NotFound = value
		}
	}
	return p
}

// IdentifyConfig are the settings of /etc/cloud/ds-identify.cfg, which has lines
// "key: value" and comments.
func (h *Host) IdentifyConfig() map[string]string {
	set := map[string]string{}
	for line := range strings.Lines(h.Read("etc/cloud/ds-identify.cfg")) {
		line, _, _ = strings.Cut(line, "#")
		if key, value, ok := strings.Cut(line, ":"); ok {
			set[strings.TrimSpace(key)] = strings.Trim(strings.TrimSpace(value), `"'`)
		}
	}
	return set
}

// upstreamOrder is the order in which ds-identify looks.
const upstreamOrder = "MAAS ConfigDrive NoCloud AltCloud Azure Bigstep CloudSigma CloudStack DigitalOcean Vultr AliYun " +
	"Ec2 GCE OpenNebula OpenStack VMware OVF SmartOS Scaleway Hetzner IBMCloud Oracle Exoscale RbxCloud UpCloud LXD " +
	"NWCS Akamai WSL CloudCIX None"

// None is upstream's name of having no datasource.
const None = "None"

// Upstream is what upstream's ds-identify would write for this choice: the list
// for datasource_list, and its exit code: 0 cloud-init runs, 1 it does not, 2 it
// has been switched off.
func (c Choice) Upstream() (list []string, code int) {
	switch {
	case c.Disabled != "" && c.Policy.Mode == "disabled":
		return nil, 1
	case c.Disabled != "":
		return nil, 2
	case c.Policy.Mode == "enabled":
		return nil, 0
	case c.Word != "":
		return slices.Compact([]string{c.Word, None}), 0
	case c.Keep:
		return nil, 0
	case c.single():
		return c.List, 0 // somebody wants it to be so, and None only if it is there
	}
	var yes, maybe []string
	for _, cand := range c.Candidates {
		switch {
		case cand.Upstream == "":
		case cand.Match == Yes || cand.Named:
			yes = append(yes, cand.Upstream)
		default:
			maybe = append(maybe, cand.Upstream)
		}
	}
	list = c.ordered(yes)
	if len(list) == 0 && c.Policy.Maybe == "all" {
		list = c.ordered(maybe)
	}
	if c.Policy.Found == "first" && len(list) > 1 {
		list = list[:1]
	}
	if len(list) == 0 {
		if c.Policy.NotFound == "enabled" || c.Policy.Mode == "report" { // which decides nothing
			return nil, 0
		}
		return nil, 1
	}
	return append(list, None), 0
}

// ordered puts names into the order in which ds-identify looks.
func (c Choice) ordered(names []string) []string {
	order := strings.Fields(upstreamOrder)
	if c.By != "" {
		order = c.List
	}
	rank := func(n string) int {
		if i := slices.Index(order, n); i >= 0 {
			return i
		}
		return len(order)
	}
	slices.SortStableFunc(names, func(a, b string) int { return rank(a) - rank(b) })
	return slices.Compact(names)
}
