package execute

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"rancheros/cloudconfig"
	"rancheros/cloudinit/state"
)

// Names are the short and the full name of the machine; both empty when
// nothing says.
func Names(c *cloudconfig.Config, fallback string) (short, full string) {
	host := strings.TrimSuffix(c.Hostname, ".")
	full = strings.TrimSuffix(c.FQDN, ".")
	if host == "" && full == "" {
		host = strings.TrimSuffix(fallback, ".")
	}
	if full == "" && strings.Contains(host, ".") {
		full = host
	}
	if host == "" {
		host = full
	}
	short, _, _ = strings.Cut(host, ".")
	if full == "" {
		full = short
	}
	return short, full
}

// names of this target, with its fallbacks.
func (t *Target) names(c *cloudconfig.Config) (short, full string) {
	fallback := t.Hostname
	if fallback == "" {
		fallback = c.Rancher.Defaults.Hostname
	}
	return Names(c, fallback)
}

// checkHostname says why the kernel or others would not take a name.
func checkHostname(s string) error {
	if len(s) > 253 {
		return fmt.Errorf("hostname %q: longer than 253 characters", s)
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || strings.HasPrefix(label, "-") || strings.HasSuffix(label, "-") {
			return fmt.Errorf("hostname %q: a part is empty, too long, or begins or ends with a hyphen", s)
		}
		for _, r := range label {
			if r != '-' && r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') {
				return fmt.Errorf("hostname %q: %q is not allowed there", s, r)
			}
		}
	}
	return nil
}

// previousHostname is what we last wrote: a different name in /etc/hostname is
// a person's and stays.
const previousHostname = state.Data + "/previous-hostname"

// hostname names the machine.
func hostname(_ context.Context, t *Target, c *cloudconfig.Config) error {
	if c.PreserveHostname {
		return Skip("preserve_hostname is set")
	}
	name, full := t.names(c)
	if c.PreferFQDN {
		name = full
	}
	if name == "" {
		return Skip("nothing names this machine")
	}
	if len(name) > 64 {
		return fmt.Errorf("hostname %q: longer than 64 characters", name)
	}
	for _, n := range []string{name, full} {
		if err := checkHostname(n); err != nil {
			return err
		}
	}
	have, before := t.Tree.ReadString("/etc/hostname"), t.Tree.ReadString(previousHostname)
	if !t.Ours && before != "" && have != "" && have != before {
		return Skip("/etc/hostname was changed by hand to " + have)
	}
	var errs []error
	if c.CreateHostnameFile == nil || *c.CreateHostnameFile {
		errs = append(errs, t.write("/etc/hostname", name+"\n", 0o644))
		if !t.Ours {
			errs = append(errs, t.quietly(func() error { return t.write(previousHostname, name+"\n", 0o644) }))
		}
	}
	if now, err := t.Kernel.Hostname(); t.Live && (err != nil || now != name) {
		errs = append(errs, t.Set("hostname", name, func() error { return t.Kernel.SetHostname(name) }))
	}
	return errors.Join(errs...)
}

// etcHosts keeps our own name in /etc/hosts. Our OS does so unless it is told
// not to; others only when asked.
func etcHosts(_ context.Context, t *Target, c *cloudconfig.Config) error {
	how := c.ManageEtcHosts
	if how == "" && t.Ours {
		how = "localhost"
	}
	short, full := t.names(c)
	if short == "" {
		return Skip("nothing names this machine")
	}
	if err := checkHostname(full); err != nil {
		return err
	}
	line := "127.0.1.1 " + full + " " + short
	if full == short {
		line = "127.0.1.1 " + short
	}
	switch how {
	case "", cloudconfig.False:
		return Skip("manage_etc_hosts is not set")
	case cloudconfig.True, "template":
		return t.write("/etc/hosts", hostsHead+line+"\n"+hostsTail, 0o644)
	case "localhost":
		have, _ := t.Tree.ReadFile("/etc/hosts")
		if len(have) == 0 {
			have = []byte(hostsTail)
		}
		return t.write("/etc/hosts", withHostLine(string(have), line), 0o644)
	}
	return fmt.Errorf("manage_etc_hosts: %q is none of true, localhost, false", how)
}

const (
	hostsHead = "# Written at every boot: manage_etc_hosts is set in the cloud-config.\n"
	hostsTail = `127.0.0.1 localhost

::1 localhost ip6-localhost ip6-loopback
ff02::1 ip6-allnodes
ff02::2 ip6-allrouters
`
)

// withHostLine is the file with its one line of 127.0.1.1 as it should be.
func withHostLine(text, line string) string {
	var out []string
	done := false
	for l := range strings.SplitSeq(strings.TrimSuffix(text, "\n"), "\n") {
		if f := strings.Fields(l); len(f) > 0 && f[0] == "127.0.1.1" {
			if !done {
				out = append(out, line)
			}
			done = true
			continue
		}
		out = append(out, l)
	}
	if !done {
		out = append([]string{line}, out...)
	}
	return strings.Join(out, "\n") + "\n"
}

// resolvConf writes /etc/resolv.conf, where the config asks for it.
func resolvConf(_ context.Context, t *Target, c *cloudconfig.Config) error {
	if !c.ManageResolvConf {
		return Skip("manage_resolv_conf is not set")
	}
	r := c.ResolvConf
	var b strings.Builder
	for _, s := range r.Nameservers {
		b.WriteString("nameserver " + oneLine(s) + "\n")
	}
	for key, list := range map[string][]string{"search": r.SearchDomains} {
		if len(list) > 0 {
			b.WriteString(key + " " + oneLine(strings.Join(list, " ")) + "\n")
		}
	}
	if r.Domain != "" {
		b.WriteString("domain " + oneLine(r.Domain) + "\n")
	}
	if len(r.SortList) > 0 {
		b.WriteString("sortlist " + oneLine(strings.Join(r.SortList, " ")) + "\n")
	}
	if len(r.Options) > 0 {
		b.WriteString("options")
		for _, k := range sortedKeys(r.Options) {
			switch v := r.Options[k]; v {
			case "false":
			case "true", "":
				b.WriteString(" " + oneLine(k))
			default:
				b.WriteString(" " + oneLine(k+":"+v))
			}
		}
		b.WriteString("\n")
	}
	if b.Len() == 0 {
		// An empty file would take away the servers that the network told of.
		t.Warn("manage_resolv_conf is set, but resolv_conf says nothing: /etc/resolv.conf stays as it is")
		return nil
	}
	return t.write("/etc/resolv.conf", b.String(), 0o644)
}
