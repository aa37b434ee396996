package jinja

import (
	"encoding/base64"
	"encoding/json"
	"strings"
)

// Variables makes the variables of a template from instance data: values that
// base64_encoded_keys (or base64-encoded-keys) name are decoded, the keys of v1,
// v2 ... are there at the top too, and a key with an operator in it can also be
// written with underscores.
func Variables(instance map[string]any) map[string]any {
	decode := map[string]bool{}
	for _, name := range []string{"base64_encoded_keys", "base64-encoded-keys"} {
		list, _ := instance[name].([]any)
		for _, p := range list {
			if s, ok := p.(string); ok {
				decode[strings.ReplaceAll(s, "-", "_")] = true
			}
		}
	}
	return convert(instance, "", decode, 0)
}

func convert(in map[string]any, prefix string, decode map[string]bool, depth int) map[string]any {
	out := make(map[string]any, len(in))
	if depth > maxNested {
		return out
	}
	for _, key := range sortedKeys(in) {
		value := in[key]
		path := prefix + key
		if s, ok := value.(string); ok && decode[path] {
			if data, err := base64.StdEncoding.DecodeString(s); err == nil {
				value = string(data)
			}
		}
		m, isMap := value.(map[string]any)
		if !isMap {
			out[key] = normal(value, depth)
		} else {
			sub := convert(m, path+"/", decode, depth+1)
			out[key] = sub
			if isVersion(key) {
				for k, v := range sub {
					out[k] = v
				}
			}
		}
		if alias := aliasOf(key); alias != key {
			out[alias] = out[key]
		}
	}
	return out
}

// normal turns json.Number into int64 or float64, at any depth.
func normal(v any, depth int) any {
	if depth > maxNested {
		return nil
	}
	switch x := v.(type) {
	case json.Number:
		if i, err := x.Int64(); err == nil {
			return i
		}
		f, err := x.Float64()
		if err != nil {
			return x.String()
		}
		return f
	case int:
		return int64(x)
	case []any:
		out := make([]any, len(x))
		for i := range x {
			out[i] = normal(x[i], depth+1)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(x))
		for k, e := range x {
			out[k] = normal(e, depth+1)
		}
		return out
	}
	return v
}

func isVersion(key string) bool {
	digits, ok := strings.CutPrefix(key, "v")
	return ok && digits != "" && strings.Trim(digits, "0123456789") == ""
}

// aliasOf replaces each operator in a name by one underscore.
func aliasOf(name string) string {
	if strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == "" {
		return name
	}
	ops := strings.Fields(operators)
	var b strings.Builder
	for len(name) > 0 {
		n := 0
		for _, o := range ops {
			if strings.HasPrefix(name, o) {
				n = len(o)
				break
			}
		}
		if n > 0 {
			b.WriteByte('_')
			name = name[n:]
			continue
		}
		b.WriteByte(name[0])
		name = name[1:]
	}
	return b.String()
}
