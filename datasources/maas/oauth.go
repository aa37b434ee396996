package maas

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"rancheros/datasources/internal/imds"
)

// Credentials are an OAuth 1.0 consumer and token. MAAS gives the consumer no
// secret, and wants the same of whoever reports to it.
type Credentials struct {
	ConsumerKey, ConsumerSecret, TokenKey, TokenSecret string
}

// Empty says that nothing is to be signed.
func (c Credentials) Empty() bool { return c.TokenKey == "" }

// Header signs with PLAINTEXT (RFC 5849, 3.4.4): the signature is the secrets.
func (c Credentials) Header(now time.Time) string {
	fields := []struct{ key, value string }{
		{"oauth_version", "1.0"},
		{"oauth_nonce", rand.Text()},
		{"oauth_timestamp", strconv.FormatInt(now.Unix(), 10)},
		{"oauth_consumer_key", c.ConsumerKey},
		{"oauth_token", c.TokenKey},
		{"oauth_signature_method", "PLAINTEXT"},
		{"oauth_signature", escape(c.ConsumerSecret) + "&" + escape(c.TokenSecret)},
	}
	parts := []string{`OAuth realm=""`}
	for _, f := range fields {
		parts = append(parts, fmt.Sprintf(`%s="%s"`, f.key, escape(f.value)))
	}
	return strings.Join(parts, ", ")
}

// escape is percent-encoding as OAuth wants it: a blank is %20.
func escape(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

// Skew is how far the server's clock is ahead of ours, from the status and Date
// of an answer that refused our timestamp: a machine without a battery wakes in
// 1970.
func Skew(status int, serverDate string, now time.Time) (time.Duration, bool) {
	if status != http.StatusUnauthorized && status != http.StatusForbidden {
		return 0, false
	}
	date, err := http.ParseTime(serverDate)
	if err != nil {
		return 0, false
	}
	d := date.Sub(now)
	return d, d.Abs() > time.Minute
}

// skewOf is Skew of an error.
func skewOf(err error, now time.Time) (time.Duration, bool) {
	e, ok := errors.AsType[*imds.Error](err)
	if !ok {
		return 0, false
	}
	return Skew(e.Status, e.Header.Get("Date"), now)
}
