package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"time"

	"rancheros/cloudconfig"
	"rancheros/cloudinit/execute"
	"rancheros/cloudinit/tree"
	"rancheros/cmd/ros/cli"
	"rancheros/init/console"
	"rancheros/init/power"
	"rancheros/sys/kmsg"
)

// shutdownTimeout is used where rancher.shutdown_timeout is not set; below the
// minimum containers cannot stop in order.
const (
	shutdownTimeout    = 60 * time.Second
	minShutdownTimeout = 5 * time.Second
)

// powerCommand is poweroff, reboot, halt or shutdown.
func powerCommand(name string) applet {
	return func(_ context.Context, args []string) int {
		return power.Main(name, args, func() (time.Duration, error) {
			config, _, err := cloudconfig.Load("/")
			timeout := shutdownTimeout
			if config != nil && config.Rancher.ShutdownTimeout > 0 {
				timeout = max(time.Duration(config.Rancher.ShutdownTimeout)*time.Second, minShutdownTimeout)
			}
			return timeout, err
		})
	}
}

// consoleInit is the program of the console's container.
func consoleInit(ctx context.Context, _ []string) int {
	config, _, err := cloudconfig.Load("/")
	if config == nil {
		fmt.Fprintln(os.Stderr, "console-init:", err)
		return 1
	}
	ps, ok := errors.AsType[cloudconfig.Problems](err)
	doubt := err != nil && (!ok || len(ps.Errors()) > 0)
	if err := console.Run(ctx, consoleOptions(config, doubt)); err != nil {
		fmt.Fprintln(os.Stderr, "console-init:", err)
		return 1
	}
	return 0
}

// consoleOptions are what the config says of the console; doubt is whether a
// part of it could not be read.
func consoleOptions(c *cloudconfig.Config, doubt bool) *console.Options {
	r := c.Rancher
	cmdline, _ := os.ReadFile("/proc/cmdline") // empty: no serial console then
	o := &console.Options{
		Version: cli.Version, Cmdline: string(cmdline),
		SSHDaemon: r.SSH.Daemon == nil || *r.SSH.Daemon, SSHPort: r.SSH.Port, SSHListen: r.SSH.ListenAddress,
		HostKeys: map[string]string{}, Autologin: r.Autologin, Password: r.Password.Reveal(),
		Apply: apply(c, doubt, execute.Console), Final: apply(c, doubt, execute.Final),
	}
	if o.SSHPort == 0 {
		o.SSHPort = 22
	}
	for name, k := range r.SSH.Keys {
		o.HostKeys[name] = k.Reveal()
	}
	if slices.Contains(r.Disable, "password") {
		o.Password = ""
	}
	if slices.Contains(r.Disable, "autologin") {
		o.Autologin = nil
	}
	return o
}

// apply runs the appliers of some phases on this machine.
func apply(c *cloudconfig.Config, doubt bool, phases ...execute.Phase) func(context.Context) error {
	return func(ctx context.Context) error {
		t, err := tree.Open("/")
		if err != nil {
			return err
		}
		defer t.Close()
		target := execute.New(t)
		target.Log, target.Doubt = kmsg.Logger(slog.LevelInfo), doubt
		target.CheckIn, target.Publish = checkIn, publish
		done := target.OpenOutput()
		defer done()
		_, err = execute.Config(ctx, target, c, execute.Options{Phases: phases})
		return err
	}
}
