// Package oracle reads the metadata service of Oracle Cloud Infrastructure.
//
// https://docs.oracle.com/iaas/Content/Compute/Tasks/gettingmetadata.htm
package oracle

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"rancheros/cloudconfig/network"
	"rancheros/datasources"
	"rancheros/datasources/internal/imds"
	"rancheros/datasources/internal/wire"
)

// Kind is the Oracle Cloud datasource.
var Kind = datasources.Kind{
	Name:     "oracle",
	Upstream: "Oracle",
	Aliases:  []string{"oci"},
	Needs:    datasources.Network,
	Detect:   detect,
	Fetch:    fetch,
}

func detect(h *datasources.Host) datasources.Finding {
	if h.DMI("chassis_asset_tag") == "OracleCloud.com" {
		return datasources.Finding{Match: datasources.Yes, Evidence: `DMI chassis_asset_tag is "OracleCloud.com"`}
	}
	return datasources.Finding{}
}

var service = imds.Service{
	Bases: []string{"http://169.254.169.254", "http://[fd00:c1::a9fe:a9fe]"},
	// Version 2 answers nothing without it; it is no secret.
	Header:   map[string]string{"Authorization": "Bearer Oracle"},
	Timeout:  5 * time.Second,
	Deadline: 30 * time.Second,
}

func fetch(ctx context.Context, env datasources.Env) (*datasources.Instance, error) {
	c := service.Open(env)
	version := "v2"
	b, err := c.Get(ctx, "/opc/v2/instance/")
	if errors.Is(err, imds.ErrAbsent) {
		version = "v1"
		b, err = c.Get(ctx, "/opc/v1/instance/")
	}
	if err != nil {
		return nil, err
	}
	vnics, vnicsErr := c.Optional(ctx, "/opc/"+version+"/vnics/")
	if ctx.Err() != nil {
		return nil, vnicsErr
	}
	in, err := parse(env.Host, b, vnics)
	if err != nil {
		return nil, fmt.Errorf("%s/opc/%s: %w", c.Base(), version, err)
	}
	if vnicsErr != nil { // DHCP serves the first link without them
		in.Problems = append(in.Problems, vnicsErr.Error())
	}
	in.Subplatform = "metadata (" + c.Base() + "/opc/" + version + "/)"
	return in, nil
}

type answer struct {
	ID          string `json:"id"`
	DisplayName string `json:"displayName"`
	Hostname    string `json:"hostname"`
	// OCIAdName is stable between tenancies; availabilityDomain is not.
	OCIAdName       string `json:"ociAdName"`
	Region          string `json:"region"`
	CanonicalRegion string `json:"canonicalRegionName"`
	Shape           string `json:"shape"`
	Metadata        struct {
		UserData string `json:"user_data"`
		SSHKeys  string `json:"ssh_authorized_keys"`
	} `json:"metadata"`
}

type vnic struct {
	MAC        string   `json:"macAddr"`
	PrivateIP  string   `json:"privateIp"`
	Subnet     string   `json:"subnetCidrBlock"`
	Router     string   `json:"virtualRouterIp"`
	IPv6       []string `json:"ipv6Addresses"`
	IPv6Subnet string   `json:"ipv6SubnetCidrBlock"`
	IPv6Router string   `json:"ipv6VirtualRouterIp"`
	NICIndex   *int     `json:"nicIndex"`
	VLANTag    int      `json:"vlanTag"`
	VNICID     string   `json:"vnicId"`
}

func parse(h *datasources.Host, instance, vnics []byte) (*datasources.Instance, error) {
	var a answer
	if err := json.Unmarshal(instance, &a); err != nil {
		return nil, fmt.Errorf("instance: %w", err)
	}
	var raw map[string]any
	if err := json.Unmarshal(instance, &raw); err != nil {
		return nil, fmt.Errorf("instance: %w", err)
	}
	if a.ID == "" {
		return nil, fmt.Errorf("instance: id: %w", wire.ErrMissing)
	}
	in := &datasources.Instance{
		ID:           a.ID,
		Hostname:     wire.Hostname(first(a.Hostname, a.DisplayName)),
		PublicKeys:   wire.KeyLines(a.Metadata.SSHKeys),
		Region:       first(a.CanonicalRegion, a.Region),
		Zone:         a.OCIAdName,
		InstanceType: a.Shape,
		Metadata:     raw,
	}
	in.UserData = wire.UserBase64(in, []byte(a.Metadata.UserData), "metadata.user_data")
	wire.Doc(raw).Drop("metadata.user_data")
	var nics []vnic
	if len(vnics) > 0 {
		if err := json.Unmarshal(vnics, &nics); err != nil {
			in.SetNetwork(nil, fmt.Errorf("vnics: %w", err))
			return in, nil
		}
	}
	for _, n := range nics {
		wire.SortIPs(in, n.PrivateIP)
		wire.SortIPs(in, n.IPv6...)
	}
	in.SetNetwork(networkOf(h, nics))
	return in, nil
}

func first(s ...string) string {
	for _, v := range s {
		if v != "" {
			return v
		}
	}
	return ""
}

// networkOf configures the further VNICs: DHCP serves the first one only. Nil
// when DHCP is all there is to do, and when the root disk hangs on iSCSI: then
// the firmware has set the network up and touching it loses the disk.
func networkOf(h *datasources.Host, nics []vnic) (*network.Config, error) {
	if len(nics) < 2 || onISCSI(h) {
		return nil, nil
	}
	primary := wire.Link(h, nics[0].MAC, "eth0")
	primary.DHCP4, primary.DHCP6 = nics[0].PrivateIP != "", len(nics[0].IPv6) > 0
	c := &network.Config{Links: []network.Link{primary}}
	for i, n := range nics[1:] {
		// One that the machine does not have would be waited for. On bare metal a
		// further VNIC of a card is a VLAN of it, which needs a name that a
		// person chose: left to the config.
		if wire.LinkName(h, n.MAC) == "" && (len(h.Links) > 0 || n.VLANTag != 0 && n.NICIndex != nil) {
			continue
		}
		l, err := secondary(h, n, fmt.Sprintf("eth%d", i+1))
		if err != nil {
			return nil, err
		}
		c.Links = append(c.Links, l)
	}
	return c, nil
}

// jumbo is the MTU inside a virtual cloud network.
const jumbo = 9000

func secondary(h *datasources.Host, n vnic, id string) (network.Link, error) {
	l := wire.Link(h, n.MAC, id)
	l.MTU = jumbo
	for _, a := range append([]string{n.PrivateIP}, n.IPv6...) {
		if a == "" {
			continue
		}
		subnet := n.Subnet
		if strings.Contains(a, ":") {
			subnet = first(n.IPv6Subnet, "/128")
		}
		_, bits, _ := strings.Cut(subnet, "/")
		p, err := wire.Prefix(a, bits)
		if err != nil {
			return l, fmt.Errorf("vnics: %s: %w", n.MAC, err)
		}
		l.Addresses = append(l.Addresses, p)
	}
	return l, nil
}

func onISCSI(h *datasources.Host) bool {
	if h.Exists("sys/firmware/ibft") {
		return true
	}
	confs, err := fs.Glob(h.Root, "run/net-*.conf")
	return err == nil && len(confs) > 0
}
