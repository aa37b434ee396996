package scaleway

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"syscall"
	"time"

	"rancheros/datasources"
	"rancheros/datasources/internal/imds"
)

// privileged is a client whose requests come from ports below 1024: by that the
// service knows that root asks, and gives what may be secret.
func privileged(env datasources.Env, base string) *imds.Client {
	s := imds.Service{
		Bases:    []string{base},
		Timeout:  10 * time.Second,
		Deadline: 120 * time.Second,
	}
	// A transport of a test or a recording has no ports.
	if env.HTTP == nil || env.HTTP.Transport == nil {
		s.Dial = dialLow
	}
	return s.Open(env)
}

// attempts to find a free port; there are some 1000.
const attempts = 50

// dialLow tries ports below 1024 in a random order until one is free. A caller
// who is not root gets any port, and the service's refusal says the rest.
func dialLow(ctx context.Context, netw, addr string) (net.Conn, error) {
	var err error
	for _, n := range rand.Perm(1023)[:attempts] {
		d := net.Dialer{LocalAddr: &net.TCPAddr{Port: n + 1}}
		var c net.Conn
		if c, err = d.DialContext(ctx, netw, addr); err == nil {
			return c, nil
		}
		switch {
		case errors.Is(err, syscall.EADDRINUSE), errors.Is(err, syscall.EADDRNOTAVAIL):
		case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM):
			var any net.Dialer
			return any.DialContext(ctx, netw, addr)
		default:
			return nil, err
		}
	}
	return nil, err
}
