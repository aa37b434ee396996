// Package nocloud reads what a person hands over without a cloud: files named
// user-data and meta-data on a drive labelled cidata, in a seed folder, or at a
// URL that the kernel command line or the firmware's serial number names.
//
// https://docs.cloud-init.io/en/latest/reference/datasources/nocloud.html
package nocloud

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"rancheros/datasources"
	"rancheros/datasources/internal/drive"
	"rancheros/datasources/internal/imds"
	"rancheros/datasources/internal/wire"
)

// Kind is the NoCloud datasource.
var Kind = datasources.Kind{
	Name:     "nocloud",
	Upstream: "NoCloud",
	Aliases:  []string{"nocloud-net", "cidata"},
	Needs:    datasources.Local,
	NeedsOn:  needs,
	Detect:   detect,
	Fetch:    fetch,
	Same:     same,
}

// DefaultID is the instance's ID where none is given.
const DefaultID = "nocloud"

// awaitDrive is how long to wait for a drive that somebody said is there.
const awaitDrive = 10 * time.Second

// Files of a seed.
const (
	metaData      = "meta-data"
	userData      = "user-data"
	vendorData    = "vendor-data"
	networkConfig = "network-config"
)

func detect(h *datasources.Host) datasources.Finding {
	yes := func(format string, args ...any) datasources.Finding {
		return datasources.Finding{Match: datasources.Yes, Evidence: fmt.Sprintf(format, args...)}
	}
	for _, word := range h.CmdlineWords() {
		if strings.HasPrefix(word, "ds=nocloud") {
			return yes("kernel command line has %q", shown(word))
		}
	}
	for word := range strings.FieldsSeq(h.DMI("product_serial")) {
		if strings.HasPrefix(word, "ds=nocloud") {
			return yes("DMI product_serial has %q", shown(word))
		}
	}
	for _, name := range []string{"nocloud", "nocloud-net"} {
		if dir := h.Seed(name, userData, metaData); dir != "" {
			return yes("/%s has user-data and meta-data", dir)
		}
	}
	if found := drive.Find(h, label(h)); len(found) > 0 {
		return yes("drive %s is labelled %q", found[0].Name, label(h))
	}
	c := h.DatasourceConfig("NoCloud")
	if c["seedfrom"] != nil || c[userData] != nil && c[metaData] != nil {
		return yes("/etc/cloud/cloud.cfg has datasource.NoCloud")
	}
	return datasources.Finding{}
}

// label is that of the drives to read; "" when fs_label: null says none.
func label(h *datasources.Host) string {
	c := wire.Doc(h.DatasourceConfig("NoCloud"))
	if _, set := c["fs_label"]; set {
		return c.Str("fs_label")
	}
	return "cidata"
}

// needs finds a seed on the network, before anything else is read.
func needs(h *datasources.Host) datasources.Needs {
	from := wire.Doc(h.DatasourceConfig("NoCloud")).Str("seedfrom")
	if s := options(h).Str("seedfrom"); s != "" {
		from = s
	}
	if isURL(from) {
		return datasources.Network
	}
	return datasources.Local
}

// options are the key=value pairs behind ds=nocloud, of the kernel command line
// and of firmware, which wins: it is this machine's, and the other its image's.
func options(h *datasources.Host) wire.Doc {
	o := wire.Doc{}
	for _, text := range []string{h.Cmdline(), h.DMI("product_serial")} {
		for word := range strings.FieldsSeq(text) {
			parse(o, word)
		}
	}
	return o
}

// parse reads ds=nocloud;s=http://x/;h=name.
func parse(into wire.Doc, word string) {
	parts := strings.Split(word, ";")
	if parts[0] != "ds=nocloud" && parts[0] != "ds=nocloud-net" {
		return
	}
	long := map[string]string{"h": "local-hostname", "i": "instance-id", "s": "seedfrom"}
	for _, p := range parts[1:] {
		key, value, _ := strings.Cut(p, "=")
		if key == "" {
			continue
		}
		if l, ok := long[key]; ok {
			key = l
		}
		into[key] = value
	}
}

// shown is a word of options without the password of a URL in it.
func shown(word string) string {
	parts := strings.Split(word, ";")
	for i, p := range parts[1:] {
		if key, value, ok := strings.Cut(p, "="); ok {
			parts[i+1] = key + "=" + imds.Shown(value)
		}
	}
	return strings.Join(parts, ";")
}

// same compares the drive, if a drive was read: a clone has another one.
func same(h *datasources.Host, saved datasources.Identity) bool {
	if saved.Drive == "" {
		return datasources.SameDMI(h, saved)
	}
	for _, b := range drive.Find(h, label(h)) {
		if b.UUID == saved.Drive {
			return true
		}
	}
	return false
}

func fetch(ctx context.Context, env datasources.Env) (*datasources.Instance, error) {
	s := &seed{meta: options(env.Host)}
	if err := s.collect(ctx, env); err != nil {
		return nil, fmt.Errorf("nocloud: %w", err)
	}
	if len(s.from) == 0 && len(options(env.Host)) > 0 {
		s.from = []string{"options of ds=nocloud"}
	}
	if len(s.from) == 0 {
		return nil, errors.New("nocloud: there is no drive labelled " + cmp.Or(label(env.Host), "cidata") + ", no seed folder and no seedfrom")
	}
	if strings.EqualFold(s.meta.Str("dsmode"), "disabled") {
		return nil, errors.New("nocloud: meta-data says dsmode: disabled")
	}
	if from := s.meta.Str("seedfrom"); from != "" {
		s.meta["seedfrom"] = imds.Shown(from) // metadata is for everybody to read
	}
	in := &datasources.Instance{
		Subplatform:  strings.Join(s.from, ", "),
		ID:           s.meta.Str("instance-id"),
		Hostname:     wire.Hostname(s.meta.Str("local-hostname", "hostname")),
		PublicKeys:   wire.Keys(s.meta.Get("public-keys", "public_keys")),
		Zone:         s.meta.Str("availability-zone", "availability_zone", "placement.availability-zone"),
		Region:       s.meta.Str("region"),
		InstanceType: s.meta.Str("instance-type"),
		UserData:     s.user,
		VendorData:   s.vendor,
		Drive:        s.drive,
		Metadata:     s.meta,
		Problems:     s.problems,
	}
	if in.ID == "" {
		in.ID = DefaultID
	}
	network, err := s.networkOf(env.Host)
	if err != nil {
		// A machine without its network is still one that a person can log in to.
		in.Problems = append(in.Problems, fmt.Sprintf("network-config: %v", err))
	}
	in.Network = network
	return in, nil
}
