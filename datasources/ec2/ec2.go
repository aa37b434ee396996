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
	if p, evidence := platform(h); p != unknown && !chance(h, p) {
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

// chance says whether nothing but the UUID speaks for AWS: of all machines
// elsewhere one in two thousand has a random one that begins so. In EC2 the
// serial number begins so too, and Nitro names its vendor.
func chance(h *datasources.Host, platform string) bool {
	return platform == aws && !strings.HasPrefix(h.Read("sys/hypervisor/uuid"), "ec2") && h.DMI("sys_vendor") != "Amazon EC2" &&
		!strings.HasPrefix(strings.ToLower(h.DMI("product_serial")), "ec2")
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
	swapped := len(first) == 8 && strings.HasSuffix(first, "ec") && first[4] == '2'
	if strings.HasPrefix(id, "ec2") || swapped {
		return aws, seen("product_uuid")
	}
	return unknown, ""
}

// strict says whether only machines that prove to be in EC2 are. Others have no
// business asking 169.254.169.254 whatever answers there.
func strict(h *datasources.Host) bool {
	setting := regexp.MustCompile(`(?m)(?:^|\s)(?:ci\.datasource\.ec2\.)?strict_id\s*[:=]\s*(\w+)`)
	for _, where := range []string{h.Cmdline(), h.Read("etc/cloud/ds-identify.cfg")} {
		if m := setting.FindStringSubmatch(where); m != nil {
			return m[1] != "false" && m[1] != "no" && m[1] != "warn"
		}
	}
	return true
}

// service waits as long as a machine of AWS may need at its first boot.
var service = imds.Service{Bases: []string{"http://169.254.169.254", "http://[fd00:ec2::254]"}}

// versions of the tree that are understood, newest first. What others copied is
// the oldest.
var versions = []string{"2021-03-23", "2018-09-24", "2016-09-02", "2009-04-04", "latest"}

func fetch(ctx context.Context, env datasources.Env) (*datasources.Instance, error) {
	p, _ := platform(env.Host)
	c, id, err := connect(ctx, env, p)
	if err != nil {
		return nil, fmt.Errorf("ec2: %w", err)
	}
	var md map[string]any
	var doc document
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
	g.Go(func() (err error) {
		doc, err = c.identity(ctx)
		return err
	})
	if err := g.Wait(); err != nil {
		return nil, fmt.Errorf("ec2: %w", err)
	}
	m := wire.Doc(md)
	in.ID = first(doc.InstanceID, id)
	in.Hostname = wire.Hostname(m.Str("local-hostname", "hostname"))
	in.PublicKeys = wire.Keys(md["public-keys"])
	in.Zone = first(m.Str("placement.availability-zone"), doc.AvailabilityZone)
	in.Region = first(doc.Region, m.Str("placement.region"), regionOf(in.Zone))
	in.InstanceType = m.Str("instance-type")
	in.PublicIPv4, in.PrivateIPv4 = m.Str("public-ipv4"), m.Str("local-ipv4")
	if a, err := netip.ParseAddr(m.Str("ipv6")); err == nil {
		in.PublicIPv6 = a.String()
	}
	in.Network = networkConfig(env.Host, m)
	in.Metadata = md
	if doc.raw != nil {
		in.Metadata = map[string]any{"meta-data": md, "dynamic": map[string]any{"instance-identity": map[string]any{"document": doc.raw}}}
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

func (c *client) identity(ctx context.Context) (document, error) {
	var d document
	b, err := c.get(ctx, "dynamic/instance-identity/document")
	if err != nil || len(bytes.TrimSpace(b)) == 0 {
		return d, err
	}
	if err := json.Unmarshal(b, &d); err == nil {
		err = json.Unmarshal(b, &d.raw)
	}
	if err != nil {
		return d, fmt.Errorf("identity document of %s: %w", c.base, err)
	}
	return d, nil
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
