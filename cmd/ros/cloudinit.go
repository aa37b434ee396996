package main

import (
	"context"
	"net"
	"os"
	"path/filepath"

	"rancheros/cloudconfig"
	"rancheros/cloudinit/save"
	"rancheros/cmd/ros/cli"
	"rancheros/datasources"
	"rancheros/datasources/all"
	"rancheros/netconf"
)

// cloudInitSave is the program cloud-init-save.
func cloudInitSave(ctx context.Context, args []string) int {
	return save.Defaults{Kinds: all.Kinds(), BringUp: bringUp, Names: namedDatasources}.Main(ctx, args)
}

// cloudInit is the program cloud-init, for callers of upstream's.
func cloudInit(ctx context.Context, args []string) int {
	// `ros cloud-init` is our own command, with more in it.
	if filepath.Base(os.Args[0]) != "cloud-init" {
		return cli.Main(ctx, append([]string{"cloud-init"}, args...), os.Stdin, os.Stdout, os.Stderr)
	}
	return cli.CloudInitMain(ctx, args, cloudInitSave)
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
	_, err := netconf.Up(ctx, nil, netconf.Options{})
	return err
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
