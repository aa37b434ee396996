package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"rancheros/cloudconfig"
	"rancheros/cloudconfig/network"
	"rancheros/cloudinit/execute"
	"rancheros/cloudinit/save"
	"rancheros/cloudinit/state"
	"rancheros/cloudinit/tree"
	"rancheros/cmd/ros/cli"
	"rancheros/datasources"
	"rancheros/datasources/all"
	"rancheros/netconf"
)

// cloudInitSave is the program cloud-init-save.
func cloudInitSave(ctx context.Context, args []string) int {
	collectLate()
	return save.Defaults{Kinds: all.Kinds(), BringUp: bringUp, Rename: renameLinks, Names: namedDatasources}.Main(ctx, args)
}

// cloudInitExecute is the program cloud-init-execute.
func cloudInitExecute(ctx context.Context, args []string) int {
	collectLate()
	return execute.Program{CheckIn: checkIn, Publish: publish}.Main(ctx, args)
}

// collectLate lets a program that lives for milliseconds end before its first
// collection of garbage; what grows all the same collects as it comes to the limit.
func collectLate() {
	debug.SetGCPercent(400)
	debug.SetMemoryLimit(128 << 20)
}

// checkIn tells the cloud of this machine how provisioning went, if it expects
// to hear.
func checkIn(ctx context.Context, failed error) (told bool, err error) {
	known, kind, err := whereWeAre()
	if err != nil || kind.Report == nil {
		return false, err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	return true, kind.Report(ctx, thisEnv(), &known.Instance, failed)
}

// publish tells the cloud of this machine its host keys, if it has a place for
// them.
func publish(ctx context.Context, keys map[string]string) (told bool, err error) {
	_, kind, err := whereWeAre()
	if err != nil || kind.Publish == nil {
		return false, err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err = kind.Publish(ctx, thisEnv(), keys); errors.Is(err, datasources.ErrNotTaken) {
		return false, nil
	}
	return err == nil, err
}

// whereWeAre is what was saved of this machine, and its datasource; a zero Kind
// when there is none.
func whereWeAre() (*state.Known, datasources.Kind, error) {
	t, err := tree.Open("/")
	if err != nil {
		return nil, datasources.Kind{}, err
	}
	known, err := state.Load(t)
	if err = errors.Join(err, t.Close()); err != nil || known == nil {
		return nil, datasources.Kind{}, err
	}
	kind, _ := datasources.Find(all.Kinds(), known.Identity.Datasource)
	return known, kind, nil
}

func thisEnv() datasources.Env {
	return datasources.Env{Host: datasources.ThisHost(), Version: cli.Version, Log: slog.New(slog.DiscardHandler)}
}

// cloudInit is the program cloud-init, for callers of upstream's.
func cloudInit(ctx context.Context, args []string) int {
	// `ros cloud-init` is our own command, with more in it.
	if filepath.Base(os.Args[0]) != "cloud-init" {
		return cli.Main(ctx, append([]string{"cloud-init"}, args...), os.Stdin, os.Stdout, os.Stderr)
	}
	return cli.CloudInitMain(ctx, args, cli.Programs{Save: cloudInitSave, Execute: cloudInitExecute})
}

// namedDatasources is what the layers of our OS name; elsewhere there are none.
func namedDatasources(root string) []string {
	c, _, _ := cloudconfig.Load(root) // what is wrong with it is said elsewhere
	if c == nil {
		return nil
	}
	return c.Rancher.CloudInit.Datasources
}

// bringUp makes links or an address for a datasource, where the machine has
// none yet: on another Linux somebody else may have done it.
func bringUp(ctx context.Context, needs datasources.Needs) error {
	if hasAddress() {
		return nil
	}
	if needs == datasources.LinkUp {
		_, err := netconf.LinkUp(ctx, netconf.Options{})
		return err
	}
	// What lingers ends with this process.
	_, err := netconf.Up(ctx, nil, netconf.Options{Linger: true})
	return err
}

// renameLinks does what is only possible before links are up.
func renameLinks(cfg *network.Config) error {
	return netconf.Rename(cfg, slog.New(slog.DiscardHandler))
}

// hasAddress says whether any link has an address that reaches further than
// itself.
func hasAddress() bool {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	for _, a := range addrs {
		if ip, ok := a.(*net.IPNet); ok && ip.IP.IsGlobalUnicast() {
			return true
		}
	}
	return false
}
