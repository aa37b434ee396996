package azure

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"rancheros/datasources/internal/wire"
)

// errNotAzure says that an ovf-env.xml is that of another hypervisor.
var errNotAzure = errors.New("the OVF environment has no ProvisioningSection: it is not Azure's")

// maxPassword is what crypt(3) of every distribution takes.
const maxPassword = 72

// An environment is what ovf-env.xml says.
type environment struct {
	hostname   string
	username   string
	password   string
	customData []byte
	// noPassword is nil when the document does not say.
	noPassword *bool
	keys       []publicKey
	// preprovisioned says that this machine waits in a pool for its user.
	preprovisioned bool
	ppsType        string
	proxyAgent     bool
}

type publicKey struct{ fingerprint, path, value string }

// parseOVF reads ovf-env.xml.
//
// https://learn.microsoft.com/azure/virtual-machines/linux/provisioning
func parseOVF(b []byte) (*environment, error) {
	root, err := wire.ParseXML(b)
	if err != nil {
		return nil, fmt.Errorf("parse ovf-env.xml: %w", err)
	}
	p := ovfParser{}
	if len(root.All("ProvisioningSection")) == 0 {
		return nil, errNotAzure
	}
	section := p.one(root, "ProvisioningSection")
	set := p.one(section, "LinuxProvisioningConfigurationSet")
	platform := p.one(p.one(root, "PlatformSettingsSection"), "PlatformSettings")
	if p.err != nil {
		return nil, fmt.Errorf("parse ovf-env.xml: %w", p.err)
	}
	env := &environment{
		hostname:       p.text(set, "HostName"),
		username:       p.text(set, "UserName"),
		password:       p.text(set, "UserPassword"),
		noPassword:     p.bool(set, "DisableSshPasswordAuthentication"),
		preprovisioned: p.isTrue(platform, "PreprovisionedVm"),
		ppsType:        p.text(platform, "PreprovisionedVMType"),
		proxyAgent:     p.isTrue(platform, "ProvisionGuestProxyAgent"),
	}
	if env.customData, err = wire.Base64([]byte(p.text(set, "CustomData"))); err != nil {
		p.fail(fmt.Errorf("CustomData: %w", err))
	}
	if len(set.All("HostName")) == 0 {
		p.fail(errors.New("HostName is missing"))
	}
	if n := len(env.password); n > maxPassword {
		p.fail(fmt.Errorf("UserPassword has %d characters, at most %d work", n, maxPassword))
	}
	for _, k := range set.First("SSH", "PublicKeys").All("PublicKey") {
		env.keys = append(env.keys, publicKey{
			fingerprint: k.First("Fingerprint").Value(),
			path:        k.First("Path").Value(),
			value:       k.First("Value").Value(),
		})
	}
	if p.err != nil {
		return nil, fmt.Errorf("parse ovf-env.xml: %w", p.err)
	}
	return env, nil
}

// An ovfParser keeps the first error.
type ovfParser struct{ err error }

func (p *ovfParser) fail(err error) {
	if p.err == nil {
		p.err = err
	}
}

// one returns the only child of that name; there must be one.
func (p *ovfParser) one(n *wire.Node, name string) *wire.Node {
	all := n.All(name)
	switch {
	case p.err != nil:
		return nil
	case len(all) == 0:
		p.fail(fmt.Errorf("%s is missing", name))
		return nil
	case len(all) > 1:
		p.fail(fmt.Errorf("%s is there %d times", name, len(all)))
		return nil
	}
	return all[0]
}

// text is the value of a property that may be missing or nil, but not be there
// twice.
func (p *ovfParser) text(n *wire.Node, name string) string {
	if len(n.All(name)) == 0 {
		return ""
	}
	v := p.one(n, name)
	if v == nil || v.Attr["nil"] == "true" {
		return ""
	}
	return v.Value()
}

func (p *ovfParser) bool(n *wire.Node, name string) *bool {
	s := p.text(n, name)
	if s == "" {
		return nil
	}
	if slices.Contains([]string{"yes", "on"}, strings.ToLower(s)) {
		s = "true"
	}
	b, err := strconv.ParseBool(strings.ToLower(s))
	if err != nil {
		b = false
	}
	return &b
}

func (p *ovfParser) isTrue(n *wire.Node, name string) bool {
	b := p.bool(n, name)
	return b != nil && *b
}
