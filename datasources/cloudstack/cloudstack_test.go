package cloudstack

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"rancheros/datasources"
	"rancheros/datasources/dstest"
)

func Test(t *testing.T) { dstest.Run(t, Kind) }

func TestRoutersComeFromLeasesThenRoutesThenDNS(t *testing.T) {
	h := &datasources.Host{Root: fstest.MapFS{
		"run/ros/leases/eth0.json":         {Data: []byte(`{"server": "10.1.1.1"}`)},
		"run/systemd/netif/leases/2":       {Data: []byte("SERVER_ADDRESS=10.1.1.2\n")},
		"var/lib/dhcp/dhclient.eth0.lease": {Data: []byte("lease {\n  option dhcp-server-identifier 10.1.1.3;\n}\nlease {\n  option dhcp-server-identifier 10.1.1.4;\n}\n")},
		"proc/net/route":                   {Data: []byte("Iface\tDestination\tGateway\neth0\t00000000\t0101010A\n")},
	}}
	want := []string{"http://10.1.1.1", "http://10.1.1.2", "http://10.1.1.4", "http://data-server."}
	if got := routers(h); !slices.Equal(got, want) {
		t.Errorf("routers() = %v, want %v", got, want)
	}
}

// passwordServer has one password and forgets it when told to.
type passwordServer struct {
	password string
	saved    bool
}

func (s *passwordServer) RoundTrip(r *http.Request) (*http.Response, error) {
	w := newRecorder()
	switch {
	case r.URL.Port() != "8080":
		w.status = http.StatusNotFound
	case r.Header.Get("DomU_Request") == "saved_password":
		s.saved = true
	case r.Header.Get("DomU_Request") == "send_my_password" && s.saved:
		w.body = "saved_password"
	case r.Header.Get("DomU_Request") == "send_my_password":
		w.body = s.password
	default:
		w.body = "bad_request"
	}
	return w.response(r), nil
}

func TestPasswordIsTakenOnceAndAcknowledged(t *testing.T) {
	s := &passwordServer{password: "one-time"}
	env := dstest.Env(&datasources.Host{Root: fstest.MapFS{}}, "", s)
	if got := password(t.Context(), env, "http://10.1.1.1"); got != "one-time" || !s.saved {
		t.Errorf("password() = %q, acknowledged %t, want one-time, true", got, s.saved)
	}
	if got := password(t.Context(), env, "http://10.1.1.1"); got != "" {
		t.Errorf("password() = %q the second time, want none", got)
	}
}

// A recorder is the little of an answer that the test needs.
type recorder struct {
	status int
	body   string
}

func newRecorder() *recorder { return &recorder{status: http.StatusOK} }

func (w *recorder) response(r *http.Request) *http.Response {
	return &http.Response{
		StatusCode: w.status, Header: http.Header{}, Request: r,
		Body: io.NopCloser(strings.NewReader(w.body)), ContentLength: int64(len(w.body)),
	}
}
