// Package fetch gets the documents that user-data refers to: #include lines and
// the sources of Ignition files. Size, time and redirects are bounded.
package fetch

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

// A Request is one document to get.
type Request struct {
	URL    string
	Header http.Header
	// Max is the largest answer that is accepted, in bytes.
	Max int64
}

// A Fetcher gets a document whole.
type Fetcher func(ctx context.Context, r Request) ([]byte, error)

// A StatusError is an answer other than 2xx.
type StatusError struct {
	URL  string
	Code int
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("get %s: the server answered %d %s", e.URL, e.Code, http.StatusText(e.Code))
}

// ErrTooLarge is an answer above Request.Max.
var ErrTooLarge = errors.New("answer is too large")

// Options of HTTP. The zero value tries once, for 5 seconds.
type Options struct {
	// Retries after a connection error, a 429 or a 5xx.
	Retries int
	// Timeout of one try.
	Timeout time.Duration
}

// HTTP is a Fetcher for http:, https: and data: URLs. It uses the proxy that
// the environment names.
func HTTP(o Options) Fetcher {
	if o.Timeout == 0 {
		o.Timeout = 5 * time.Second
	}
	c := retryablehttp.NewClient()
	c.Logger = nil
	c.RetryMax = o.Retries
	c.RetryWaitMin = 200 * time.Millisecond
	c.RetryWaitMax = 2 * time.Second
	c.ErrorHandler = retryablehttp.PassthroughErrorHandler
	c.HTTPClient.Timeout = o.Timeout
	return func(ctx context.Context, r Request) ([]byte, error) {
		if strings.HasPrefix(strings.ToLower(r.URL), "data:") {
			return Data(r.URL)
		}
		return get(ctx, c, r)
	}
}

func get(ctx context.Context, c *retryablehttp.Client, r Request) ([]byte, error) {
	shown := Shown(r.URL)
	u, err := url.Parse(r.URL)
	if err != nil {
		return nil, fmt.Errorf("get %s: not a URL", shown)
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("get %s: only http:, https: and data: URLs can be fetched", shown)
	}
	req, err := retryablehttp.NewRequestWithContext(ctx, http.MethodGet, r.URL, nil)
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", shown, errors.Unwrap(err))
	}
	req.Header = r.Header.Clone()
	if req.Header == nil {
		req.Header = http.Header{}
	}
	if req.Header.Get("User-Agent") == "" {
		req.Header.Set("User-Agent", "ros")
	}
	resp, err := c.Do(req)
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", shown, cause(err))
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		return nil, &StatusError{shown, resp.StatusCode}
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, r.Max+1))
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", shown, cause(err))
	}
	if int64(len(data)) > r.Max {
		return nil, fmt.Errorf("get %s: %w: more than %d bytes", shown, ErrTooLarge, r.Max)
	}
	return data, nil
}

// cause leaves out the URL that net/http puts into its errors: it may hold a
// secret.
func cause(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}

// Shown is a URL as it may stand in a message: without user, password and query.
func Shown(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		head, _, _ := strings.Cut(raw, "?")
		return head
	}
	if u.Scheme == "data" {
		return "data:..."
	}
	u.User = nil
	if u.RawQuery != "" {
		u.RawQuery = "..."
	}
	return u.String()
}

// Data decodes a data: URL.
//
// https://www.rfc-editor.org/rfc/rfc2397
func Data(raw string) ([]byte, error) {
	_, rest, ok := strings.Cut(raw, ":")
	head, body, comma := strings.Cut(rest, ",")
	if !ok || !comma {
		return nil, errors.New("data URL has no comma")
	}
	// A plus is a plus here, unlike in a query.
	text, err := url.PathUnescape(body)
	if err != nil {
		return nil, errors.New("data URL is not escaped properly")
	}
	if !strings.HasSuffix(strings.ToLower(head), ";base64") {
		return []byte(text), nil
	}
	for _, enc := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding, base64.RawStdEncoding, base64.RawURLEncoding} {
		if data, err := enc.DecodeString(text); err == nil {
			return data, nil
		}
	}
	return nil, errors.New("data URL is not valid base64")
}
