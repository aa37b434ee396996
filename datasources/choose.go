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
	// List are upstream's names that the choice was made from, in order.
	List   []string
	Policy Policy
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
	c := Choice{Disabled: disabled(h), Policy: policy(h)}
	if c.Disabled == "" && c.Policy.Mode == "disabled" {
		c.Disabled = "the policy of ds-identify"
	}
	if only {
		c.Disabled = ""
	}
	wanted, by, err := wanted(h, kinds, named, only)
	if err != nil {
		return c, err
	}
	c.By = by
	for _, w := range wanted {
		if w.Upstream != "" {
			c.List = append(c.List, w.Upstream)
		}
	}
	if by != "" && len(wanted) == 0 {
		c.List = []string{None}
	}
	for _, w := range wanted {
		w.Finding = w.Detect(h)
		if len(wanted) == 1 && by != "" {
			w.Named = true
		}
		if w.Explicit {
			w.Named = true // otherwise it would not be wanted
		}
		if w.Match == No && w.Named {
			w.Finding = Finding{Maybe, "named by " + by}
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

// wanted are the datasources to look at, and who limited them to these.
func wanted(h *Host, kinds []Kind, named []string, only bool) (list []Candidate, by string, err error) {
	word := cmdlineDatasource(h)
	if strings.EqualFold(word, None) && !only {
		return nil, byCmdline, nil
	}
	if word != "" && !only {
		k, ok := Find(kinds, word)
		if !ok {
			return nil, "", fmt.Errorf("kernel command line names datasource %q, which is not known; see `ros datasource list`", word)
		}
		return []Candidate{{Kind: k}}, byCmdline, nil
	}
	if list, err := byName(kinds, named); len(list) > 0 || err != nil {
		return list, "rancher.cloud_init.datasources", err
	}
	if list, ok := configured(h, kinds); ok {
		return list, byList, nil
	}
	return all(kinds), "", nil
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
	byCmdline = "kernel command line"
	byList    = "datasource_list in /etc/cloud"
)

// configured reads datasource_list of /etc/cloud/cloud.cfg; false if there is
// none. Names that we do not have are left out; None is the absence of one.
func configured(h *Host, kinds []Kind) ([]Candidate, bool) {
	names, _ := h.CloudConfig()["datasource_list"].([]any)
	var list []Candidate
	for _, n := range names {
		name, _ := n.(string)
		if k, ok := Find(kinds, name); ok {
			list = append(list, Candidate{Kind: k})
		}
	}
	return list, len(names) > 0
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

// cmdlineDatasource is what ds=, ci.ds= or ci.datasource= names.
func cmdlineDatasource(h *Host) string {
	found := ""
	for _, word := range h.CmdlineWords() {
		key, value, ok := strings.Cut(word, "=")
		if ok && (key == "ds" || key == "ci.ds" || key == "ci.datasource") {
			found, _, _ = strings.Cut(value, ";")
		}
	}
	return found
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
