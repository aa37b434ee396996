package imds

import (
	"context"
	"fmt"
	"net/url"

	"rancheros/datasources"
)

// Fetch gets a URL that a person wrote: of any host, through the proxy of the
// environment if there is one, and up to MaxLimit. env.Endpoint replaces scheme
// and host.
func Fetch(ctx context.Context, env datasources.Env, from string) ([]byte, error) {
	u, err := url.Parse(from)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("%q is no URL: want http:// or https://", from)
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
