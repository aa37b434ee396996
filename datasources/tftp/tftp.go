// Package tftp reads user-data from a TFTP server, for machines that boot from
// the network: tftp:192.0.2.1/cloud-config.
package tftp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"rancheros/datasources"
)

// Kind is the TFTP datasource. Its argument is HOST[:PORT]/PATH.
var Kind = datasources.Kind{
	Name:     "tftp",
	Needs:    datasources.Network,
	Explicit: true,
	Detect:   detect,
	Fetch:    fetch,
}

// detect: nothing in a machine speaks for it; a person does.
func detect(*datasources.Host) datasources.Finding { return datasources.Finding{} }

func fetch(ctx context.Context, env datasources.Env) (*datasources.Instance, error) {
	addr, file, err := split(env.Arg)
	if err != nil {
		return nil, err
	}
	if env.Endpoint != "" {
		addr = strings.TrimPrefix(env.Endpoint, "tftp://")
	}
	b, err := get(ctx, addr, file)
	if err != nil {
		return nil, fmt.Errorf("tftp://%s/%s: %w", addr, file, err)
	}
	return &datasources.Instance{
		ID:          datasources.FallbackID(env.Host, env.Arg),
		UserData:    b,
		Subplatform: "tftp (" + addr + "/" + file + ")",
	}, nil
}

// split reads HOST[:PORT]/PATH, with or without tftp:// before it.
func split(arg string) (addr, file string, err error) {
	arg = strings.TrimPrefix(strings.TrimPrefix(arg, "//"), "tftp://")
	host, file, _ := strings.Cut(arg, "/")
	if host == "" || file == "" {
		return "", "", errors.New("where the file is, is not said: write tftp:HOST/PATH")
	}
	if _, _, err := net.SplitHostPort(host); err != nil {
		host = net.JoinHostPort(strings.Trim(host, "[]"), "69")
	}
	return host, file, nil
}
