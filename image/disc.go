package image

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
)

// Disc makes an ISO 9660 image of a folder with the tools of the last build.
func Disc(ctx context.Context, cache, label, dir, out string) error {
	cache, err := filepath.Abs(cache)
	if err != nil {
		return err
	}
	found, err := filepath.Glob(filepath.Join(cache, "tools-????????????????"))
	if err != nil || len(found) == 0 {
		return errors.Join(err, fmt.Errorf("there are no tools in %s: run `ros-image build` first", cache))
	}
	t := &tools{found[len(found)-1]}
	_, err = t.run(ctx, filepath.Dir(out), nil, nil, "usr/bin/xorriso", "-as", "mkisofs", "-quiet", "-r", "-J", "-V", label, "-o", out, dir)
	return err
}
