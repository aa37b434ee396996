// Package wire reads the formats that the answers of several clouds share:
// loosely typed YAML and JSON documents, lists of ssh keys in their many
// shapes, base64 that may or may not be there, trees of plain files in the
// manner of EC2, OVF environments.
//
// All of it comes from a network or a drive and is not trusted: sizes and
// depths are bounded, and nothing panics.
package wire

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// A Doc is a document without a schema, as YAML or JSON give it.
type Doc map[string]any

// Parse reads a YAML or JSON document whose top is a mapping. An empty
// document is an empty Doc.
func Parse(b []byte) (Doc, error) {
	var v any
	if err := yaml.Unmarshal(tidy(b), &v); err != nil {
		return nil, fmt.Errorf("parse document: %w", err)
	}
	switch v := v.(type) {
	case nil:
		return Doc{}, nil
	case map[string]any:
		return v, nil
	}
	return nil, fmt.Errorf("parse document: want a mapping, have %T", v)
}

// ParseList reads a YAML or JSON document whose top is a list of mappings.
func ParseList(b []byte) ([]Doc, error) {
	var v []Doc
	if err := yaml.Unmarshal(tidy(b), &v); err != nil {
		return nil, fmt.Errorf("parse document: %w", err)
	}
	return v, nil
}

// tidy removes a byte order mark, which YAML does not expect in the middle of
// what some Windows tools write.
func tidy(b []byte) []byte {
	return []byte(strings.TrimPrefix(string(b), "\ufeff"))
}

// Get returns the first of keys that is there and not null. A key with dots is
// a path.
func (d Doc) Get(keys ...string) any {
	for _, k := range keys {
		if v := d.at(k); v != nil {
			return v
		}
	}
	return nil
}

func (d Doc) at(path string) any {
	if v, ok := d[path]; ok {
		return v
	}
	head, rest, ok := strings.Cut(path, ".")
	if !ok {
		return nil
	}
	sub := AsDoc(d[head])
	if sub == nil {
		return nil
	}
	return sub.at(rest)
}

// Str returns the first of keys that is a scalar and not empty, as text.
func (d Doc) Str(keys ...string) string {
	for _, k := range keys {
		if s := Scalar(d.at(k)); s != "" {
			return s
		}
	}
	return ""
}

// Doc returns the mapping below key, or nil.
func (d Doc) Doc(key string) Doc { return AsDoc(d.at(key)) }

// List returns the mappings of the list below key.
func (d Doc) List(key string) []Doc {
	l, _ := d.at(key).([]any)
	out := make([]Doc, 0, len(l))
	for _, v := range l {
		if m := AsDoc(v); m != nil {
			out = append(out, m)
		}
	}
	return out
}

// Drop takes away what is at the paths: user-data and passwords, which are kept
// elsewhere and must not be shown with the rest of a document.
func (d Doc) Drop(paths ...string) {
	for _, path := range paths {
		head, rest, nested := strings.Cut(path, ".")
		if _, ok := d[path]; ok || !nested {
			delete(d, path)
			continue
		}
		if sub := AsDoc(d[head]); sub != nil {
			sub.Drop(rest)
		}
	}
}

// Strings returns the list of scalars below key; one scalar is a list of one.
func (d Doc) Strings(key string) []string { return Strings(d.at(key)) }

// AsDoc returns v as a Doc if it is a mapping, else nil.
func AsDoc(v any) Doc {
	switch v := v.(type) {
	case Doc:
		return v
	case map[string]any:
		return v
	case map[any]any: // YAML with keys that are no strings
		out := make(Doc, len(v))
		for k, e := range v {
			out[fmt.Sprint(k)] = e
		}
		return out
	}
	return nil
}

// Scalar returns v as text, or "" if it is a list, a mapping or null.
func Scalar(v any) string {
	switch v := v.(type) {
	case string:
		return strings.TrimSpace(v)
	case bool:
		return strconv.FormatBool(v)
	case int:
		return strconv.Itoa(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case uint64:
		return strconv.FormatUint(v, 10)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return ""
}

// Strings returns v as a list of texts; empty ones are left out.
func Strings(v any) []string {
	l, ok := v.([]any)
	if !ok {
		l = []any{v}
	}
	var out []string
	for _, e := range l {
		if s := Scalar(e); s != "" {
			out = append(out, s)
		}
	}
	return out
}

// Bytes returns user-data or vendor-data as a document carries it: a text as
// it is, anything else as JSON would spell it. Lists that are empty and null
// mean that there is none.
func Bytes(v any) []byte {
	switch v := v.(type) {
	case nil:
		return nil
	case string:
		if v == "" {
			return nil
		}
		return []byte(v)
	case []byte:
		return v
	case []any:
		if len(v) == 0 {
			return nil
		}
	}
	if s := Scalar(v); s != "" {
		return []byte(s)
	}
	b, err := yaml.Marshal(v)
	if err != nil {
		return nil
	}
	return b
}

// ErrMissing says that a document lacks a key without which it is no metadata.
var ErrMissing = errors.New("required key is missing")

// VendorData returns the part of an OpenStack-like vendor data document that
// is for cloud-init: a text as it is, of a mapping the value of "cloud-init", of
// several parts a #cloud-config-archive.
func VendorData(v any) []byte {
	if m := AsDoc(v); m != nil {
		v = m["cloud-init"]
	}
	l, ok := v.([]any)
	if !ok {
		return Bytes(v)
	}
	if len(l) == 1 {
		if s, ok := l[0].(string); ok {
			return Bytes(s)
		}
	}
	b := Bytes(v)
	if b == nil {
		return nil
	}
	return append([]byte("#cloud-config-archive\n"), b...)
}
