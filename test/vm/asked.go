package vm

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
)

// asked keeps what a server was asked and what it answered.
type asked struct {
	next http.Handler

	mu  sync.Mutex
	log strings.Builder
}

// ServeHTTP lets the next handler answer.
func (a *asked) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s := &status{ResponseWriter: w, code: http.StatusOK}
	a.next.ServeHTTP(s, r)
	a.mu.Lock()
	defer a.mu.Unlock()
	fmt.Fprintf(&a.log, "%s %s %s from %s: %d\n", r.Method, r.Host, r.URL, r.RemoteAddr, s.code)
}

// String is one line for each request.
func (a *asked) String() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.log.String()
}

type status struct {
	http.ResponseWriter
	code int
}

// WriteHeader notes the status.
func (s *status) WriteHeader(code int) {
	s.code = code
	s.ResponseWriter.WriteHeader(code)
}
