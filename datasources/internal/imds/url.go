package imds

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"rancheros/datasources"
)

// Shown is a URL as it may stand in a log or a report: without its password.
// It need not be a good URL.
func Shown(s string) string {
	scheme, rest, _ := strings.Cut(s, "://")
	host, _ := HostAndPath(rest)
	at := strings.LastIndex(host, "@")
	colon := strings.Index(host[:max(at, 0)], ":")
	if colon < 0 {
		return s
	}
	return scheme + "://" + host[:colon] + ":xxxxx" + rest[at:]
}

// HostAndPath cuts what is behind the scheme of a URL; the host may have a user
// before it and a port behind it, the path may be empty or a mere query.
func HostAndPath(s string) (host, path string) {
	if i := strings.IndexAny(s, "/?"); i >= 0 {
		return s[:i], s[i:]
	}
	return s, ""
}

// Fetch gets a URL that a person wrote: of any host, through the proxy of the
// environment if there is one, and up to MaxLimit. env.Endpoint replaces scheme
// and host.
func Fetch(ctx context.Context, env datasources.Env, from string) ([]byte, error) {
	u, err := url.Parse(from)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("%q is no URL: want http:// or https://", Shown(from))
	}
	path := u.EscapedPath()
	if path == "" {
		path = "/"
	}
	if u.RawQuery != "" {
		path += "?" + u.RawQuery
	}
	host := u.Host
	if u.User != nil {
		host = u.User.String() + "@" + host
	}
	return Service{Bases: []string{u.Scheme + "://" + host}, AnyRedirect: true, Limit: MaxLimit}.Open(env).Get(ctx, path)
}
