package execute

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	fetchTries = 4
	fetchPause = 500 * time.Millisecond
)

// fetch gets a document of at most limit bytes, trying again when the server
// is at fault. A fragment `#sha256=HEX` pins its content.
func (t *Target) fetch(ctx context.Context, where string, headers map[string]string, limit int64) ([]byte, error) {
	u, err := url.Parse(where)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("%q is no address of http or https", where)
	}
	pin, pinned := strings.CutPrefix(u.Fragment, "sha256=")
	u.Fragment = ""
	var body []byte
	for try := range fetchTries {
		if try == 1 && t.Online != nil {
			if err := t.Online(ctx); err != nil {
				t.Warn("%v", err)
			}
		}
		if try > 0 {
			if err := pause(ctx, fetchPause<<try); err != nil {
				return nil, errors.Join(err, ctx.Err())
			}
		}
		var again bool
		if body, again, err = t.get(ctx, u.String(), headers, limit); err == nil || !again {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	if sum := sha256.Sum256(body); pinned && !strings.EqualFold(pin, hex.EncodeToString(sum[:])) {
		return nil, fmt.Errorf("fetch %s: its sha256 is %x, not the one asked for", u.Redacted(), sum)
	}
	return body, nil
}

// get is one try; again says whether another one may help.
func (t *Target) get(ctx context.Context, where string, headers map[string]string, limit int64) (body []byte, again bool, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, where, nil)
	if err != nil {
		return nil, false, err
	}
	for k, v := range headers {
		req.Header.Set(k, v)
	}
	resp, err := t.HTTP.Do(req)
	if err != nil {
		return nil, true, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, resp.StatusCode >= 500 || resp.StatusCode == http.StatusTooManyRequests,
			fmt.Errorf("fetch %s: the server says %s", req.URL.Redacted(), resp.Status)
	}
	body, err = io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return nil, true, fmt.Errorf("fetch %s: %w", req.URL.Redacted(), err)
	}
	if int64(len(body)) > limit {
		return nil, false, fmt.Errorf("fetch %s: larger than %d bytes", req.URL.Redacted(), limit)
	}
	return body, false, nil
}

// pause waits, unless ctx ends first.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
