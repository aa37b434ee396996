// Package imds asks metadata services: small HTTP servers that a cloud runs
// beside each machine, often at a link-local address.
//
// What such a server says is not trusted: answers are limited in size, waiting
// is limited in time, and a redirect never leaves the server.
package imds

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"rancheros/datasources"
)

// Limits of what any service may say.
const (
	// DefaultLimit is how many bytes one answer may have.
	DefaultLimit = 2 << 20
	// MaxLimit is the most that a Service can ask for.
	MaxLimit = 16 << 20
)

// A Service says how one cloud's metadata service wants to be asked. The zero
// value of every field but Bases means the default.
type Service struct {
	// Bases are the places where the service may be: scheme and host, no
	// slash at the end. Several are raced, each started 150 ms after the one
	// before; the first that answers is kept. See Links for link-local ones.
	Bases []string
	// Header is sent with every request.
	Header map[string]string
	// Timeout of one attempt, body included: 5 s.
	Timeout time.Duration
	// Deadline of everything that a Client asks, from Open on: 60 s.
	Deadline time.Duration
	// Retries after the first attempt of a request: 8. Negative: none.
	Retries int
	// Wait before the first retry, doubled for each further one up to MaxWait:
	// 250 ms, 5 s. Retry-After of a 429 or 503 goes before.
	Wait, MaxWait time.Duration
	// RetryOn are status codes to retry beside 408, 429 and 5xx.
	RetryOn []int
	// Limit is how many bytes one answer may have: DefaultLimit.
	Limit int64
	// Dial makes connections, for services behind a socket or with demands on
	// the source port.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// AnyRedirect allows redirects to other hosts: for URLs a person wrote,
	// never for a metadata service.
	AnyRedirect bool
	// Env's endpoint does not replace Bases: they are the user's own.
	OwnBases bool
}

func (s Service) withDefaults() Service {
	set := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	set(&s.Timeout, 5*time.Second)
	set(&s.Deadline, 60*time.Second)
	set(&s.Wait, 250*time.Millisecond)
	set(&s.MaxWait, 5*time.Second)
	switch {
	case s.Retries == 0:
		s.Retries = 8
	case s.Retries < 0:
		s.Retries = 0
	}
	if s.Limit <= 0 {
		s.Limit = DefaultLimit
	}
	s.Limit = min(s.Limit, MaxLimit)
	return s
}

// Open makes a client for the service. The deadline runs from here. It talks to
// env.Endpoint instead of Bases, and through env.HTTP's transport, if they are
// set.
func (s Service) Open(env datasources.Env) *Client {
	s = s.withDefaults()
	c := &Client{
		service:  s,
		bases:    slices.Clone(s.Bases),
		header:   http.Header{},
		deadline: time.Now().Add(s.Deadline),
	}
	if env.Endpoint != "" && !s.OwnBases {
		c.bases = []string{strings.TrimRight(env.Endpoint, "/")}
	}
	if len(c.bases) == 1 {
		c.base = c.bases[0]
	}
	for k, v := range s.Header {
		c.header.Set(k, v)
	}
	c.http = retrying(s, &http.Client{Transport: transport(s, env), CheckRedirect: redirects(s)})
	return c
}

// HTTP is a client for libraries that talk to a service themselves. It has all
// limits, retries, and sends every request to env.Endpoint if that is set. The
// deadline runs from here.
func (s Service) HTTP(env datasources.Env) *http.Client {
	s = s.withDefaults()
	var rt http.RoundTripper = transport(s, env)
	if u, err := url.Parse(env.Endpoint); err == nil && u.Host != "" && !s.OwnBases {
		rt = &elsewhere{to: u, next: rt}
	}
	c := retrying(s, &http.Client{Transport: rt, CheckRedirect: redirects(s)})
	return &http.Client{Transport: &timed{
		next:     &retryablehttp.RoundTripper{Client: c},
		deadline: time.Now().Add(s.Deadline),
		total:    s.Deadline,
	}}
}

// Links is base once for each link of the machine that could be used, with %s
// replaced by the link's name: "http://[fe80::a9fe:a9fe%%25%s]". Links that are
// up come first.
func Links(h *datasources.Host, format string) []string {
	links := slices.Clone(h.Links)
	slices.SortStableFunc(links, func(a, b datasources.HostLink) int {
		switch {
		case a.Up == b.Up:
			return 0
		case a.Up:
			return -1
		}
		return 1
	})
	var bases []string
	for _, l := range links {
		bases = append(bases, strings.ReplaceAll(strings.ReplaceAll(format, "%s", l.Name), "%%", "%"))
	}
	return bases
}

// neverProxied says whether host is a place that a proxy cannot reach or must
// not see: credentials pass there.
func neverProxied(host string) bool {
	if a, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		a = a.Unmap()
		return a.IsLinkLocalUnicast() || a.IsLoopback() || a.IsPrivate() ||
			netip.MustParsePrefix("100.64.0.0/10").Contains(a)
	}
	return host == "localhost" || strings.HasPrefix(host, "metadata.")
}
