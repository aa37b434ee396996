// Package url reads user-data from a URL that the user names: url:http://x/y.
package url

import (
	"context"
	"errors"
	"fmt"

	"rancheros/datasources"
	"rancheros/datasources/internal/imds"
)

// Kind is the url datasource.
var Kind = datasources.Kind{
	Name:     "url",
	Needs:    datasources.Network,
	Explicit: true,
	Detect:   func(*datasources.Host) datasources.Finding { return datasources.Finding{} },
	Fetch:    fetch,
}

func fetch(ctx context.Context, env datasources.Env) (*datasources.Instance, error) {
	if env.Arg == "" {
		return nil, errors.New("url: want url:http://… in rancher.cloud_init.datasources")
	}
	b, err := imds.Fetch(ctx, env, env.Arg)
	if err != nil {
		return nil, fmt.Errorf("url: %w", err)
	}
	return &datasources.Instance{
		Subplatform: "url (" + imds.Shown(env.Arg) + ")",
		ID:          datasources.FallbackID(env.Host, env.Arg),
		UserData:    b,
	}, nil
}
