package ec2

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"rancheros/datasources"
)

// Services that answer every path with a page, or fail at those that they do not
// know, are about.
func TestAnIdentityDocumentIsNoCondition(t *testing.T) {
	for name, c := range map[string]struct {
		serial   string
		status   int
		problems int
	}{
		"a page":                       {"", http.StatusOK, 1},
		"a copy that has no documents": {"x.brightbox.com", http.StatusInternalServerError, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch {
				case strings.HasSuffix(r.URL.Path, "/meta-data/instance-id"):
					fmt.Fprint(w, "i-1")
				case strings.HasSuffix(r.URL.Path, "/meta-data/"):
					fmt.Fprint(w, "instance-id")
				case strings.HasSuffix(r.URL.Path, "/document"):
					w.WriteHeader(c.status)
					fmt.Fprint(w, "<html>")
				default:
					w.WriteHeader(http.StatusNotFound)
				}
			}))
			defer s.Close()
			h := &datasources.Host{Root: fstest.MapFS{"sys/class/dmi/id/product_serial": {Data: []byte(c.serial)}}}
			in, err := fetch(t.Context(), datasources.Env{Host: h, Endpoint: s.URL})
			if err != nil || in.ID != "i-1" || len(in.Problems) != c.problems {
				t.Errorf("fetch() = %+v, %v, want i-1 and %d problems", in, err, c.problems)
			}
		})
	}
}
