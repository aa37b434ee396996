// Package azure reads what Microsoft Azure says of a machine: a small drive
// with ovf-env.xml, the instance metadata service, and the wire server that
// wants to hear that provisioning is done. A machine that Azure has made in
// advance for a pool says that it is ready, and waits for its user.
//
// https://learn.microsoft.com/azure/virtual-machines/linux/provisioning
package azure

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"rancheros/datasources"
	"rancheros/datasources/internal/wire"
	"rancheros/paths"
)

// Kind is the Azure datasource.
var Kind = datasources.Kind{
	Name:     "azure",
	Upstream: "Azure",
	Needs:    datasources.Network,
	Detect:   detect,
	Fetch:    fetch,
	Report:   report,
	Same:     same,
}

// chassisTag is the asset tag of every chassis in Azure.
const chassisTag = "7783-7084-3265-9085-8269-3286-77"

// seedDir may hold an ovf-env.xml that an image builder put there.
const seedDir = paths.CloudInitLib + "/seed/azure"

func detect(h *datasources.Host) datasources.Finding {
	if h.DMI("chassis_asset_tag") == chassisTag {
		return datasources.Finding{Match: datasources.Yes, Evidence: "DMI chassis_asset_tag is Azure's"}
	}
	if h.Exists(seedDir + "/ovf-env.xml") {
		return datasources.Finding{Match: datasources.Yes, Evidence: seedDir + "/ovf-env.xml is there"}
	}
	return datasources.Finding{}
}

func fetch(ctx context.Context, env datasources.Env) (*datasources.Instance, error) {
	var err error
	ovf, where, ovfErr := findOVF(env)
	// IMDS is asked in any case: names, keys and network are fresher there.
	doc, imdsErr := askIMDS(ctx, env, ovf != nil)
	if ovf == nil && doc == nil {
		return nil, errors.Join(ovfErr, imdsErr)
	}
	if ovf == nil && !errors.Is(ovfErr, errNoOVF) {
		return nil, ovfErr // a broken document must not be taken for none
	}
	if ovf == nil && doc.Extended.Compute.HasCustomData && errors.Is(ovfErr, errUnread) {
		// There is custom data, on a disc that cannot be read just now.
		return nil, ovfErr
	}
	if imdsErr != nil && env.Log != nil {
		env.Log.Warn("no answer from IMDS", "err", imdsErr)
	}
	if kind := pooled(env.Host, ovf, doc); kind != "" {
		// What was said until now is the pool's; the user's comes instead.
		if ovf, err = leavePool(ctx, env, kind); err != nil {
			return nil, err
		}
		if doc, err = askIMDS(ctx, env, true); err != nil && env.Log != nil {
			env.Log.Warn("no answer from IMDS", "err", err)
		}
		where = "imds (reprovisiondata)"
	}
	in := instance(env.Host, ovf, doc)
	in.Subplatform = where
	return in, nil
}

// instance puts together what the two sources say; either may be nil.
func instance(h *datasources.Host, ovf *environment, doc *document) *datasources.Instance {
	if ovf == nil {
		ovf = &environment{}
	}
	in := &datasources.Instance{
		Hostname: wire.Hostname(ovf.hostname),
		User:     ovf.username,
		Password: ovf.password,
		UserData: ovf.customData,
		Metadata: map[string]any{},
	}
	for _, k := range ovf.keys {
		in.PublicKeys = append(in.PublicKeys, wire.KeyLines(k.value)...)
	}
	// What an agent leaves behind in a captured image.
	if strings.EqualFold(in.Password, "REDACTED") {
		in.Password = ""
	}
	if doc != nil {
		merge(h, in, doc)
	}
	in.ID = instanceID(h, doc)
	if len(in.UserData) == 0 {
		in.UserData = nil
	}
	in.Metadata["instance-id"] = in.ID
	in.Metadata["local-hostname"] = in.Hostname
	return in
}

// merge lets IMDS speak: it beats the drive, which a captured or swapped OS
// disk may have kept from an older machine, but for custom data, which IMDS
// does not have.
func merge(h *datasources.Host, in *datasources.Instance, doc *document) {
	c := doc.Compute
	if name := wire.Hostname(c.OSProfile.ComputerName); name != "" {
		in.Hostname = name
	}
	if c.OSProfile.AdminUsername != "" {
		in.User = c.OSProfile.AdminUsername
	}
	var keys []string
	for _, k := range c.PublicKeys {
		for _, line := range wire.KeyLines(k.KeyData) {
			// Old portals hand out other formats as well.
			if openSSH(line) {
				keys = append(keys, line)
			}
		}
	}
	if len(keys) > 0 {
		in.PublicKeys = keys
	}
	if len(in.UserData) == 0 {
		in.UserData = wire.UserBase64(in, []byte(c.UserData), "IMDS compute.userData")
	}
	if len(in.UserData) == 0 && c.CustomData != "" {
		if b, err := base64.StdEncoding.DecodeString(c.CustomData); err == nil {
			in.UserData = b
		}
	}
	in.Region, in.Zone, in.InstanceType = c.Location, c.PlatformFaultDomain, c.VMSize
	for _, n := range doc.Network.Interface {
		for _, a := range slices.Concat(n.IPv4.IPAddress, n.IPv6.IPAddress) {
			wire.SortIPs(in, a.Private, a.Public)
		}
	}
	in.SetNetwork(networkOf(h, doc.Network.Interface))
	wire.Doc(doc.raw).Drop("compute.userData", "compute.customData")
	in.Metadata["imds"] = doc.raw
}

// openSSH says whether a line looks like a key of OpenSSH: its type, and more.
func openSSH(line string) bool {
	kind, key, _ := strings.Cut(line, " ")
	return key != "" && (strings.HasPrefix(kind, "ssh-") || strings.HasPrefix(kind, "ecdsa-") || strings.HasPrefix(kind, "sk-"))
}

// instanceID is the DMI UUID in lower case. Some hosts of the first generation
// swap the bytes of its first half; if the identity that was saved is ours in
// any such spelling, it stays.
func instanceID(h *datasources.Host, doc *document) string {
	id := strings.ToLower(h.DMI("product_uuid"))
	if id == "" && doc != nil {
		id = strings.ToLower(doc.Compute.VMID)
	}
	saved := h.Read(paths.CloudInitLib + "/data/instance-id")
	if saved != "" && sameUUID(saved, id) {
		return saved
	}
	return id
}

func same(h *datasources.Host, saved datasources.Identity) bool {
	id := h.DMI("product_uuid")
	return id != "" && (sameUUID(saved.InstanceID, id) || sameUUID(saved.SystemUUID, id))
}

// sameUUID compares without case and in either byte order.
func sameUUID(a, b string) bool {
	return a != "" && (strings.EqualFold(a, b) || strings.EqualFold(a, swapUUID(b)))
}

// swapUUID turns around the bytes of the first three groups.
func swapUUID(s string) string {
	groups := strings.Split(s, "-")
	if len(groups) != 5 {
		return s
	}
	for i, g := range groups[:3] {
		b, err := hex.DecodeString(g)
		if err != nil {
			return s
		}
		slices.Reverse(b)
		groups[i] = hex.EncodeToString(b)
	}
	return strings.ToLower(strings.Join(groups, "-"))
}

// requestID is a random UUID: Azure's support can find a request by it.
func requestID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
