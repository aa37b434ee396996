package imds

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/hashicorp/go-cleanhttp"
	"github.com/hashicorp/go-retryablehttp"

	"rancheros/datasources"
)

// bounded makes one attempt: it reads the whole body within the timeout and the
// limit, so that a body that breaks off is an attempt that failed.
type bounded struct {
	next    http.RoundTripper
	timeout time.Duration
	limit   int64
	agent   string
}

func transport(s Service, env datasources.Env) http.RoundTripper {
	b := &bounded{timeout: s.Timeout, limit: s.Limit, agent: "ros/" + cmpOr(env.Version, "dev")}
	if env.HTTP != nil && env.HTTP.Transport != nil {
		b.next = env.HTTP.Transport
		return b
	}
	t := cleanhttp.DefaultPooledTransport()
	t.Proxy = func(r *http.Request) (*url.URL, error) {
		if neverProxied(r.URL.Hostname()) {
			return nil, nil
		}
		return http.ProxyFromEnvironment(r)
	}
	t.IdleConnTimeout = 5 * time.Second
	t.DisableCompression = true
	if s.Dial != nil {
		t.Proxy, t.DialContext = nil, s.Dial
	}
	b.next = t
	return b
}

func cmpOr(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func (b *bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeoutCause(r.Context(), b.timeout, errSilent{b.timeout})
	defer cancel()
	r = r.Clone(ctx)
	r.Header.Set("User-Agent", b.agent)
	res, err := b.next.RoundTrip(r)
	if err != nil {
		return nil, because(ctx, err)
	}
	defer res.Body.Close()
	if res.ContentLength > b.limit {
		return nil, &tooLarge{b.limit}
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, b.limit+1))
	if err != nil {
		return nil, because(ctx, err)
	}
	if int64(len(body)) > b.limit {
		return nil, &tooLarge{b.limit}
	}
	res.Body = io.NopCloser(bytes.NewReader(body))
	return res, nil
}

// because replaces "context deadline exceeded" by what really happened.
func because(ctx context.Context, err error) error {
	if cause, ok := errors.AsType[errSilent](context.Cause(ctx)); ok {
		return cause
	}
	return err
}

type errSilent struct{ after time.Duration }

func (e errSilent) Error() string { return fmt.Sprintf("no answer within %v", e.after) }
func (e errSilent) Timeout() bool { return true }

type tooLarge struct{ limit int64 }

func (e *tooLarge) Error() string { return fmt.Sprintf("answer is larger than %d bytes", e.limit) }

// elsewhere sends every request to another scheme and host.
type elsewhere struct {
	to   *url.URL
	next http.RoundTripper
}

func (e *elsewhere) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.URL.Scheme, r.URL.Host = e.to.Scheme, e.to.Host
	return e.next.RoundTrip(r)
}

// timed ends requests at the deadline of everything. An answer has been read
// whole when it comes by here.
type timed struct {
	next     http.RoundTripper
	deadline time.Time
	total    time.Duration
}

func (t *timed) RoundTrip(r *http.Request) (*http.Response, error) {
	last := &attempt{}
	ctx := context.WithValue(r.Context(), attemptKey{}, last)
	ctx, cancel := context.WithDeadlineCause(ctx, t.deadline, fmt.Errorf("gave up after %v", t.total))
	defer cancel()
	res, err := t.next.RoundTrip(r.WithContext(ctx))
	if err == nil {
		return res, nil
	}
	if ctx.Err() != nil {
		err = last.explain(context.Cause(ctx))
	}
	return nil, &Error{Method: r.Method, URL: r.URL.String(), Status: last.status, Err: bare(err)}
}

// redirects follows a few, and only within one host unless the service allows
// more: a metadata service that sends us elsewhere is not one.
func redirects(s Service) func(*http.Request, []*http.Request) error {
	return func(r *http.Request, via []*http.Request) error {
		if len(via) >= 5 {
			return errRedirect("too many redirects")
		}
		if r.URL.Host != via[0].URL.Host && (!s.AnyRedirect || neverProxied(r.URL.Hostname())) {
			return errRedirect("redirect to another host, " + r.URL.Host)
		}
		return nil
	}
}

type errRedirect string

func (e errRedirect) Error() string { return string(e) }

func retrying(s Service, client *http.Client) *retryablehttp.Client {
	return &retryablehttp.Client{
		HTTPClient:   client,
		RetryWaitMin: s.Wait,
		RetryWaitMax: s.MaxWait,
		RetryMax:     s.Retries,
		CheckRetry:   s.retry,
		Backoff:      retryablehttp.DefaultBackoff,
		ErrorHandler: retryablehttp.PassthroughErrorHandler,
	}
}

// retry says whether another attempt makes sense.
func (s Service) retry(ctx context.Context, res *http.Response, err error) (bool, error) {
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	if last, ok := ctx.Value(attemptKey{}).(*attempt); ok {
		last.status, last.err = 0, err
		if err == nil {
			last.status = res.StatusCode
		}
	}
	if err != nil {
		return !permanent(err), nil
	}
	switch code := res.StatusCode; {
	case slices.Contains(s.RetryOn, code):
	case code == http.StatusRequestTimeout, code == http.StatusTooManyRequests:
	case code >= 500 && code != http.StatusNotImplemented:
	default:
		return false, nil
	}
	// A server that wants more patience than we have gets none.
	if until, ok := ctx.Deadline(); ok {
		if sec, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil &&
			time.Duration(sec)*time.Second > time.Until(until) {
			return false, nil
		}
	}
	return true, nil
}

// permanent says whether err will be the same next time.
func permanent(err error) bool {
	if _, ok := errors.AsType[*tooLarge](err); ok {
		return true
	}
	if _, ok := errors.AsType[errRedirect](err); ok {
		return true
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return dns.IsNotFound
	}
	return isTLS(err)
}
