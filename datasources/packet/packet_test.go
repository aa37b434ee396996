package packet

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"rancheros/datasources"
	"rancheros/datasources/dstest"
)

func Test(t *testing.T) { dstest.Run(t, Kind) }

// calls keeps what was asked.
type calls []string

func (c *calls) RoundTrip(r *http.Request) (*http.Response, error) {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	*c = append(*c, r.Method+" "+r.URL.String()+" "+string(b))
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("")), Request: r}, nil
}

func TestReportCallsHome(t *testing.T) {
	in := &datasources.Instance{Metadata: map[string]any{"phone_home_url": "http://192.0.2.200/phone-home"}}
	c := &calls{}
	env := dstest.Env(nil, "", c)
	if err := report(t.Context(), env, in, nil); err != nil {
		t.Fatal(err)
	}
	if err := report(t.Context(), env, in, errors.New("disk is full")); err != nil {
		t.Fatal(err)
	}
	want := []string{"POST http://192.0.2.200/phone-home ", `POST http://192.0.2.200/events {"code":1,"message":"disk is full","state":"failed"}`}
	if strings.Join(*c, "\n") != strings.Join(want, "\n") {
		t.Errorf("asked %q, want %q", *c, want)
	}
}

func TestArgumentSaysWhereToAsk(t *testing.T) {
	if got := bases(datasources.Env{Arg: "http://192.0.2.1:50061/"}); len(got) != 1 || got[0] != "http://192.0.2.1:50061" {
		t.Errorf("bases() = %v", got)
	}
}
