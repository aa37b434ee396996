package userdata

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"rancheros/cloudconfig/userdata/document"
	"rancheros/cloudconfig/userdata/fetch"

	"go.yaml.in/yaml/v4"
)

// An includeLine is one URL of an #include.
type includeLine struct {
	line int
	url  string
	// pin is the SHA-256 that the content must have, in hex; or empty.
	pin  string
	once bool
}

// includeLines reads "#include" content: a URL per line, comments, and
// "#include URL" on one line. "#sha256=HEX" behind a URL pins its content.
func includeLines(data []byte) []includeLine {
	var out []includeLine
	once := false
	n := 0
	for line := range strings.SplitSeq(string(data), "\n") {
		n++
		line = strings.TrimSpace(line)
		low := lowerASCII(line)
		switch {
		case strings.HasPrefix(low, "#include-once"):
			once, line = true, strings.TrimSpace(line[len("#include-once"):])
		case strings.HasPrefix(low, "#include"):
			once, line = false, strings.TrimSpace(line[len("#include"):])
		}
		if line == "" || line[0] == '#' {
			continue
		}
		target, pin := line, ""
		if i := strings.Index(lowerASCII(line), "#sha256="); i >= 0 {
			target, pin = strings.TrimSpace(line[:i]), strings.ToLower(strings.TrimSpace(line[i+len("#sha256="):]))
		}
		out = append(out, includeLine{n, target, pin, once})
	}
	return out
}

// lowerASCII keeps the length, so that places in it are places in s.
func lowerASCII(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// include fetches each URL; what it gives is read as user-data.
func (p *parser) include(c piece, kind string) {
	at := p.record(c, kind)
	p.result.Parts[at].Container, p.result.Parts[at].Handled = true, true
	p.result.Parts[at].LaunchIndex = launchIndexOf(c, kind)
	text, _ := decodeText(c.data)
	for _, l := range includeLines(text) {
		data, err := p.fetchInclude(l, c.chain)
		if err != nil {
			p.refuseAt(at, Problem{Line: l.line, Message: fmt.Sprintf("include: %v", err)})
			continue
		}
		p.take(piece{
			data: data, declared: Unknown, url: fetch.Shown(l.url), parent: p.result.Parts[at].Index,
			depth: c.depth + 1, chain: append(slices.Clone(c.chain), l.url),
		})
	}
}

func (p *parser) fetchInclude(l includeLine, chain []string) ([]byte, error) {
	shown := fetch.Shown(l.url)
	if slices.Contains(chain, l.url) {
		return nil, fmt.Errorf("%s includes itself", shown)
	}
	key := cacheKey(l.url)
	if l.once && p.opts.Store != nil {
		if data, ok := p.opts.Store.Get(key); ok && checkPin(shown, l.pin, data) == nil {
			return data, nil
		}
	}
	if p.opts.Fetch == nil {
		return nil, fmt.Errorf("%s: fetching is not allowed here", shown)
	}
	if p.includes++; p.includes > maxIncludes {
		return nil, fmt.Errorf("%s: more than %d includes", shown, maxIncludes)
	}
	data, err := p.opts.Fetch(p.ctx, fetch.Request{URL: l.url, Max: max(p.left, 0)})
	if err != nil {
		return nil, err
	}
	if err := checkPin(shown, l.pin, data); err != nil {
		return nil, err
	}
	if l.once && p.opts.Store != nil {
		if err := p.opts.Store.Put(key, data); err != nil {
			p.problem(Problem{Severity: Warning, Message: fmt.Sprintf("include-once: keep %s: %v", shown, err)})
		}
	}
	return data, nil
}

func cacheKey(url string) string {
	sum := sha256.Sum256([]byte(url))
	return hex.EncodeToString(sum[:])
}

func checkPin(shown, pin string, data []byte) error {
	if pin == "" {
		return nil
	}
	sum := sha256.Sum256(data)
	if got := hex.EncodeToString(sum[:]); got != pin {
		return fmt.Errorf("%s: its SHA-256 is %s, not %s as pinned", shown, got, pin)
	}
	return nil
}

// archive takes a #cloud-config-archive apart: a list of texts and of mappings
// with content, type, filename, launch-index and headers.
func (p *parser) archive(c piece) {
	at := p.record(c, Archive)
	rec := &p.result.Parts[at]
	rec.Container, rec.Handled = true, true
	text, note := decodeText(c.data)
	if note != "" {
		p.warn(at, 0, 0, "%s", note)
	}
	list, problems, err := document.Parse(text)
	p.lint(at, problems)
	if err != nil {
		p.refuse(at, err)
		return
	}
	if list == nil {
		return
	}
	if list.Kind != yaml.SequenceNode {
		p.refuse(at, fmt.Errorf("an archive is a list of parts"))
		return
	}
	index := rec.Index
	for _, entry := range list.Content {
		next, err := archiveEntry(entry)
		if err != nil {
			p.refuseAt(at, Problem{Line: entry.Line, Column: entry.Column, Message: err.Error()})
			continue
		}
		next.parent, next.depth, next.chain = index, c.depth+1, c.chain
		p.take(next)
	}
}

func archiveEntry(entry *yaml.Node) (piece, error) {
	if entry.Kind == yaml.ScalarNode {
		entry = &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{document.String("content"), entry}}
	}
	if entry.Kind != yaml.MappingNode {
		return piece{}, fmt.Errorf("an entry of an archive is text or a mapping with content")
	}
	c := piece{headers: header{}, typed: true}
	binary := false
	for i := 0; i+1 < len(entry.Content); i += 2 {
		key, v := entry.Content[i].Value, entry.Content[i+1]
		switch strings.ToLower(key) {
		case "content":
			switch x := document.Value(v).(type) {
			case []byte:
				c.data, binary = x, true
			case string:
				c.data = []byte(x)
			default:
				return piece{}, fmt.Errorf("content of an archive entry must be text")
			}
		case "type":
			c.declared, _ = mediaType(v.Value)
		case "filename":
			c.name = v.Value
		default:
			if v.Kind == yaml.ScalarNode {
				c.headers[strings.ToLower(key)] = v.Value
			}
		}
	}
	if c.declared == "" {
		// A part of an archive that does not say is cloud-config.
		if c.declared = Detect(c.data); c.declared == "" {
			c.declared = CloudConfig
			if binary {
				c.declared = octetStream
			}
		}
	}
	return c, nil
}
