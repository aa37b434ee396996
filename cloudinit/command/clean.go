package command

import (
	"context"
	"errors"
	"path"

	"rancheros/cloudinit/execute"
	"rancheros/cloudinit/state"
	"rancheros/cloudinit/tree"
	"rancheros/paths"
)

// CleanOptions say what of a machine's first boot is forgotten.
type CleanOptions struct {
	// Logs removes the log files, Seed the seed folder, MachineID makes
	// /etc/machine-id that of a machine that has not booted yet.
	Logs, Seed, MachineID bool
	// Configs are files that were written: all, network, ssh_config, datasource,
	// fstab.
	Configs []string
	Reboot  bool
}

// Clean makes the next boot a first one. What was done to the machine stays.
func Clean(ctx context.Context, tr *tree.Tree, o CleanOptions) ([]tree.Change, error) {
	t := execute.New(tr)
	var errs []error
	remove := func(list ...string) {
		for _, p := range list {
			errs = append(errs, tr.RemoveAll(p))
		}
	}
	names, err := tr.List(paths.CloudInitLib)
	errs = append(errs, err)
	for _, n := range names {
		if n != "seed" || o.Seed {
			remove(path.Join(paths.CloudInitLib, n))
		}
	}
	remove(paths.CloudInitRun)
	if t.Ours {
		remove(paths.Done, paths.UserDataConfig, paths.UserScript, paths.Metadata)
	}
	if o.Logs {
		remove(state.LogFile, state.OutputFile)
	}
	for _, c := range o.Configs {
		for kind, file := range writtenFiles {
			if c == kind || c == "all" {
				remove(file)
			}
		}
	}
	if o.MachineID && tr.Exists("/etc/machine-id") {
		_, err := tr.WriteFile("/etc/machine-id", []byte("uninitialized\n"), tree.Perm{Mode: 0o444})
		errs = append(errs, err)
	}
	errs = append(errs, execute.CleanHooks(ctx, t), tr.Sync())
	if o.Reboot {
		errs = append(errs, t.Do(t.Command(ctx, "shutdown", "-r", "now")))
	}
	return tr.Changes(), errors.Join(errs...)
}

// writtenFiles are what --configs names.
var writtenFiles = map[string]string{
	"ssh_config": "/etc/ssh/sshd_config.d/50-cloud-init.conf",
	"network":    "/etc/netplan/50-cloud-init.yaml",
	"datasource": "/etc/cloud/cloud.cfg.d/90_dpkg.cfg",
}
