// Package ovf reads an OVF environment: properties that whoever deployed an
// appliance filled in, handed over on a CD or as a variable of the host.
//
// https://www.dmtf.org/dsp/DSP0243
package ovf

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"rancheros/datasources"
	"rancheros/datasources/internal/drive"
	"rancheros/datasources/internal/guestinfo"
	"rancheros/datasources/internal/imds"
	"rancheros/datasources/internal/wire"
	"rancheros/paths"
)

// Kind is the OVF datasource.
var Kind = datasources.Kind{
	Name:     "ovf",
	Upstream: "OVF",
	Needs:    datasources.Local,
	NeedsOn:  needs,
	Detect:   detect,
	Fetch:    fetch,
}

const (
	seedFile = paths.CloudInitLib + "/seed/ovf/ovf-env.xml"
	// schema is in every document.
	schema = "http://schemas.dmtf.org/ovf/environment/1"
	// maxDisc: a CD that carries an environment is small; a bigger one is some
	// installer, which is not to be searched.
	maxDisc = 10 << 20
	// azureTag is the chassis of Azure, whose drive has a document of the same
	// name.
	azureTag = "7783-7084-3265-9085-8269-3286-77"
)

func detect(h *datasources.Host) datasources.Finding {
	if h.Exists(seedFile) {
		return datasources.Finding{Match: datasources.Yes, Evidence: seedFile + " is there"}
	}
	if h.DMI("chassis_asset_tag") == azureTag || h.Virt == "none" || h.InContainer() {
		return datasources.Finding{}
	}
	env := strings.ToLower(ovfEnv(h))
	if strings.HasPrefix(env, "<?xml") {
		return datasources.Finding{Match: datasources.Yes, Evidence: "guestinfo.ovfEnv is set"}
	}
	for _, b := range discs(h) {
		if labelled(b) {
			return datasources.Finding{Match: datasources.Yes, Evidence: fmt.Sprintf("drive %s is labelled %q", b.Name, b.Label)}
		}
		if hasSchema(h, b) {
			return datasources.Finding{Match: datasources.Yes, Evidence: "an OVF environment is on drive " + b.Name}
		}
	}
	if env != "" { // perhaps not a document
		return datasources.Finding{Match: datasources.Maybe, Evidence: "guestinfo.ovfEnv is set"}
	}
	return datasources.Finding{}
}

// needs: the environment may name a server that has the rest.
func needs(h *datasources.Host) datasources.Needs {
	doc, _, err := find(h)
	if err != nil {
		return datasources.Local
	}
	props, err := wire.OVFProperties(doc)
	if err != nil {
		return datasources.Local
	}
	if _, seed, err := instance(h, props); err != nil || seed == "" {
		return datasources.Local
	}
	return datasources.Network
}

func ovfEnv(h *datasources.Host) string {
	if !guestinfo.IsVMware(h) {
		return ""
	}
	vars, err := guestinfo.Open(h)
	if err != nil {
		return ""
	}
	v, err := vars.Get("ovfEnv")
	if err != nil {
		return ""
	}
	return v
}

// discs are the CDs of the machine.
func discs(h *datasources.Host) []datasources.Block {
	var out []datasources.Block
	for _, b := range h.Blocks {
		if cd := regexp.MustCompile(`^(sr[0-9]|hd[a-z])$`); cd.MatchString(b.Name) && b.FSType == "iso9660" {
			out = append(out, b)
		}
	}
	return out
}

func labelled(b datasources.Block) bool {
	known := []string{"OVF-TRANSPORT", "ovf-transport", "OVF ENV", "ovf env", "OVFENV", "ovfenv"}
	return slices.Contains(known, b.Label)
}

// hasSchema looks for the schema's name in the raw data of a small disc, in a
// recording for the file.
func hasSchema(h *datasources.Host, b datasources.Block) bool {
	if drive.HasLabel(b, "config-2", "cidata") || strings.HasPrefix(b.Label, "rd_rdfe_stable") {
		return false // others', the last one Azure's
	}
	if h.Drives != "" {
		d, err := drive.Open(h, b)
		if err != nil {
			return false
		}
		defer d.Close()
		return d.Exists("ovf-env.xml")
	}
	sectors, err := strconv.ParseInt(h.Read("sys/class/block/"+b.Name+"/size"), 10, 64)
	if h.Dir == "" || err != nil || sectors/2048 >= maxDisc>>20 {
		return false
	}
	f, err := os.Open(filepath.Join(h.Dir, "dev", b.Name))
	if err != nil {
		return false
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxDisc))
	return err == nil && bytes.Contains(bytes.ToLower(data), []byte(schema))
}

func fetch(ctx context.Context, env datasources.Env) (*datasources.Instance, error) {
	doc, where, err := find(env.Host)
	if err != nil {
		return nil, err
	}
	props, err := wire.OVFProperties(doc)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", where, err)
	}
	in, seed, err := instance(env.Host, props)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", where, err)
	}
	if seed != "" {
		if err := addSeed(ctx, env, in, seed); err != nil {
			return nil, err
		}
	}
	in.Subplatform = "ovf (" + where + ")"
	return in, nil
}

func find(h *datasources.Host) ([]byte, string, error) {
	if b := h.Read(seedFile); b != "" {
		return []byte(b), seedFile, nil
	}
	if env := ovfEnv(h); env != "" {
		return []byte(env), "com.vmware.guestInfo", nil
	}
	for _, b := range discs(h) {
		d, err := drive.Open(h, b)
		if err != nil {
			continue // an empty or foreign disc
		}
		doc, err := d.Read("ovf-env.xml")
		d.Close()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		return doc, "/dev/" + b.Name, err
	}
	return nil, "", errors.New("no OVF environment: not in " + seedFile + ", not in guestinfo.ovfEnv, not on a CD")
}

// instance understands cloud-init's properties, and RancherOS's, which begin
// with "guestinfo.". The second value is where more is to be had.
func instance(h *datasources.Host, props map[string]string) (*datasources.Instance, string, error) {
	rancher := func(key string) string { return props["guestinfo."+key] }
	in, url := &datasources.Instance{}, ""
	if guestinfo.HasRancher(rancher) {
		var err error
		if in, url, err = guestinfo.Rancher(rancher); err != nil {
			return nil, "", err
		}
	}
	md := map[string]any{"instance-id": "iid-dsovf"}
	for k, v := range props {
		switch k {
		case "instance-id":
			md[k] = v
		case "public-keys":
			in.PublicKeys = wire.KeyLines(v)
			md[k] = v
		case "seedfrom":
			url = v
			md[k] = imds.Shown(v)
		case "password":
			in.Password = v
		case "user-data":
			in.UserData = maybeBase64(v)
		case "network-config":
			addNetwork(h, in, md, v)
		}
	}
	if v := cmp.Or(props["local-hostname"], props["hostname"]); v != "" {
		in.Hostname, md["local-hostname"] = wire.Hostname(v), v
	}
	in.ID = wire.Scalar(md["instance-id"])
	in.Metadata = md
	return in, url, nil
}

func maybeBase64(v string) []byte {
	if v == "" {
		return nil
	}
	if b, err := wire.Base64([]byte(v)); err == nil {
		return b
	}
	return []byte(v)
}

// addNetwork takes a document in base64; anything else is not one.
func addNetwork(h *datasources.Host, in *datasources.Instance, md map[string]any, v string) {
	b, err := wire.Base64([]byte(v))
	var d wire.Doc
	if err == nil {
		d, err = wire.Parse(b)
	}
	if err != nil {
		in.Problems = append(in.Problems, "network-config: "+err.Error())
		return
	}
	if inner := d.Doc("network"); inner != nil {
		d = inner
	}
	wire.SetNetwork(h, in, map[string]any(d))
	md["network-config"] = map[string]any(d)
}

// addSeed fetches user-data and meta-data from a folder on a server; what the
// environment itself says stays.
func addSeed(ctx context.Context, env datasources.Env, in *datasources.Instance, seed string) error {
	if !strings.HasPrefix(seed, "http://") && !strings.HasPrefix(seed, "https://") {
		return fmt.Errorf("seedfrom: %q is no http or https URL", imds.Shown(seed))
	}
	s := imds.Service{Bases: []string{seed}, OwnBases: true, AnyRedirect: true}
	c := s.Open(env)
	var meta []byte
	if strings.HasSuffix(seed, "/") {
		s.Bases[0] = strings.TrimSuffix(seed, "/")
		c = s.Open(env)
		var err error
		meta, err = c.Optional(ctx, "/meta-data")
		if err != nil {
			return fmt.Errorf("seedfrom: %w", err)
		}
		md, err := wire.Parse(meta)
		if err != nil {
			return fmt.Errorf("seedfrom: %s: %w", imds.Shown(seed), err)
		}
		if in.Hostname == "" {
			in.Hostname = wire.Hostname(md.Str("local-hostname", "hostname"))
		}
		if len(in.PublicKeys) == 0 {
			in.PublicKeys = wire.Keys(md.Get("public-keys"))
		}
	}
	path := ""
	if strings.HasSuffix(seed, "/") {
		path = "/user-data"
	}
	user, err := c.Get(ctx, path)
	if err != nil && (meta == nil || !errors.Is(err, imds.ErrAbsent)) {
		return fmt.Errorf("seedfrom: %w", err)
	}
	if in.UserData == nil {
		in.UserData = user
	}
	return nil
}
