package save

import (
	"context"
	"net/http"
	"sync/atomic"

	"rancheros/cloudconfig/userdata/fetch"
	"rancheros/datasources"
)

// picked is the datasource that answered.
type picked struct {
	kind     datasources.Kind
	instance *datasources.Instance
}

// hostOf is the machine whose root is a folder.
func hostOf(dir string) *datasources.Host {
	h, err := datasources.RecordedHost(dir)
	if err != nil {
		return datasources.ThisHost()
	}
	return h
}

// counting counts the documents that user-data makes us fetch.
func (s *saver) counting(f fetch.Fetcher) fetch.Fetcher {
	return func(ctx context.Context, r fetch.Request) ([]byte, error) {
		s.report.Requests++
		return f(ctx, r)
	}
}

// counter counts the requests of a datasource.
type counter struct {
	next http.RoundTripper
	n    *atomic.Int64
}

func (c counter) RoundTrip(r *http.Request) (*http.Response, error) {
	c.n.Add(1)
	return c.next.RoundTrip(r)
}

// counted is the client with its requests counted.
func counted(c *http.Client, n *atomic.Int64) *http.Client {
	out := *c
	if out.Transport == nil {
		out.Transport = http.DefaultTransport
	}
	out.Transport = counter{out.Transport, n}
	return &out
}
