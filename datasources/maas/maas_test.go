package maas

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"rancheros/datasources"
	"rancheros/datasources/dstest"
)

func Test(t *testing.T) { dstest.Run(t, Kind) }

func TestRequestsAreSignedWithTheSecrets(t *testing.T) {
	c := Credentials{ConsumerKey: "c k", TokenKey: "t", TokenSecret: "s/&"}
	got := c.Header(time.Unix(1234, 0))
	for _, want := range []string{
		`OAuth realm=""`, `oauth_consumer_key="c%20k"`, `oauth_token="t"`, `oauth_timestamp="1234"`,
		`oauth_signature_method="PLAINTEXT"`, `oauth_signature="%26s%252F%2526"`, `oauth_version="1.0"`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("header %s lacks %s", got, want)
		}
	}
}

// clockServer refuses what is not signed with its time.
type clockServer struct {
	now     time.Time
	refused int
}

func (s *clockServer) RoundTrip(r *http.Request) (*http.Response, error) {
	res := &http.Response{StatusCode: 401, Header: http.Header{}, Request: r, Body: io.NopCloser(strings.NewReader("x"))}
	res.Header.Set("Date", s.now.UTC().Format(http.TimeFormat))
	if strings.Contains(r.Header.Get("Authorization"), `oauth_timestamp="`+"4102444800"+`"`) {
		res.StatusCode = 200
	} else {
		s.refused++
	}
	return res, nil
}

func TestTimeOfTheServerIsTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // time stands still in 2000
		rt := &clockServer{now: time.Unix(4102444800, 0)}
		s, err := open(dstest.Env(&datasources.Host{}, "", rt), "http://192.0.2.2/MAAS/metadata", Credentials{TokenKey: "t"})
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if _, err := s.get(t.Context(), "user-data"); err != nil {
				t.Fatal(err)
			}
		}
		if rt.refused != 1 {
			t.Errorf("%d requests refused, want 1", rt.refused)
		}
	})
}

func TestSeedWithoutIdentityIsNone(t *testing.T) {
	if _, err := parse(map[string][]byte{"user-data": []byte("x")}); err == nil {
		t.Error("parse() succeeds without instance-id")
	}
}
