package main

import (
	"context"

	"rancheros/cloudconfig"
	"rancheros/cloudinit/save"
	"rancheros/datasources/all"
)

// saveMain is cloud-init-save as a person starts it: the network is up by then.
func saveMain(ctx context.Context, args []string) int {
	d := save.Defaults{Kinds: all.Kinds(), Names: func(root string) []string {
		config, _, _ := cloudconfig.Load(root) // a broken layer is named by `ros config validate`
		if config == nil {
			return nil
		}
		return config.Rancher.CloudInit.Datasources
	}}
	return d.Main(ctx, args)
}
