package gce

import (
	"io"
	"net/http"
	"path"
	"strings"
	"testing"
	"testing/fstest"

	"rancheros/datasources"
	"rancheros/datasources/dstest"
)

// odd is Google's server, but for its list of network interfaces.
type odd struct{}

func (odd) RoundTrip(r *http.Request) (*http.Response, error) {
	body := map[string]string{"id": "1", "zone": "projects/1/zones/us-a-b", "hostname": "web.c.internal",
		"network-interfaces": `[{"mac": 7}]`}[path.Base(r.URL.Path)]
	status := http.StatusOK
	if body == "" {
		status = http.StatusNotFound
	}
	return &http.Response{StatusCode: status, Header: http.Header{"Metadata-Flavor": {"Google"}},
		Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

func TestInterfacesAreNoCondition(t *testing.T) {
	in, err := fetch(t.Context(), dstest.Env(&datasources.Host{Root: fstest.MapFS{}}, "", odd{}))
	if err != nil || in.ID != "1" || in.Hostname != "web" || in.Network != nil || len(in.Problems) != 1 {
		t.Errorf("fetch() = %+v, %v, want web with a problem", in, err)
	}
}
