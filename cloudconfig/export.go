package cloudconfig

import (
	"reflect"

	"go.yaml.in/yaml/v4"

	"rancheros/cloudconfig/userdata/document"
)

// An ExportOptions says how much of the config is exported.
type ExportOptions struct {
	// Full adds the layers that came with the image: os and oem.
	Full bool
	// Private keeps secrets and what the kernel command line hid.
	Private bool
}

// neverExported only ever come from the kernel command line of one boot.
var neverExported = []string{"password", "autologin"}

// Export is the merged config as YAML, without secrets unless asked for.
func (tr *Trace) Export(o ExportOptions) ([]byte, error) {
	root := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	for _, l := range tr.layers {
		if !o.Full && (l.Name == LayerOS || l.Name == LayerOEM) || l.private && !o.Private {
			continue
		}
		merge(root, l.root, reflect.TypeFor[Config]())
	}
	root = clone(root)
	if rancher := child(root, "rancher"); rancher != nil && !o.Private {
		drop(rancher, "ssh", "keys")
	}
	if rancher := child(root, "rancher"); rancher != nil {
		for _, key := range neverExported {
			drop(rancher, key)
		}
		drop(rancher, "environment", extraCmdline)
	}
	drop(root, extraCmdline)
	if !o.Private {
		root = redact(root, reflect.TypeFor[Config]())
	}
	if root == nil || len(root.Content) == 0 {
		return nil, nil
	}
	block(root)
	return document.Encode(root)
}

// block makes a tree of one line per value, without comments: those of
// different layers would contradict each other.
func block(n *yaml.Node) {
	n.HeadComment, n.LineComment, n.FootComment = "", "", ""
	n.Style &^= yaml.FlowStyle
	for _, c := range n.Content {
		block(c)
	}
}

// drop takes away the value at the keys, and maps that are empty then.
func drop(n *yaml.Node, keys ...string) {
	at := index(n, keys[0])
	if at < 0 {
		return
	}
	if len(keys) > 1 {
		drop(n.Content[at+1], keys[1:]...)
		if len(n.Content[at+1].Content) > 0 || n.Content[at+1].Kind != yaml.MappingNode {
			return
		}
	}
	n.Content = append(n.Content[:at:at], n.Content[at+2:]...)
}

// redact is a copy without the values that are secrets, or nil when n is one
// itself.
func redact(n *yaml.Node, t reflect.Type) *yaml.Node {
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == secretType || t == reflect.TypeFor[SecretList]() {
		return nil
	}
	c := *n
	c.Content = nil
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			below := typeBelow(t, n.Content[i].Value)
			if t != nil && t.Kind() == reflect.Slice && tagged(t.Elem()) { // users by name
				below = t.Elem()
			}
			if v := redact(n.Content[i+1], below); v != nil {
				k := *n.Content[i]
				c.Content = append(c.Content, &k, v)
			}
		}
		if len(c.Content) == 0 && len(n.Content) > 0 {
			return nil
		}
	case yaml.SequenceNode:
		for _, item := range n.Content {
			if v := redact(item, elem(t)); v != nil {
				c.Content = append(c.Content, v)
			}
		}
	}
	return &c
}
