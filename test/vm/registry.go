package vm

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
)

// HostAddress is how a machine reaches the loopback of the machine that runs
// the tests.
const HostAddress = "10.0.2.2"

// A Server is one that a machine can reach, on our own loopback.
type Server struct {
	// Addr is host:port as the machine sees it.
	Addr string
	mu   sync.Mutex
	seen []string
}

// Serve starts a server. It remembers what it was asked for.
func Serve(t testing.TB, h http.Handler) *Server {
	t.Helper()
	s := &Server{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.seen = append(s.seen, r.Method+" "+r.RequestURI)
		s.mu.Unlock()
		h.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	u, err := url.Parse(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	s.Addr = HostAddress + ":" + u.Port()
	return s
}

// Saw says whether a request contained text.
func (s *Server) Saw(text string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.seen {
		if strings.Contains(r, text) {
			return true
		}
	}
	return false
}

// Registry is a registry with one image: the file system in the archive, under
// each of the names.
func Registry(t testing.TB, archive string, names ...string) http.Handler {
	t.Helper()
	layer, err := os.ReadFile(archive)
	if err != nil {
		t.Fatal(err)
	}
	h := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	put := func(method, path, kind string, body []byte) string {
		r := httptest.NewRequest(method, path, bytes.NewReader(body))
		r.Header.Set("Content-Type", kind)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code >= 300 {
			t.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
		}
		return w.Header().Get("Location")
	}
	type descriptor struct {
		MediaType string `json:"mediaType"`
		Digest    string `json:"digest"`
		Size      int    `json:"size"`
	}
	for _, name := range names {
		blob := func(kind string, b []byte) descriptor {
			d := fmt.Sprintf("sha256:%x", sha256.Sum256(b))
			put(http.MethodPost, "/v2/"+name+"/blobs/uploads/?digest="+d, kind, b)
			return descriptor{kind, d, len(b)}
		}
		l := blob("application/vnd.oci.image.layer.v1.tar", layer)
		config := blob("application/vnd.oci.image.config.v1+json", fmt.Appendf(nil,
			`{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[%q]},"config":{"Cmd":["/bin/sleep","100000"]}}`, l.Digest))
		manifest, err := json.Marshal(map[string]any{
			"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": config, "layers": []descriptor{l},
		})
		if err != nil {
			t.Fatal(err)
		}
		put(http.MethodPut, "/v2/"+name+"/manifests/latest", "application/vnd.oci.image.manifest.v1+json", manifest)
	}
	return h
}

// WithPassword lets only one user in.
func WithPassword(user, password string, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if u, p, ok := r.BasicAuth(); !ok || u != user || p != password {
			w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, `{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}`)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// Forget forgets what was asked for.
func (s *Server) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = nil
}
