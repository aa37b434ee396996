package report

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"rancheros/cloudconfig"
	"rancheros/datasources/maas"
)

const (
	// queue is how many events may wait for a slow server.
	queue = 512
	// tries without any answer after which a server is given up.
	patience = 3
	// requestTime is how long one request may take if nothing is said.
	requestTime = 10 * time.Second
	// pauseTime is between tries.
	pauseTime = time.Second
)

// A webhook posts events to a web server, one after the other, beside the work.
type webhook struct {
	Edges
	endpoint *url.URL
	auth     maas.Credentials
	timeout  time.Duration
	retries  int
	events   chan Event
	done     chan error
	stop     context.CancelFunc
	// skew is how far the server's clock is ahead of ours.
	skew time.Duration
}

func newWebhook(ctx context.Context, r cloudconfig.Reporter, e Edges) (receiver, error) {
	if !e.Live {
		return nil, nil
	}
	u, err := url.Parse(r.Endpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, errors.New("endpoint is no address of http or https")
	}
	w := &webhook{Edges: e, endpoint: u, timeout: requestTime, retries: r.Retries,
		auth: maas.Credentials{ConsumerKey: r.ConsumerKey, ConsumerSecret: r.ConsumerSecret.Reveal(),
			TokenKey: r.TokenKey.Reveal(), TokenSecret: r.TokenSecret.Reveal()},
		events: make(chan Event, queue), done: make(chan error, 1)}
	if r.Timeout > 0 {
		w.timeout = time.Duration(r.Timeout * float64(time.Second))
	}
	ctx, stop := context.WithCancel(ctx)
	w.stop = stop
	go func() { w.done <- w.run(ctx) }()
	return w, nil
}

func (w *webhook) tell(e Event) error {
	select {
	case w.events <- e:
		return nil
	default:
		return errBehind
	}
}

// close gives the server the time of ctx to hear the rest.
func (w *webhook) close(ctx context.Context) error {
	close(w.events)
	defer w.stop()
	select {
	case err := <-w.done:
		return err
	case <-ctx.Done():
		return errBehind
	}
}

// run posts until there is nothing more, or nobody answers.
func (w *webhook) run(ctx context.Context) error {
	failed := 0
	var last error
	for e := range w.events {
		if failed >= patience {
			continue // nobody is there: drop the rest
		}
		if err := w.post(ctx, e); err != nil {
			failed, last = failed+1, err
		} else {
			failed = 0
		}
	}
	return last
}

// post tells one event, with its retries.
func (w *webhook) post(ctx context.Context, e Event) error {
	doc := map[string]any{"name": e.Name, "description": e.Description, "event_type": e.kind(), "origin": "cloudinit",
		"timestamp": float64(e.At.UnixNano()) / 1e9}
	if e.Result != "" {
		doc["result"] = e.Result
	}
	body, err := json.Marshal(doc)
	if err != nil {
		return err
	}
	for try := 0; ; try++ {
		if err = w.once(ctx, body); err == nil || try >= w.retries {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pauseTime):
		}
	}
}

// once is one request. A server that refuses our clock is asked once more by
// its own.
func (w *webhook) once(ctx context.Context, body []byte) error {
	status, date, err := w.send(ctx, body)
	if skew, ok := maas.Skew(status, date, w.Now()); ok && !w.auth.Empty() && skew != w.skew {
		w.skew = skew
		status, _, err = w.send(ctx, body)
	}
	if err == nil && status >= 300 {
		err = fmt.Errorf("POST %s: the server says %d %s", w.endpoint.Redacted(), status, http.StatusText(status))
	}
	return err
}

func (w *webhook) send(ctx context.Context, body []byte) (status int, date string, err error) {
	ctx, cancel := context.WithTimeout(ctx, w.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.endpoint.String(), bytes.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	req.Header.Set("Content-Type", "application/json")
	if !w.auth.Empty() {
		req.Header.Set("Authorization", w.auth.Header(w.Now().Add(w.skew)))
	}
	res, err := w.HTTP.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	// What it says is of no interest; read, the connection serves once more.
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10))
	return res.StatusCode, res.Header.Get("Date"), nil
}
