// Package conformance holds cases of other projects against the built ros.
//
// The cases are not part of the repository: ROS_CONFORMANCE names the folder
// and ROS_BIN the program. Without them the tests are skipped.
package conformance

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"testing"
)

// oneNetwork holds `ros network plan` to what network configs mean.
func oneNetwork(t *testing.T, bin, dir string) error {
	c := netCase{bin: bin, dir: dir, tmp: t.TempDir()}
	return c.run()
}

// A netCase is one folder.
type netCase struct {
	bin, dir, tmp string
	spec          struct {
		Kind        string                    `json:"kind"`
		Applicable  *bool                     `json:"applicable"`
		MACs        map[string]string         `json:"macs"`
		NetworkdHas map[string]map[string]any `json:"networkd_has"`
		Checks      []struct {
			Of    string `json:"of"`
			Op    string `json:"op"`
			Value any    `json:"value"`
		} `json:"checks"`
	}
}

// A plan is what `ros network plan --output json` prints, as far as the cases
// speak of it.
type plan struct {
	Links []planLink `json:"links"`
	DNS   planDNS    `json:"dns"`
}

type planDNS struct {
	Nameservers []string `json:"nameservers"`
	Search      []string `json:"search"`
}

type planLink struct {
	Name       string           `json:"name"`
	Kind       string           `json:"kind"`
	Match      map[string]any   `json:"match"`
	SetName    bool             `json:"set_name"`
	MAC        string           `json:"mac"`
	MTU        int              `json:"mtu"`
	DHCP4      bool             `json:"dhcp4"`
	DHCP6      bool             `json:"dhcp6"`
	IPv6Mode   string           `json:"ipv6_mode"`
	AcceptRA   *bool            `json:"accept_ra"`
	Optional   bool             `json:"optional"`
	WakeOnLAN  bool             `json:"wake_on_lan"`
	Addresses  []string         `json:"addresses"`
	Routes     []map[string]any `json:"routes"`
	DNS        planDNS          `json:"dns"`
	Members    []string         `json:"members"`
	Parameters map[string]any   `json:"parameters"`
	Parent     string           `json:"parent"`
	VLANID     int              `json:"vlan_id"`
	Overrides4 map[string]any   `json:"dhcp4_overrides"`
	Overrides6 map[string]any   `json:"dhcp6_overrides"`
}

func (p *plan) link(name string) *planLink {
	for i := range p.Links {
		if p.Links[i].Name == name {
			return &p.Links[i]
		}
	}
	return nil
}

func (c *netCase) run() error {
	if err := c.load("case.json", &c.spec); err != nil {
		return err
	}
	switch c.spec.Kind {
	case "render":
		return c.render()
	case "valid":
		_, err := c.input()
		return err
	case "invalid", "error":
		if _, err := c.input(); err == nil {
			return errors.New("accepted, though it is not valid")
		} else if !errors.Is(err, errNotValid) {
			return err
		}
		return nil
	case "state":
		return c.state()
	case "network_data":
		return c.networkData()
	case "cmdline", "klibc":
		return c.kernel()
	}
	return fmt.Errorf("kind %q is not known to this test", c.spec.Kind)
}

func (c *netCase) path(name string) string { return filepath.Join(c.dir, name) }

func (c *netCase) has(name string) bool { _, err := os.Stat(c.path(name)); return err == nil }

func (c *netCase) load(name string, into any) error {
	b, err := os.ReadFile(c.path(name))
	if err != nil {
		return err
	}
	return json.Unmarshal(b, into)
}

var errNotValid = errors.New("refused")

// input plans input.yaml on a machine without any device.
func (c *netCase) input() (*plan, error) { return c.plan(nil, "--config", c.path("input.yaml")) }

// plan runs the program. Macs are the machine's devices: address to name.
func (c *netCase) plan(macs map[string]string, args ...string) (*plan, error) {
	links := []map[string]string{}
	for mac, name := range macs {
		links = append(links, map[string]string{"name": name, "mac": mac})
	}
	b, err := json.Marshal(links)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(c.tmp, "links.json")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		return nil, err
	}
	var out, errs bytes.Buffer
	cmd := exec.Command(c.bin, append([]string{"network", "plan", "--output", "json", "--links", file}, args...)...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 1 {
		return nil, fmt.Errorf("%w: %s", errNotValid, strings.TrimSpace(errs.String()))
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, errs.String())
	}
	p := &plan{}
	return p, json.Unmarshal(out.Bytes(), p)
}

func (c *netCase) render() error {
	p, err := c.input()
	if err != nil {
		return err
	}
	for link, want := range c.spec.NetworkdHas {
		if err := networkd(p.link(link), want); err != nil {
			return fmt.Errorf("%s: %w", link, err)
		}
	}
	if !c.has("intent.json") {
		return c.sysconfig(p)
	}
	var in struct {
		Links     []map[string]any `json:"links"`
		GlobalDNS *planDNS         `json:"global_dns"`
	}
	if err := c.load("intent.json", &in); err != nil {
		return err
	}
	for _, want := range in.Links {
		name, _ := want["name"].(string)
		l := p.link(name)
		if l == nil && p.isMember(name) {
			continue // It has no entry of its own.
		}
		if l == nil {
			return fmt.Errorf("there is no link %q", name)
		}
		if err := l.meets(want, p.DNS); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	if g := in.GlobalDNS; g != nil {
		return errors.Join(sameSet("global name servers", p.DNS.Nameservers, g.Nameservers), sameSet("global search", p.DNS.Search, g.Search))
	}
	return nil
}

func (p *plan) isMember(name string) bool {
	return slices.ContainsFunc(p.Links, func(l planLink) bool { return slices.Contains(l.Members, name) || l.Parent == name })
}

// meets compares the fields that the intent has.
func (l *planLink) meets(want map[string]any, global planDNS) error {
	plain := map[string]any{
		"mac": l.Match["mac"], "set_mac": l.MAC, "mtu": l.MTU,
		"dhcp4": l.DHCP4, "dhcp6": l.DHCP6, "optional": l.Optional, "wakeonlan": l.WakeOnLAN,
		"name_is_id": !l.SetName,
	}
	if l.AcceptRA != nil {
		plain["accept_ra"] = *l.AcceptRA
	}
	var errs []error
	for _, key := range slices.Sorted(maps.Keys(want)) {
		w := want[key]
		switch key {
		case "name":
		case "kind":
			kinds := map[string]string{"ethernet": "physical", "infiniband": "physical"}
			errs = append(errs, same(key, l.Kind, cmp.Or(kinds[fmt.Sprint(w)], fmt.Sprint(w))))
		case "ipv6_mode":
			errs = append(errs, same(key, l.mode6(), ipv6Mode(fmt.Sprint(w))))
		case "addresses":
			errs = append(errs, sameSet(key, l.Addresses, texts(w)))
		case "routes":
			errs = append(errs, sameRoutes(l.Routes, w))
		case "nameservers":
			errs = append(errs, either(key, l.DNS.Nameservers, global.Nameservers, texts(w)))
		case "search":
			errs = append(errs, either(key, l.DNS.Search, global.Search, texts(w)))
		case "match":
			errs = append(errs, l.matches(w))
		case "bond", "bridge":
			errs = append(errs, l.params(w))
		case "vlan":
			v, _ := w.(map[string]any)
			errs = append(errs, same("vlan", fmt.Sprint(l.VLANID, l.Parent), fmt.Sprint(v["id"], v["link"])))
		case "dhcpv4_overrides":
			errs = append(errs, overrides(l.Overrides4, w))
		case "dhcpv6_overrides":
			errs = append(errs, overrides(l.Overrides6, w))
		case "dhcp6":
			// Version 2 has no word for it but dhcp6.
			if l.IPv6Mode != "" && !l.DHCP6 {
				continue
			}
			errs = append(errs, same(key, l.DHCP6, w))
		default:
			got, known := plain[key]
			if !known && key != "accept_ra" {
				errs = append(errs, fmt.Errorf("the field %q is not known to this test", key))
				continue
			}
			errs = append(errs, same(key, got, w))
		}
	}
	return errors.Join(errs...)
}

// mode6 is how the link gets IPv6 addresses, in one word.
func (l *planLink) mode6() string {
	if l.IPv6Mode == "" && l.DHCP6 {
		return "stateful"
	}
	return ipv6Mode(l.IPv6Mode)
}

// ipv6Mode takes off what the sources put before the word.
func ipv6Mode(s string) string {
	for _, prefix := range []string{"ipv6_", "dhcpv6-", "dhcp-"} {
		s = strings.TrimPrefix(s, prefix)
	}
	return s
}

func same(what string, got, want any) error {
	if fmt.Sprint(got) != fmt.Sprint(want) {
		return fmt.Errorf("%s is %v, want %v", what, got, want)
	}
	return nil
}

func texts(v any) []string {
	list, ok := v.([]any)
	if !ok {
		if v == nil {
			return nil
		}
		list = []any{v}
	}
	out := []string{}
	for _, i := range list {
		out = append(out, fmt.Sprint(i))
	}
	return out
}

func sorted(list []string) []string {
	out := []string{}
	for _, s := range list {
		out = append(out, strings.ToLower(s))
	}
	sort.Strings(out)
	return slices.Compact(out)
}

func sameSet(what string, got, want []string) error {
	if !slices.Equal(sorted(got), sorted(want)) {
		return fmt.Errorf("%s are %v, want %v", what, sorted(got), sorted(want))
	}
	return nil
}

// either: some renderers write the machine's names to every link, some do not.
func either(what string, own, global, want []string) error {
	if sameSet(what, append(slices.Clone(own), global...), want) == nil {
		return nil
	}
	return sameSet(what, own, want)
}

func (l *planLink) matches(want any) error {
	for key, w := range want.(map[string]any) {
		if err := sameSet("match "+key, texts(l.Match[key]), texts(w)); err != nil {
			return err
		}
	}
	return nil
}

// params compares the members and parameters of a bond or bridge.
func (l *planLink) params(want any) error {
	w, _ := want.(map[string]any)
	for key, v := range w {
		if key == "members" {
			if err := sameSet("members", l.Members, texts(v)); err != nil {
				return err
			}
			continue
		}
		g := l.Parameters[key]
		if list, ok := v.([]any); ok {
			if err := sameSet(key, texts(g), texts(list)); err != nil {
				return err
			}
		} else if err := same(key, g, v); err != nil {
			return err
		}
	}
	return nil
}

func overrides(got map[string]any, want any) error {
	plain := map[string]any{}
	for k, v := range got {
		plain[strings.ReplaceAll(k, "_", "")] = v
	}
	w, _ := want.(map[string]any)
	return same("overrides", plain, w)
}
