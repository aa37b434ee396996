package execute

import (
	"context"
	"fmt"
	"strings"

	"rancheros/cloudconfig"
	"rancheros/cloudconfig/userdata/jinja"
)

// An ntpClient is a program that keeps the time.
type ntpClient struct {
	name string
	// program shows by being there that this is the one.
	program string
	// files are where its config may be; the first whose folder is there counts.
	files    []string
	services []string
	text     func(cloudconfig.NTP) string
}

// ntpClients are those that we can configure, the preferred first.
var ntpClients = []ntpClient{
	{"chrony", "chronyd", []string{"/etc/chrony/chrony.conf", "/etc/chrony.conf"}, []string{"chrony.service", "chronyd.service"}, chronyConf},
	{"systemd-timesyncd", "/usr/lib/systemd/systemd-timesyncd", []string{"/etc/systemd/timesyncd.conf.d/cloud-init.conf"},
		[]string{"systemd-timesyncd.service"}, timesyncdConf},
	{"ntp", "ntpd", []string{"/etc/ntpsec/ntp.conf", "/etc/ntp.conf"}, []string{"ntpsec.service", "ntp.service", "ntpd.service"}, ntpConf},
	{"openntpd", "ntpd", []string{"/etc/openntpd/ntpd.conf", "/etc/ntpd.conf"}, []string{"openntpd.service", "ntpd.service"}, openNTPConf},
}

// ntp writes the config of the machine's NTP client, or that of a client of the
// user's own.
func ntp(ctx context.Context, t *Target, c *cloudconfig.Config) error {
	n := c.NTP
	asked := is(n.Enabled, false) || n.NTPClient != "" || n.Config.Template != ""
	switch {
	case !is(n.Enabled, true):
		return Skip("ntp.enabled is false")
	case !asked && len(n.Servers)+len(n.Pools)+len(n.Peers)+len(n.Allow) == 0:
		return Skip("ntp names no servers")
	case t.Ours:
		return t.ourNTP(ctx, n)
	}
	if len(n.Servers)+len(n.Pools) == 0 {
		n.Pools = t.defaultPools()
	}
	client := t.ntpClient(n)
	file, text := "", ""
	if client != nil {
		file, text = t.firstPlace(client.files), client.text(n)
	}
	if n.Config.Template != "" {
		var err error
		if text, err = expandNTP(n); err != nil {
			return err
		}
	}
	if n.Config.ConfPath != "" {
		file = n.Config.ConfPath
	}
	if file == "" || text == "" {
		return fmt.Errorf("ntp.ntp_client %q is not known here: give ntp.config with confpath and template", n.NTPClient)
	}
	if n.Config.CheckExe != "" && t.Program(n.Config.CheckExe) == "" && !t.Tree.Exists(n.Config.CheckExe) {
		t.Warn("ntp.config.check_exe: there is no %s on this machine, and nothing is installed", n.Config.CheckExe)
	}
	changed, err := t.Tree.WriteFile(file, []byte(text), rootPerm)
	if err != nil || !changed {
		return err
	}
	if n.Config.ServiceName != "" {
		return t.reload(ctx, n.Config.ServiceName, n.Config.ServiceName+".service")
	}
	if client == nil {
		return nil
	}
	return t.reload(ctx, client.services...)
}

// ntpClient is the one that is named, else the first that is there, else the
// first of all. Nil: it is one of the user's own.
func (t *Target) ntpClient(n cloudconfig.NTP) *ntpClient {
	for i := range ntpClients {
		c := &ntpClients[i]
		switch {
		case n.NTPClient == c.name:
			if t.Program(c.program) == "" && !t.Tree.Exists(c.program) {
				t.Warn("ntp.ntp_client: %s is not on this machine, and nothing is installed", c.name)
			}
			return c
		case n.NTPClient != "" && n.NTPClient != "auto":
		case t.Program(c.program) != "" || t.Tree.Exists(c.program):
			return c
		}
	}
	if n.NTPClient == "" || n.NTPClient == "auto" {
		return &ntpClients[0]
	}
	return nil
}

// firstPlace is the first file whose folder is there.
func (t *Target) firstPlace(files []string) string {
	for _, f := range files {
		if t.Tree.Exists(f[:strings.LastIndex(f, "/")]) {
			return f
		}
	}
	return files[0]
}

// withoutPool are distributions for which the NTP pool has no name of their own.
const withoutPool = " alpine eurolinux rancheros cloud-user "

// defaultPools are what is asked when the config names nobody.
func (t *Target) defaultPools() []string {
	vendor := t.distro() + "."
	switch {
	case strings.Contains(withoutPool, " "+t.distro()+" "):
		vendor = ""
	case vendor == "sles.":
		vendor = "opensuse."
	}
	var all []string
	for i := range 4 {
		all = append(all, fmt.Sprintf("%d.%spool.ntp.org", i, vendor))
	}
	return all
}

const ntpHead = "# Written from ntp in the cloud-config.\n"

// timesyncdConf is for systemd-timesyncd, which knows servers only.
func timesyncdConf(n cloudconfig.NTP) string {
	return ntpHead + "[Time]\nNTP=" + oneLine(strings.Join(append(append([]string{}, n.Servers...), n.Pools...), " ")) + "\n"
}

// ntpConf is for ntpd and ntpsec.
func ntpConf(n cloudconfig.NTP) string {
	text := ntpHead + "driftfile /var/lib/ntp/ntp.drift\nrestrict default kod nomodify noquery limited\nrestrict 127.0.0.1\nrestrict ::1\n" +
		ntpLines("pool", " iburst", n.Pools) + ntpLines("server", " iburst", n.Servers) + ntpLines("peer", "", n.Peers)
	return text + ntpLines("restrict", "", n.Allow)
}

// openNTPConf is for OpenNTPD.
func openNTPConf(n cloudconfig.NTP) string {
	return ntpHead + ntpLines("servers", "", n.Pools) + ntpLines("server", "", n.Servers)
}

func ntpLines(word, tail string, list []string) string {
	var b strings.Builder
	for _, s := range list {
		b.WriteString(word + " " + oneLine(s) + tail + "\n")
	}
	return b.String()
}

// ourSources is a file that the chronyd of our ntp service reads, and sources
// come from; its /etc is not ours.
const ourSources = "/run/chrony-dhcp/cloud-config.sources"

// ourNTP tells our ntp service of servers. One that has started before us is
// started again.
func (t *Target) ourNTP(ctx context.Context, n cloudconfig.NTP) error {
	text := ntpLines("pool", " iburst", n.Pools) + ntpLines("server", " iburst", n.Servers) + ntpLines("peer", "", n.Peers)
	if text == "" && !t.Tree.Exists(ourSources) {
		return Skip("ntp names no servers: the ntp service has its own")
	}
	if len(n.Allow) > 0 || n.Config.Template != "" {
		t.Warn("ntp.allow and ntp.config are not used here: replace the ntp service in rancher.services")
	}
	changed, err := t.Tree.WriteFile(ourSources, []byte(text), rootPerm)
	if err != nil || !changed || !t.Tree.Exists("/run/chrony/chronyd.sock") {
		return err
	}
	return t.Do(t.Command(ctx, "system-docker", "restart", "ntp"))
}

// chronyConf is for chronyd.
func chronyConf(n cloudconfig.NTP) string {
	return ntpHead + ntpLines("pool", " iburst", n.Pools) + ntpLines("server", " iburst", n.Servers) +
		ntpLines("peer", "", n.Peers) + ntpLines("allow", "", n.Allow) +
		"driftfile /var/lib/chrony/chrony.drift\nntsdumpdir /var/lib/chrony\nlogdir /var/log/chrony\nmakestep 1 3\nrtcsync\n"
}

// expandNTP fills in a template of the user's own.
func expandNTP(n cloudconfig.NTP) (string, error) {
	vars := map[string]any{"pools": anyList(n.Pools), "servers": anyList(n.Servers), "peers": anyList(n.Peers), "allow": anyList(n.Allow)}
	text, _, err := jinja.Render(strings.TrimPrefix(n.Config.Template, "## template: jinja\n"), vars)
	if err != nil {
		return "", fmt.Errorf("ntp.config.template: %w", err)
	}
	return text, nil
}

func anyList(list []string) []any {
	out := make([]any, len(list))
	for i, s := range list {
		out[i] = s
	}
	return out
}
