package image

import (
	"context"
	"debug/buildinfo"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"rancheros/image/tree"
)

// A bom is a CycloneDX 1.6 document: https://cyclonedx.org/docs/1.6/json/
type bom struct {
	Format       string      `json:"bomFormat"`
	Spec         string      `json:"specVersion"`
	SerialNumber string      `json:"serialNumber"`
	Version      int         `json:"version"`
	Metadata     metadata    `json:"metadata"`
	Components   []component `json:"components"`
}

type metadata struct {
	Timestamp string    `json:"timestamp"`
	Component component `json:"component"`
}

// A component is a package with its files below it, or a file, or a Go module.
type component struct {
	Type       string      `json:"type"`
	Ref        string      `json:"bom-ref,omitempty"`
	Name       string      `json:"name"`
	Version    string      `json:"version,omitempty"`
	PURL       string      `json:"purl,omitempty"`
	Hashes     []hash      `json:"hashes,omitempty"`
	Components []component `json:"components,omitempty"`
}

type hash struct {
	Algorithm string `json:"alg"`
	Content   string `json:"content"`
}

// writeManifest writes which package every file came from, and what our
// programs are linked of.
func (b *build) writeManifest(context.Context) error {
	components, err := b.components()
	if err != nil {
		return err
	}
	doc := bom{
		Format: "CycloneDX", Spec: "1.6", Version: 1, SerialNumber: "urn:uuid:" + uuidText(b.uuid("manifest")),
		Metadata: metadata{
			Timestamp: b.Time.UTC().Format(time.RFC3339),
			Component: component{Type: "operating-system", Name: "ros", Version: b.Version},
		},
		Components: components,
	}
	return b.create("manifest.json", func(f *os.File) error {
		e := json.NewEncoder(f)
		e.SetIndent("", " ")
		return e.Encode(doc)
	})
}

func uuidText(u []byte) string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:16])
}

func (b *build) components() ([]component, error) {
	byOrigin := map[string][]component{}
	for name, t := range map[string]*tree.Tree{"root.squashfs": b.host, "initrd": b.initrd} {
		for _, e := range t.Sorted() {
			if e.Type != tree.File {
				continue
			}
			sum, err := e.Content.Sum()
			if err != nil {
				return nil, err
			}
			byOrigin[e.Origin] = append(byOrigin[e.Origin], component{
				Type: "file", Name: name + "/" + e.Path, Hashes: []hash{{"SHA-256", hex.EncodeToString(sum[:])}},
			})
		}
	}
	for _, files := range byOrigin {
		slices.SortFunc(files, func(a, b component) int { return strings.Compare(a.Name, b.Name) })
	}
	var out []component
	done := map[string]bool{}
	for _, list := range b.lists {
		for _, p := range list {
			files := byOrigin[p.ID()]
			if done[p.ID()] || files == nil {
				continue
			}
			done[p.ID()] = true
			purl := fmt.Sprintf("pkg:deb/debian/%s@%s?arch=%s&distro=trixie", p.Name, p.Version, p.Architecture)
			out = append(out, component{
				Type: "library", Ref: purl, Name: p.Name, Version: p.Version, PURL: purl,
				Hashes: []hash{{"SHA-256", p.SHA256}}, Components: files,
			})
		}
	}
	for origin, files := range byOrigin {
		if !done[origin] {
			out = append(out, component{Type: "application", Ref: origin, Name: origin, Version: b.Version, Components: files})
		}
	}
	programs, err := b.programs()
	if err != nil {
		return nil, err
	}
	out = append(out, programs...)
	slices.SortFunc(out, func(a, b component) int { return strings.Compare(a.Ref, b.Ref) })
	return out, nil
}

// goPrograms are our binaries, by their path in out/.
var goPrograms = []string{"init", "ros", "engine/dockerd", "engine/containerd-shim-runc-v2", "engine/runc"}

// modulesIn lists the modules that a program of ours is linked of, as the linker
// noted, and the version of Go. A copy of a module, less a part (../out), is that
// module; what stands in for one (./trim) is ours. See docs/adr/032-parts-of-modules.md.
func (b *build) modulesIn(program string) (modules []*debug.Module, goVersion string, err error) {
	info, err := buildinfo.ReadFile(filepath.Join(b.Programs, program))
	if err != nil {
		return nil, "", fmt.Errorf("modules of %s: %w", program, err)
	}
	for _, m := range append(info.Deps, &info.Main) {
		local := m.Replace != nil && strings.HasPrefix(m.Replace.Path, ".")
		if m.Version == "(devel)" || m.Version == "" || local && strings.HasPrefix(m.Replace.Path, "./") {
			continue
		}
		if m.Replace != nil && !local {
			m = m.Replace
		}
		modules = append(modules, m)
	}
	return modules, info.GoVersion, nil
}

// programs lists the modules in each of our binaries.
func (b *build) programs() ([]component, error) {
	var out []component
	for _, name := range goPrograms {
		modules, goVersion, err := b.modulesIn(name)
		if err != nil {
			return nil, err
		}
		c := component{Type: "application", Ref: "program:" + name, Name: name, Version: goVersion}
		for _, m := range modules {
			purl := "pkg:golang/" + m.Path + "@" + m.Version
			c.Components = append(c.Components, component{Type: "library", Name: m.Path, Version: m.Version, PURL: purl})
		}
		out = append(out, c)
	}
	return out, nil
}
