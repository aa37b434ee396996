package userdata

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"mime"
	"mime/quotedprintable"
	"strings"
)

// headerSearch is how far from the start MIME headers are looked for.
const headerSearch = 4096

// header is a block of MIME header lines; names in lower case, the first of
// each counts.
type header map[string]string

func (h header) get(name string) string { return h[strings.ToLower(name)] }

// isMessage: content begins with header lines, and one of them is MIME's.
func isMessage(data []byte) bool {
	head, _ := decodeText(data)
	h, _ := cutHeader(head[:min(len(head), headerSearch)])
	return h.get("MIME-Version") != "" || h.get("Content-Type") != ""
}

// cutHeader reads header lines up to an empty line, or to a line that is none.
func cutHeader(data []byte) (header, []byte) {
	data = bytes.TrimLeft(data, " \t\r\n")
	h := header{}
	last := ""
	for first := true; len(data) > 0; first = false {
		line, rest, _ := bytes.Cut(data, []byte("\n"))
		text := strings.TrimRight(string(line), "\r")
		if first && strings.HasPrefix(text, "From ") {
			data = rest
			continue
		}
		if text == "" {
			return h, rest
		}
		if text[0] == ' ' || text[0] == '\t' {
			if last == "" {
				return h, data
			}
			h[last] += " " + strings.TrimSpace(text)
			data = rest
			continue
		}
		name, value, ok := strings.Cut(text, ":")
		if !ok || name == "" || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return h, data
		}
		if last = strings.ToLower(name); h[last] != "" {
			last = "" // a repeated header does not count, nor do its next lines
			data = rest
			for len(data) > 0 && (data[0] == ' ' || data[0] == '\t') {
				_, data, _ = bytes.Cut(data, []byte("\n"))
			}
			continue
		}
		h[last] = strings.TrimSpace(value)
		data = rest
	}
	return h, data
}

// mediaType reads "text/plain; charset=x"; it forgives broken parameters.
func mediaType(value string) (string, map[string]string) {
	if value == "" {
		return undefinedType, nil
	}
	kind, params, err := mime.ParseMediaType(value)
	if err == nil && strings.Count(kind, "/") == 1 {
		return kind, params
	}
	head, rest, _ := strings.Cut(value, ";")
	params = map[string]string{}
	for f := range strings.SplitSeq(rest, ";") {
		if k, v, ok := strings.Cut(f, "="); ok {
			params[strings.ToLower(strings.TrimSpace(k))] = strings.Trim(strings.TrimSpace(v), `"`)
		}
	}
	kind = strings.ToLower(strings.TrimSpace(head))
	if strings.Count(kind, "/") != 1 {
		kind = undefinedType
	}
	return kind, params
}

// message takes a MIME message apart. A multipart's parts, and theirs, become
// pieces; anything else is one piece.
func (p *parser) message(c piece) {
	text, note := decodeText(c.data)
	h, body := cutHeader(text)
	if note != "" {
		p.problem(Problem{Severity: Warning, Message: c.nameOr("user-data") + " " + note})
	}
	p.entity(c, h, body)
}

func (c piece) nameOr(or string) string {
	if c.name != "" {
		return c.name
	}
	return or
}

func (p *parser) entity(c piece, h header, body []byte) {
	kind, params := mediaType(h.get("Content-Type"))
	one := c
	one.headers, one.declared, one.depth, one.sum = h, kind, c.depth+1, nil
	one.name = filename(h, params)
	switch {
	case strings.HasPrefix(kind, "multipart/"):
		parts, err := splitParts(body, params["boundary"])
		if err != nil {
			p.refuse(p.record(one, kind), err)
			return
		}
		if c.depth > maxDepth {
			p.refuse(p.record(one, kind), fmt.Errorf("MIME parts are nested more than %d deep", maxDepth))
			return
		}
		for _, part := range parts {
			if len(p.result.Parts) >= maxParts {
				p.take(piece{}) // says so
				return
			}
			inner, text := cutPartHeader(part)
			next := c
			next.depth++
			p.entity(next, inner, text)
		}
		return
	case kind == "message/rfc822":
		one.data = body
		p.message(one)
		return
	}
	one.encoding = strings.ToLower(h.get("Content-Transfer-Encoding"))
	data, err := decodeTransfer(body, one.encoding)
	one.data = data
	if err != nil {
		one.data = body
		p.refuse(p.record(one, kind), err)
		return
	}
	one.typed = true
	p.take(one)
}

// cutPartHeader: a part that begins with an empty line has no header.
func cutPartHeader(part []byte) (header, []byte) {
	if rest, ok := bytes.CutPrefix(part, []byte("\n")); ok {
		return header{}, rest
	}
	if rest, ok := bytes.CutPrefix(part, []byte("\r\n")); ok {
		return header{}, rest
	}
	return cutHeader(part)
}

// filename is what the part calls itself; only its last element counts.
func filename(h header, typeParams map[string]string) string {
	_, params := mediaType(h.get("Content-Disposition"))
	name := params["filename"]
	if name == "" {
		name = typeParams["name"]
	}
	return name
}

// splitParts cuts a body at its boundary lines. A missing end is forgiven, as
// mailers do.
func splitParts(body []byte, boundary string) ([][]byte, error) {
	if boundary == "" {
		return nil, fmt.Errorf("multipart without a boundary: Content-Type needs boundary=\"...\"")
	}
	var parts [][]byte
	open := -1
	for at := 0; at < len(body); {
		end := bytes.IndexByte(body[at:], '\n')
		next := len(body)
		line := body[at:]
		if end >= 0 {
			next = at + end + 1
			line = body[at : at+end]
		}
		text := strings.TrimRight(string(line[:min(len(line), 200)]), " \t\r")
		if text == "--"+boundary || text == "--"+boundary+"--" {
			if open >= 0 {
				parts = append(parts, body[open:max(open, beforeNewline(body, at))])
			}
			open = next
			if strings.HasSuffix(text, "--") && text != "--"+boundary {
				return parts, nil
			}
		}
		at = next
	}
	if open >= 0 && open < len(body) {
		parts = append(parts, body[open:])
	}
	if len(parts) == 0 {
		return nil, fmt.Errorf("multipart without parts: the line \"--%.70s\" is not there", boundary)
	}
	return parts, nil
}

// beforeNewline: the line end before a boundary belongs to the boundary.
func beforeNewline(body []byte, at int) int {
	if at > 0 && body[at-1] == '\n' {
		at--
		if at > 0 && body[at-1] == '\r' {
			at--
		}
	}
	return at
}

func decodeTransfer(body []byte, encoding string) ([]byte, error) {
	switch encoding {
	case "", "7bit", "8bit", "binary":
		return body, nil
	case "base64":
		bare := bytes.Map(func(r rune) rune {
			if r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '+' || r == '/' {
				return r
			}
			return -1
		}, body)
		out, err := base64.RawStdEncoding.DecodeString(string(bare))
		if err != nil {
			return nil, fmt.Errorf("content is not valid base64: %w", err)
		}
		return out, nil
	case "quoted-printable":
		out, err := io.ReadAll(quotedprintable.NewReader(bytes.NewReader(body)))
		if err != nil {
			return nil, fmt.Errorf("content is not valid quoted-printable: %w", err)
		}
		return out, nil
	}
	return nil, fmt.Errorf("content transfer encoding %q is not supported; use base64", encoding)
}
