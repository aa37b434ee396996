package drive

import (
	"context"

	"rancheros/datasources"
	"rancheros/sys/blkdev"
)

// Await is Find, but if there is none yet it waits until one appears or ctx is
// done. Only the machine that we run on can still change.
func Await(ctx context.Context, h *datasources.Host, labels ...string) []datasources.Block {
	if found := Find(h, labels...); len(found) > 0 || h.Dir != "/" {
		return found
	}
	info, err := blkdev.Wait(ctx, h.Dir, func(i blkdev.Info) bool { return HasLabel(datasources.BlockOf(i), labels...) })
	if err != nil {
		return nil
	}
	return []datasources.Block{datasources.BlockOf(info)}
}
