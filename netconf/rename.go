package netconf

import (
	"fmt"
	"log/slog"

	"rancheros/cloudconfig/network"
)

// Rename gives the devices the names that cfg has for them and does nothing
// else: on a system where somebody else brings the links up, by these names.
func Rename(cfg *network.Config, log *slog.Logger) error {
	have, err := Read()
	if err != nil {
		return err
	}
	targets, _, _ := Match(cfg, have)
	p := planner{have: have}
	for _, t := range targets {
		if t.Device != "" && t.Config.Kind == network.Physical {
			p.want.Links = append(p.want.Links, Link{Name: t.Name, From: t.Device})
		}
	}
	p.rename()
	if err := Apply(p.ops, log); err != nil {
		return fmt.Errorf("rename links: %w", err)
	}
	return nil
}
