package azure

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"rancheros/datasources"
	"rancheros/datasources/internal/imds"
	"rancheros/paths"
)

// Azure makes machines in advance and keeps them in pools. Such a machine says
// Ready, and waits until somebody takes it: then its network is another one and
// the service has an ovf-env.xml for it.
const (
	// running machines wait for reprovisiondata.
	poolRunning = "Running"
	// savable ones do too, and may sleep and lose their cards meanwhile.
	poolSavable = "Savable"
	// those of an OS disk are shut down, and boot again as their user's.
	poolOSDisk = "PreprovisionedOSDisk"
)

const (
	reprovisionPath = "/metadata/reprovisiondata?api-version=2019-06-01"
	// poolMark is there from Ready to the answer: a machine that restarts
	// meanwhile still waits, and does not say Ready twice. Its content is the
	// machine's UUID, for one made of its image is no longer in the pool.
	poolMark = paths.CloudInitLib + "/data/azure-pool"
	// poolPause is between questions.
	poolPause = time.Second
	// poolSilence is for how many questions without any answer the old network is
	// believed in.
	poolSilence = 10
)

// pooled says in which kind of pool this machine waits; "" in none.
func pooled(h *datasources.Host, ovf *environment, doc *document) string {
	kind := ""
	if ovf != nil {
		kind = ovf.ppsType
		if ovf.preprovisioned && (kind == "" || kind == "None") {
			kind = poolRunning
		}
	}
	if doc != nil && (kind == "" || kind == "None") {
		kind = doc.Extended.Compute.PPSType
	}
	switch kind {
	case poolRunning, poolSavable, poolOSDisk:
		return kind
	}
	if mark := h.Read(poolMark); mark != "" && sameUUID(mark, h.DMI("product_uuid")) {
		return poolRunning
	}
	return ""
}

// leavePool tells that the machine is ready, and returns what its user wants of
// it. A *datasources.Waiting says that nobody has taken it yet.
func leavePool(ctx context.Context, env datasources.Env, kind string) (*environment, error) {
	if !env.Pool {
		return nil, &datasources.Waiting{Why: "Azure's pool is of the kind " + kind + "; cloud-init-save waits"}
	}
	if env.Host.Read(poolMark) == "" {
		if err := report(ctx, env, nil, nil); err != nil {
			return nil, err
		}
		if err := markPool(env.Host); err != nil {
			return nil, err
		}
	}
	if kind == poolOSDisk {
		<-ctx.Done()
		return nil, &datasources.Waiting{Why: "it is to be shut down, and boots again when somebody takes it"}
	}
	b, err := reprovisionData(ctx, env)
	if err != nil {
		return nil, err
	}
	ovf, err := parseOVF(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", reprovisionPath, err)
	}
	return ovf, unmarkPool(env.Host)
}

// reprovisionData asks until there is an answer. 404 and the like mean: not yet.
// No answer at all means that the network is about to change or has.
func reprovisionData(ctx context.Context, env datasources.Env) ([]byte, error) {
	s := service
	s.Retries, s.RetryOn, s.Deadline = -1, nil, 24*time.Hour
	c := s.Open(env)
	silent := 0
	for {
		b, err := c.Get(ctx, reprovisionPath)
		if err == nil {
			return b, nil
		}
		why := "nobody has taken it yet"
		switch status := imds.Status(err); {
		case status == http.StatusNotFound, status == http.StatusGone, status == http.StatusTooManyRequests, status >= 500:
			silent = 0
		case status != 0:
			return nil, err
		default:
			silent++
			why = "its network is being changed"
		}
		select {
		case <-ctx.Done():
			return nil, &datasources.Waiting{Why: why}
		case <-time.After(poolPause):
		}
		if silent >= poolSilence {
			return nil, &datasources.Waiting{Why: why}
		}
	}
}

func markPool(h *datasources.Host) error {
	if h.Dir == "" {
		return nil
	}
	p := filepath.Join(h.Dir, poolMark)
	if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
		return fmt.Errorf("note that the pool knows of us: %w", err)
	}
	if err := os.WriteFile(p, []byte(strings.ToLower(h.DMI("product_uuid"))+"\n"), 0o644); err != nil {
		return fmt.Errorf("note that the pool knows of us: %w", err)
	}
	return nil
}

func unmarkPool(h *datasources.Host) error {
	if h.Dir == "" {
		return nil
	}
	if err := os.Remove(filepath.Join(h.Dir, poolMark)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("note that we have left the pool: %w", err)
	}
	return nil
}
