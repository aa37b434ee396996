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
	"rancheros/cloudinit/tree"
)

var rootPerm = tree.Perm{Mode: 0o644}

// reload makes a daemon read its config again, by the first of its names that
// the machine has: distributions differ. Through systemd where that runs, else
// not at all: on our OS the daemons start after us.
func (t *Target) reload(ctx context.Context, services ...string) error {
	if t.Ours || !t.runsSystemd() {
		return nil
	}
	for _, s := range services {
		if t.hasUnit(s) {
			return t.Do(t.Command(ctx, "systemctl", "--no-block", "try-reload-or-restart", s))
		}
	}
	return nil
}

// reloadUnits makes systemd read files again that it makes units of.
func (t *Target) reloadUnits(ctx context.Context) error {
	if t.Ours || !t.runsSystemd() {
		return nil
	}
	return t.Do(t.Command(ctx, "systemctl", "daemon-reload"))
}

func (t *Target) runsSystemd() bool {
	return t.Tree.Exists("/run/systemd/system") && t.Program("systemctl") != ""
}

func (t *Target) hasUnit(name string) bool {
	for _, dir := range []string{"/etc/systemd/system/", "/run/systemd/system/", "/usr/lib/systemd/system/", "/lib/systemd/system/"} {
		if t.Tree.Exists(dir + name) {
			return true
		}
	}
	return false
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
		if strings.TrimSpace(r.Remotes[key]) == "" {
			continue // switched off by a later part
		}
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
			errs = append(errs, t.bringUpTunnel(ctx, i.Name, p))
		}
	}
	for _, probe := range c.WireGuard.ReadinessProbe {
		errs = append(errs, t.Do(t.Command(ctx, "sh", "-c", probe)))
	}
	return errors.Join(errs...)
}

// bringUpTunnel brings a tunnel up, and where systemd has a unit for it, at
// every later boot as well.
func (t *Target) bringUpTunnel(ctx context.Context, name, file string) error {
	if !t.Ours && t.runsSystemd() && t.hasUnit("wg-quick@.service") && file == "/etc/wireguard/"+name+".conf" {
		return t.Do(t.Command(ctx, "systemctl", "--no-block", "enable", "--now", "wg-quick@"+name+".service"))
	}
	return t.Do(t.Command(ctx, "wg-quick", "up", file))
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
