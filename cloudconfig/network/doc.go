package network

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"rancheros/cloudconfig/shape"
	"rancheros/cloudconfig/yamlerr"
)

// Limits of a document. It comes from the network or from a user.
const (
	maxDocument = 4 << 20
	maxDepth    = 32
	maxNodes    = 200_000
	// maxLinks is more than any machine has.
	maxLinks = 4096
	// maxItems is how long a list is, and how many words a value has.
	maxItems = 4096
)

// A reader walks one document and collects what is wrong with it.
type reader struct {
	problems []Problem
	nodes    int
}

// A value is a node of the document with its path. A value without a node is
// one that the document does not have.
type value struct {
	r    *reader
	n    *yaml.Node
	path string
}

// parse reads YAML, which JSON is nearly part of: only its tabs are not.
func (r *reader) parse(doc []byte) (value, bool) {
	fail := func(format string, args ...any) (value, bool) {
		r.problems = append(r.problems, Problem{Message: fmt.Sprintf(format, args...), Severity: Error})
		return value{r: r}, false
	}
	if len(doc) > maxDocument {
		return fail("the document has %d bytes; at most %d are read", len(doc), maxDocument)
	}
	if bytes.IndexByte(doc, '\t') >= 0 && json.Valid(doc) {
		doc = bytes.ReplaceAll(doc, []byte("\t"), []byte(" "))
	}
	n, _, err := yamlerr.Read(doc)
	if errors.Is(err, io.EOF) {
		return fail("the document is empty")
	}
	if err != nil {
		line, column, message := yamlerr.Split(err)
		return fail("not YAML: line %d, column %d: %s", line, column, message)
	}
	if !r.plain(n, 0) {
		return fail("the document is nested or repeats itself too much")
	}
	if n.Kind == yaml.DocumentNode && len(n.Content) == 1 {
		return value{r: r, n: n.Content[0]}, true
	}
	return fail("the document is empty")
}

// plain resolves aliases in place, within bounds: ten lines of YAML can mean a
// billion.
func (r *reader) plain(n *yaml.Node, depth int) bool {
	if r.nodes++; r.nodes > maxNodes || depth > maxDepth {
		return false
	}
	for i, c := range n.Content {
		for c.Kind == yaml.AliasNode && c.Alias != nil {
			c = c.Alias
		}
		n.Content[i] = c
		if !r.plain(c, depth+1) {
			return false
		}
	}
	if n.Kind == yaml.MappingNode {
		n.Content = r.merged(n.Content)
	}
	return true
}

// merged puts what `<<` names into the mapping; its own keys win, and of a key
// that is there twice the last.
func (r *reader) merged(content []*yaml.Node) []*yaml.Node {
	var own, more []*yaml.Node
	have := map[string]int{}
	for i := 0; i+1 < len(content); i += 2 {
		k, v := content[i], content[i+1]
		if k.Tag == "!!merge" || k.Value == "<<" && k.Style == 0 {
			if v.Kind == yaml.SequenceNode {
				more = append(more, v.Content...)
			} else {
				more = append(more, v)
			}
			continue
		}
		at, twice := have[k.Value]
		if twice && k.Kind == yaml.ScalarNode {
			value{r, k, k.Value}.warnf("given twice, first in line %d; this one counts", own[at].Line)
			own[at], own[at+1] = k, v
			continue
		}
		have[k.Value] = len(own)
		own = append(own, k, v)
	}
	for _, m := range more {
		if m.Kind != yaml.MappingNode {
			continue
		}
		for i := 0; i+1 < len(m.Content); i += 2 {
			if _, ok := have[m.Content[i].Value]; !ok {
				have[m.Content[i].Value] = len(own)
				own = append(own, m.Content[i], m.Content[i+1])
			}
		}
	}
	return own
}

func (r *reader) report(v value, s Severity, suggestion, format string, args ...any) {
	p := Problem{Path: v.path, Message: fmt.Sprintf(format, args...), Suggestion: suggestion, Severity: s}
	if v.n != nil {
		p.Line, p.Column = v.n.Line, v.n.Column
	}
	r.problems = append(r.problems, p)
}

func (v value) errorf(format string, args ...any) { v.r.report(v, Error, "", format, args...) }
func (v value) warnf(format string, args ...any)  { v.r.report(v, Warning, "", format, args...) }

// there says that the document has the value and that it is not null.
func (v value) there() bool { return v.n != nil && v.n.Tag != "!!null" }

func (v value) is(kind yaml.Kind) bool { return v.there() && v.n.Kind == kind }

// get is the value of a key.
func (v value) get(keys ...string) value {
	for _, key := range keys {
		if !v.is(yaml.MappingNode) {
			break
		}
		for i := 0; i+1 < len(v.n.Content); i += 2 {
			if v.n.Content[i].Value == key {
				return value{v.r, v.n.Content[i+1], join(v.path, key)}
			}
		}
	}
	return value{r: v.r, path: join(v.path, keys[0])}
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// A pair is a key with its value.
type pair struct {
	key string
	value
	// at is the key itself, for its position.
	at value
}

// pairs of a mapping, in the order of the document. Anything else is reported.
func (v value) pairs() []pair {
	if !v.there() {
		return nil
	}
	if v.n.Kind != yaml.MappingNode {
		v.errorf("should be a mapping of keys to values")
		return nil
	}
	var out []pair
	for i := 0; i+1 < len(v.n.Content); i += 2 {
		k, c := v.n.Content[i], v.n.Content[i+1]
		at := value{v.r, k, join(v.path, k.Value)}
		if k.Kind != yaml.ScalarNode {
			at.errorf("a key should be a word")
			continue
		}
		out = append(out, pair{k.Value, value{v.r, c, at.path}, at})
	}
	return out
}

// items of a list. A single value counts as a list of one.
func (v value) items() []value {
	if !v.there() {
		return nil
	}
	if v.n.Kind != yaml.SequenceNode {
		return []value{v}
	}
	n := min(len(v.n.Content), maxItems)
	if n < len(v.n.Content) {
		v.errorf("is a list of %d; %d are read", len(v.n.Content), n)
	}
	out := make([]value, 0, n)
	for i, c := range v.n.Content[:n] {
		out = append(out, value{v.r, c, v.path + "[" + strconv.Itoa(i) + "]"})
	}
	return out
}

// list is items, but a single value is an error.
func (v value) list() []value {
	if v.there() && v.n.Kind != yaml.SequenceNode {
		v.errorf("should be a list")
		return nil
	}
	return v.items()
}

// text of a scalar, as it is written.
func (v value) text() string {
	if !v.there() {
		return ""
	}
	if v.n.Kind != yaml.ScalarNode {
		v.errorf("should be a single value")
		return ""
	}
	return strings.TrimSpace(v.n.Value)
}

// words of a scalar or a list, split at blanks and commas.
func (v value) words() []string {
	var out []string
	for _, i := range v.items() {
		out = append(out, strings.FieldsFunc(i.text(), func(r rune) bool { return r == ' ' || r == ',' || r == '\t' || r == '\n' })...)
		if len(out) > maxItems {
			v.errorf("has more than %d words", maxItems)
			return out[:maxItems]
		}
	}
	return out
}

func (v value) number(least, most int) int {
	if !v.there() {
		return 0
	}
	n, err := strconv.Atoi(v.text())
	if err != nil {
		v.errorf("should be a whole number, not %q", v.text())
		return 0
	}
	if n < least || n > most {
		v.errorf("%d is out of range: %d to %d are possible", n, least, most)
		return 0
	}
	return n
}

// yes reads a bool in any spelling of YAML; nil when it is not there.
func (v value) yes() *bool {
	if !v.there() {
		return nil
	}
	b, ok := boolOf(v.text())
	if !ok {
		v.errorf("should be true or false, not %q", v.text())
		return nil
	}
	return &b
}

func boolOf(s string) (b, ok bool) {
	switch strings.ToLower(s) {
	case "true", "yes", "on", "1", "y":
		return true, true
	case "false", "no", "off", "0", "n":
		return false, true
	}
	return false, false
}

func (v value) isTrue() bool { b := v.yes(); return b != nil && *b }

// mac is a MAC address in lower case.
func (v value) mac() string {
	s := strings.ToLower(v.text())
	if s != "" && !validMAC(s) {
		v.warnf("%q is no MAC address", s)
	}
	return s
}

func validMAC(s string) bool {
	parts := strings.Split(s, ":")
	for _, p := range parts {
		if len(p) != 2 || strings.Trim(p, "0123456789abcdef*?") != "" {
			return false
		}
	}
	return len(parts) == 6 || len(parts) == 8 || len(parts) == 20
}

// addr is an IP address; ok is false when it is none or not there.
func (v value) addr() (netip.Addr, bool) {
	s := v.text()
	if s == "" {
		return netip.Addr{}, false
	}
	// A prefix length means nothing here.
	bare, _, _ := strings.Cut(s, "/")
	a, err := parseAddr(bare)
	if err != nil {
		v.errorf("%q is no IP address", s)
		return netip.Addr{}, false
	}
	return a, true
}

// servers are addresses of name servers, as the config keeps them.
func (v value) servers() []string {
	var out []string
	for _, i := range v.items() {
		for _, w := range i.words() {
			if a, err := netip.ParseAddr(w); err == nil {
				w = a.String()
			} else {
				i.warnf("%q is no IP address", w)
			}
			if len(out) < maxItems && !slices.Contains(out, w) {
				out = append(out, w)
			}
		}
	}
	return out
}

// unknown reports keys that are in no list. Those in ignored have no meaning
// for us, but are none of the writer's mistakes.
func (v value) unknown(known, ignored []string) {
	for _, p := range v.pairs() {
		switch {
		case slices.Contains(known, p.key):
		case slices.Contains(ignored, p.key):
			p.at.warnf("has no meaning here and is ignored")
		default:
			v.r.report(p.at, Error, shape.Nearest(p.key, known), "unknown key")
		}
	}
}

// validName says whether the kernel takes the name for a link.
func validName(s string) bool {
	return s != "" && s != "." && s != ".." && len(s) <= 15 &&
		strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || r == '/' || r == ':' }) < 0
}

// name is a value that a link will be called by.
func (v value) name() string {
	s := v.text()
	if s != "" && !validName(s) {
		v.errorf("%q is no name for a link: 15 letters at most, without blanks and slashes", s)
		return ""
	}
	return s
}
