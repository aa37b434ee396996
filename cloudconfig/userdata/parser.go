package userdata

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"rancheros/cloudconfig/userdata/document"
	"rancheros/cloudconfig/userdata/merge"
)

// Bounds on what one input may hold.
const (
	maxParts    = 1000
	maxDepth    = 10
	maxIncludes = 50
	maxProblems = 500
)

// A parser reads one Input.
type parser struct {
	ctx    context.Context
	opts   Options
	result *Result
	// left is how many bytes may still be unpacked.
	left     int64
	includes int

	// instance is the instance data; nil if there is none. noInstance says why.
	instance   map[string]any
	noInstance string

	// Of the source that is read now.
	leaves []leaf
	from   string
	// made says which part wrote a node.
	made map[*yaml.Node]int
}

// A leaf is a part that is no container.
type leaf struct {
	part    int // its index in result.Parts
	kind    string
	data    []byte
	headers header
}

// piece is content on its way to become parts.
type piece struct {
	data    []byte
	headers header
	// declared is the content type that its surroundings gave it.
	declared string
	name     string
	encoding string
	url      string
	parent   int
	depth    int
	// chain are the URLs that led here.
	chain []string
	// typed is true for content whose declared type is final.
	typed bool
	// sum is the content before it was unpacked.
	sum []byte
}

// outcome is what the parts of one source come to.
type outcome struct {
	config    *yaml.Node
	scripts   []Script
	boothooks []Script
}

func (p *parser) instanceData(data []byte) {
	if data == nil {
		p.noInstance = "there is no instance data"
		return
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := d.Decode(&p.instance); err != nil {
		p.instance = nil
		p.noInstance = "instance data is not a JSON object"
		p.problem(Problem{Severity: Error, Message: "instance data is not a JSON object: " + err.Error()})
		return
	}
	if p.instance == nil {
		p.instance = map[string]any{}
	}
}

func (p *parser) problem(pr Problem) {
	if len(p.result.Problems) < maxProblems {
		p.result.Problems = append(p.result.Problems, pr)
	}
}

// refuse marks a part as not handled, and says why.
func (p *parser) refuse(part int, err error) {
	pr := Problem{Severity: Error, Message: err.Error()}
	if e, ok := errors.AsType[*document.Error](err); ok {
		pr.Line, pr.Column, pr.Message = e.Line, e.Column, e.Message
	}
	p.refuseAt(part, pr)
}

func (p *parser) refuseAt(part int, pr Problem) {
	rec := &p.result.Parts[part]
	rec.Handled = false
	if rec.Problem == "" {
		rec.Problem = pr.Message
		if pr.Line > 0 {
			rec.Problem = fmt.Sprintf("line %d: %s", pr.Line, pr.Message)
		}
	}
	pr.Part, pr.Name, pr.Severity = rec.Index, rec.Name, Error
	p.problem(pr)
}

func (p *parser) warn(part, line, column int, format string, args ...any) {
	rec := p.result.Parts[part]
	p.problem(Problem{rec.Index, rec.Name, line, column, Warning, fmt.Sprintf(format, args...)})
}

func (p *parser) refusal() error {
	var errs []error
	for _, pr := range p.result.Problems {
		if pr.Severity == Error {
			errs = append(errs, errors.New(pr.String()))
		}
	}
	return errors.Join(errs...)
}

// String is "part-001:3:5: message".
func (pr Problem) String() string {
	var b strings.Builder
	if pr.Part > 0 {
		b.WriteString(pr.Name)
		if pr.Line > 0 {
			fmt.Fprintf(&b, ":%d", pr.Line)
		}
		if pr.Line > 0 && pr.Column > 0 {
			fmt.Fprintf(&b, ":%d", pr.Column)
		}
		b.WriteString(": ")
	}
	b.WriteString(pr.Message)
	return b.String()
}

// source reads the documents of one source.
func (p *parser) source(name string, docs [][]byte, policy vendorPolicy) outcome {
	p.leaves, p.from = nil, name
	for _, data := range docs {
		if len(data) == 0 {
			continue
		}
		if p.opts.DecodeIfBase64 {
			data = DecodeBase64(data)
		}
		p.take(piece{data: data, declared: Unknown})
	}
	if !policy.vendor { // vendor data is the same for all
		p.byLaunchIndex()
	}
	return p.handle(policy)
}

// record adds a part to the result and returns its index in Parts.
func (p *parser) record(c piece, kind string) int {
	sum := c.sum
	if sum == nil {
		sum = c.data
	}
	digest := sha256.Sum256(sum)
	n := len(p.result.Parts) + 1
	name := c.name
	if name == "" {
		name = unnamed(kind, len(p.leaves)+1)
	}
	p.result.Parts = append(p.result.Parts, Part{
		Index: n, Parent: c.parent, Source: p.from, Name: name, Type: kind, Encoding: c.encoding, URL: c.url,
		Declared: declaredOf(c, kind), Size: len(sum), SHA256: hex.EncodeToString(digest[:]),
	})
	return n - 1
}

// unnamed: leaves count from part-001; what is only taken apart has no number.
func unnamed(kind string, n int) string {
	switch kind {
	case Archive:
		return "archive"
	case Include, IncludeOnce:
		return "include"
	}
	return fmt.Sprintf("part-%03d", n)
}

func declaredOf(c piece, kind string) string {
	if c.declared == kind || c.declared == Unknown {
		return ""
	}
	return c.declared
}

// take finds out what a piece is, and adds it or what is in it to the parts.
func (p *parser) take(c piece) {
	if len(p.result.Parts) >= maxParts {
		p.problem(Problem{Severity: Error, Message: fmt.Sprintf("more than %d parts; the rest is left out", maxParts)})
		return
	}
	if c.depth > maxDepth {
		p.refuse(p.record(c, c.declared), fmt.Errorf("parts are nested more than %d deep", maxDepth))
		return
	}
	c.sum = c.data
	data, packed, err := unpack(c.data, p.left)
	if err != nil {
		p.refuse(p.record(c, c.declared), err)
		return
	}
	if c.data = data; packed {
		c.declared, c.typed = undefinedType, false
	}
	if p.left -= int64(len(data)); p.left < 0 {
		p.refuse(p.record(c, c.declared), fmt.Errorf("all parts together are larger than %d bytes", p.opts.MaxBytes))
		return
	}
	if !c.typed && isMessage(c.data) {
		p.message(c)
		return
	}
	kind := p.kindOf(c)
	switch kind {
	case Include, IncludeOnce:
		p.include(c, kind)
	case Archive:
		p.archive(c)
	default:
		p.leaf(c, kind)
	}
}

// kindOf is the type that a piece is handled as. What its surroundings declare
// counts, but for the types that people put on everything.
func (p *parser) kindOf(c piece) string {
	switch c.declared {
	case "", undefinedType, Unknown, ShellScript:
	default:
		return c.declared
	}
	if kind := Detect(c.data); kind != "" {
		return kind
	}
	if c.declared == "" {
		return undefinedType
	}
	return c.declared
}

func (p *parser) leaf(c piece, kind string) {
	at := p.record(c, kind)
	rec := &p.result.Parts[at]
	rec.LaunchIndex = launchIndexOf(c, kind)
	p.leaves = append(p.leaves, leaf{at, kind, c.data, c.headers})
}

// launchIndexOf is the header's, or the one that a cloud-config says. What a
// header says counts even if it is no number: it is then for no machine.
func launchIndexOf(c piece, kind string) string {
	text := c.headers.get("Launch-Index")
	if text != "" {
		return strings.TrimSpace(text)
	}
	if kind == CloudConfig && bytes.Contains(c.data, []byte("launch-index")) {
		if n, _, err := document.Parse(c.data); err == nil {
			if v := document.Get(n, "launch-index"); v != nil {
				text = v.Value
			}
		}
	}
	if i, err := strconv.Atoi(strings.TrimSpace(text)); err == nil {
		return strconv.Itoa(i)
	}
	return ""
}

// byLaunchIndex marks the leaves that are for other machines.
func (p *parser) byLaunchIndex() {
	want, err := strconv.Atoi(strings.TrimSpace(p.launchIndex()))
	if err != nil {
		return
	}
	for _, l := range p.leaves {
		rec := &p.result.Parts[l.part]
		if i, err := strconv.Atoi(rec.LaunchIndex); rec.LaunchIndex != "" && (err != nil || i != want) {
			rec.Skipped = "launch-index"
		}
	}
}

// launchIndex: as told, or from where upstream's datasources put it.
func (p *parser) launchIndex() string {
	if p.opts.LaunchIndex != "" {
		return p.opts.LaunchIndex
	}
	for _, path := range [][]string{
		{"ds", "meta_data", "launch-index"}, {"ds", "meta_data", "launch_index"}, {"ds", "meta_data", "ami-launch-index"},
		{"ds", "meta-data", "launch-index"}, {"launch-index"}, {"launch_index"},
	} {
		var v any = p.instance
		for _, k := range path {
			m, _ := v.(map[string]any)
			v = m[k]
		}
		switch x := v.(type) {
		case string:
			return x
		case json.Number:
			return x.String()
		}
	}
	return ""
}

// layer puts user-data over vendor-data2 over vendor-data.
func (p *parser) layer(user, vendor2, vendor outcome) {
	config := merge.FirstWins(merge.FirstWins(user.config, vendor2.config), vendor.config)
	if config == nil {
		config = document.Map()
	}
	p.result.Config = config
	p.result.Origins = p.origins(config)
	for _, o := range []outcome{vendor, vendor2, user} {
		p.result.Boothooks = append(p.result.Boothooks, o.boothooks...)
		p.result.Scripts = append(p.result.Scripts, o.scripts...)
	}
}

// wrote remembers that a part wrote a tree.
func (p *parser) wrote(n *yaml.Node, part int) {
	if n == nil {
		return
	}
	p.made[n] = part
	for _, c := range n.Content {
		p.wrote(c, part)
	}
}

func (p *parser) origins(n *yaml.Node) map[string]Origin {
	out := map[string]Origin{}
	var walk func(n, key *yaml.Node, path string)
	walk = func(n, key *yaml.Node, path string) {
		at := n
		if key != nil {
			at = key
		}
		part, ok := p.made[n]
		if !ok && key != nil {
			part, ok = p.made[key]
		}
		if ok && path != "" {
			out[path] = Origin{p.result.Parts[part].Index, at.Line, at.Column}
		}
		switch n.Kind {
		case yaml.MappingNode:
			for i := 0; i+1 < len(n.Content); i += 2 {
				walk(n.Content[i+1], n.Content[i], strings.TrimPrefix(path+"."+n.Content[i].Value, "."))
			}
		case yaml.SequenceNode:
			for i, c := range n.Content {
				walk(c, nil, fmt.Sprintf("%s[%d]", path, i))
			}
		}
	}
	walk(n, nil, "")
	return out
}
