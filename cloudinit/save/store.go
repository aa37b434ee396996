package save

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"strings"

	"rancheros/cloudconfig"
	"rancheros/cloudconfig/userdata"
	"rancheros/cloudconfig/userdata/document"
	"rancheros/cloudinit/state"
	"rancheros/cloudinit/tree"
	"rancheros/paths"
)

var (
	private = tree.Perm{Mode: 0o600, Secret: true}
	program = tree.Perm{Mode: 0o700, Secret: true}
	public  = tree.Perm{Mode: 0o644}
)

// pending names the instance that is being published. While it is there, the
// layers may be those of two instances; the next run puts that right.
const pending = state.Data + "/publishing"

// store keeps an instance in two steps: everything goes into its own folder
// first; then one small file says that it is in force, and the layers, links
// and names that others read follow. A power cut in the first step leaves the
// old instance, in the second the next boot finishes.
func (s *saver) store(old, next *state.Known, r *userdata.Result) error {
	dir := state.InstanceDir(next.Identity.InstanceID)
	before := len(s.tree.Changes())
	if err := s.stage(dir, next, r); err != nil {
		return err
	}
	if len(s.tree.Changes()) == before && s.report.Outcome == Updated {
		// Everything is as it was; what is in force is put right if it is not.
		s.report.Outcome = Unchanged
		return errors.Join(s.publish(dir, next), s.show(next, r))
	}
	if err := s.tree.Sync(); err != nil {
		return err
	}
	// The record of the old instance tells what `previous-…` are.
	if err := s.remember(old, next); err != nil {
		return err
	}
	if err := s.write(pending, []byte(next.Identity.InstanceID+"\n"), private); err != nil {
		return err
	}
	if err := s.tree.Sync(); err != nil {
		return err
	}
	if err := s.publish(dir, next); err != nil {
		return err
	}
	return s.show(next, r)
}

// finish publishes what an earlier run staged and could not publish.
func (s *saver) finish() error {
	id := s.tree.ReadString(pending)
	if id == "" {
		return nil
	}
	dir := state.InstanceDir(id)
	k, err := loadStaged(s.tree, dir)
	if err != nil {
		return err
	}
	return s.publish(dir, k)
}

// stage writes the folder of an instance.
func (s *saver) stage(dir string, k *state.Known, r *userdata.Result) error {
	if _, err := s.tree.MkdirAll(state.Instances, tree.Perm{Mode: 0o755}); err != nil {
		return err
	}
	if _, err := s.tree.MkdirAll(dir, tree.Perm{Mode: 0o755}); err != nil {
		return err
	}
	if !s.ours {
		if err := state.Adopt(s.tree, k.Identity.InstanceID); err != nil {
			return err
		}
	}
	config, err := configText(r)
	if err != nil {
		return err
	}
	files := map[string]file{
		"user-data.txt":    {k.Instance.UserData, private},
		"vendor-data.txt":  {k.Instance.VendorData, private},
		"vendor-data2.txt": {k.Instance.VendorData2, private},
		"cloud-config.txt": {config, private},
		"boot.yml":         {s.layer(k, config, r), tree.Perm{Mode: 0o400, Secret: true}},
		"datasource":       {[]byte(className(k) + ": " + k.Datasource() + "\n"), public},
	}
	for _, one := range r.Scripts {
		files[scriptPath(one)] = file{one.Content, program}
	}
	for _, one := range r.Boothooks {
		files["boothooks/"+state.SafeName(one.Name)] = file{one.Content, program}
	}
	var errs []error
	for name, f := range files {
		errs = append(errs, s.write(path.Join(dir, name), f.data, f.perm))
	}
	errs = append(errs, s.dropOld(dir, files))
	if err := errors.Join(errs...); err != nil {
		return err
	}
	// Last: the folder is whole when this is there.
	return k.Save(s.tree)
}

// className is upstream's class of the datasource: DataSourceNoCloud.
func className(k *state.Known) string {
	name, _, _ := strings.Cut(k.Datasource(), " ")
	return name
}

type file struct {
	data []byte
	perm tree.Perm
}

// scriptPath is where a script lies below the folder of its instance.
func scriptPath(one userdata.Script) string {
	name := state.SafeName(one.Name)
	if name == "_" {
		name = fmt.Sprintf("part-%03d", one.Part)
	}
	switch {
	case one.Vendor:
		return "scripts/vendor/" + name
	case one.Type == userdata.PerBoot || one.Type == userdata.PerInstance || one.Type == userdata.PerOnce:
		return "scripts/" + one.Frequency + "/" + name
	}
	return "scripts/" + name
}

// dropOld removes scripts of earlier user-data of the same instance.
func (s *saver) dropOld(dir string, files map[string]file) error {
	for _, sub := range []string{"scripts", "scripts/vendor", "scripts/per-boot", "scripts/per-instance", "scripts/per-once", "boothooks"} {
		names, err := s.tree.List(path.Join(dir, sub))
		if err != nil {
			return err
		}
		for _, n := range names {
			p := path.Join(dir, sub, n)
			st, err := s.tree.Lstat(p)
			if _, wanted := files[sub+"/"+n]; wanted || err != nil || st.Kind != tree.File {
				continue
			}
			if _, err := s.tree.Remove(p); err != nil {
				return err
			}
		}
	}
	return nil
}

// configText is the merged config as a document.
func configText(r *userdata.Result) ([]byte, error) {
	header := []byte("#cloud-config\n")
	if r.Config == nil || len(r.Config.Content) == 0 {
		return header, nil
	}
	out, err := document.YAML(r.Config)
	if err != nil {
		return nil, fmt.Errorf("the merged config: %w", err)
	}
	return append(header, out...), nil
}

// layer is what becomes boot.yml: the user's own text where it is one plain
// cloud-config, so that its lines are those that messages name, and even if it
// is broken, so that `ros config validate` can say where. Else the merged one.
func (s *saver) layer(k *state.Known, merged []byte, r *userdata.Result) []byte {
	plain := k.Instance.UserData
	alone := len(k.Instance.VendorData)+len(k.Instance.VendorData2) == 0
	first, _, _ := bytes.Cut(bytes.TrimPrefix(plain, []byte("\xef\xbb\xbf")), []byte("\n"))
	if alone && len(r.Parts) == 1 && strings.TrimSpace(string(first)) == "#cloud-config" {
		return plain
	}
	return merged
}

// publish puts a staged instance in force. It may be done twice.
func (s *saver) publish(dir string, k *state.Known) error {
	id := k.Identity.InstanceID
	if s.ours {
		if err := s.layers(dir, k); err != nil {
			return err
		}
	}
	steps := []func() error{
		func() error { return s.write(state.Data+"/instance-id", []byte(id+"\n"), public) },
		func() error {
			_, err := s.tree.Symlink(state.Instance, "instances/"+state.SafeName(id), public)
			return err
		},
		func() error { _, err := s.tree.Remove(pending); return err },
		s.tree.Sync,
	}
	for _, f := range steps {
		if err := f(); err != nil {
			return err
		}
	}
	return nil
}

// layers writes the config layers of our OS.
func (s *saver) layers(dir string, k *state.Known) error {
	boot, err := s.tree.ReadFile(dir + "/boot.yml")
	if err != nil {
		return err
	}
	if _, err := s.tree.MkdirAll(paths.ConfigDir, tree.Perm{Mode: 0o755}); err != nil {
		return err
	}
	// Keys first: whatever else happens, people get in.
	in := k.Instance
	md := &cloudconfig.Metadata{Datasource: k.Identity.Datasource, InstanceID: k.Identity.InstanceID, Hostname: in.Hostname,
		SSHAuthorizedKeys: in.PublicKeys, Network: in.Network, RootDisk: in.RootDisk, User: in.User,
		Password: cloudconfig.Secret(in.Password), PublicIPv4: in.PublicIPv4, PrivateIPv4: in.PrivateIPv4,
		PublicIPv6: in.PublicIPv6, PrivateIPv6: in.PrivateIPv6}
	if s.Hook != nil {
		if err := s.Hook("metadata", paths.Metadata); err != nil {
			return err
		}
	}
	if err := md.Write(s.Root); err != nil {
		return err
	}
	s.report.Files = append(s.report.Files, paths.Metadata)
	if err := s.write(paths.UserDataConfig, boot, tree.Perm{Mode: 0o400, Secret: true}); err != nil {
		return err
	}
	return s.userScript(dir)
}

// userScript keeps the one script of the user-data where the original did.
func (s *saver) userScript(dir string) error {
	names, err := s.tree.List(dir + "/scripts")
	if err != nil {
		return err
	}
	for _, n := range names {
		p := path.Join(dir, "scripts", n)
		if st, err := s.tree.Lstat(p); err != nil || st.Kind != tree.File {
			continue
		}
		b, err := s.tree.ReadFile(p)
		if err != nil {
			return err
		}
		return s.write(paths.UserScript, b, program)
	}
	_, err = s.tree.Remove(paths.UserScript)
	return err
}

// remember keeps what the machine was before, as upstream does.
func (s *saver) remember(old, next *state.Known) error {
	before := map[string]string{"previous-instance-id": "NO_PREVIOUS_INSTANCE_ID", "previous-datasource": ""}
	if old != nil {
		before["previous-instance-id"], before["previous-datasource"] = old.Identity.InstanceID, className(old)+": "+old.Datasource()
	}
	if old != nil && old.Identity.InstanceID == next.Identity.InstanceID {
		return nil
	}
	for name, text := range before {
		if err := s.write(state.Data+"/"+name, []byte(text+"\n"), public); err != nil {
			return err
		}
	}
	return nil
}

// write writes a file and notes it in the report if that changed anything.
func (s *saver) write(p string, data []byte, perm tree.Perm) error {
	changed, err := s.tree.WriteFile(p, data, perm)
	if changed {
		s.report.Files = append(s.report.Files, p)
	}
	return err
}
