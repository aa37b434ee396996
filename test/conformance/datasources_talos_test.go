package conformance

import (
	"encoding/json"
	"os"
	"path"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v4"
)

// recordTalosAnswers serves what Talos has of a platform where that platform
// has it: whole documents as they are, values that Talos gathered as the tree
// that they are from.
func (c *sourceCase) recordTalosAnswers() error {
	docs, err := c.documents()
	if err != nil {
		return err
	}
	main, others := docs["metadata"], docs["network"]
	if main == nil {
		return errNotOurs
	}
	r := &c.rec
	switch r.kind {
	case "ec2":
		r.dmi("product_serial", "x.brightbox.com") // who needs no token
		r.tree("/2009-04-04/meta-data/", instanceTree(main.mapping()))
	case "gce":
		m := main.mapping()
		for _, key := range []string{"id", "zone", "hostname", "machine-type"} {
			r.get("/computeMetadata/v1/instance/"+key, text(raw(m[key])))
		}
		if others != nil {
			r.get("/computeMetadata/v1/instance/network-interfaces/", others.text)
		}
	case "akamai":
		r.http = append(r.http, exchange{Method: "PUT", URL: "/v1/token", Status: 200, Body: "t"})
		r.get("/v1/instance", main.text)
		if others != nil {
			r.get("/v1/network", others.text)
		}
	case "opennebula":
		r.file("host/var/lib/cloud/seed/opennebula/context.sh", []byte(main.text))
	case "hetzner":
		r.get("/hetzner/v1/metadata", main.text)
	case "vultr":
		r.get("/v1.json", main.text)
	case "scaleway":
		r.get("/conf", main.text)
	case "packet":
		r.get("/metadata", main.text)
	case "oracle":
		r.get("/opc/v2/instance/", main.text)
		if others != nil {
			r.get("/opc/v2/vnics/", others.text)
		}
	case "openstack":
		r.get("/openstack/", "latest")
		r.get("/openstack/latest/meta_data.json", main.text)
		if others != nil {
			r.get("/openstack/latest/network_data.json", others.text)
		}
	case "azure":
		doc := map[string]any{"compute": main.mapping()}
		if others != nil {
			doc["network"] = map[string]any{"interface": others.value}
		}
		r.get("/metadata/instance", string(raw(doc)))
	default:
		return errNotOurs
	}
	c.check = c.checkTalos
	return nil
}

// A document is one of a case's files.
type document struct {
	text  string
	value any
}

func (d *document) mapping() map[string]any {
	m, _ := d.value.(map[string]any)
	return m
}

// documents are the case's files: the one about interfaces, and the other.
func (c *sourceCase) documents() (map[string]*document, error) {
	files, err := filepath.Glob(filepath.Join(c.dir, "files", "*"))
	if err != nil {
		return nil, err
	}
	docs := map[string]*document{}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			return nil, err
		}
		d := &document{text: string(b)}
		_ = yaml.Unmarshal(b, &d.value) // shell variables are no document
		name := strings.ToLower(path.Base(f))
		if strings.Contains(name, "network") || strings.Contains(name, "interface") || strings.Contains(name, "vnics") {
			docs["network"] = d
		} else {
			docs["metadata"] = d
		}
	}
	return docs, nil
}

// instanceTree is a tree of EC2's with values that Talos gathered from one. Of
// the two host names Talos goes by the public one.
func instanceTree(m map[string]any) map[string]any {
	delete(m, "local-hostname")
	nic, _ := m["primary-interface"].(map[string]any)
	delete(m, "primary-interface")
	m["placement"] = map[string]any{"region": m["region"], "availability-zone": m["zone"]}
	if mac, ok := nic["mac"].(string); ok {
		m["network"] = map[string]any{"interfaces": map[string]any{"macs": map[string]any{mac: nic}}}
	}
	return m
}

func raw(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	return b
}
