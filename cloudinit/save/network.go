package save

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"

	"rancheros/cloudinit/distro"
	"rancheros/cloudinit/state"
)

// network makes another Linux's own config say what the datasource says of the
// network; DHCP where neither it nor anybody else says anything. Our OS needs no
// files: its network service reads the layers.
func (s *saver) network(ctx context.Context) error {
	if s.ours || s.networkDisabled() {
		return nil
	}
	cfg := s.said
	if known, err := state.Load(s.tree); err != nil {
		return err
	} else if known != nil && s.report.Outcome != Later {
		cfg = known.Instance.Network
	}
	switch {
	case cfg != nil:
	case distro.Configured(s.tree) || len(s.Host.Links) == 0:
		return nil
	default:
		cfg = distro.Fallback(s.Host.Links)
	}
	if s.Rename != nil && s.Root == "/" {
		if err := s.Rename(cfg); err != nil {
			return err
		}
	}
	by, changed, err := distro.Write(s.tree, cfg)
	if errors.Is(err, distro.ErrNoRenderer) {
		s.Log.Warn(err.Error())
		return nil
	}
	if err != nil || !changed {
		return err
	}
	s.report.Files = append(s.report.Files, by+" config")
	return s.reload(ctx, by)
}

// networkDisabled says whether a person wants the network left alone.
func (s *saver) networkDisabled() bool {
	n, _ := s.Host.CloudConfig()["network"].(map[string]any)
	return n["config"] == "disabled"
}

// reload tells who reads the files of them. Before the network is up there is
// nobody to tell, but netplan's own files must be made.
func (s *saver) reload(ctx context.Context, by string) error {
	if s.Root != "/" {
		return nil
	}
	var cmds [][]string
	if by == "netplan" {
		cmds = append(cmds, []string{"/usr/sbin/netplan", "generate"})
	}
	if by != "ifupdown" && s.tree.Exists("/run/systemd/netif/state") {
		cmds = append(cmds, []string{"/usr/bin/networkctl", "reload"})
	}
	if by == "systemd-networkd" || by == "netplan" {
		// Names in .link files hold for cards that udev has seen already.
		cmds = append(cmds, []string{"/usr/bin/udevadm", "control", "--reload"})
	}
	var errs []error
	for _, argv := range cmds {
		if !s.tree.Exists(argv[0]) {
			continue
		}
		if out, err := exec.CommandContext(ctx, argv[0], argv[1:]...).CombinedOutput(); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w: %.200s", strings.Join(argv, " "), err, bytes.TrimSpace(out)))
		}
	}
	return errors.Join(errs...)
}
