package fetch_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"rancheros/cloudconfig/userdata/fetch"
)

func TestHTTPIsBounded(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/big":
			_, _ = w.Write([]byte(strings.Repeat("x", 1000)))
		case "/loop":
			http.Redirect(w, r, "/loop", http.StatusFound)
		case "/ok":
			_, _ = w.Write([]byte("fine " + r.Header.Get("X-A")))
		default:
			w.WriteHeader(http.StatusForbidden)
		}
	}))
	defer s.Close()
	get := fetch.HTTP(fetch.Options{})
	ask := func(path string) (string, error) {
		b, err := get(context.Background(), fetch.Request{URL: s.URL + path, Max: 100, Header: http.Header{"X-A": {"1"}}})
		return string(b), err
	}
	if got, err := ask("/ok"); err != nil || got != "fine 1" {
		t.Errorf("ok = %q, %v", got, err)
	}
	if _, err := ask("/big"); !errors.Is(err, fetch.ErrTooLarge) {
		t.Errorf("big: %v, want ErrTooLarge", err)
	}
	if _, err := ask("/loop"); err == nil {
		t.Error("a redirect loop has no end")
	}
	_, err := ask("/none?token=secret")
	if e, ok := errors.AsType[*fetch.StatusError](err); !ok || e.Code != 403 || strings.Contains(err.Error(), "secret") {
		t.Errorf("none: %v, want a 403 without the query", err)
	}
}

func TestHTTPRefusesOtherSchemes(t *testing.T) {
	for _, u := range []string{"file:///etc/passwd", "gopher://x", "/etc/passwd", "http://", "s3://b/k"} {
		if _, err := fetch.HTTP(fetch.Options{})(context.Background(), fetch.Request{URL: u, Max: 1}); err == nil {
			t.Errorf("%s was fetched", u)
		}
	}
}

func TestData(t *testing.T) {
	for in, want := range map[string]string{
		"data:,a%20b+c": "a b+c", "data:;base64,aGk=": "hi", "data:text/plain;charset=utf-8;base64,aGk": "hi", "data:,": "",
	} {
		if got, err := fetch.Data(in); err != nil || string(got) != want {
			t.Errorf("Data(%q) = %q, %v, want %q", in, got, err, want)
		}
	}
	for _, in := range []string{"data:x", "data:,%zz", "data:;base64,?"} {
		if _, err := fetch.Data(in); err == nil {
			t.Errorf("Data(%q) succeeded", in)
		}
	}
}
