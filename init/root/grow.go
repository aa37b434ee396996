package root

import (
	"errors"
	"fmt"
	"strings"

	"rancheros/cloudinit/disk"
	"rancheros/paths"
	"rancheros/sys/blkdev"
)

// Grow makes the state partition as large as its disk allows, and the file
// system on it: a cloud gives bigger disks than the image is. It says whether
// anything grew. The state is mounted and stays so.
func Grow(dev string) (bool, error) {
	info, err := blkdev.Probe(dev)
	if err != nil {
		return false, fmt.Errorf("grow %s: %w", dev, err)
	}
	if !strings.HasPrefix(info.FSType, "ext4") {
		return false, nil
	}
	if err := growPartition(dev); err != nil {
		return false, fmt.Errorf("grow the partition %s: %w", dev, err)
	}
	f, g, err := disk.Open(dev)
	if err != nil {
		return false, fmt.Errorf("grow %s: %w", dev, err)
	}
	defer f.Close()
	return disk.GrowExt(paths.State, int64(g.Sectors)*g.Sector)
}

// growPartition changes the table of dev's disk and tells the kernel. A state
// that is a whole disk has none.
func growPartition(dev string) error {
	whole, number, err := disk.Whole("/", dev)
	if err != nil || number == 0 {
		return err
	}
	f, g, err := disk.Open(whole)
	if err != nil {
		return err
	}
	part, gained, err := disk.Grow(f, g, number)
	if err == nil && gained > 0 {
		err = errors.Join(f.Sync(), disk.Resized(f, g, part))
	}
	return errors.Join(err, f.Close())
}
