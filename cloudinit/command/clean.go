package command

import (
	"context"
	"errors"
	"maps"
	"path"
	"slices"
	"strings"

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
		remove(state.LogFile, state.LogFile+".1", state.OutputFile)
	}
	for _, kind := range kindsOf(o.Configs) {
		for _, prefix := range writtenFiles[kind] {
			dir, start := path.Split(prefix)
			names, err := tr.List(dir)
			errs = append(errs, err)
			for _, n := range names {
				if strings.HasPrefix(n, start) {
					remove(path.Join(dir, n))
				}
			}
		}
	}
	if slices.Contains(kindsOf(o.Configs), "fstab") {
		errs = append(errs, execute.CleanFstab(t))
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

// writtenFiles are what --configs names, by how their paths begin.
var writtenFiles = map[string][]string{
	"ssh_config": {"/etc/ssh/sshd_config.d/50-cloud-init", "/etc/ssh/sshd_config.d/60-cloud-init"},
	"network":    {"/etc/netplan/50-cloud-init", "/etc/systemd/network/10-cloud-init-", "/etc/network/interfaces.d/50-cloud-init"},
	"datasource": {"/etc/cloud/cloud.cfg.d/90_dpkg.cfg"},
	"fstab":      nil, // our lines of it, which Clean takes out
}

// ConfigKinds are what --configs can name.
func ConfigKinds() []string {
	return append([]string{"all"}, slices.Sorted(maps.Keys(writtenFiles))...)
}

func kindsOf(names []string) []string {
	if slices.Contains(names, "all") {
		return ConfigKinds()[1:]
	}
	return names
}
