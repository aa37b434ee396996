package wire

import "fmt"

// OVFProperties returns the properties of an OVF environment document (DSP8027)
// by key. A property without value is there with an empty one.
func OVFProperties(b []byte) (map[string]string, error) {
	root, err := ParseXML(b)
	if err != nil {
		return nil, fmt.Errorf("read OVF environment: %w", err)
	}
	if root.Name != "Environment" {
		return nil, fmt.Errorf("read OVF environment: the document is a %s", root.Name)
	}
	props := map[string]string{}
	for _, section := range root.All("PropertySection") {
		for _, p := range section.All("Property") {
			if key := p.Attr["key"]; key != "" {
				props[key] = p.Attr["value"]
			}
		}
	}
	return props, nil
}
