package userdata

import (
	"bytes"
	"fmt"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"rancheros/cloudconfig/userdata/document"
	"rancheros/cloudconfig/userdata/jinja"
	"rancheros/cloudconfig/userdata/merge"
)

// vendorPolicy is what user-data lets vendor data do.
type vendorPolicy struct {
	vendor bool
	// off says why nothing of it counts; or is empty.
	off      string
	prefix   []string
	excluded []string
}

// handle goes through the leaves in order.
func (p *parser) handle(policy vendorPolicy) outcome {
	var out outcome
	for _, l := range p.leaves {
		rec := &p.result.Parts[l.part]
		switch {
		case rec.Skipped != "":
		case policy.off != "":
			rec.Skipped = policy.off
		case slices.Contains(policy.excluded, l.kind) || slices.Contains(policy.excluded, "all"):
			rec.Skipped = "user-data disables this type for vendor data"
		default:
			rec.Handled = true
			p.one(l, policy, &out)
		}
	}
	return out
}

// one handles a leaf by its type.
func (p *parser) one(l leaf, policy vendorPolicy, out *outcome) {
	switch l.kind {
	case CloudConfig:
		p.cloudConfig(l, out)
	case JSONPatch:
		p.patch(l, out)
	case Jinja:
		p.template(l, policy, out)
	case Compose:
		p.compose(l, out)
	case Ignition:
		p.ignition(l, out)
	case ShellScript, PerBoot, PerInstance, PerOnce:
		out.scripts = append(out.scripts, p.script(l, policy))
	case Boothook:
		s := p.script(l, policy)
		s.Frequency = EachBoot
		s.Content = bytes.TrimLeft(cutPrefixFold(s.Content, "#cloud-boothook"), " \t\r\n")
		out.boothooks = append(out.boothooks, s)
	case PartHandler:
		p.refuse(l.part, fmt.Errorf("part handlers are Python code for upstream cloud-init; there is no Python here: send the content itself, or a #! script"))
	default:
		p.unknown(l)
	}
}

func (p *parser) unknown(l leaf) {
	if len(bytes.TrimSpace(l.data)) == 0 {
		return
	}
	p.refuse(l.part, unknownContent(l.data, l.kind))
}

func cutPrefixFold(data []byte, prefix string) []byte {
	trimmed := bytes.TrimLeft(data, " \t\r\n")
	if len(trimmed) >= len(prefix) && strings.EqualFold(string(trimmed[:len(prefix)]), prefix) {
		return trimmed[len(prefix):]
	}
	return data
}

// lint passes on what a document's reader found strange.
func (p *parser) lint(part int, problems []document.Problem) {
	for _, pr := range problems {
		p.warn(part, pr.Line, pr.Column, "%s", pr.Message)
	}
}

// text is a leaf's content as UTF-8 without a byte order mark.
func (p *parser) text(l leaf) []byte {
	text, note := decodeText(l.data)
	if note != "" {
		p.warn(l.part, 1, 1, "%s", note)
	}
	return text
}

// mapping parses a leaf that must be a YAML mapping. nil is an empty one.
func (p *parser) mapping(l leaf) (*yaml.Node, bool) {
	text := p.text(l)
	if i := bytes.Index(text, []byte("\r\n")); i >= 0 {
		p.warn(l.part, 1+bytes.Count(text[:i], []byte("\n")), 0, "lines end in CR LF; save it with LF only")
	}
	n, problems, err := document.Parse(text)
	p.lint(l.part, problems)
	switch {
	case err != nil:
		p.refuse(l.part, err)
		return nil, false
	case n != nil && n.Kind != yaml.MappingNode:
		p.refuseAt(l.part, Problem{Line: n.Line, Column: n.Column, Message: "this must be a mapping of keys to values"})
		return nil, false
	}
	return n, true
}

func (p *parser) cloudConfig(l leaf, out *outcome) {
	p.headerLint(l)
	n, ok := p.mapping(l)
	if !ok || n == nil {
		return
	}
	p.wrote(n, l.part)
	p.join(l, n, out)
}

// headerLint: upstream only looks at the beginning of the first line.
func (p *parser) headerLint(l leaf) {
	text, _ := decodeText(l.data)
	first, _, _ := bytes.Cut(bytes.TrimLeft(text, " \t\r\n"), []byte("\n"))
	line := string(bytes.TrimRight(first, " \t\r"))
	if strings.HasPrefix(strings.ToLower(line), "#cloud-config") && line != "#cloud-config" {
		p.warn(l.part, 1, 1, "the first line should be exactly #cloud-config, not %.60q", line)
	}
}

// join merges a part into what its source has so far, as the part asks.
func (p *parser) join(l leaf, n *yaml.Node, out *outcome) {
	mergers, err := merge.Take(n)
	if err != nil {
		p.refuse(l.part, err)
		return
	}
	head := l.headers.get("Merge-Type")
	if head == "" {
		head = l.headers.get("X-Merge-Type")
	}
	more, err := merge.Parse(head)
	if err != nil {
		p.refuse(l.part, err)
		return
	}
	if mergers = append(mergers, more...); len(mergers) == 0 {
		if mergers, err = merge.Parse(merge.Default); err != nil {
			p.refuse(l.part, err)
			return
		}
	}
	p.importCoreOS(l, n)
	old := out.config
	if old == nil {
		old = document.Map()
	}
	joined, err := mergers.Merge(old, n)
	if err != nil {
		p.refuse(l.part, fmt.Errorf("merge: %w", err))
		return
	}
	out.config = joined
}

func (p *parser) patch(l leaf, out *outcome) {
	body := cutPrefixFold(p.text(l), "#cloud-config-jsonp")
	old := out.config
	if old == nil {
		old = document.Map()
	}
	patched, err := applyPatch(old, body, func(n *yaml.Node) { p.wrote(n, l.part) })
	if err != nil {
		p.refuse(l.part, fmt.Errorf("JSON patch: %w", err))
		return
	}
	if patched.Kind != yaml.MappingNode {
		p.refuse(l.part, fmt.Errorf("JSON patch: the config is no mapping afterwards"))
		return
	}
	out.config = patched
}

func (p *parser) script(l leaf, policy vendorPolicy) Script {
	rec := p.result.Parts[l.part]
	content := toUnix(p.text(l))
	if trimmed := bytes.TrimLeft(content, " \t\r\n"); bytes.HasPrefix(trimmed, []byte("#!")) {
		content = trimmed // the kernel wants #! first
	} else if l.kind != Boothook {
		p.warn(l.part, 1, 1, "script does not start with #!; it cannot be run")
	}
	name := rec.Name
	if l.kind == PerBoot || l.kind == PerInstance || l.kind == PerOnce {
		name = path.Base(name)
	}
	s := Script{Name: cleanName(name), Content: content, Frequency: EachInstance, Type: l.kind, Vendor: policy.vendor, Prefix: policy.prefix, Part: rec.Index}
	switch l.kind {
	case PerBoot:
		s.Frequency = EachBoot
	case PerOnce:
		s.Frequency = Once
	}
	return s
}

// toUnix makes LF of CR LF, if the first line ends that way.
func toUnix(data []byte) []byte {
	if i := bytes.IndexByte(data, '\n'); i <= 0 || data[i-1] != '\r' {
		return data
	}
	return bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n"))
}

// cleanName leaves of a file name what is harmless in a path.
func cleanName(name string) string {
	name = strings.Map(func(r rune) rune {
		switch {
		case r == '/':
			return '_'
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', strings.ContainsRune("_-.()", r):
			return r
		}
		return -1
	}, name)
	if strings.Trim(name, ".") == "" {
		return "part"
	}
	return name
}

// template renders a part and handles what comes out.
func (p *parser) template(l leaf, policy vendorPolicy, out *outcome) {
	text := bytes.TrimLeft(p.text(l), " \t\r\n")
	first, body, _ := bytes.Cut(text, []byte("\n"))
	_, kind, _ := strings.Cut(strings.ToLower(string(first)), "template:")
	if strings.TrimSpace(kind) != "jinja" {
		p.refuseAt(l.part, Problem{Line: 1, Message: "a template starts with the line \"## template: jinja\""})
		return
	}
	if p.instance == nil {
		p.refuse(l.part, fmt.Errorf("template cannot be rendered: %s", p.noInstance))
		return
	}
	rendered, missing, err := jinja.Render(string(body), jinja.Variables(p.instance))
	if err != nil {
		pr := Problem{Message: "template: " + err.Error()}
		if e, ok := err.(*jinja.Error); ok {
			pr.Message = "template: " + e.Message
			if e.Line > 0 {
				pr.Line = e.Line + 1
			}
		}
		p.refuseAt(l.part, pr)
		return
	}
	if len(missing) > 0 {
		p.warn(l.part, 0, 0, "template: no value for %s; %s stands there instead", strings.Join(missing, ", "), jinja.MissingPrefix+missing[0])
	}
	if strings.TrimSpace(rendered) == "" {
		return
	}
	sub := l
	sub.data, sub.kind = []byte(rendered), Detect([]byte(rendered))
	p.result.Parts[l.part].Renders = sub.kind
	switch sub.kind {
	case CloudConfig, JSONPatch, Boothook, ShellScript, Compose, Ignition:
		p.one(sub, policy, out)
	case "":
		p.refuse(l.part, fmt.Errorf("template renders to %w", unknownContent(sub.data, "")))
	default:
		p.refuse(l.part, fmt.Errorf("template renders to %s, which must not be a template", sub.kind))
	}
}
