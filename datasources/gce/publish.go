package gce

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"rancheros/datasources"
	"rancheros/datasources/internal/imds"
)

// publish puts the host keys among the guest attributes, where gcloud looks for
// them before it connects. The machine's owner must have enabled those.
//
// https://cloud.google.com/compute/docs/metadata/manage-guest-attributes
func publish(ctx context.Context, env datasources.Env, keys map[string]string) error {
	c := service.Open(env)
	for _, kind := range slices.Sorted(maps.Keys(keys)) {
		f := strings.Fields(keys[kind])
		if len(f) < 2 {
			continue
		}
		_, err := c.Do(ctx, imds.Request{Method: http.MethodPut, Path: prefix + "instance/guest-attributes/hostkeys/" + f[0], Body: []byte(f[1])})
		switch imds.Status(err) {
		case http.StatusForbidden, http.StatusNotFound:
			return fmt.Errorf("gce: %w: enable-guest-attributes is not set", datasources.ErrNotTaken)
		}
		if err != nil {
			return fmt.Errorf("gce: publish host keys: %w", err)
		}
	}
	return nil
}
