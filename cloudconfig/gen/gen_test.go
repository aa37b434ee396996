package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"rancheros/cloudconfig"
	"rancheros/cloudconfig/shape"
)

func TestGeneratedFilesAreUpToDate(t *testing.T) {
	const top = "../.."
	for _, o := range outputs {
		want, err := o.make(top)
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join(top, o.file))
		if err != nil || string(got) != string(want) {
			t.Errorf("%s is out of date (%v); run `go generate ./cloudconfig/...`", o.file, err)
		}
	}
}

func TestEveryKeyIsDescribed(t *testing.T) {
	c, err := readComments("../..")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[reflect.Type]bool{}
	var walk func(t reflect.Type, owner string)
	walk = func(typ reflect.Type, owner string) {
		if !keyed(typ) || seen[typ] {
			return
		}
		seen[typ] = true
		for f := range typ.Fields() {
			if tag := f.Tag.Get("yaml"); tag != ",inline" && c[owner+"."+f.Name] == "" {
				t.Errorf("%s.%s has no comment", owner, f.Name)
			}
			below := elemType(f.Type)
			walk(below, ownerName(below, owner, f))
		}
	}
	walk(reflect.TypeFor[cloudconfig.Config](), "Config")
}

func TestSchemaIsJSON(t *testing.T) {
	b, err := schemaJSON("../..")
	if err != nil {
		t.Fatal(err)
	}
	var v struct{ Properties map[string]any }
	if err := json.Unmarshal(b, &v); err != nil || len(v.Properties) < 80 {
		t.Errorf("schema: %v, %d keys", err, len(v.Properties))
	}
}

func TestSchemaSaysWhichKeysExcludeEachOther(t *testing.T) {
	name := shape.K("name", shape.Text())
	for s, want := range map[*shape.Shape]string{
		shape.Object(name).Needs("name").Needs("id"): `{"additionalProperties":false,"anyOf":[{"required":["name"]},{"required":["id"]}],"properties":{"name":{"type":"string"}},"type":"object"}`,
		shape.Object(name).NeedsOneOf("name", "id"):  `{"additionalProperties":false,"oneOf":[{"required":["name"]},{"required":["id"]}],"properties":{"name":{"type":"string"}},"type":"object"}`,
		shape.Either(shape.Text(), shape.Flag()):     `{"anyOf":[{"type":"string"},{"type":"boolean"}]}`,
	} {
		if got, err := json.Marshal(fromShape(s)); err != nil || string(got) != want {
			t.Errorf("fromShape = %s, %v, want %s", got, err, want)
		}
	}
}
