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

// credentials are an OAuth 1.0 consumer and token. MAAS gives the consumer no
// secret.
type credentials struct {
	consumerKey, consumerSecret, tokenKey, tokenSecret string
}

func (c credentials) empty() bool { return c.tokenKey == "" }

// header signs with PLAINTEXT (RFC 5849, 3.4.4): the signature is the secrets.
func (c credentials) header(now time.Time) string {
	fields := []struct{ key, value string }{
		{"oauth_version", "1.0"},
		{"oauth_nonce", rand.Text()},
		{"oauth_timestamp", strconv.FormatInt(now.Unix(), 10)},
		{"oauth_consumer_key", c.consumerKey},
		{"oauth_token", c.tokenKey},
		{"oauth_signature_method", "PLAINTEXT"},
		{"oauth_signature", escape(c.consumerSecret) + "&" + escape(c.tokenSecret)},
	}
	parts := []string{`OAuth realm=""`}
	for _, f := range fields {
		parts = append(parts, fmt.Sprintf(`%s="%s"`, f.key, escape(f.value)))
	}
	return strings.Join(parts, ", ")
}

// escape is percent-encoding as OAuth wants it: a blank is %20.
func escape(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

// skew is how far the server's clock is ahead of ours, from the Date of an
// answer that refused our timestamp: a machine without a battery wakes in 1970.
func skew(err error, now time.Time) (time.Duration, bool) {
	e, ok := errors.AsType[*imds.Error](err)
	if !ok || e.Status != http.StatusUnauthorized && e.Status != http.StatusForbidden {
		return 0, false
	}
	date, err := http.ParseTime(e.Header.Get("Date"))
	if err != nil {
		return 0, false
	}
	d := date.Sub(now)
	return d, d.Abs() > time.Minute
}
