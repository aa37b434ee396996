package userdata

import (
	"bytes"
	"encoding/json"
	"strings"

	"go.yaml.in/yaml/v4"

	"rancheros/cloudconfig/userdata/document"
)

// vendor reads vendor data as user-data allows: vendor_data: {enabled, prefix,
// disabled_handlers}.
func (p *parser) vendor(source, key string, data []byte, user outcome) outcome {
	if len(bytes.TrimSpace(data)) == 0 {
		return outcome{}
	}
	policy := vendorPolicy{vendor: true}
	switch n := document.Get(user.config, key); {
	case n == nil:
	case n.Kind != yaml.MappingNode:
		policy.off = key + " in user-data is no mapping, which switches vendor data off"
	default:
		if e := document.Get(n, "enabled"); e != nil && !isTrue(e.Value) {
			policy.off = "user-data switches vendor data off"
		}
		policy.prefix = texts(document.Get(n, "prefix"))
		policy.excluded = texts(document.Get(n, "disabled_handlers"))
	}
	return p.source(source, vendorDocs(data), policy)
}

func isTrue(s string) bool {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "true", "1", "on", "yes":
		return true
	}
	return false
}

func texts(n *yaml.Node) []string {
	switch {
	case n == nil || n.Tag == "!!null":
		return nil
	case n.Kind == yaml.ScalarNode:
		if n.Value == "" {
			return nil
		}
		return []string{n.Value}
	}
	var out []string
	for _, c := range n.Content {
		if c.Kind == yaml.ScalarNode {
			out = append(out, c.Value)
		}
	}
	return out
}

// vendorDocs: OpenStack's vendor_data.json is an object in which the key
// cloud-init is for us, as text or a list of texts.
func vendorDocs(data []byte) [][]byte {
	var object map[string]json.RawMessage
	if isIgnition(data) || json.Unmarshal(data, &object) != nil {
		return [][]byte{data}
	}
	raw, ok := object["cloud-init"]
	if !ok {
		return nil
	}
	var one string
	if json.Unmarshal(raw, &one) == nil {
		return [][]byte{[]byte(one)}
	}
	var many []string
	if json.Unmarshal(raw, &many) != nil {
		return [][]byte{raw}
	}
	var docs [][]byte
	for _, s := range many {
		docs = append(docs, []byte(s))
	}
	return docs
}
