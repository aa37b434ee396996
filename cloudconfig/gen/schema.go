package main

import (
	"bytes"
	"encoding/json"
	"reflect"

	"go.yaml.in/yaml/v4"

	"rancheros/cloudconfig"
	"rancheros/cloudconfig/modules"
	"rancheros/cloudconfig/shape"
)

type object = map[string]any

// schemaJSON is the JSON schema (draft 7, which all editors read).
func schemaJSON(top string) ([]byte, error) {
	c, err := readComments(top)
	if err != nil {
		return nil, err
	}
	fields := map[string]reflect.StructField{}
	owners := map[string]string{}
	topFields(reflect.TypeFor[cloudconfig.Config](), fields, owners)
	properties := object{}
	for _, m := range modules.Keys {
		s := fromShape(m.Shape())
		if f, ok := fields[m.Name]; ok {
			describeInto(s, c, f.Type, c.of(owners[m.Name], f), ownerName(elemType(f.Type), owners[m.Name], f))
		}
		if m.Instead != "" {
			s["description"] = "Not supported on this operating system: " + m.Instead + "."
			s["deprecated"] = true
		}
		properties[m.Name] = s
	}
	for name, f := range fields {
		if _, ok := properties[name]; !ok {
			s := fromType(f.Type, c, "", f)
			s["description"] = c.of(owners[name], f)
			properties[name] = s
		}
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	err = e.Encode(object{
		"$schema":              "http://json-schema.org/draft-07/schema#",
		"$id":                  "urn:rancheros:cloud-config",
		"title":                "cloud-config",
		"type":                 "object",
		"properties":           properties,
		"additionalProperties": false,
	})
	return b.Bytes(), err
}

// topFields are the fields of Config by key, and the types that hold them.
func topFields(t reflect.Type, fields map[string]reflect.StructField, owners map[string]string) {
	for f := range t.Fields() {
		switch key := f.Tag.Get("yaml"); key {
		case ",inline":
			topFields(f.Type, fields, owners)
		case "-", "":
		default:
			fields[key], owners[key] = f, t.Name()
		}
	}
}

// elemType is t without lists, maps and pointers around it.
func elemType(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Slice || t.Kind() == reflect.Map || t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}

// describeInto adds comments to a schema that was made of a shape.
func describeInto(s object, c comments, t reflect.Type, text, owner string) {
	if text != "" {
		s["description"] = text
	}
	t = elemType(t)
	if t.Kind() != reflect.Struct {
		return
	}
	below := map[string]reflect.StructField{}
	for f := range t.Fields() {
		below[f.Tag.Get("yaml")] = f
	}
	var walk func(v any)
	walk = func(v any) {
		m, ok := v.(object)
		if !ok {
			if list, ok := v.([]any); ok {
				for _, item := range list {
					walk(item)
				}
			}
			return
		}
		if props, ok := m["properties"].(object); ok {
			for key, sub := range props {
				if f, ok := below[key]; ok {
					describeInto(sub.(object), c, f.Type, c.of(owner, f), ownerName(elemType(f.Type), owner, f))
				}
			}
			return
		}
		for _, key := range []string{"items", "anyOf", "additionalProperties"} {
			walk(m[key])
		}
	}
	walk(s)
}

// fromShape says a shape as a JSON schema.
func fromShape(s *shape.Shape) object {
	o := object{}
	if s.Old != "" {
		o["deprecated"], o["description"] = true, s.Old
	}
	if len(s.Any) > 0 {
		var any []any
		for _, a := range s.Any {
			any = append(any, fromShape(a))
		}
		o["anyOf"] = any
		return o
	}
	if types := typeNames(s.Kinds); len(types) == 1 {
		o["type"] = types[0]
	} else if len(types) > 1 {
		o["type"] = types
	}
	if len(s.Enum) > 0 {
		o["enum"] = s.Enum
	}
	if s.Pattern != "" {
		o["pattern"] = s.Pattern
	}
	if s.Min != nil {
		o["minimum"] = *s.Min
	}
	if s.Item != nil {
		o["items"] = fromShape(s.Item)
	}
	if s.Items != nil {
		var items []any
		for _, i := range s.Items {
			items = append(items, fromShape(i))
		}
		o["items"] = items
	}
	limits(o, s)
	if s.Kinds&shape.Map != 0 {
		keysOf(o, s)
	}
	return o
}

func limits(o object, s *shape.Shape) {
	if s.MinItems > 0 {
		o["minItems"] = s.MinItems
	}
	if s.MaxItems > 0 {
		o["maxItems"] = s.MaxItems
	}
	if s.Unique {
		o["uniqueItems"] = true
	}
	if s.MinKeys > 0 {
		o["minProperties"] = s.MinKeys
	}
}

func keysOf(o object, s *shape.Shape) {
	if len(s.Keys) > 0 {
		props := object{}
		for _, k := range s.Keys {
			props[k.Name] = fromShape(k.Shape)
		}
		o["properties"] = props
		o["additionalProperties"] = s.Open
	}
	if s.Rest != nil {
		o["additionalProperties"] = fromShape(s.Rest)
	}
	if s.KeyPattern != "" {
		o["propertyNames"] = object{"pattern": s.KeyPattern}
	}
	switch len(s.Requires) {
	case 0:
	case 1:
		o["required"] = s.Requires[0]
	default:
		var any []any
		for _, keys := range s.Requires {
			any = append(any, object{"required": keys})
		}
		word := "anyOf"
		if s.Only {
			word = "oneOf"
		}
		o[word] = any
	}
}

func typeNames(k shape.Kind) []string {
	var out []string
	for _, t := range []struct {
		kind shape.Kind
		name string
	}{{shape.String, "string"}, {shape.Bool, "boolean"}, {shape.Float, "number"}, {shape.Int, "integer"},
		{shape.List, "array"}, {shape.Map, "object"}, {shape.Null, "null"}} {
		if k&t.kind != 0 && !(t.kind == shape.Int && k&shape.Float != 0) {
			out = append(out, t.name)
		}
	}
	return out
}

// fromType says one of our types as a JSON schema.
func fromType(t reflect.Type, c comments, owner string, f reflect.StructField) object {
	scalar := []string{"string", "number", "boolean"}
	list := object{"type": "array", "items": object{"type": scalar}}
	switch t {
	case reflect.TypeFor[yaml.Node]():
		return object{}
	case reflect.TypeFor[cloudconfig.Command](), reflect.TypeFor[cloudconfig.StringList]():
		return object{"anyOf": []any{object{"type": "string"}, list}}
	case reflect.TypeFor[cloudconfig.Choice]():
		return object{"type": []string{"string", "boolean"}}
	case reflect.TypeFor[cloudconfig.Seconds]():
		return object{"type": []string{"integer", "string"}}
	case reflect.TypeFor[cloudconfig.Secret]():
		return object{"type": "string"}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return fromType(t.Elem(), c, owner, f)
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Int:
		return object{"type": "integer"}
	case reflect.Float64:
		return object{"type": "number"}
	case reflect.Slice:
		return object{"type": "array", "items": fromType(t.Elem(), c, owner, f)}
	case reflect.Map:
		if t.Elem().Kind() == reflect.String {
			return object{"type": "object", "additionalProperties": object{"type": scalar}}
		}
		return object{"type": "object", "additionalProperties": fromType(t.Elem(), c, owner, f)}
	case reflect.Struct:
		name := ownerName(t, owner, f)
		props := object{}
		for sub := range t.Fields() {
			s := fromType(sub.Type, c, name, sub)
			if text := c.of(name, sub); text != "" {
				s["description"] = text
			}
			props[sub.Tag.Get("yaml")] = s
		}
		return object{"type": "object", "properties": props, "additionalProperties": false}
	}
	return object{"type": scalar}
}
