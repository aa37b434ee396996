// Package file reads user-data from a file that the user names:
// file:/path/to/user-data.
package file

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"rancheros/datasources"
)

// maxSize is the largest user-data taken, in bytes.
const maxSize = 16 << 20

// Kind is the file datasource.
var Kind = datasources.Kind{
	Name:     "file",
	Needs:    datasources.Local,
	Explicit: true,
	Detect:   func(*datasources.Host) datasources.Finding { return datasources.Finding{} },
	Fetch:    fetch,
}

func fetch(_ context.Context, env datasources.Env) (*datasources.Instance, error) {
	name := strings.TrimPrefix(env.Arg, "//")
	if name == "" {
		return nil, errors.New("file: want file:/path in rancher.cloud_init.datasources")
	}
	f, err := env.Host.Root.Open(strings.Trim(name, "/"))
	if err != nil {
		return nil, fmt.Errorf("file: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err != nil {
		return nil, fmt.Errorf("file: %w", err)
	}
	if len(b) > maxSize {
		return nil, fmt.Errorf("file: %s is larger than %d bytes", name, maxSize)
	}
	return &datasources.Instance{
		Subplatform: "file (" + name + ")",
		ID:          datasources.FallbackID(env.Host, name),
		UserData:    b,
	}, nil
}
