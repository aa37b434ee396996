// Package hyperv reads key-value pairs that the administrator of a Hyper-V host
// set for a guest. The host hands them to the key-value daemon (hv_kvp_daemon),
// which keeps them in a file.
//
// The keys are cloud-init.user-data, .meta-data, .vendor-data and
// .network-config. A value has room for some 1000 characters: longer documents
// are cut into KEY.0, KEY.1, ..., and are base64 if KEY.encoding says so.
//
// https://learn.microsoft.com/virtualization/hyper-v-on-windows/reference/integration-services#hyper-v-data-exchange-service-kvp
package hyperv

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strconv"

	"rancheros/datasources"
	"rancheros/datasources/internal/wire"
)

// Kind is the Hyper-V datasource.
var Kind = datasources.Kind{
	Name:    "hyperv",
	Aliases: []string{"kvp"},
	Needs:   datasources.Local,
	Detect:  detect,
	Fetch:   fetch,
}

const (
	// pool is what the host's administrator set.
	pool     = "var/lib/hyperv/.kvp_pool_0"
	keyLen   = 512
	valueLen = 2048
	prefix   = "cloud-init."
	// maxParts bounds a document that is cut.
	maxParts = 1024
)

func detect(h *datasources.Host) datasources.Finding {
	pairs := read(h)
	for _, key := range []string{"user-data", "meta-data"} {
		for _, k := range []string{prefix + key, prefix + key + ".0"} {
			if _, ok := pairs[k]; ok {
				return datasources.Finding{Match: datasources.Yes, Evidence: "the Hyper-V host set " + k}
			}
		}
	}
	return datasources.Finding{}
}

func fetch(_ context.Context, env datasources.Env) (*datasources.Instance, error) {
	pairs := read(env.Host)
	var seed wire.Seed
	found := false
	for key, to := range map[string]*[]byte{
		"user-data": &seed.User, "meta-data": &seed.Meta, "vendor-data": &seed.Vendor, "network-config": &seed.Network,
	} {
		text, ok := document(pairs, prefix+key)
		if !ok {
			continue
		}
		b, err := wire.Decode(text, pairs[prefix+key+".encoding"])
		if err != nil {
			return nil, fmt.Errorf("%s%s: %w", prefix, key, err)
		}
		*to, found = b, true
	}
	if !found {
		return nil, errors.New("/" + pool + " has no key " + prefix + "user-data or " + prefix + "meta-data")
	}
	in, err := seed.Instance(env.Host, "hyperv")
	if err != nil {
		return nil, err
	}
	in.Subplatform = "kvp (/" + pool + ")"
	return in, nil
}

// document is one value, or the parts of one.
func document(pairs map[string]string, key string) ([]byte, bool) {
	if v, ok := pairs[key]; ok {
		return []byte(v), true
	}
	var b []byte
	for i := range maxParts {
		v, ok := pairs[key+"."+strconv.Itoa(i)]
		if !ok {
			return b, i > 0
		}
		b = append(b, v...)
	}
	return b, true
}

// read reads the records of the pool: key and value of fixed size, padded with
// zeros. The last of a key counts.
func read(h *datasources.Host) map[string]string {
	b, err := fs.ReadFile(h.Root, pool)
	if err != nil {
		return nil
	}
	pairs := map[string]string{}
	for len(b) >= keyLen+valueLen {
		key, value := b[:keyLen], b[keyLen:keyLen+valueLen]
		b = b[keyLen+valueLen:]
		pairs[text(key)] = text(value)
	}
	return pairs
}

func text(b []byte) string {
	s, _, _ := bytes.Cut(b, []byte{0})
	return string(s)
}
