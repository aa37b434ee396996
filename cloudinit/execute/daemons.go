package execute

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strings"

	"rancheros/cloudconfig"
	"rancheros/cloudconfig/userdata/jinja"
	"rancheros/cloudinit/tree"
)

var rootPerm = tree.Perm{Mode: 0o644}

// reload makes a daemon read its config again: through systemd where that
// runs, else not at all: on our OS the daemons start after us.
func (t *Target) reload(ctx context.Context, service string) error {
	if t.Ours || !t.Tree.Exists("/run/systemd/system") || t.Program("systemctl") == "" {
		return nil
	}
	return t.Do(t.Command(ctx, "systemctl", "--no-block", "try-reload-or-restart", service))
}

// ntp writes the config of chrony, or that of a client of the user's own.
func ntp(ctx context.Context, t *Target, c *cloudconfig.Config) error {
	n := c.NTP
	if !is(n.Enabled, true) {
		return Skip("ntp.enabled is false")
	}
	if len(n.Servers)+len(n.Pools)+len(n.Peers)+len(n.Allow) == 0 && n.Config.Template == "" {
		return Skip("ntp names no servers")
	}
	if t.Ours {
		return t.ourNTP(ctx, n)
	}
	file, service, text := "/etc/chrony/chrony.conf", "chrony.service", chronyConf(n)
	switch {
	case n.NTPClient == "systemd-timesyncd":
		file, service = "/etc/systemd/timesyncd.conf.d/cloud-init.conf", "systemd-timesyncd.service"
		text = "[Time]\nNTP=" + oneLine(strings.Join(append(n.Servers, n.Pools...), " ")) + "\n"
	case n.Config.Template != "":
		var err error
		if text, err = expandNTP(n); err != nil {
			return err
		}
	case n.NTPClient != "" && n.NTPClient != "auto" && n.NTPClient != "chrony":
		t.Warn("ntp_client %s is not known here: chrony is configured", n.NTPClient)
	}
	if n.Config.ConfPath != "" {
		file = n.Config.ConfPath
	}
	if n.Config.ServiceName != "" {
		service = n.Config.ServiceName
	}
	changed, err := t.Tree.WriteFile(file, []byte(text), rootPerm)
	if err != nil || !changed {
		return err
	}
	return t.reload(ctx, service)
}

// ourSources is a file that the chronyd of our ntp service reads, and sources
// come from; its /etc is not ours.
const ourSources = "/run/chrony-dhcp/cloud-config.sources"

// ourNTP tells our ntp service of servers. One that has started before us is
// started again.
func (t *Target) ourNTP(ctx context.Context, n cloudconfig.NTP) error {
	var b strings.Builder
	for _, s := range n.Pools {
		b.WriteString("pool " + oneLine(s) + " iburst\n")
	}
	for _, s := range n.Servers {
		b.WriteString("server " + oneLine(s) + " iburst\n")
	}
	for _, s := range n.Peers {
		b.WriteString("peer " + oneLine(s) + "\n")
	}
	if len(n.Allow) > 0 || n.Config.Template != "" {
		t.Warn("ntp.allow and ntp.config are not used here: replace the ntp service in rancher.services")
	}
	changed, err := t.Tree.WriteFile(ourSources, []byte(b.String()), rootPerm)
	if err != nil || !changed || !t.Tree.Exists("/run/chrony/chronyd.sock") {
		return err
	}
	return t.Do(t.Command(ctx, "system-docker", "restart", "ntp"))
}

func chronyConf(n cloudconfig.NTP) string {
	var b strings.Builder
	b.WriteString("# Written from ntp in the cloud-config.\n")
	for _, group := range []struct {
		word, tail string
		list       []string
	}{{"pool", " iburst", n.Pools}, {"server", " iburst", n.Servers}, {"peer", "", n.Peers}, {"allow", "", n.Allow}} {
		for _, s := range group.list {
			b.WriteString(group.word + " " + oneLine(s) + group.tail + "\n")
		}
	}
	b.WriteString("driftfile /var/lib/chrony/chrony.drift\nntsdumpdir /var/lib/chrony\nlogdir /var/log/chrony\nmakestep 1 3\nrtcsync\n")
	return b.String()
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

// rsyslog writes pieces of rsyslog's config and the receivers of messages.
func rsyslog(ctx context.Context, t *Target, c *cloudconfig.Config) error {
	r := c.Rsyslog
	if len(r.Configs)+len(r.Remotes) == 0 {
		return Skip("rsyslog is not set")
	}
	if t.Ours {
		return errors.New("rsyslog: here messages go where the syslog service of rancher.services sends them; mount a config there")
	}
	dir, name := r.ConfigDir, r.ConfigFilename
	if dir == "" {
		dir = "/etc/rsyslog.d"
	}
	if name == "" {
		name = "20-cloud-config.conf"
	}
	texts := map[string]string{}
	for _, one := range r.Configs {
		f := one.Filename
		if f == "" {
			f = name
		}
		if !path.IsAbs(f) {
			f = path.Join(dir, f)
		}
		texts[f] += strings.TrimRight(one.Content, "\n") + "\n"
	}
	for _, key := range sortedKeys(r.Remotes) {
		f := path.Join(dir, name)
		match, addr, ok := strings.Cut(strings.TrimSpace(r.Remotes[key]), " ")
		if !ok {
			match, addr = "*.*", match
		}
		if !strings.HasPrefix(addr, "@") {
			addr = "@" + addr
		}
		texts[f] += fmt.Sprintf("%s %s # %s\n", oneLine(match), oneLine(addr), oneLine(key))
	}
	changed := false
	for _, f := range sortedKeys(texts) {
		w, err := t.Tree.WriteFile(f, []byte(texts[f]), rootPerm)
		if err != nil {
			return err
		}
		changed = changed || w
	}
	if !changed {
		return nil
	}
	if cmd := r.ServiceReloadCommand; len(cmd) > 0 && cmd[0] != "auto" {
		return t.Do(t.Command(ctx, cmd...))
	}
	return t.reload(ctx, "rsyslog.service")
}

// wireguard writes the config of tunnels and, where wg-quick is, brings them
// up.
func wireguard(ctx context.Context, t *Target, c *cloudconfig.Config) error {
	if len(c.WireGuard.Interfaces) == 0 {
		return Skip("wireguard names no interfaces")
	}
	var errs []error
	for _, i := range c.WireGuard.Interfaces {
		if i.Name == "" || strings.ContainsAny(i.Name, "/ \n") || len(i.Name) > 15 {
			errs = append(errs, fmt.Errorf("wireguard: %q is no name of a link", i.Name))
			continue
		}
		p := i.ConfigPath
		if p == "" {
			p = "/etc/wireguard/" + i.Name + ".conf"
		}
		changed, err := t.Tree.WriteFile(p, []byte(i.Content.Reveal()), tree.Perm{Mode: 0o600, Secret: true})
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if changed && t.Program("wg-quick") != "" && !t.Tree.Exists("/sys/class/net/"+i.Name) {
			errs = append(errs, t.Do(t.Command(ctx, "wg-quick", "up", p)))
		}
	}
	for _, probe := range c.WireGuard.ReadinessProbe {
		errs = append(errs, t.Do(t.Command(ctx, "sh", "-c", probe)))
	}
	return errors.Join(errs...)
}

// registryAuths logs root and the users of our OS in at registries.
func registryAuths(_ context.Context, t *Target, c *cloudconfig.Config) error {
	if len(c.Rancher.RegistryAuths) == 0 {
		return Skip("rancher.registry_auths is empty")
	}
	auths := map[string]map[string]string{}
	for host, a := range c.Rancher.RegistryAuths {
		entry := map[string]string{}
		basic := a.Auth.Reveal()
		if basic == "" && a.Username != "" {
			basic = base64.StdEncoding.EncodeToString([]byte(a.Username + ":" + a.Password.Reveal()))
		}
		// The original took the URL alphabet too; the engine does not.
		basic = strings.NewReplacer("-", "+", "_", "/").Replace(basic)
		for k, v := range map[string]string{"auth": basic, "identitytoken": a.IdentityToken.Reveal(), "registrytoken": a.RegistryToken.Reveal()} {
			if v != "" {
				entry[k] = v
			}
		}
		if a.ServerAddress != "" {
			host = a.ServerAddress
		}
		auths[host] = entry
	}
	var errs []error
	for _, l := range t.logins() {
		errs = append(errs, t.writeDockerConfig(l, auths))
	}
	return errors.Join(errs...)
}

// writeDockerConfig puts the logins into a user's docker config and keeps what
// else is there.
func (t *Target) writeDockerConfig(l login, auths map[string]map[string]string) error {
	file := path.Join(l.Home, ".docker/config.json")
	doc := map[string]any{}
	if have, err := t.Tree.ReadFileBelow(l.Home, file); err == nil && json.Unmarshal(have, &doc) != nil {
		return fmt.Errorf("%s: it is no JSON; remove it or mend it", file)
	}
	all, _ := doc["auths"].(map[string]any)
	if all == nil {
		all = map[string]any{}
	}
	for host, entry := range auths {
		all[host] = entry
	}
	doc["auths"] = all
	b, err := json.MarshalIndent(doc, "", "\t")
	if err != nil {
		return err
	}
	_, err = t.Tree.WriteFileBelow(l.Home, file, append(b, '\n'),
		tree.Perm{Mode: 0o600, UID: l.UID, GID: l.GID, Secret: true}, tree.Perm{Mode: 0o700, UID: l.UID, GID: l.GID})
	return err
}

// disableMetadata takes the metadata service away from all but us.
func disableMetadata(ctx context.Context, t *Target, c *cloudconfig.Config) error {
	if !c.DisableEC2Metadata {
		return Skip("disable_ec2_metadata is not set")
	}
	if t.Live && t.Kernel.MetadataForbidden() {
		return nil
	}
	return t.Set("route to 169.254.169.254", "prohibit", t.Kernel.ForbidMetadata)
}

// restartServices restarts containers of System Docker.
func restartServices(ctx context.Context, t *Target, c *cloudconfig.Config) error {
	if len(c.Rancher.RestartServices) == 0 {
		return Skip("rancher.restart_services is empty")
	}
	var errs []error
	for _, name := range c.Rancher.RestartServices {
		errs = append(errs, t.Do(t.Command(ctx, "system-docker", "restart", "--time", "10", name)))
	}
	return errors.Join(errs...)
}
