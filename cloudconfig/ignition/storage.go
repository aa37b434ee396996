package ignition

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io/fs"
	"unicode/utf8"

	"github.com/coreos/ignition/v2/config/v3_6_experimental/types"
	"gopkg.in/yaml.v3"

	"rancheros/cloudconfig/userdata/document"
)

func dataURL(s string) string {
	return "data:;base64," + base64.StdEncoding.EncodeToString([]byte(s))
}

// storage takes over directories, files and links, with all content fetched.
func (im *Import) storage(l *loader, c config) error {
	for _, d := range c.Storage.Directories {
		im.Directories = append(im.Directories, Directory{nodeOf(d.Node), modeOf(d.Mode)})
	}
	for i, f := range c.Storage.Files {
		next := File{Node: nodeOf(f.Node), Mode: modeOf(f.Mode)}
		if f.Contents.Source != nil {
			data, err := l.resource(f.Contents)
			if err != nil {
				return fmt.Errorf("storage.files.%d (%s): %w", i, f.Path, err)
			}
			if data == nil {
				data = []byte{}
			}
			next.Contents = &data
		}
		for _, a := range f.Append {
			data, err := l.resource(a)
			if err != nil {
				return fmt.Errorf("storage.files.%d (%s): append: %w", i, f.Path, err)
			}
			next.Append = append(next.Append, data)
		}
		im.Files = append(im.Files, next)
	}
	for _, n := range c.Storage.Links {
		im.Links = append(im.Links, Link{nodeOf(n.Node), str(n.Target), is(n.Hard)})
	}
	return nil
}

func nodeOf(n types.Node) Node {
	out := Node{Path: n.Path, Overwrite: n.Overwrite}
	if n.User.ID != nil || str(n.User.Name) != "" {
		out.User = &Owner{n.User.ID, str(n.User.Name)}
	}
	if n.Group.ID != nil || str(n.Group.Name) != "" {
		out.Group = &Owner{n.Group.ID, str(n.Group.Name)}
	}
	return out
}

func modeOf(m *int) *uint32 {
	if m == nil {
		return nil
	}
	v := uint32(*m) & 0o7777
	return &v
}

// fileMode is a Unix mode as Go has it.
func fileMode(m uint32) fs.FileMode {
	out := fs.FileMode(m & 0o777)
	for _, b := range []struct {
		unix uint32
		mode fs.FileMode
	}{{0o4000, fs.ModeSetuid}, {0o2000, fs.ModeSetgid}, {0o1000, fs.ModeSticky}} {
		if m&b.unix != 0 {
			out |= b.mode
		}
	}
	return out
}

func str(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func is(b *bool) bool { return b != nil && *b }

// cloudConfig says in cloud-config what of the config it can say.
func (im *Import) cloudConfig(c config) error {
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
		if !g.Remove {
			groups = append(groups, g.Name)
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
	if args := kernelArguments(c); args != nil {
		im.problem("$.kernelArguments", "kernel arguments are not changed from here; set rancher.upgrade or run `ros config syslinux`: %v", args)
	}
	if services := im.services(); len(services) > 0 {
		out["rancher"] = map[string]any{"services": services}
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
