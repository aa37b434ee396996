// Package cmdline reads user-data from the URL that the kernel command line
// names with cloud-config-url=.
package cmdline

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"rancheros/datasources"
	"rancheros/datasources/internal/imds"
)

// Kind is the cmdline datasource.
var Kind = datasources.Kind{
	Name:   "cmdline",
	Needs:  datasources.Network,
	Detect: detect,
	Fetch:  fetch,
	Same:   same,
}

func detect(h *datasources.Host) datasources.Finding {
	if u := target(h); u != "" {
		return datasources.Finding{Match: datasources.Yes, Evidence: "kernel command line has cloud-config-url=" + imds.Shown(u)}
	}
	return datasources.Finding{}
}

// target is the URL; of several the last.
func target(h *datasources.Host) string {
	found := ""
	for _, word := range h.CmdlineWords() {
		key, value, ok := strings.Cut(word, "=")
		if ok && strings.ReplaceAll(key, "_", "-") == "cloud-config-url" {
			found = strings.Trim(value, `"`)
		}
	}
	return found
}

// same compares the ID, which depends on the URL where the firmware has none.
func same(h *datasources.Host, saved datasources.Identity) bool {
	return target(h) != "" && saved.InstanceID == datasources.FallbackID(h, target(h))
}

func fetch(ctx context.Context, env datasources.Env) (*datasources.Instance, error) {
	from := target(env.Host)
	if from == "" {
		return nil, errors.New("cmdline: the kernel command line has no cloud-config-url=")
	}
	b, err := imds.Fetch(ctx, env, from)
	if err != nil {
		return nil, fmt.Errorf("cmdline: %w", err)
	}
	return &datasources.Instance{
		Subplatform: "url (" + imds.Shown(from) + ")",
		ID:          datasources.FallbackID(env.Host, from),
		UserData:    b,
	}, nil
}
