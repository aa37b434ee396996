// Package userdata reads what a cloud's user gave this machine, in any of the
// forms that cloud-init, RancherOS, CoreOS and Ignition know, and says what it
// means: one cloud-config, scripts, and problems. Nothing is run or written
// here, and nothing but #include reaches the network.
//
// A part that is broken is left out and named; the others still count.
//
// https://docs.cloud-init.io/en/latest/explanation/format.html
package userdata

import (
	"context"
	"time"

	"go.yaml.in/yaml/v4"

	"rancheros/cloudconfig/ignition"
	"rancheros/cloudconfig/userdata/fetch"
)

// Content types of parts.
const (
	CloudConfig   = "text/cloud-config"
	Archive       = "text/cloud-config-archive"
	JSONPatch     = "text/cloud-config-jsonp"
	Include       = "text/x-include-url"
	IncludeOnce   = "text/x-include-once-url"
	ShellScript   = "text/x-shellscript"
	PerBoot       = "text/x-shellscript-per-boot"
	PerInstance   = "text/x-shellscript-per-instance"
	PerOnce       = "text/x-shellscript-per-once"
	Boothook      = "text/cloud-boothook"
	PartHandler   = "text/part-handler"
	Jinja         = "text/jinja2"
	Compose       = "text/x-compose"
	Ignition      = "application/vnd.coreos.ignition+json"
	Unknown       = "text/x-not-multipart"
	undefinedType = "text/plain"
	octetStream   = "application/octet-stream"
)

// Frequencies of scripts.
const (
	EachBoot     = "per-boot"
	EachInstance = "per-instance"
	Once         = "per-once"
)

// Input is everything that was said.
type Input struct {
	UserData []byte
	// More are further user-data documents, as if they were further parts.
	More [][]byte
	// VendorData and VendorData2 come from the cloud; user-data beats both, and
	// vendor-data2 beats vendor-data.
	VendorData, VendorData2 []byte
	// InstanceData is instance-data.json, for templates and the launch index.
	// nil means that there is none.
	InstanceData []byte
}

// Options of Parse. The zero value fetches nothing.
type Options struct {
	// Fetch gets #include lines and Ignition's sources; nil refuses them.
	Fetch fetch.Fetcher
	// Store keeps what #include-once fetched; nil keeps nothing.
	Store Store
	// LaunchIndex is this machine's place among those started together. If it is
	// empty, it is looked up in the instance data.
	LaunchIndex string
	// DecodeIfBase64 is for clouds that hand out base64.
	DecodeIfBase64 bool
	// Systemd is for systems that have it: imported units are written and enabled.
	// Else those that run a container become services.
	Systemd bool
	// RefuseAll makes one refused part an error of Parse.
	RefuseAll bool
	// MaxBytes bounds all parts together, unpacked; 0 means 16 MB.
	MaxBytes int64
	// IncludeTime bounds all fetching together; 0 means two minutes.
	IncludeTime time.Duration
}

// A Store keeps documents over reboots by key, for #include-once.
type Store interface {
	Get(key string) ([]byte, bool)
	Put(key string, data []byte) error
}

// Result is what the input means.
type Result struct {
	// Config is the merged cloud-config: a mapping with its keys in order and
	// every scalar resolved. It is never nil.
	Config *yaml.Node
	// Origins says by dotted path ("users[0].name") which part and line wrote a value.
	Origins map[string]Origin
	// Scripts in the order of their parts.
	Scripts []Script
	// Boothooks run at each boot, as early as possible.
	Boothooks []Script
	// Imports are the Ignition configs among the parts, in their own terms. Config
	// has all of them that is possible.
	Imports  []*ignition.Import
	Parts    []Part
	Problems []Problem
}

// Origin is the place where a value was written. Part is the Index of a Part.
type Origin struct {
	Part   int `json:"part"`
	Line   int `json:"line"`
	Column int `json:"column"`
}

// A Script is a program to run.
type Script struct {
	Name    string
	Content []byte
	// Frequency is EachBoot, EachInstance or Once.
	Frequency string
	// Type is the content type of its part.
	Type string
	// Vendor is true if the cloud gave it. Prefix is a command to run it with.
	Vendor bool
	Prefix []string
	// Part is the Index of the part it came in.
	Part int
}

// A Part is one piece of what was given, as the record shows it.
type Part struct {
	// Index counts from 1. Parent is the Index of the include or archive that it
	// came from, or 0.
	Index  int `json:"index"`
	Parent int `json:"parent,omitempty"`
	// Source is user-data, vendor-data or vendor-data2.
	Source string `json:"source"`
	Name   string `json:"name"`
	// Type is the content type found; Declared the one that the part named.
	Type     string `json:"type"`
	Declared string `json:"declared,omitempty"`
	// Renders is the type of what a template became.
	Renders string `json:"renders,omitempty"`
	// Encoding is the content transfer encoding of a MIME part.
	Encoding    string `json:"encoding,omitempty"`
	LaunchIndex string `json:"launch_index,omitempty"`
	// URL is where an included part came from.
	URL string `json:"url,omitempty"`
	// Size and SHA256 are of the content, transfer encoding undone.
	Size   int    `json:"size"`
	SHA256 string `json:"sha256"`
	// Container is true for archives and includes: their content follows as parts.
	Container bool `json:"container,omitempty"`
	Handled   bool `json:"handled"`
	// Skipped says why a good part was left out: "launch-index", "vendor-data is
	// switched off".
	Skipped string `json:"skipped,omitempty"`
	Problem string `json:"problem,omitempty"`
}

// Severities of problems.
const (
	Error   = "error"
	Warning = "warning"
)

// A Problem is something that the writer should know. Part is 0 if it is of no
// part; Line and Column are 0 if they are not known.
type Problem struct {
	Part     int    `json:"part,omitempty"`
	Name     string `json:"name,omitempty"`
	Line     int    `json:"line,omitempty"`
	Column   int    `json:"column,omitempty"`
	Severity string `json:"severity"`
	Message  string `json:"message"`
}

// Parse reads the input. The error is only set where Options ask for it or the
// context ends; the result is good then as well.
func Parse(ctx context.Context, in Input, opts Options) (*Result, error) {
	if opts.MaxBytes == 0 {
		opts.MaxBytes = 16 << 20
	}
	if opts.IncludeTime == 0 {
		opts.IncludeTime = 2 * time.Minute
	}
	fetchCtx, cancel := context.WithTimeout(ctx, opts.IncludeTime)
	defer cancel()
	p := &parser{ctx: fetchCtx, opts: opts, left: opts.MaxBytes, result: &Result{}, made: map[*yaml.Node]int{}}
	p.instanceData(in.InstanceData)

	user := p.source("user-data", append([][]byte{in.UserData}, in.More...), vendorPolicy{})
	vendor2 := p.vendor("vendor-data2", "vendor_data2", in.VendorData2, user)
	vendor := p.vendor("vendor-data", "vendor_data", in.VendorData, user)
	p.layer(user, vendor2, vendor)
	if err := ctx.Err(); err != nil {
		return p.result, err
	}
	if opts.RefuseAll {
		return p.result, p.refusal()
	}
	return p.result, nil
}
