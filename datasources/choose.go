package datasources

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// A Candidate is a datasource that this machine may have.
type Candidate struct {
	Kind
	Finding
	// Arg is what the user wrote after the colon.
	Arg string
	// Named: the user asked for it, in rancher.cloud_init.datasources, on the
	// kernel command line, or as the only one of datasource_list. It is taken
	// without any check.
	Named bool
}

// NeedsHere is what must work before c can be fetched from on this machine.
func (c Candidate) NeedsHere(h *Host) Needs {
	if c.NeedsOn != nil {
		return c.NeedsOn(h)
	}
	return c.Needs
}

// A Choice is which datasources to try, and why.
type Choice struct {
	// Disabled says who switched cloud-init off; empty: nobody did.
	Disabled string
	// Candidates in the order in which to try them.
	Candidates []Candidate
	// By says who limited the choice: "kernel command line", ...
	By string
	// List are the names that the choice was made from, as they were written or
	// else as upstream has them, in order.
	List   []string
	Policy Policy
	// Word is the one name that the kernel command line or ds-identify.cfg
	// gives, as it is written there.
	Word string
	// Unknown says that somebody names a datasource that does not exist.
	Unknown error
	// Keep: /var/lib/cloud says that the saved instance holds.
	Keep bool
}

// Choose finds out which datasources this machine may have. named is
// rancher.cloud_init.datasources: names, name:argument, or * for all. The first
// of these decides: the kernel command line, named, datasource_list of
// /etc/cloud/cloud.cfg, all.
//
// Candidates come in the order in which a person named them if it is more than
// one that is needed, else: proven before possible, local before network, then
// the order of kinds.
func Choose(h *Host, kinds []Kind, named []string) (Choice, error) {
	return choose(h, kinds, named, false)
}

func choose(h *Host, kinds []Kind, named []string, only bool) (Choice, error) {
	c := Choice{Disabled: disabled(h), Policy: policy(h), Keep: h.Exists("var/lib/cloud/instance/manual-clean")}
	if c.Disabled == "" && c.Policy.Mode == "disabled" {
		c.Disabled = "the policy of ds-identify"
	}
	if only {
		c.Disabled = ""
	}
	wanted, err := c.wanted(h, kinds, named, only)
	if err != nil {
		return c, err
	}
	for _, w := range wanted {
		w.Finding = w.Detect(h)
		if c.By == byList {
			w.Named = w.Named || c.single()
		} else {
			w.Named = w.Named || c.By != "" && len(wanted) == 1
		}
		if w.Explicit {
			w.Named = true // otherwise it would not be wanted
		}
		if w.Match == No && w.Named {
			w.Finding = Finding{Maybe, "named by " + c.By}
		}
		if w.Match != No {
			c.Candidates = append(c.Candidates, w)
		}
	}
	slices.SortStableFunc(c.Candidates, func(a, b Candidate) int {
		return cmp.Or(cmp.Compare(b.Match, a.Match), cmp.Compare(a.NeedsHere(h), b.NeedsHere(h)))
	})
	return c, nil
}

// wanted are the datasources to look at. It notes who limited them to these.
func (c *Choice) wanted(h *Host, kinds []Kind, named []string, only bool) ([]Candidate, error) {
	if word, by := namedByWord(h); word != "" && !only {
		c.Word, c.By, c.List = word, by, []string{word}
		k, ok := Find(kinds, word)
		if ok {
			return []Candidate{{Kind: k}}, nil
		}
		if !strings.EqualFold(word, None) {
			c.Unknown = fmt.Errorf("%s names datasource %q, which is not known; see `ros datasource list`", by, word)
		}
		return nil, nil
	}
	list, err := byName(kinds, named)
	if len(list) > 0 || err != nil {
		c.By, c.List = "rancher.cloud_init.datasources", upstreamNames(list)
		return list, err
	}
	if names := datasourceList(h); len(names) > 0 {
		c.By, c.List = byList, names
		return known(kinds, names), nil
	}
	list = all(kinds)
	c.List = upstreamNames(list)
	return list, nil
}

// single says whether there is no choice: one name, perhaps with None behind.
func (c *Choice) single() bool {
	return c.By != "" && (len(c.List) == 1 || len(c.List) == 2 && c.List[1] == None)
}

func upstreamNames(list []Candidate) []string {
	var names []string
	for _, c := range list {
		if c.Upstream != "" {
			names = append(names, c.Upstream)
		}
	}
	return names
}

func all(kinds []Kind) []Candidate {
	var list []Candidate
	for _, k := range kinds {
		if !k.Explicit {
			list = append(list, Candidate{Kind: k})
		}
	}
	return list
}

// byName reads rancher.cloud_init.datasources. A * among other names stands for
// all that are not named; alone it is as if nothing were written.
func byName(kinds []Kind, named []string) ([]Candidate, error) {
	var list []Candidate
	star := false
	for _, n := range named {
		name, arg, _ := strings.Cut(strings.TrimSpace(n), ":")
		switch {
		case name == "":
			continue
		case name == "*":
			star = true
			continue
		}
		k, ok := Find(kinds, name)
		if !ok {
			return nil, fmt.Errorf("datasource %q is not known; see `ros datasource list`", name)
		}
		list = append(list, Candidate{Kind: k, Arg: arg, Named: arg != ""})
	}
	if !star || len(list) == 0 {
		return list, nil
	}
	for _, c := range all(kinds) {
		if !slices.ContainsFunc(list, func(l Candidate) bool { return l.Name == c.Name }) {
			list = append(list, c)
		}
	}
	return list, nil
}

// Who has decided.
const (
	byCmdline  = "kernel command line"
	byIdentify = "/etc/cloud/ds-identify.cfg"
	byList     = "datasource_list in /etc/cloud"
)

// datasourceList is datasource_list of the kernel command line (cc:) or of
// /etc/cloud/cloud.cfg, as it is written there; nil if there is none.
func datasourceList(h *Host) []string {
	if _, behind, ok := cutLast(h.Cmdline(), "datasource_list"); ok && strings.Contains(h.Cmdline(), "cc:") {
		text, _, _ := strings.Cut(behind, "]")
		return flowList(text[strings.LastIndex(text, "[")+1:])
	}
	switch v := h.CloudConfig()["datasource_list"].(type) {
	case string:
		return flowList(v)
	case []any:
		var names []string
		for _, n := range v {
			if n == nil {
				continue // an item that is empty
			}
			names = append(names, fmt.Sprint(n))
		}
		return names
	}
	return nil
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// flowList reads what stands between the brackets of a list in one line.
func flowList(s string) []string {
	var names []string
	for n := range strings.SplitSeq(s, ",") {
		if n = strings.Trim(strings.TrimSpace(n), `"'`); n != "" {
			names = append(names, n)
		}
	}
	return names
}

// known are the kinds that we have of names; None is the absence of one.
func known(kinds []Kind, names []string) []Candidate {
	var list []Candidate
	for _, name := range names {
		if k, ok := Find(kinds, name); ok {
			list = append(list, Candidate{Kind: k})
		}
	}
	return list
}

// Find finds a kind by any of its names; case does not matter.
func Find(kinds []Kind, name string) (Kind, bool) {
	i := slices.IndexFunc(kinds, func(k Kind) bool {
		return strings.EqualFold(k.Name, name) || strings.EqualFold(k.Upstream, name) && name != "" ||
			slices.ContainsFunc(k.Aliases, func(a string) bool { return strings.EqualFold(a, name) })
	})
	if i < 0 {
		return Kind{}, false
	}
	return kinds[i], true
}

// namedByWord is what ds=, ci.ds= or ci.datasource= names, else datasource: of
// ds-identify.cfg, and which of these it was.
func namedByWord(h *Host) (name, by string) {
	name, by = h.IdentifyConfig()["datasource"], byIdentify
	for _, word := range h.CmdlineWords() {
		key, value, ok := strings.Cut(word, "=")
		if ok && (key == "ds" || key == "ci.ds" || key == "ci.datasource") {
			name, _, _ = strings.Cut(value, ";")
			by = byCmdline
		}
	}
	return name, by
}

// disabled says who switched cloud-init off.
func disabled(h *Host) string {
	switch {
	case h.Exists("etc/cloud/cloud-init.disabled"):
		return "/etc/cloud/cloud-init.disabled"
	case slices.Contains(h.CmdlineWords(), "cloud-init=disabled"):
		return "cloud-init=disabled on the kernel command line"
	case slices.Contains(strings.Fields(h.Env["KERNEL_CMDLINE"]), "cloud-init=disabled"):
		return "cloud-init=disabled in KERNEL_CMDLINE"
	}
	return ""
}
