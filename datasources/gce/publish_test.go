package gce

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"rancheros/datasources"
	"rancheros/datasources/dstest"
)

type answer func(*http.Request) int

func (f answer) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: f(r), Header: http.Header{}, Body: io.NopCloser(strings.NewReader("")), Request: r}, nil
}

func TestHostKeysGoWhereGcloudLooksForThem(t *testing.T) {
	var told []string
	env := dstest.Env(nil, "", answer(func(r *http.Request) int {
		b, err := io.ReadAll(r.Body)
		if err != nil || r.Header.Get("Metadata-Flavor") != "Google" {
			t.Errorf("request of %v: %v", r.Header, err)
		}
		told = append(told, r.Method+" "+r.URL.Path+" "+string(b))
		return 200
	}))
	if err := publish(t.Context(), env, map[string]string{"ed25519": "ssh-ed25519 AAAAE root@x", "rsa": "ssh-rsa AAAAR root@x", "odd": "x"}); err != nil {
		t.Fatal(err)
	}
	const base = "PUT /computeMetadata/v1/instance/guest-attributes/hostkeys/"
	if want := base + "ssh-ed25519 AAAAE|" + base + "ssh-rsa AAAAR"; strings.Join(told, "|") != want {
		t.Errorf("told %q, want %q", told, want)
	}
}

func TestAProjectWithoutGuestAttributesIsNoError(t *testing.T) {
	for _, status := range []int{403, 404} {
		err := publish(t.Context(), dstest.Env(nil, "", answer(func(*http.Request) int { return status })), map[string]string{"rsa": "ssh-rsa AAAA"})
		if !errors.Is(err, datasources.ErrNotTaken) {
			t.Errorf("%d: publish() = %v, want ErrNotTaken", status, err)
		}
	}
}
