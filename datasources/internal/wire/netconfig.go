package wire

import (
	"fmt"

	"go.yaml.in/yaml/v4"

	"rancheros/cloudconfig/network"
	"rancheros/datasources"
)

// Network reads a network-config of version 1 or 2 that is part of a cloud's
// document: a mapping, or a text with YAML or JSON. Nil stays nil. Links of
// version 1 that have an address but no name get the name that the machine's
// link has, or ethN.
//
// What is wrong in a document of which something is good is left out: a
// machine with one address is easier to mend than one with none.
func Network(h *datasources.Host, v any) (*network.Config, error) {
	c, _, err := network12(h, v)
	return c, err
}

func network12(h *datasources.Host, v any) (*network.Config, []string, error) {
	var doc []byte
	switch v := v.(type) {
	case nil:
		return nil, nil, nil
	case []byte:
		doc = v
	case string:
		doc = []byte(v)
	default:
		if d := AsDoc(v); d != nil {
			v = map[string]any(named(h, d))
		}
		var err error
		if doc, err = yaml.Marshal(v); err != nil {
			return nil, nil, fmt.Errorf("write network-config: %w", err)
		}
	}
	if len(doc) == 0 {
		return nil, nil, nil
	}
	c, problems := network.FromV1V2(doc)
	if network.HasErrors(problems) && len(c.Links) == 0 {
		return nil, nil, fmt.Errorf("network-config: %s", problems[0])
	}
	var left []string
	for _, p := range problems {
		left = append(left, p.String())
	}
	return c, left, nil
}

// SetNetwork gives in the network of a cloud's document; see Network. What is
// wrong with it is in in.Problems.
func SetNetwork(h *datasources.Host, in *datasources.Instance, v any) {
	c, left, err := network12(h, v)
	in.SetNetwork(c, err)
	in.Problems = append(in.Problems, left...)
}

// named gives names to the links of a document of version 1. The document
// itself stays as it is.
func named(h *datasources.Host, d Doc) Doc {
	if inner := d.Doc("network"); inner != nil {
		return Doc{"network": map[string]any(named(h, inner))}
	}
	list, ok := d["config"].([]any)
	if !ok || Scalar(d["version"]) != "1" {
		return d
	}
	out := Doc{}
	for k, v := range d {
		out[k] = v
	}
	var config []any
	links := 0
	for _, e := range list {
		m := AsDoc(e)
		if m.Str("type") == "physical" {
			if m.Str("name") == "" && m.Str("mac_address") != "" {
				m = withName(h, m, links)
			}
			links++
		}
		if m != nil {
			e = map[string]any(m)
		}
		config = append(config, e)
	}
	out["config"] = config
	return out
}

func withName(h *datasources.Host, m Doc, n int) Doc {
	out := Doc{}
	for k, v := range m {
		out[k] = v
	}
	name := LinkName(h, m.Str("mac_address"))
	if name == "" {
		name = fmt.Sprintf("eth%d", n)
	}
	out["name"] = name
	return out
}
