package ignition

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/coreos/ignition/v2/config/v3_6_experimental/types"
	"go.yaml.in/yaml/v4"

	"rancheros/cloudconfig/userdata/document"
)

// cloudConfig says in cloud-config what of the config it can say.
func (im *Import) cloudConfig(c config, o Options) error {
	out := map[string]any{}
	var users []any
	for _, u := range im.Users {
		if !u.Remove {
			users = append(users, u.cloudConfig())
		}
	}
	if users != nil {
		out["users"] = append([]any{"default"}, users...)
	}
	var groups []any
	for _, g := range im.Groups {
		if g.Remove {
			continue
		}
		groups = append(groups, g.Name)
		if g.GID != nil || g.PasswordHash != nil {
			im.problem("$.passwd.groups", "group %s is made with a number of its own and without a password: cloud-config has no keys for them", g.Name)
		}
	}
	if groups != nil {
		out["groups"] = groups
	}
	for _, f := range im.Files {
		if f.Path == "/etc/hostname" && f.Contents != nil && utf8.Valid(*f.Contents) {
			if name := string(bytes.TrimSpace(*f.Contents)); name != "" {
				out["hostname"] = name
			}
		}
	}
	im.disks(c, out)
	rancher := map[string]any{}
	im.asCloudConfig(out, rancher, o.Systemd)
	if args := kernelArguments(c); args != nil {
		im.problem("$.kernelArguments", "kernel arguments are not changed from here, they belong to the boot loader: %v", args)
	}
	if o.Systemd {
		// Units are written as they are.
	} else if services := im.services(); len(services) > 0 {
		rancher["services"] = services
	}
	if len(rancher) > 0 {
		out["rancher"] = rancher
	}
	n, err := document.Of(out)
	if err != nil {
		return err
	}
	if n.Kind != yaml.MappingNode {
		n = document.Map()
	}
	im.Config = n
	return nil
}

// asCloudConfig says files with write_files, directories, links and removals
// with keys of ours, and what is done to units with runcmd.
func (im *Import) asCloudConfig(out, rancher map[string]any, systemd bool) {
	files, links := im.writeFiles(), im.links()
	var commands []any
	if systemd {
		units, masks, then := im.systemd()
		files, links, commands = append(files, units...), append(links, masks...), then
	}
	if absent := im.absent(); len(absent) > 0 {
		rancher["absent"] = absent
	}
	set := func(in map[string]any, key string, list []any) {
		if len(list) > 0 {
			in[key] = list
		}
	}
	set(rancher, "directories", im.directories())
	set(rancher, "links", links)
	set(out, "write_files", files)
	set(out, "runcmd", commands)
}

func kernelArguments(c config) []types.KernelArgument {
	return append(append([]types.KernelArgument(nil), c.KernelArguments.ShouldExist...), c.KernelArguments.ShouldNotExist...)
}

func (u User) cloudConfig() map[string]any {
	m := map[string]any{"name": u.Name}
	set := func(key string, v any, is bool) {
		if is {
			m[key] = v
		}
	}
	set("gecos", u.Gecos, u.Gecos != "")
	set("homedir", u.HomeDir, u.HomeDir != "")
	set("no_create_home", true, u.NoCreateHome)
	set("no_user_group", true, u.NoUserGroup)
	set("no_log_init", true, u.NoLogInit)
	set("system", true, u.System)
	set("primary_group", u.PrimaryGroup, u.PrimaryGroup != "")
	set("groups", u.Groups, len(u.Groups) > 0)
	set("shell", u.Shell, u.Shell != "")
	set("ssh_authorized_keys", u.SSHAuthorizedKeys, len(u.SSHAuthorizedKeys) > 0)
	if u.UID != nil {
		m["uid"] = *u.UID
	}
	if u.PasswordHash != nil && *u.PasswordHash != "" {
		m["hashed_passwd"] = *u.PasswordHash
		m["lock_passwd"] = false
	}
	return m
}

// disks maps file systems; tables, RAID and LUKS are made by rancher.state.
func (im *Import) disks(c config, out map[string]any) {
	for i, d := range c.Storage.Disks {
		im.problem(fmt.Sprintf("$.storage.disks.%d", i), "partitions of %s are not made from Ignition; use disk_setup, which asks before it touches data", d.Device)
	}
	for i, r := range c.Storage.Raid {
		im.problem(fmt.Sprintf("$.storage.raid.%d", i), "RAID %s is not made from Ignition; make it once, and use rancher.state.mdadm_scan", r.Name)
	}
	for i, x := range c.Storage.Luks {
		im.problem(fmt.Sprintf("$.storage.luks.%d", i), "encrypted volume %s is not made from Ignition", x.Name)
	}
	var setup, mounts []any
	for i, f := range c.Storage.Filesystems {
		at := fmt.Sprintf("$.storage.filesystems.%d", i)
		format := str(f.Format)
		if format == "" || format == "none" {
			if format == "none" && is(f.WipeFilesystem) {
				im.problem(at, "%s is not wiped", f.Device)
			}
			continue
		}
		fsys := map[string]any{"device": f.Device, "filesystem": format, "overwrite": is(f.WipeFilesystem)}
		if f.Label != nil {
			fsys["label"] = *f.Label
		}
		if len(f.Options) > 0 {
			fsys["extra_opts"] = f.Options
		}
		if f.UUID != nil {
			im.problem(at+".uuid", "the UUID of %s is left to mkfs", f.Device)
		}
		setup = append(setup, fsys)
		mounts = appendMount(mounts, f, format)
	}
	if setup != nil {
		out["fs_setup"] = setup
	}
	if mounts != nil {
		out["mounts"] = mounts
	}
}

func appendMount(mounts []any, f types.Filesystem, format string) []any {
	place := str(f.Path)
	if format == "swap" {
		return append(mounts, []any{f.Device, "none", "swap", "sw", "0", "0"})
	}
	if place == "" || place == "/" {
		return mounts
	}
	options := "defaults,nofail"
	for _, o := range f.MountOptions {
		options += "," + string(o)
	}
	return append(mounts, []any{f.Device, place, format, options, "0", "2"})
}

// unsupported names what is in no other step.
func (im *Import) unsupported(c config) {
	if len(c.Ignition.Security.TLS.CertificateAuthorities) > 0 {
		im.problem("$.ignition.security.tls", "certificate authorities for fetching are not used; add them with ca_certs")
	}
	if c.Ignition.Proxy.HTTPProxy != nil || c.Ignition.Proxy.HTTPSProxy != nil {
		im.problem("$.ignition.proxy", "the proxy for fetching is the one of rancher.network")
	}
}

// writeFiles are the files, as write_files says it.
func (im *Import) writeFiles() []any {
	var out []any
	for _, f := range im.Files {
		m := node(f.Node)
		m["permissions"] = "0644"
		if f.Mode != nil {
			m["permissions"] = fmt.Sprintf("%04o", *f.Mode)
		}
		var data []byte
		if f.Contents != nil {
			data = *f.Contents
		} else if m["append"] = true; f.Mode == nil {
			delete(m, "permissions") // a file that is there keeps its own
		}
		for _, a := range f.Append {
			data = append(data[:len(data):len(data)], a...)
		}
		setContent(m, data)
		out = append(out, m)
	}
	return out
}

func setContent(m map[string]any, data []byte) {
	if utf8.Valid(data) && !bytes.ContainsFunc(data, func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' }) {
		m["content"] = string(data)
		return
	}
	m["encoding"], m["content"] = "b64", base64.StdEncoding.EncodeToString(data)
}

// ownerText is "user:group", by name or number.
func ownerText(n Node) string {
	text := func(o *Owner) string {
		switch {
		case o == nil:
			return "root"
		case o.ID != nil:
			return strconv.Itoa(*o.ID)
		}
		return o.Name
	}
	if n.User == nil && n.Group == nil {
		return ""
	}
	return text(n.User) + ":" + text(n.Group)
}

// directories are those, as rancher.directories says it.
func (im *Import) directories() []any {
	var out []any
	for _, d := range im.Directories {
		m := node(d.Node)
		if d.Mode != nil {
			m["permissions"] = fmt.Sprintf("%04o", *d.Mode)
		}
		out = append(out, m)
	}
	return out
}

// links are those, as rancher.links says it. A hard link has its target's owner.
func (im *Import) links() []any {
	var out []any
	for _, l := range im.Links {
		m := node(l.Node)
		m["target"] = l.Target
		if l.Hard {
			m["hard"] = true
			delete(m, "owner")
		}
		out = append(out, m)
	}
	return out
}

func node(n Node) map[string]any {
	m := map[string]any{"path": n.Path}
	if owner := ownerText(n); owner != "" {
		m["owner"] = owner
	}
	if n.Overwrite != nil {
		m["overwrite"] = *n.Overwrite
	}
	return m
}

// absent are users and groups that are not to be, as rancher.absent says it.
func (im *Import) absent() map[string]any {
	out := map[string]any{}
	var users, groups []any
	for _, u := range im.Users {
		if u.Remove {
			users = append(users, u.Name)
		}
	}
	for _, g := range im.Groups {
		if g.Remove {
			groups = append(groups, g.Name)
		}
	}
	if users != nil {
		out["users"] = users
	}
	if groups != nil {
		out["groups"] = groups
	}
	return out
}
