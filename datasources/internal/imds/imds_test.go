package imds

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"rancheros/datasources"
)

// inside is a transport that calls a handler without a socket, so that time
// can be faked.
type inside struct{ h http.HandlerFunc }

func (i inside) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	done := make(chan struct{})
	go func() { i.h(w, r); close(done) }()
	select {
	case <-done:
		return w.Result(), nil
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}

func env(h http.HandlerFunc) datasources.Env {
	return datasources.Env{HTTP: &http.Client{Transport: inside{h}}, Version: "v1"}
}

var service = Service{Bases: []string{"http://169.254.169.254"}}

func TestGetRetriesUntilTheServerIsReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		c := service.Open(env(func(w http.ResponseWriter, r *http.Request) {
			if asked++; asked < 4 {
				w.WriteHeader(http.StatusInternalServerError)
				return
			}
			fmt.Fprint(w, r.UserAgent())
		}))
		got, err := c.Get(t.Context(), "/x")
		if err != nil || string(got) != "ros/v1" {
			t.Fatalf("Get() = %q, %v, want the user agent ros/v1", got, err)
		}
	})
}

func TestErrorsNameURLAndStatusAndEndInTime(t *testing.T) {
	big := strings.Repeat("x", 10<<20)
	tests := []struct {
		name    string
		handler http.HandlerFunc
		want    string
		within  time.Duration
	}{
		{"absent", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(404) },
			"GET http://169.254.169.254/x: 404 Not Found", 0},
		{"forbidden", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(403) },
			"GET http://169.254.169.254/x: 403 Forbidden", 0},
		{"broken", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(500) },
			"GET http://169.254.169.254/x: 500 Internal Server Error", time.Minute},
		{"busy", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", "20")
			w.WriteHeader(503)
		}, "GET http://169.254.169.254/x: 503 Service Unavailable", time.Minute},
		{"busy for too long", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", "3600")
			w.WriteHeader(429)
		}, "GET http://169.254.169.254/x: 429 Too Many Requests", 0},
		{"silent", func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
			"GET http://169.254.169.254/x: gave up after 1m0s: no answer within 5s", time.Minute},
		{"large", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, big) },
			"GET http://169.254.169.254/x: answer is larger than 2097152 bytes", 0},
		{"loop", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/x", 302) },
			"GET http://169.254.169.254/x: too many redirects", 0},
		{"sent away", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "http://10.0.0.1/x", 302) },
			"GET http://169.254.169.254/x: redirect to another host, 10.0.0.1", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				_, err := service.Open(env(tt.handler)).Get(t.Context(), "/x")
				if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
					t.Errorf("Get() = %v, want %s", err, tt.want)
				}
				if took := time.Since(begin); took > tt.within {
					t.Errorf("took %v, want at most %v", took, tt.within)
				}
				if errors.Is(err, ErrAbsent) != (tt.name == "absent") {
					t.Errorf("errors.Is(%v, ErrAbsent) is wrong", err)
				}
			})
		})
	}
}

func TestBodyThatBreaksOffIsAskedForAgain(t *testing.T) {
	var asked atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) == 1 {
			w.Header().Set("Content-Length", "100")
			io.WriteString(w, "half")
			return
		}
		io.WriteString(w, "whole")
	}))
	defer s.Close()
	c := Service{Bases: []string{"http://192.0.2.1"}, Wait: time.Millisecond}.Open(datasources.Env{Endpoint: s.URL + "/"})
	if got, err := c.Get(t.Context(), "/x"); string(got) != "whole" || err != nil {
		t.Fatalf("Get() = %q, %v, want whole", got, err)
	}
}

func TestRaceKeepsTheBaseThatAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := Service{Bases: []string{"http://silent", "http://good"}}
		c := s.Open(env(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Host == "silent" {
				<-r.Context().Done()
				return
			}
			w.WriteHeader(404)
		}))
		begin := time.Now()
		_, err := c.Get(t.Context(), "/x")
		if !errors.Is(err, ErrAbsent) || c.Base() != "http://good" {
			t.Errorf("Get() = %v from %q, want absent from http://good", err, c.Base())
		}
		if took := time.Since(begin); took != Stagger {
			t.Errorf("took %v, want %v", took, Stagger)
		}
	})
}

func TestHTTPSendsLibrariesToTheEndpoint(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.URL.Path) }))
	defer s.Close()
	res, err := service.HTTP(datasources.Env{Endpoint: s.URL}).Get("http://metadata.google.internal/a")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if b, _ := io.ReadAll(res.Body); string(b) != "/a" {
		t.Errorf("body = %q, want /a", b)
	}
}

func TestDialReachesASocket(t *testing.T) {
	l, err := net.Listen("unix", t.TempDir()+"/s")
	if err != nil {
		t.Fatal(err)
	}
	go http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Host) }))
	defer l.Close()
	c := Service{Bases: []string{"http://lxd"}, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", l.Addr().String())
	}}.Open(datasources.Env{})
	if got, err := c.Get(t.Context(), "/"); string(got) != "lxd" || err != nil {
		t.Errorf("Get() = %q, %v, want lxd", got, err)
	}
}

func TestLinksAreTriedWithThoseThatAreUpFirst(t *testing.T) {
	h := &datasources.Host{Facts: datasources.Facts{Links: []datasources.HostLink{{Name: "a"}, {Name: "b", Up: true}}}}
	got := strings.Join(Links(h, "http://[fe80::a9fe:a9fe%%25%s]"), " ")
	if want := "http://[fe80::a9fe:a9fe%25b] http://[fe80::a9fe:a9fe%25a]"; got != want {
		t.Errorf("Links() = %s, want %s", got, want)
	}
}

func TestCredentialsNeverPassAProxy(t *testing.T) {
	for host, want := range map[string]bool{
		"169.254.169.254": true, "fd00:ec2::254": true, "100.100.100.200": true,
		"metadata.google.internal": true, "example.com": false, "8.8.8.8": false,
	} {
		if got := neverProxied(host); got != want {
			t.Errorf("neverProxied(%s) = %t, want %t", host, got, want)
		}
	}
}

func TestPasswordsOfURLsAreNotShown(t *testing.T) {
	for s, want := range map[string]string{
		"https://me:secret@192.0.2.1/x?y=z@w": "https://me:xxxxx@192.0.2.1/x?y=z@w",
		"http://me:p@ss@[fe80::1%25eth0]/%s":  "http://me:xxxxx@[fe80::1%25eth0]/%s",
		"http://me@192.0.2.1:80/a:b@c":        "http://me@192.0.2.1:80/a:b@c",
		"http://192.0.2.1:8080":               "http://192.0.2.1:8080",
		"/srv/seed:x@y":                       "/srv/seed:x@y",
		"":                                    "",
	} {
		if got := Shown(s); got != want {
			t.Errorf("Shown(%s) = %s, want %s", s, got, want)
		}
	}
	_, err := Fetch(t.Context(), env(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) }), "http://me:secret@192.0.2.1/x")
	if err == nil || strings.Contains(err.Error(), "secret") || !strings.Contains(err.Error(), "192.0.2.1/x: 404") {
		t.Errorf("Fetch() = %v, want URL and status without the password", err)
	}
}
