// Package record keeps what a datasource saw of this machine and of its cloud
// in one tar file, secrets removed, and plays such a file back: for reports of
// what went wrong, and for tests.
//
//	recording.json  its version, and whom was asked instead of the cloud
//	facts.json  what of the machine is no file (datasources.Facts)
//	host/       the files that were read
//	http.json   the requests that were made, and their answers
//	pick.json   which datasource was picked, and why
package record

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"rancheros/cloudinit/state"
	"rancheros/datasources"
)

// maxBody is how much of one answer is kept, in bytes.
const maxBody = 16 << 20

// An Exchange is one request and its answer.
type Exchange struct {
	Method string      `json:"method"`
	URL    string      `json:"url"`
	Status int         `json:"status,omitempty"`
	Header http.Header `json:"header,omitempty"`
	Body   []byte      `json:"body,omitempty"`
	Err    string      `json:"error,omitempty"`
	// Seconds is how long the answer took.
	Seconds float64 `json:"seconds"`
}

// Options of Record.
type Options struct {
	Host     *datasources.Host
	Kinds    []datasources.Kind
	Named    []string
	Endpoint string
	Version  string
	// Secrets keeps them: for nobody but yourself.
	Secrets bool
	// Transport makes the requests; nil means the default one.
	Transport http.RoundTripper
}

// Record asks the datasource of this machine and writes what it saw to w. The
// recording is whole even if the datasource failed; that is what it is for, and
// then fetched says how.
func Record(ctx context.Context, w io.Writer, o Options) (fetched, err error) {
	files := &recordingFS{FS: o.Host.Root, seen: map[string][]byte{}}
	host := datasources.Host{Root: files, Dir: o.Host.Dir, Drives: o.Host.Drives, Facts: o.Host.Facts}
	rt := &transport{next: o.Transport}
	if rt.next == nil {
		rt.next = http.DefaultTransport
	}
	r, fetched := datasources.Pick(ctx, datasources.PickInput{Host: &host, Kinds: o.Kinds, Named: o.Named,
		Env: datasources.Env{HTTP: &http.Client{Transport: rt}, Endpoint: o.Endpoint, Version: o.Version}})
	pick, err := r.Report(fetched)
	if err != nil {
		return fetched, err
	}
	facts, err := json.MarshalIndent(host.Facts, "", " ")
	if err != nil {
		return fetched, err
	}
	if !o.Secrets {
		rt.clean()
		files.clean()
	}
	log, err := json.MarshalIndent(rt.log, "", " ")
	if err != nil {
		return fetched, err
	}
	about, err := json.Marshal(about{1, o.Endpoint})
	if err != nil {
		return fetched, err
	}
	out := map[string][]byte{"recording.json": about, "facts.json": facts, "pick.json": pick, "http.json": log}
	for name, b := range files.seen {
		out["host/"+name] = b
	}
	return fetched, writeTar(w, out)
}

// about is recording.json.
type about struct {
	Version  int    `json:"version"`
	Endpoint string `json:"endpoint,omitempty"`
}

// writeTar writes the files in order, without times and owners: the same
// recording is the same bytes.
func writeTar(w io.Writer, files map[string][]byte) error {
	t := tar.NewWriter(w)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		h := &tar.Header{Name: name, Mode: 0o600, Size: int64(len(files[name])), Typeflag: tar.TypeReg}
		if err := t.WriteHeader(h); err != nil {
			return fmt.Errorf("write recording: %w", err)
		}
		if _, err := t.Write(files[name]); err != nil {
			return fmt.Errorf("write recording: %w", err)
		}
	}
	return t.Close()
}

// recordingFS remembers every file that is read.
type recordingFS struct {
	fs.FS
	mu   sync.Mutex
	seen map[string][]byte
}

// Open opens a file and keeps its content; a folder or a device is not kept.
func (r *recordingFS) Open(name string) (fs.File, error) {
	f, err := r.FS.Open(name)
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	if err != nil || !st.Mode().IsRegular() {
		return f, nil
	}
	b, err := io.ReadAll(io.LimitReader(f, maxBody))
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	r.mu.Lock()
	r.seen[name] = b
	r.mu.Unlock()
	return &memFile{File: f, r: bytes.NewReader(b)}, nil
}

// memFile is a file whose content has been read.
type memFile struct {
	fs.File
	r *bytes.Reader
}

func (f *memFile) Read(b []byte) (int, error) { return f.r.Read(b) }

func (r *recordingFS) clean() {
	for name, b := range r.seen {
		r.seen[name] = cleanBody(name, b)
	}
}

// transport remembers every exchange.
type transport struct {
	next http.RoundTripper
	mu   sync.Mutex
	log  []Exchange
}

// RoundTrip makes the request and keeps it with its answer. Headers of requests
// hold tokens and are not kept.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	start := time.Now()
	e := Exchange{Method: r.Method, URL: r.URL.String()}
	resp, err := t.next.RoundTrip(r)
	e.Seconds = time.Since(start).Seconds()
	if err != nil {
		e.Err = err.Error()
	} else {
		e.Status, e.Header = resp.StatusCode, resp.Header
		var rerr error
		if e.Body, rerr = io.ReadAll(io.LimitReader(resp.Body, maxBody)); rerr != nil {
			e.Err = rerr.Error()
		}
		resp.Body = struct {
			io.Reader
			io.Closer
		}{io.MultiReader(bytes.NewReader(e.Body), resp.Body), resp.Body}
	}
	t.mu.Lock()
	t.log = append(t.log, e)
	t.mu.Unlock()
	return resp, err
}

func (t *transport) clean() {
	for i := range t.log {
		e := &t.log[i]
		e.Body = cleanBody(e.URL, e.Body)
		e.Header = e.Header.Clone()
		for k := range e.Header {
			if state.SecretKey(k) || k == "Set-Cookie" {
				e.Header[k] = []string{removed}
			}
		}
	}
}

const removed = "(removed)"

// cleanBody takes secrets out of an answer or file: all of it where its name
// says so, else the values of keys of JSON that do.
func cleanBody(name string, b []byte) []byte {
	if len(b) == 0 {
		return b
	}
	short, _, _ := strings.Cut(name, "?")
	if base := strings.ToLower(strings.NewReplacer("-", "", "_", "").Replace(path.Base(short))); strings.HasPrefix(base, "userdata") || strings.HasPrefix(base, "vendordata") {
		return []byte("#cloud-config\n# " + removed + "\n")
	}
	if state.SecretKey(path.Base(short)) || strings.Contains(short, "security-credentials/") || strings.HasSuffix(short, "/api/token") {
		return []byte(removed)
	}
	var doc any
	if json.Unmarshal(b, &doc) != nil {
		return b
	}
	if _, isMap := doc.(map[string]any); !isMap {
		return b
	}
	out, err := json.Marshal(cleanJSON(doc))
	if err != nil {
		return []byte(removed)
	}
	return out
}

func cleanJSON(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k := range v {
			if _, isText := v[k].(string); isText && state.SecretKey(k) {
				v[k] = removed
				continue
			}
			v[k] = cleanJSON(v[k])
		}
	case []any:
		for i := range v {
			v[i] = cleanJSON(v[i])
		}
	}
	return v
}
