package ignition

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path"

	"github.com/coreos/ignition/v2/config/v3_6_experimental/types"
	"github.com/coreos/ignition/v2/config/validate"
)

// parseV2 reads a config of version 2.x as one of version 3, by whose rules it
// is checked then.
func parseV2(data []byte, version string) (config, string, []Problem, error) {
	switch version {
	case "2.0.0", "2.1.0", "2.2.0", "2.3.0", "2.4.0":
	default:
		return config{}, version, nil, &InvalidError{[]Problem{unknownVersion(version)}}
	}
	var c v2Config
	if err := json.Unmarshal(data, &c); err != nil {
		p := Problem{Fatal: true, Message: err.Error()}
		if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			before := data[:min(int(e.Offset), len(data))]
			p.Line = 1 + bytes.Count(before, []byte("\n"))
			p.Message = fmt.Sprintf("%s must be %s, not %s", e.Field, e.Type, e.Value)
		}
		return config{}, version, nil, &InvalidError{[]Problem{p}}
	}
	t := upgrade{roots: map[string]string{"root": "/", "": "/"}}
	out := t.config(c)
	problems := append(fromReport(validate.ValidateWithContext(out, nil)), t.problems...)
	if fatal := onlyFatal(problems[:len(problems)-len(t.problems)]); len(fatal) > 0 {
		return config{}, version, nil, &InvalidError{fatal}
	}
	return out, version, problems, nil
}

// An upgrade turns a config of version 2.4 into one of version 3.
type upgrade struct {
	problems []Problem
	// roots are where the named file systems of version 2 are mounted.
	roots map[string]string
}

func (t *upgrade) lost(at, format string, args ...any) {
	t.problems = append(t.problems, Problem{At: at, Fatal: true, Message: fmt.Sprintf(format, args...)})
}

func (t *upgrade) config(c v2Config) config {
	out := config{}
	out.Ignition.Version = types.MaxVersion.String()
	for _, r := range c.Ignition.Config.Append {
		out.Ignition.Config.Merge = append(out.Ignition.Config.Merge, reference(r))
	}
	if r := c.Ignition.Config.Replace; r != nil {
		out.Ignition.Config.Replace = reference(*r)
	}
	out.Ignition.Timeouts = types.Timeouts{HTTPResponseHeaders: c.Ignition.Timeouts.HTTPResponseHeaders, HTTPTotal: c.Ignition.Timeouts.HTTPTotal}
	for _, ca := range c.Ignition.Security.TLS.CertificateAuthorities {
		out.Ignition.Security.TLS.CertificateAuthorities = append(out.Ignition.Security.TLS.CertificateAuthorities, types.Resource{
			Source: text(ca.Source), HTTPHeaders: headers(ca.HTTPHeaders), Verification: types.Verification{Hash: ca.Verification.Hash},
		})
	}
	t.storage(c.Storage, &out.Storage)
	for _, u := range c.Passwd.Users {
		out.Passwd.Users = append(out.Passwd.Users, user(u))
	}
	for _, g := range c.Passwd.Groups {
		out.Passwd.Groups = append(out.Passwd.Groups, types.PasswdGroup{Name: g.Name, Gid: g.Gid, PasswordHash: text(g.PasswordHash), System: flag(g.System)})
	}
	for _, u := range c.Systemd.Units {
		enabled := u.Enabled
		if u.Enable {
			enabled = &u.Enable
		}
		next := types.Unit{Name: u.Name, Contents: text(u.Contents), Enabled: enabled, Mask: flag(u.Mask)}
		for _, d := range u.Dropins {
			next.Dropins = append(next.Dropins, types.Dropin{Name: d.Name, Contents: text(d.Contents)})
		}
		out.Systemd.Units = append(out.Systemd.Units, next)
	}
	t.networkd(c.Networkd, &out.Storage)
	return out
}

// networkd: units of systemd-networkd are files in version 3.
func (t *upgrade) networkd(n v2Networkd, out *types.Storage) {
	add := func(name, contents string) {
		source := dataURL(contents)
		f := types.File{Node: types.Node{Path: path.Join("/etc/systemd/network", name)}}
		f.Contents.Source, f.Mode = &source, number(0o644)
		out.Files = append(out.Files, f)
	}
	for _, u := range n.Units {
		if u.Contents != "" {
			add(u.Name, u.Contents)
		}
		for _, d := range u.Dropins {
			add(path.Join(u.Name+".d", d.Name), d.Contents)
		}
	}
}

func (t *upgrade) storage(s v2Storage, out *types.Storage) {
	for _, d := range s.Disks {
		next := types.Disk{Device: d.Device, WipeTable: flag(d.WipeTable)}
		for i, p := range d.Partitions {
			if p.Size != nil && *p.Size != 0 || p.Start != nil && *p.Start != 0 {
				t.lost(fmt.Sprintf("$.storage.disks.partitions.%d", i), "sizes in sectors are not supported; use sizeMiB and startMiB")
			}
			next.Partitions = append(next.Partitions, types.Partition{
				Number: p.Number, Label: p.Label, GUID: text(p.GUID), TypeGUID: text(p.TypeGUID), ShouldExist: p.ShouldExist,
				SizeMiB: p.SizeMiB, StartMiB: p.StartMiB, WipePartitionEntry: flag(p.WipePartitionEntry),
			})
		}
		out.Disks = append(out.Disks, next)
	}
	for _, r := range s.Raid {
		next := types.Raid{Name: r.Name, Level: &r.Level, Spares: &r.Spares}
		for _, d := range r.Devices {
			next.Devices = append(next.Devices, types.Device(d))
		}
		out.Raid = append(out.Raid, next)
	}
	t.filesystems(s, out)
	for _, d := range s.Directories {
		out.Directories = append(out.Directories, types.Directory{Node: t.node(d.v2Node), DirectoryEmbedded1: types.DirectoryEmbedded1{Mode: d.Mode}})
	}
	at := map[string]int{}
	for _, f := range s.Files {
		next := t.file(f)
		i, ok := at[next.Path]
		switch {
		case !ok:
			at[next.Path] = len(out.Files)
			out.Files = append(out.Files, next)
		case f.Append:
			// Version 2 may name a file several times, version 3 only once.
			out.Files[i].Append = append(out.Files[i].Append, next.Append...)
		default:
			out.Files[i] = next
		}
	}
	for _, l := range s.Links {
		next := types.Link{Node: t.node(l.v2Node)}
		next.Target, next.Hard = &l.Target, &l.Hard
		out.Links = append(out.Links, next)
	}
}

func (t *upgrade) filesystems(s v2Storage, out *types.Storage) {
	for i, f := range s.Filesystems {
		at := fmt.Sprintf("$.storage.filesystems.%d", i)
		if f.Path != nil {
			t.roots[f.Name] = *f.Path
		}
		if f.Mount == nil {
			continue
		}
		if f.Path == nil && f.Name != "root" {
			t.lost(at, "file system %q has no path: files on it have no place here", f.Name)
		}
		format := f.Mount.Format
		wipe := f.Mount.WipeFilesystem || f.Mount.Create != nil && f.Mount.Create.Force
		next := types.Filesystem{Device: f.Mount.Device, Format: &format, Label: f.Mount.Label, UUID: f.Mount.UUID, WipeFilesystem: &wipe, Path: f.Path}
		for _, o := range f.Mount.options() {
			next.Options = append(next.Options, types.FilesystemOption(o))
		}
		out.Filesystems = append(out.Filesystems, next)
	}
}

func (t *upgrade) file(f v2File) types.File {
	out := types.File{Node: t.node(f.v2Node)}
	out.Mode = f.Mode
	source := f.Contents.Source
	r := types.Resource{Source: &source, HTTPHeaders: headers(f.Contents.HTTPHeaders), Verification: types.Verification{Hash: f.Contents.Verification.Hash}}
	if f.Contents.Compression != "" {
		r.Compression = &f.Contents.Compression
	}
	if source == "" {
		// Version 2 means an empty file, not the one that is there.
		empty := "data:,"
		r.Source = &empty
	}
	if f.Append {
		out.Append = []types.Resource{r}
		return out
	}
	out.Contents = r
	if f.Overwrite == nil {
		// Version 2 overwrites unless told not to.
		out.Overwrite = flag(true)
	}
	return out
}

func (t *upgrade) node(n v2Node) types.Node {
	root, ok := t.roots[n.Filesystem]
	if !ok {
		t.lost("$.storage", "%s is on file system %q, which has no path here", n.Path, n.Filesystem)
		root = "/"
	}
	out := types.Node{Path: n.Path, Overwrite: n.Overwrite}
	if path.IsAbs(n.Path) { // else it is refused later
		out.Path = path.Join(root, n.Path)
	}
	if n.User != nil {
		out.User = types.NodeUser{ID: n.User.ID, Name: text(n.User.Name)}
	}
	if n.Group != nil {
		out.Group = types.NodeGroup{ID: n.Group.ID, Name: text(n.Group.Name)}
	}
	return out
}

func user(u v2User) types.PasswdUser {
	a := u.v2Account
	if u.Create != nil {
		a = *u.Create // the form of version 2.0
	}
	out := types.PasswdUser{
		Name: u.Name, Gecos: text(a.Gecos), HomeDir: text(a.HomeDir), NoCreateHome: flag(a.NoCreateHome), NoLogInit: flag(a.NoLogInit),
		NoUserGroup: flag(a.NoUserGroup), PasswordHash: u.PasswordHash, PrimaryGroup: text(a.PrimaryGroup), Shell: text(a.Shell),
		System: flag(a.System), UID: a.UID,
	}
	for _, k := range u.SSHAuthorizedKeys {
		out.SSHAuthorizedKeys = append(out.SSHAuthorizedKeys, types.SSHAuthorizedKey(k))
	}
	for _, g := range a.Groups {
		out.Groups = append(out.Groups, types.Group(g))
	}
	return out
}

func reference(r v2Reference) types.Resource {
	return types.Resource{Source: &r.Source, HTTPHeaders: headers(r.HTTPHeaders), Verification: types.Verification{Hash: r.Verification.Hash}}
}

func headers(in []v2Header) types.HTTPHeaders {
	var out types.HTTPHeaders
	for _, h := range in {
		out = append(out, types.HTTPHeader{Name: h.Name, Value: &h.Value})
	}
	return out
}

func text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func flag(b bool) *bool {
	if !b {
		return nil
	}
	return &b
}

func number(i int) *int { return &i }
