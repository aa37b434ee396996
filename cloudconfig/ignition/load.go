package ignition

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"

	shared "github.com/coreos/ignition/v2/config/shared/errors"
	v3 "github.com/coreos/ignition/v2/config/v3_6_experimental"
	"github.com/coreos/ignition/v2/config/v3_6_experimental/types"
	"github.com/coreos/vcontext/report"

	"rancheros/cloudconfig/userdata/fetch"
)

// Bounds on configs that refer to configs.
const (
	maxConfigs = 50
	maxDepth   = 10
)

// A loader reads one config with all that it refers to.
type loader struct {
	ctx      context.Context
	fetch    fetch.Fetcher
	left     int64
	configs  int
	version  string
	problems []Problem
}

// config is the whole config: merged with, or replaced by, what it names.
func (l *loader) config(data []byte) (config, error) {
	c, version, problems, err := parseAny(data)
	l.problems = append(l.problems, problems...)
	if err != nil {
		return config{}, err
	}
	l.version = version
	return l.follow(c, 0)
}

// follow does as Ignition's fetcher: replace wins, else each merge in order is
// laid over this one.
//
// https://coreos.github.io/ignition/operator-notes/#config-merging
func (l *loader) follow(c config, depth int) (config, error) {
	if depth > maxDepth {
		return c, fmt.Errorf("ignition configs refer to each other more than %d deep", maxDepth)
	}
	if from := c.Ignition.Config.Replace; from.Source != nil {
		next, err := l.referred("replace", from)
		if err != nil {
			return c, err
		}
		return l.follow(next, depth+1)
	}
	merged := c
	for _, from := range c.Ignition.Config.Merge {
		next, err := l.referred("merge", from)
		if err != nil {
			return c, err
		}
		if next, err = l.follow(next, depth+1); err != nil {
			return c, err
		}
		merged = v3.Merge(merged, next)
	}
	return merged, nil
}

func (l *loader) referred(how string, from types.Resource) (config, error) {
	if l.configs++; l.configs > maxConfigs {
		return config{}, fmt.Errorf("ignition config refers to more than %d others", maxConfigs)
	}
	data, err := l.resource(from)
	if err != nil {
		return config{}, fmt.Errorf("ignition.config.%s: %w", how, err)
	}
	c, _, problems, err := parseAny(data)
	l.problems = append(l.problems, problems...)
	if err != nil {
		return config{}, fmt.Errorf("ignition.config.%s: %s: %w", how, fetch.Shown(*from.Source), err)
	}
	return c, nil
}

// resource gets, verifies and unpacks content.
func (l *loader) resource(r types.Resource) ([]byte, error) {
	if r.Source == nil || *r.Source == "" {
		return nil, nil
	}
	shown := fetch.Shown(*r.Source)
	data, err := l.get(r)
	if err != nil {
		return nil, err
	}
	if r.Compression != nil && *r.Compression == "gzip" {
		if data, err = l.gunzip(data); err != nil {
			return nil, fmt.Errorf("%s: %w", shown, err)
		}
	}
	if l.left -= int64(len(data)); l.left < 0 {
		return nil, fmt.Errorf("%s: all content together is too large", shown)
	}
	if r.Verification.Hash != nil {
		if err := verify(data, *r.Verification.Hash); err != nil {
			return nil, fmt.Errorf("%s: %w", shown, err)
		}
	}
	return data, nil
}

func (l *loader) get(r types.Resource) ([]byte, error) {
	if strings.HasPrefix(strings.ToLower(*r.Source), "data:") {
		return fetch.Data(*r.Source)
	}
	if l.fetch == nil {
		return nil, fmt.Errorf("get %s: %w", fetch.Shown(*r.Source), errNoFetch)
	}
	h := http.Header{}
	for _, f := range r.HTTPHeaders {
		if f.Value != nil && *f.Value != "" {
			h.Set(f.Name, *f.Value)
		}
	}
	return l.fetch(l.ctx, fetch.Request{URL: *r.Source, Header: h, Max: max(l.left, 0)})
}

func (l *loader) gunzip(data []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("gzip: %w", err)
	}
	out, err := io.ReadAll(io.LimitReader(z, max(l.left, 0)+1))
	if err != nil {
		return nil, fmt.Errorf("gzip: %w", err)
	}
	return out, nil
}

// verify checks "sha512-HEX" or "sha256-HEX".
func verify(data []byte, hash string) error {
	kind, want, _ := strings.Cut(hash, "-")
	var got string
	switch kind {
	case "sha512":
		s := sha512.Sum512(data)
		got = hex.EncodeToString(s[:])
	case "sha256":
		s := sha256.Sum256(data)
		got = hex.EncodeToString(s[:])
	default:
		return fmt.Errorf("hash %q is of no known kind", kind)
	}
	if got != strings.ToLower(want) {
		return fmt.Errorf("its %s is %s, not %s as the config says", kind, got, want)
	}
	return nil
}

// parseAny reads a config of any version that is supported, as the newest one.
func parseAny(data []byte) (config, string, []Problem, error) {
	if len(data) > maxSource {
		return config{}, "", nil, &InvalidError{[]Problem{{Fatal: true, Message: "larger than 16 MB"}}}
	}
	version, err := versionOf(data)
	if err != nil {
		return config{}, "", nil, &InvalidError{[]Problem{{Fatal: true, Message: err.Error()}}}
	}
	if strings.HasPrefix(version, "2.") {
		return parseV2(data, version)
	}
	if strings.HasSuffix(version, "-experimental") || version == "" || version == "1" {
		return config{}, version, nil, &InvalidError{[]Problem{unknownVersion(version)}}
	}
	if version == "3.6.0" {
		data = asExperimental(data)
	}
	c, rpt, err := v3.ParseCompatibleVersion(data)
	problems := fromReport(rpt)
	switch {
	case errors.Is(err, shared.ErrUnknownVersion):
		return c, version, nil, &InvalidError{[]Problem{unknownVersion(version)}}
	case err != nil:
		if fatal := onlyFatal(problems); len(fatal) > 0 {
			return c, version, nil, &InvalidError{fatal}
		}
		return c, version, nil, &InvalidError{[]Problem{{Fatal: true, Message: err.Error()}}}
	}
	return c, version, problems, nil
}

const maxSource = 16 << 20

func unknownVersion(version string) Problem {
	if version == "" {
		version = "none"
	}
	return Problem{At: "$.ignition.version", Fatal: true, Message: fmt.Sprintf("version %s is not supported; there are 2.0.0 to 2.4.0 and 3.0.0 to 3.6.0", version)}
}

func versionOf(data []byte) (string, error) {
	var head struct {
		Version  int `json:"ignitionVersion"`
		Ignition struct {
			Version string `json:"version"`
		} `json:"ignition"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return "", fmt.Errorf("not valid JSON: %w", err)
	}
	if head.Version != 0 {
		return "1", nil
	}
	return head.Ignition.Version, nil
}

// asExperimental: the library knows 3.6 by the name it had before it was done.
func asExperimental(data []byte) []byte {
	key := regexp.MustCompile(`"version"\s*:\s*"3\.6\.0"`)
	at := key.FindIndex(data)
	if at == nil {
		return data
	}
	return slices.Concat(data[:at[1]-1], []byte("-experimental"), data[at[1]-1:])
}

func fromReport(r report.Report) []Problem {
	var out []Problem
	for _, e := range r.Entries {
		p := Problem{At: e.Context.String(), Fatal: e.Kind == report.Error, Message: e.Message}
		if e.Marker.StartP != nil {
			p.Line, p.Column = int(e.Marker.StartP.Line), int(e.Marker.StartP.Column)
		}
		out = append(out, p)
	}
	return out
}

func onlyFatal(problems []Problem) []Problem {
	var out []Problem
	for _, p := range problems {
		if p.Fatal {
			out = append(out, p)
		}
	}
	return out
}
