// Package oci makes container images of trees: layers, configs and archives
// that `docker load`, skopeo and registries take.
//
// https://github.com/opencontainers/image-spec
package oci

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"rancheros/image/tree"
)

// Media types of the image specification.
const (
	typeManifest = "application/vnd.oci.image.manifest.v1+json"
	typeIndex    = "application/vnd.oci.image.index.v1+json"
	typeConfig   = "application/vnd.oci.image.config.v1+json"
	typeLayer    = "application/vnd.oci.image.layer.v1.tar+gzip"
)

// A Layer is one tree as a tar stream.
type Layer struct {
	// Tree is what the layer adds.
	Tree *tree.Tree
	// Tar is the stream, not compressed.
	Tar []byte
	// DiffID is the sha256 of Tar, in hex.
	DiffID string

	packed []byte
}

// NewLayer makes the layer of a tree. The same tree gives the same bytes.
func NewLayer(t *tree.Tree, mtime time.Time) (*Layer, error) {
	var b bytes.Buffer
	if err := t.WriteTar(&b, tree.TarOptions{Time: mtime}); err != nil {
		return nil, fmt.Errorf("write layer: %w", err)
	}
	return &Layer{Tree: t, Tar: b.Bytes(), DiffID: hexSum(b.Bytes())}, nil
}

// gzipped returns the stream as registries want it.
func (l *Layer) gzipped() ([]byte, error) {
	if l.packed != nil {
		return l.packed, nil
	}
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(l.Tar); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	l.packed = b.Bytes()
	return l.packed, nil
}

// An Image is a name, layers from the lowest up, and how a container starts.
type Image struct {
	// Name with tag: rancheros/os-base:v0.1.0.
	Name    string
	Layers  []*Layer
	Cmd     []string
	Env     []string
	Labels  map[string]string
	Created time.Time
}

type config struct {
	Created      time.Time   `json:"created"`
	Architecture string      `json:"architecture"`
	OS           string      `json:"os"`
	Config       containerOf `json:"config"`
	RootFS       rootFS      `json:"rootfs"`
	History      []history   `json:"history"`
}

type containerOf struct {
	Env    []string          `json:"Env,omitempty"`
	Cmd    []string          `json:"Cmd,omitempty"`
	Labels map[string]string `json:"Labels,omitempty"`
}

type rootFS struct {
	Type    string   `json:"type"`
	DiffIDs []string `json:"diff_ids"`
}

type history struct {
	Created   time.Time `json:"created"`
	CreatedBy string    `json:"created_by"`
}

// Config is the image's config blob; its sha256 is the image's ID.
func (i *Image) Config() ([]byte, error) {
	c := config{
		Created: i.Created.UTC(), Architecture: "amd64", OS: "linux",
		Config: containerOf{Env: i.Env, Cmd: i.Cmd, Labels: i.Labels},
		RootFS: rootFS{Type: "layers"},
	}
	for _, l := range i.Layers {
		c.RootFS.DiffIDs = append(c.RootFS.DiffIDs, "sha256:"+l.DiffID)
		c.History = append(c.History, history{i.Created.UTC(), "ros-image"})
	}
	return json.Marshal(c)
}

// ID is the sha256 of the config, in hex.
func (i *Image) ID() (string, error) {
	b, err := i.Config()
	return hexSum(b), err
}

type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int               `json:"size"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

type manifest struct {
	SchemaVersion int          `json:"schemaVersion"`
	MediaType     string       `json:"mediaType"`
	Config        descriptor   `json:"config"`
	Layers        []descriptor `json:"layers"`
}

type index struct {
	SchemaVersion int          `json:"schemaVersion"`
	MediaType     string       `json:"mediaType"`
	Manifests     []descriptor `json:"manifests"`
}

// loadEntry is an item of manifest.json, which `docker load` reads.
type loadEntry struct {
	Config   string
	RepoTags []string
	Layers   []string
}

// WriteArchive writes an OCI image layout as one tar, with the manifest.json
// that `docker load` looks for.
func (i *Image) WriteArchive(w io.Writer) error {
	a := archive{tw: tar.NewWriter(w), mtime: i.Created, done: map[string]bool{}}
	cfg, err := i.Config()
	if err != nil {
		return err
	}
	a.file("oci-layout", []byte(`{"imageLayoutVersion":"1.0.0"}`))
	m := manifest{SchemaVersion: 2, MediaType: typeManifest, Config: a.blob(typeConfig, cfg)}
	load := loadEntry{Config: blobPath(m.Config.Digest), RepoTags: []string{i.Name}}
	for _, l := range i.Layers {
		packed, err := l.gzipped()
		if err != nil {
			return fmt.Errorf("compress layer: %w", err)
		}
		d := a.blob(typeLayer, packed)
		m.Layers = append(m.Layers, d)
		load.Layers = append(load.Layers, blobPath(d.Digest))
	}
	d := a.blob(typeManifest, a.json(m))
	d.Annotations = map[string]string{"io.containerd.image.name": i.Name, "org.opencontainers.image.ref.name": i.Name}
	a.file("index.json", a.json(index{SchemaVersion: 2, MediaType: typeIndex, Manifests: []descriptor{d}}))
	a.file("manifest.json", a.json([]loadEntry{load}))
	if a.err != nil {
		return fmt.Errorf("write archive of %s: %w", i.Name, a.err)
	}
	return a.tw.Close()
}

// archive remembers the first error, so that its callers read as a list.
type archive struct {
	tw    *tar.Writer
	mtime time.Time
	done  map[string]bool
	err   error
}

func (a *archive) json(v any) []byte {
	b, err := json.Marshal(v)
	if a.err == nil {
		a.err = err
	}
	return b
}

func (a *archive) blob(mediaType string, data []byte) descriptor {
	d := descriptor{MediaType: mediaType, Digest: "sha256:" + hexSum(data), Size: len(data)}
	a.file(blobPath(d.Digest), data)
	return d
}

func blobPath(digest string) string { return "blobs/sha256/" + digest[len("sha256:"):] }

func (a *archive) file(name string, data []byte) {
	if a.err != nil || a.done[name] {
		return
	}
	a.done[name] = true
	h := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(data)), ModTime: a.mtime, Format: tar.FormatUSTAR}
	if a.err = a.tw.WriteHeader(h); a.err == nil {
		_, a.err = a.tw.Write(data)
	}
}

func hexSum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}
