// Package ec2 reads the instance metadata service of Amazon EC2, and of clouds
// that copy it.
//
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-metadata.html
package ec2

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"regexp"
	"strings"

	"golang.org/x/sync/errgroup"

	"rancheros/datasources"
	"rancheros/datasources/internal/ec2tree"
	"rancheros/datasources/internal/imds"
	"rancheros/datasources/internal/wire"
)

// Kind is the EC2 datasource.
var Kind = datasources.Kind{
	Name:     "ec2",
	Upstream: "Ec2",
	Aliases:  []string{"aws"},
	Needs:    datasources.Network,
	Detect:   detect,
	Fetch:    fetch,
}

// Platforms that speak this protocol.
const (
	aws       = "AWS"
	brightbox = "Brightbox"
	zstack    = "ZStack"
	e24cloud  = "E24Cloud"
	outscale  = "Outscale"
	tilaa     = "Tilaa"
	unknown   = "unknown"
)

func detect(h *datasources.Host) datasources.Finding {
	if dir := seed(h); dir != "" {
		return datasources.Finding{Match: datasources.Yes, Evidence: "/" + dir + " has meta-data and user-data"}
	}
	if p, evidence := platform(h); p != unknown {
		return datasources.Finding{Match: datasources.Yes, Evidence: evidence}
	}
	if strict(h) {
		return datasources.Finding{Match: datasources.No}
	}
	if h.InContainer() {
		return datasources.Finding{Match: datasources.No}
	}
	return datasources.Finding{Match: datasources.Maybe, Evidence: "ci.datasource.ec2.strict_id is false"}
}

// platform finds out whose machine this is.
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/identify_ec2_instances.html
func platform(h *datasources.Host) (name, evidence string) {
	seen := func(key string) string { return fmt.Sprintf("DMI %s is %q", key, h.DMI(key)) }
	switch {
	case strings.HasSuffix(h.DMI("product_serial"), ".brightbox.com"):
		return brightbox, seen("product_serial")
	case strings.HasSuffix(h.DMI("chassis_asset_tag"), ".zstack.io"):
		return zstack, seen("chassis_asset_tag")
	case h.DMI("sys_vendor") == "e24cloud":
		return e24cloud, seen("sys_vendor")
	case h.DMI("sys_vendor") == "Tilaa":
		return tilaa, seen("sys_vendor")
	case h.DMI("product_name") == "3DS Outscale VM" && h.DMI("sys_vendor") == "3DS Outscale":
		return outscale, seen("product_name")
	case h.InContainer():
		return unknown, ""
	}
	if id := h.Read("sys/hypervisor/uuid"); strings.HasPrefix(id, "ec2") {
		return aws, fmt.Sprintf("hypervisor uuid is %q", id)
	}
	id := strings.ToLower(h.DMI("product_uuid"))
	first, _, _ := strings.Cut(id, "-")
	// Nitro shows the first group with its bytes swapped: 45E12AEC is ec2ae145.
	swapped := regexp.MustCompile(`2[0-9a-f]ec$`).MatchString(first)
	if strings.HasPrefix(id, "ec2") || swapped {
		return aws, seen("product_uuid")
	}
	return unknown, ""
}

// strict says whether only machines that prove to be in EC2 are. Others have no
// business asking 169.254.169.254 whatever answers there.
func strict(h *datasources.Host) bool {
	const key = "ci.datasource.ec2.strict_id"
	set := h.IdentifyConfig()[key]
	if v, ok := h.DatasourceConfig("Ec2")["strict_id"]; ok {
		set = fmt.Sprint(v)
	}
	for _, word := range h.CmdlineWords() {
		if v, ok := strings.CutPrefix(word, key+"="); ok {
			set = v
		}
	}
	warn, _, _ := strings.Cut(set, ",")
	return set != "false" && warn != "warn"
}

// seed is a folder that stands for the service, or "".
func seed(h *datasources.Host) string { return wire.SeedDir(h, "ec2") }

// service waits as long as a machine of AWS may need at its first boot.
var service = imds.Service{Bases: []string{"http://169.254.169.254", "http://[fd00:ec2::254]"}}

// versions of the tree that are understood, newest first. What others copied is
// the oldest.
var versions = []string{"2021-03-23", "2018-09-24", "2016-09-02", "2009-04-04", "latest"}

func fetch(ctx context.Context, env datasources.Env) (*datasources.Instance, error) {
	if dir := seed(env.Host); dir != "" && env.Endpoint == "" {
		return wire.FromSeed(env.Host, dir)
	}
	p, _ := platform(env.Host)
	c, id, err := connect(ctx, env, p)
	if err != nil {
		return nil, fmt.Errorf("ec2: %w", err)
	}
	var md map[string]any
	var doc []byte
	in := &datasources.Instance{Subplatform: "metadata (" + c.base + ")"}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		md, err = ec2tree.Crawl(ctx, c.getter(), "meta-data/")
		return err
	})
	g.Go(func() error {
		b, err := c.get(ctx, "user-data")
		in.UserData = userData(b)
		return err
	})
	if p == aws || p == unknown { // who copies the service does not copy this
		g.Go(func() (err error) {
			doc, err = c.get(ctx, "dynamic/instance-identity/document")
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, fmt.Errorf("ec2: %w", err)
	}
	who, err := identity(doc)
	if err != nil {
		in.Problems = append(in.Problems, fmt.Sprintf("identity document of %s: %v", c.base, err))
	}
	m := wire.Doc(md)
	in.ID = first(who.InstanceID, id)
	in.Hostname = wire.Hostname(m.Str("local-hostname", "hostname"))
	in.PublicKeys = wire.Keys(md["public-keys"])
	in.Zone = first(m.Str("placement.availability-zone"), who.AvailabilityZone)
	in.Region = first(who.Region, m.Str("placement.region"), regionOf(in.Zone))
	in.InstanceType = m.Str("instance-type")
	in.PublicIPv4, in.PrivateIPv4 = m.Str("public-ipv4"), m.Str("local-ipv4")
	if a, err := netip.ParseAddr(m.Str("ipv6")); err == nil {
		in.PublicIPv6 = a.String()
	}
	in.Network = networkConfig(env.Host, m)
	in.Metadata = md
	if who.raw != nil {
		in.Metadata = map[string]any{"meta-data": md, "dynamic": map[string]any{"instance-identity": map[string]any{"document": who.raw}}}
	}
	return in, nil
}

// A document is the instance identity document.
type document struct {
	InstanceID       string `json:"instanceId"`
	Region           string `json:"region"`
	AvailabilityZone string `json:"availabilityZone"`
	raw              map[string]any
}

// identity reads the document, if there is one.
func identity(b []byte) (document, error) {
	var d document
	if len(bytes.TrimSpace(b)) == 0 {
		return d, nil
	}
	if err := json.Unmarshal(b, &d); err != nil {
		return document{}, err
	}
	return d, json.Unmarshal(b, &d.raw)
}

// userData undoes base64 where somebody has encoded twice: the result must be
// something that user-data can be.
func userData(b []byte) []byte {
	d := wire.MaybeBase64(b)
	for _, start := range []string{"#", "\x1f\x8b", "Content-Type:", "MIME-Version:", "{"} {
		if bytes.HasPrefix(d, []byte(start)) {
			return d
		}
	}
	return b
}

// regionOf cuts the letter off a zone: us-east-1a.
func regionOf(zone string) string {
	if n := len(zone); n > 2 && zone[n-1] >= 'a' && zone[n-1] <= 'z' && zone[n-2] >= '0' && zone[n-2] <= '9' {
		return zone[:n-1]
	}
	return ""
}

func first(s ...string) string {
	for _, s := range s {
		if s != "" {
			return s
		}
	}
	return ""
}
