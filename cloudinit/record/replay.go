package record

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"sync"
	"testing/fstest" // a file system in memory, with nothing of tests in it

	"rancheros/datasources"
)

const (
	maxFiles = 10_000
	maxTotal = 256 << 20
)

// A Recording is a machine that was recorded.
type Recording struct {
	Host *datasources.Host
	// Client answers as the cloud did. What was not asked then is a 404.
	Client *http.Client
	// Endpoint was asked instead of the cloud's own service, if that is set.
	Endpoint string
	// Pick is how the datasource was picked then.
	Pick json.RawMessage
}

// Read reads a recording.
func Read(r io.Reader) (*Recording, error) {
	files, err := readTar(r)
	if err != nil {
		return nil, err
	}
	root := fstest.MapFS{}
	for name, b := range files {
		if p, ok := strings.CutPrefix(name, "host/"); ok {
			root[p] = &fstest.MapFile{Data: b, Mode: 0o644}
		}
	}
	rec := &Recording{Host: &datasources.Host{Root: root}, Pick: files["pick.json"]}
	if err := json.Unmarshal(files["facts.json"], &rec.Host.Facts); err != nil {
		return nil, fmt.Errorf("read recording: facts.json: %w", err)
	}
	var a about
	if err := json.Unmarshal(files["recording.json"], &a); err != nil {
		return nil, fmt.Errorf("read recording: recording.json: %w", err)
	}
	rec.Endpoint = a.Endpoint
	var log []Exchange
	if err := json.Unmarshal(files["http.json"], &log); err != nil {
		return nil, fmt.Errorf("read recording: http.json: %w", err)
	}
	rec.Client = &http.Client{Transport: newPlayer(log)}
	return rec, nil
}

func readTar(r io.Reader) (map[string][]byte, error) {
	files := map[string][]byte{}
	left := int64(maxTotal)
	for t := tar.NewReader(r); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read recording: %w", err)
		}
		name := path.Clean(h.Name)
		if h.Typeflag != tar.TypeReg || !fs.ValidPath(name) {
			continue
		}
		b, err := io.ReadAll(io.LimitReader(t, left+1))
		if err != nil {
			return nil, fmt.Errorf("read recording: %s: %w", name, err)
		}
		if left -= int64(len(b)); left < 0 || len(files) >= maxFiles {
			return nil, errors.New("read recording: it is too large")
		}
		files[name] = b
	}
}

// player answers requests from a log: each URL's answers in their order, the
// last one again and again.
type player struct {
	mu  sync.Mutex
	log map[string][]Exchange
}

func newPlayer(log []Exchange) *player {
	p := &player{log: map[string][]Exchange{}}
	for _, e := range log {
		key := e.Method + " " + e.URL
		p.log[key] = append(p.log[key], e)
	}
	return p
}

// RoundTrip answers from the log and opens no socket.
func (p *player) RoundTrip(r *http.Request) (*http.Response, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	key := r.Method + " " + r.URL.String()
	e := Exchange{Status: http.StatusNotFound}
	if list := p.log[key]; len(list) > 0 {
		e = list[0]
		if len(list) > 1 {
			p.log[key] = list[1:]
		}
	}
	if e.Status == 0 {
		return nil, errors.New(e.Err)
	}
	h := e.Header.Clone()
	if h == nil {
		h = http.Header{}
	}
	// The body was unpacked, and cut where it held secrets.
	h.Del("Content-Length")
	h.Del("Content-Encoding")
	return &http.Response{Status: http.StatusText(e.Status), StatusCode: e.Status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: h, Body: io.NopCloser(bytes.NewReader(e.Body)), ContentLength: int64(len(e.Body)), Request: r}, nil
}
