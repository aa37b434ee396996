package dstest

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"rancheros/datasources"
)

// faultLimit is the longest that a datasource may take to give up.
const faultLimit = 5 * time.Minute

// A fault is a way in which a server fails.
type fault struct {
	name string
	// wrap makes a good server bad.
	wrap func(http.Handler) http.Handler
	// says is part of the error; empty: Fetch may or must succeed.
	says string
	// heals: the instance must be as if nothing had been.
	heals bool
}

var faults = []fault{
	{name: "silent", wrap: silent, says: "no answer within"},
	{name: "slow", wrap: slow},
	{name: "404", wrap: status(404, ""), says: "404"},
	{name: "429", wrap: status(429, ""), says: "429"},
	{name: "500 then good", wrap: first(2, status(500, "")), heals: true},
	{name: "503 with Retry-After", wrap: first(1, status(503, "3")), heals: true},
	{name: "truncated JSON", wrap: truncated},
	{name: "wrong length", wrap: wrongLength, says: "EOF"},
	{name: "10 MB", wrap: large, says: "larger than"},
	{name: "redirect loop", wrap: loop, says: "redirect"},
	{name: "hop limit", wrap: tokenless},
}

// runFaults fetches from servers that fail: it must end in time, say which URL
// and why, and never give an instance with another ID.
func runFaults(t *testing.T, kind datasources.Kind, dir string) {
	want := ReadWant(t, dir)
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { f.run(t, kind, dir, want) })
		})
	}
}

func (f fault) run(t *testing.T, kind datasources.Kind, dir string, want Want) {
	host, err := datasources.RecordedHost(dir)
	if err != nil {
		t.Fatal(err)
	}
	server := insideOf(t, dir)
	server.handler = f.wrap(server.handler)
	begin := time.Now()
	in, err := kind.Fetch(t.Context(), Env(host, want.Arg, breaking{server}))
	if took := time.Since(begin); took > faultLimit {
		t.Errorf("took %v, want at most %v", took, faultLimit)
	}
	switch {
	case err == nil && f.says != "":
		t.Errorf("Fetch() succeeds, want an error that says %q", f.says)
	case err != nil && f.heals:
		t.Errorf("Fetch() = %v, want no error: the server is good again", err)
	case err != nil && f.says != "" && !strings.Contains(err.Error(), f.says):
		t.Errorf("Fetch() = %v, want it to say %q", err, f.says)
	case err != nil && !strings.Contains(err.Error(), "http"):
		t.Errorf("Fetch() = %v, want it to name the URL", err)
	}
	if id, _ := want.Instance["instance_id"].(string); err == nil && in.ID != id {
		t.Errorf("Fetch() gives instance %q, want %q", in.ID, id)
	}
}

// breaking makes a body end before its Content-Length, as a connection does
// that breaks.
type breaking struct{ next http.RoundTripper }

func (b breaking) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := b.next.RoundTrip(r)
	if err != nil || res.Header.Get("X-Break") == "" {
		return res, err
	}
	res.Body = brokenBody{}
	return res, nil
}

type brokenBody struct{}

func (brokenBody) Read([]byte) (int, error) { return 0, fmt.Errorf("body: unexpected EOF") }
func (brokenBody) Close() error             { return nil }

func silent(http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
}

// tokenless is a service whose answers to a PUT never arrive: with a token in
// them they travel only so many hops. Who needs none is not concerned.
func tokenless(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut {
			<-r.Context().Done()
			return
		}
		next.ServeHTTP(w, r)
	})
}

func slow(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-time.After(700 * time.Millisecond):
			next.ServeHTTP(w, r)
		}
	})
}

func status(code int, retryAfter string) func(http.Handler) http.Handler {
	return func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if retryAfter != "" {
				w.Header().Set("Retry-After", retryAfter)
			}
			w.WriteHeader(code)
		})
	}
}

// first lets a server be bad for n requests and good from then on.
func first(n int32, bad func(http.Handler) http.Handler) func(http.Handler) http.Handler {
	return func(good http.Handler) http.Handler {
		var asked atomic.Int32
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if asked.Add(1) <= n {
				bad(good).ServeHTTP(w, r)
			} else {
				good.ServeHTTP(w, r)
			}
		})
	}
}

// truncated cuts documents, which tell by their form that they are cut.
func truncated(next http.Handler) http.Handler {
	return changed(next, func(w http.ResponseWriter, body []byte) []byte {
		if b := bytes.TrimSpace(body); len(b) > 1 && (b[0] == '{' || b[0] == '[') {
			return b[:len(b)/2]
		}
		return body
	})
}

func wrongLength(next http.Handler) http.Handler {
	return changed(next, func(w http.ResponseWriter, body []byte) []byte {
		w.Header().Set("X-Break", "1")
		w.Header().Set("Content-Length", strconv.Itoa(len(body)+100))
		return body
	})
}

func large(next http.Handler) http.Handler {
	return changed(next, func(_ http.ResponseWriter, body []byte) []byte {
		return bytes.Repeat([]byte("x"), 20<<20)
	})
}

func changed(next http.Handler, change func(http.ResponseWriter, []byte) []byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := httptest.NewRecorder()
		next.ServeHTTP(rec, r)
		for k, v := range rec.Header() {
			w.Header()[k] = v
		}
		body := change(w, rec.Body.Bytes())
		w.WriteHeader(rec.Code)
		w.Write(body)
	})
}

func loop(http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, r.URL.Path, http.StatusFound)
	})
}
