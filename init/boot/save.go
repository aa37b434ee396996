package boot

import (
	"context"
	"errors"
	"fmt"

	"rancheros/cloudinit/execute"
	"rancheros/cloudinit/save"
	"rancheros/cloudinit/tree"
	"rancheros/datasources"
	"rancheros/datasources/all"
	"rancheros/init/step"
	"rancheros/netconf"
	"rancheros/sys/kmsg"
)

// runSave finds out which cloud we are in, and keeps what it says as layers of
// config. A machine that was saved before and has not changed asks nobody.
func runSave(ctx context.Context, m *machine) error {
	defer func() {
		if m.stopNetwork != nil {
			m.stopNetwork()
		}
	}()
	report, err := save.Run(ctx, save.Options{
		Root: "/", Kinds: all.Kinds(), Names: m.config.Rancher.CloudInit.Datasources,
		BringUp: m.bringUp, Pool: true, Log: m.log,
	})
	if report != nil {
		m.log.Info("datasource "+report.Outcome, "datasource", report.Datasource, "instance", report.InstanceID, "requests", report.Requests)
		for _, p := range report.Problems {
			m.log.Warn("user-data", "err", p)
		}
	}
	kmsg.Write(kmsg.Notice, "mark datasource")
	if err == nil && report.Outcome == save.None {
		return step.Skip("no datasource")
	}
	return err
}

// bringUp makes the network work as far as a datasource needs it. The network
// service adopts the leases later.
func (m *machine) bringUp(ctx context.Context, needs datasources.Needs) error {
	switch needs {
	case datasources.Local:
		return nil
	case datasources.LinkUp:
		_, err := netconf.LinkUp(ctx, netconf.Options{Log: m.log})
		return err
	}
	settings := netconf.FromConfig(m.config)
	result, err := netconf.Up(ctx, settings.Network, netconf.Options{Log: m.log, Hooks: true, Linger: true})
	if err != nil {
		return fmt.Errorf("bring the network up: %w", err)
	}
	m.stopNetwork = result.Stop
	dns := result.DNS
	if len(dns.Nameservers) == 0 {
		dns = settings.DefaultDNS
	}
	_, err = netconf.WriteResolvConf("/etc/resolv.conf", dns)
	return err
}

// bootcmd runs what must be done before anything else, at every boot.
func bootcmd(ctx context.Context, m *machine) error {
	t, err := tree.Open("/")
	if err != nil {
		return err
	}
	target := execute.New(t)
	target.Log = m.log
	defer target.OpenOutput()()
	done, warnings := target.Redirect(ctx, m.config, execute.PreConsole)
	defer done()
	for _, w := range warnings {
		m.log.Warn(w)
	}
	err = errors.Join(execute.BootHooks(ctx, target), execute.BootCmd(ctx, target, m.config), t.Close())
	if err == nil && len(m.config.BootCmd) == 0 {
		return step.Skip("bootcmd is empty")
	}
	return err
}
