// Ros is the one binary of the machine. What it does depends on the name it is
// called by; any name that is not in the table is the `ros` command line.
package main

import (
	"context"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"rancheros/cmd/ros/cli"
	"rancheros/init/boot"
	"rancheros/init/power"
	"rancheros/init/respawn"
	"rancheros/netconf"
	"rancheros/services/cron"
	"rancheros/services/preload"
	"rancheros/services/udev"
	"rancheros/services/userdocker"
)

// An applet is a program inside this one. It returns the exit code.
type applet func(ctx context.Context, args []string) int

// applets by the name in argv[0]; `ros NAME ARGS` works as well.
var applets = map[string]applet{
	"netconf":            netconf.Main,
	"init":               boot.Main,
	boot.SysinitApplet:   boot.SysinitMain,
	"cloud-init-save":    cloudInitSave,
	"cloud-init-execute": cloudInitExecute,
	"cloud-init":         cloudInit,
	"cloud-id":           cli.CloudIDMain,
	"cloud-init-per":     cli.CloudInitPerMain,
	"console-init":       consoleInit,
	"respawn":            respawn.Main,
	"poweroff":           powerCommand("poweroff"),
	"reboot":             powerCommand("reboot"),
	"halt":               powerCommand("halt"),
	"shutdown":           powerCommand("shutdown"),
	power.Applet:         power.DownMain,
	"recovery":           boot.EndedMain,
	"user-docker":        userdocker.Main,
	"wait-for-docker":    userdocker.WaitMain,
	"preload-images":     preload.Main,
	"udev-settle":        udev.Main,
	"system-cron":        cron.Main,
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	name, args := filepath.Base(os.Args[0]), os.Args[1:]
	if _, ok := applets[name]; !ok && len(args) > 0 {
		if _, ok := applets[args[0]]; ok {
			name, args = args[0], args[1:]
		}
	}
	if run, ok := applets[name]; ok {
		os.Exit(run(ctx, args))
	}
	os.Exit(cli.Main(ctx, args, os.Stdin, os.Stdout, os.Stderr))
}
