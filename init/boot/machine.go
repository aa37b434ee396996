// Package boot is process 1 after the initrd: the tables of what happens from
// the first mount to the engine, and what each line does.
package boot

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"golang.org/x/sys/unix"

	"rancheros/cloudconfig"
	"rancheros/init/step"
	"rancheros/paths"
	"rancheros/sys/kmsg"
	"rancheros/sys/module"
)

// A machine is what the steps learn; a later step reads what an earlier one
// set.
type machine struct {
	log     *slog.Logger
	config  *cloudconfig.Config
	modules *module.Set
	// state is the device of the state disk; empty: we run from RAM.
	state string
	// stopNetwork ends the search for more of the network that bringUp began.
	stopNetwork func()
}

// Main is process 1. It does not come back while the machine is well.
func Main(ctx context.Context, args []string) int {
	if os.Getpid() != 1 {
		fmt.Fprintln(os.Stderr, "init: only the kernel starts this; for power commands see `reboot --help`")
		return 2
	}
	// A signal to process 1 must not end it; power commands come another way.
	ctx = context.WithoutCancel(ctx)
	m := &machine{log: kmsg.Logger(slog.LevelInfo), config: &cloudconfig.Config{}}
	err := m.boot(ctx, args)
	m.log.Error("boot failed", "err", err)
	recovery(ctx, m, err)
	return 1
}

func (m *machine) boot(ctx context.Context, args []string) error {
	record, err := step.OpenRecord(paths.BootRecord)
	if err != nil {
		return err
	}
	r := step.Runner{Log: m.log, Record: record}
	if err := step.Run(ctx, r, "system", m, system); err != nil {
		return err
	}
	if err := record.Close(); err != nil {
		return err
	}
	return startSystemDocker(ctx, m)
}

// recovery gives whoever stands at the console a shell, over and over: process
// 1 must not end. The record of boot is on the screen.
func recovery(ctx context.Context, m *machine, cause error) {
	// SIGCHLD's children are waited for one by one; nobody else runs.
	for {
		if err := recoveryShell(ctx, cause); err != nil {
			m.log.Error("recovery console", "err", err)
			unix.Sync()
			// No shell, nothing to wait for: try again from the start.
			_ = unix.Reboot(unix.LINUX_REBOOT_CMD_RESTART)
		}
	}
}

var errRecovery = errors.New("rancher.recovery is set on the kernel command line")
