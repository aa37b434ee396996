package wire

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

// A Node is an XML element. Namespaces are dropped: those who write OVF
// environments disagree on prefixes, never on names.
type Node struct {
	Name  string
	Attr  map[string]string
	Text  string
	Nodes []*Node
}

// Bounds of an XML document.
const (
	maxXMLDepth = 32
	maxXMLNodes = 10_000
)

// ParseXML reads a document. Entities other than XML's own five are an error,
// so nothing expands.
func ParseXML(b []byte) (*Node, error) {
	dec := xml.NewDecoder(bytes.NewReader(b))
	// Documents say encoding="UTF-8" in many spellings, some lie with utf-16.
	dec.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil }
	root := &Node{}
	open, count := []*Node{root}, 0
	for {
		tok, err := dec.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("parse XML: %w", err)
		}
		switch t := tok.(type) {
		case xml.StartElement:
			if count++; count > maxXMLNodes || len(open) > maxXMLDepth {
				return nil, errors.New("parse XML: too many or too deep elements")
			}
			n := &Node{Name: t.Name.Local, Attr: map[string]string{}}
			for _, a := range t.Attr {
				n.Attr[a.Name.Local] = a.Value
			}
			top := open[len(open)-1]
			top.Nodes = append(top.Nodes, n)
			open = append(open, n)
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			open[len(open)-1].Text += string(t)
		}
	}
	if len(root.Nodes) != 1 {
		return nil, errors.New("parse XML: no document")
	}
	return root.Nodes[0], nil
}

// All returns the children of that name.
func (n *Node) All(name string) []*Node {
	if n == nil {
		return nil
	}
	var out []*Node
	for _, c := range n.Nodes {
		if c.Name == name {
			out = append(out, c)
		}
	}
	return out
}

// First returns the first element that path leads to, or nil.
func (n *Node) First(path ...string) *Node {
	for _, name := range path {
		all := n.All(name)
		if len(all) == 0 {
			return nil
		}
		n = all[0]
	}
	return n
}

// Value is the element's text, trimmed; "" for a nil Node.
func (n *Node) Value() string {
	if n == nil {
		return ""
	}
	return strings.TrimSpace(n.Text)
}
