package distro

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"

	"rancheros/cloudinit/tree"
)

// waiter is systemd-networkd's own program that waits for the links that the
// machine's config needs.
const waiter = "/usr/lib/systemd/systemd-networkd-wait-online"

// WaitOnline waits until the machine's network is up, where somebody can say
// so. Units that are ordered after the network need not; those that only now
// and then need it should not wait at every boot.
func WaitOnline(ctx context.Context, t *tree.Tree) error {
	if !t.Exists(waiter) || !t.Exists("/run/systemd/netif") {
		return nil
	}
	if out, err := exec.CommandContext(ctx, waiter).CombinedOutput(); err != nil {
		return fmt.Errorf("wait for the network: %w: %.200s", err, bytes.TrimSpace(out))
	}
	return nil
}
