package imds

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

// Stagger is how long a candidate has before the next one is tried as well
// (RFC 8305 says 150 to 250 ms).
const Stagger = 150 * time.Millisecond

// A Client asks one service. It is not for use by several goroutines until the
// first request has been answered.
type Client struct {
	service  Service
	http     *retryablehttp.Client
	bases    []string
	base     string // the one that answered
	header   http.Header
	deadline time.Time
}

// A Request is one thing to ask.
type Request struct {
	Method string // GET
	// Path starts with a slash and may have a query.
	Path   string
	Header map[string]string
	Body   []byte
}

// A Response is an answer with a status from 200 to 299.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
	// URL is what was asked.
	URL string
}

// Base is where the service is; empty until it has answered.
func (c *Client) Base() string { return c.base }

// SetHeader adds a header, such as a token, to all further requests.
func (c *Client) SetHeader(key, value string) { c.header.Set(key, value) }

// Get returns the content of path. The error is an *Error; of a path that is
// not there it Is ErrAbsent.
func (c *Client) Get(ctx context.Context, path string) ([]byte, error) {
	res, err := c.Do(ctx, Request{Path: path})
	if err != nil {
		return nil, err
	}
	return res.Body, nil
}

// Optional is Get, with nil for a path that is not there.
func (c *Client) Optional(ctx context.Context, path string) ([]byte, error) {
	b, err := c.Get(ctx, path)
	if errors.Is(err, ErrAbsent) {
		return nil, nil
	}
	return b, err
}

// Do asks. An answer of another status than 2xx is an *Error.
func (c *Client) Do(ctx context.Context, r Request) (*Response, error) {
	ctx, cancel := context.WithDeadlineCause(ctx, c.deadline,
		fmt.Errorf("gave up after %v", c.service.Deadline))
	defer cancel()
	if r.Method == "" {
		r.Method = http.MethodGet
	}
	if c.base != "" {
		return c.ask(ctx, c.base, r)
	}
	return c.race(ctx, r)
}

// race asks all bases, and keeps the first that answers at all.
func (c *Client) race(ctx context.Context, r Request) (*Response, error) {
	if len(c.bases) == 0 {
		return nil, &Error{Method: r.Method, URL: r.Path, Err: errors.New("no address of the service is known: is there a link?")}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type answer struct {
		base string
		res  *Response
		err  error
	}
	answers := make(chan answer, len(c.bases))
	start := func(base string) {
		go func() {
			res, err := c.ask(ctx, base, r)
			answers <- answer{base, res, err}
		}()
	}
	next := time.NewTimer(0)
	defer next.Stop()
	started, ended := 0, 0
	var errs []error
	for ended < len(c.bases) {
		select {
		case <-next.C:
			if started < len(c.bases) {
				start(c.bases[started])
				started++
				next.Reset(Stagger)
			}
		case a := <-answers:
			if a.err == nil || Status(a.err) != 0 {
				c.base = a.base
				return a.res, a.err
			}
			ended++
			errs = append(errs, a.err)
			next.Reset(0)
		}
	}
	return nil, errors.Join(errs...)
}

// ask asks one base, with retries.
func (c *Client) ask(ctx context.Context, base string, r Request) (*Response, error) {
	target := base + r.Path
	last := &attempt{}
	ctx = context.WithValue(ctx, attemptKey{}, last)
	fail := func(status int, err error) error {
		return &Error{Method: r.Method, URL: target, Status: status, Err: err}
	}
	var body any
	if r.Body != nil {
		body = r.Body
	}
	req, err := retryablehttp.NewRequestWithContext(ctx, r.Method, target, body)
	if err != nil {
		return nil, fail(0, bare(err))
	}
	req.Header = c.header.Clone()
	for k, v := range r.Header {
		req.Header.Set(k, v)
	}
	res, err := c.http.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return nil, fail(last.status, last.explain(context.Cause(ctx)))
		}
		return nil, fail(0, bare(err))
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, fail(0, err)
	}
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return nil, &Error{Method: r.Method, URL: target, Status: res.StatusCode, Header: res.Header}
	}
	return &Response{Status: res.StatusCode, Header: res.Header, Body: b, URL: target}, nil
}

// bare takes method and URL off an error, because Error says them.
func bare(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}

// An attempt is what the last one of several ended with.
type attempt struct {
	status int
	err    error
}

type attemptKey struct{}

// explain adds the last attempt's error to why there was no further one.
func (a *attempt) explain(cause error) error {
	if a.err == nil || errors.Is(cause, a.err) {
		return cause
	}
	return fmt.Errorf("%w: %w", cause, bare(a.err))
}
