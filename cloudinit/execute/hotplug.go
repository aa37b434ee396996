package execute

import (
	"context"
	"slices"

	"rancheros/cloudconfig"
)

// hotplugRules lie in /run: at the start of a boot, when udev sees all cards for
// the first time, they must not be there.
const hotplugRules = "/run/udev/rules.d/90-cloud-init-hotplug.rules"

// hotplug has the cloud asked for its network config again when a card is
// plugged in or out. On our OS the network service sees to such cards.
func hotplug(ctx context.Context, t *Target, c *cloudconfig.Config) error {
	if t.Ours {
		return Skip("the network service configures cards that are plugged in")
	}
	if !slices.Contains(c.Updates.Network.When, "hotplug") {
		removed, err := t.Tree.Remove(hotplugRules)
		if err != nil || !removed {
			return err
		}
		return t.reloadUdev(ctx)
	}
	save, run := t.Program("cloud-init-save"), t.Program("systemd-run")
	if save == "" || run == "" || t.Program("udevadm") == "" {
		t.Warn("updates.network.when: hotplug needs udev, systemd and cloud-init-save on this machine")
		return nil
	}
	changed, err := t.Tree.WriteFile(hotplugRules, []byte("# updates.network.when in the cloud-config has hotplug.\n"+
		`SUBSYSTEM=="net", ACTION=="add|remove", DEVPATH!="/devices/virtual/*", RUN+="`+run+` --no-block --collect `+save+` --fresh"`+"\n"), rootPerm)
	if err != nil || !changed {
		return err
	}
	return t.reloadUdev(ctx)
}

func (t *Target) reloadUdev(ctx context.Context) error {
	return t.Do(t.Command(ctx, "udevadm", "control", "--reload"))
}
