package execute

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"go.yaml.in/yaml/v4"

	"rancheros/cloudconfig"
	"rancheros/cloudinit/state"
)

// baseKeys are those of the distribution's cloud.cfg that say how its machines
// are to be; the others configure upstream's program.
var baseKeys = map[string]bool{
	"disable_root": true, "disable_root_opts": true, "growpart": true, "locale": true, "manage_etc_hosts": true,
	"mount_default_fields": true, "ntp": true, "output": true, "preserve_hostname": true, "reporting": true, "resize_rootfs": true, "ssh_deletekeys": true,
	"ssh_genkeytypes": true, "ssh_pwauth": true, "timezone": true, "users": true, "vendor_data": true, "vendor_data2": true,
}

// LoadConfig is the config that this machine was told, and what is wrong with
// it. The config is good to apply even if there is an error. On our OS it is
// made of the layers, elsewhere of cloud.cfg and the user-data.
func (t *Target) LoadConfig() (*cloudconfig.Config, error) {
	if t.Ours {
		c, tr, err := cloudconfig.Load(t.Tree.Dir())
		if tr != nil {
			t.unsupported = tr.Unsupported()
		}
		t.fromMetadata()
		return c, onlyErrors(err)
	}
	known, kerr := state.Load(t.Tree)
	if known != nil {
		t.learn(known)
	}
	layers := t.baseLayers()
	file := state.Instance + "/cloud-config.txt"
	doc, err := t.Tree.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		kerr = errors.Join(kerr, err)
	}
	c, err := t.resolve(append(layers, cloudconfig.Layer{Name: "user-data", File: file, YAML: doc}))
	return c, errors.Join(kerr, err)
}

// ReadConfig is the config of one document, on top of what the machine brings
// along.
func (t *Target) ReadConfig(file string, doc []byte) (*cloudconfig.Config, error) {
	if t.Ours {
		var known cloudconfig.Metadata
		layers, err := cloudconfig.Layers(t.Tree.Dir(), &known)
		c, rerr := t.resolve(append(layers, cloudconfig.Layer{Name: "user-data", File: file, YAML: doc}))
		return c, errors.Join(onlyErrors(err), rerr)
	}
	if known, err := state.Load(t.Tree); err == nil && known != nil {
		t.learn(known)
	}
	return t.resolve(append(t.baseLayers(), cloudconfig.Layer{Name: "user-data", File: file, YAML: doc}))
}

// learn takes over what the cloud said of this instance.
func (t *Target) learn(k *state.Known) {
	in := k.Instance
	t.Keys, t.RandomSeed, t.Hostname, t.Password = in.PublicKeys, in.RandomSeed, in.Hostname, cloudconfig.Secret(in.Password)
	t.Files, t.BlockDevices = in.Files, blockDevices(in.Metadata)
	if in.User != "" {
		t.DefaultUser = in.User
	}
}

// fromMetadata does the same on our OS, where metadata is a layer that has
// keys and hostname in it already.
func (t *Target) fromMetadata() {
	known, err := state.Load(t.Tree)
	if err != nil || known == nil {
		return
	}
	t.RandomSeed, t.Files = known.Instance.RandomSeed, known.Instance.Files
	t.BlockDevices = blockDevices(known.Instance.Metadata)
	t.Password = cloudconfig.Secret(known.Instance.Password)
}

// blockDevices are the disks that EC2 and those like it name.
func blockDevices(metadata map[string]any) map[string]string {
	all := map[string]string{}
	if md, ok := metadata["meta-data"].(map[string]any); ok {
		metadata = md
	}
	mapping, _ := metadata["block-device-mapping"].(map[string]any)
	for name, dev := range mapping {
		if s, ok := dev.(string); ok && s != "" {
			all[name] = s
		}
	}
	return all
}

// baseLayers are what the distribution's own cloud.cfg says, key by key.
func (t *Target) baseLayers() []cloudconfig.Layer {
	var layers []cloudconfig.Layer
	for _, f := range t.cloudCfgs() {
		doc, err := t.Tree.ReadFile(f)
		if err != nil {
			continue
		}
		layers = append(layers, byKey(cloudconfig.Layer{Name: f, File: f, YAML: doc}, baseKeys)...)
	}
	return layers
}

// resolve is cloudconfig.Resolve for a machine that has no other config to
// fall back on: of a layer that is not valid, only the keys that are at fault
// are left out, and of lists whose entries stand alone only those.
func (t *Target) resolve(layers []cloudconfig.Layer) (*cloudconfig.Config, error) {
	c, tr, err := cloudconfig.Resolve(layers...)
	if t.unsupported = nil; tr != nil {
		t.unsupported = tr.Unsupported()
	}
	err = onlyErrors(err)
	if err == nil || len(tr.LeftOut()) == 0 {
		return c, err
	}
	var parts []cloudconfig.Layer
	for _, l := range layers {
		one := byKey(l, nil)
		if one == nil {
			one = []cloudconfig.Layer{l}
		}
		for _, p := range one {
			parts = append(parts, withoutBadEntries(p))
		}
	}
	c, tr, _ = cloudconfig.Resolve(parts...)
	t.unsupported = tr.Unsupported()
	return c, err
}

// unsupported names keys of cloud-init that somebody set and that nothing here
// acts on: it must not look as if all were done.
func unsupported(_ context.Context, t *Target, _ *cloudconfig.Config) error {
	if len(t.unsupported) == 0 {
		return Skip("every key is acted on")
	}
	for _, p := range t.unsupported {
		if !t.Ours {
			p.Message = "not done by ros-cloud-init: do it in runcmd, or use an image that has it"
		}
		p.Severity = cloudconfig.Error // the word "warning" stands there already
		t.Warn("%s", p)
	}
	return nil
}

// byKey makes a layer of each top-level key, or of those that are wanted; nil
// when the document is no map.
func byKey(l cloudconfig.Layer, wanted map[string]bool) []cloudconfig.Layer {
	// A key may take its value from another one's by an alias.
	root := cloudconfig.Expanded(l.YAML)
	if root == nil {
		var doc yaml.Node // a key that is there twice is no reason to lose the others
		if err := yaml.NewDecoder(bytes.NewReader(l.YAML)).Decode(&doc); err != nil || doc.Kind != yaml.DocumentNode || doc.Content[0].Kind != yaml.MappingNode {
			return nil
		}
		root = doc.Content[0]
	}
	var out []cloudconfig.Layer
	for i := 0; i+1 < len(root.Content); i += 2 {
		if wanted != nil && !wanted[root.Content[i].Value] {
			continue
		}
		one := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Content: root.Content[i : i+2]}
		b, err := yaml.Marshal(one)
		if err != nil {
			continue
		}
		out = append(out, cloudconfig.Layer{Name: root.Content[i].Value, File: l.File, YAML: b})
	}
	return out
}

// standAlone are lists of which one wrong entry is no reason to leave the others
// out. A list of commands is not among them: without one, the next may do harm.
var standAlone = map[string]bool{"users": true, "write_files": true}

// withoutBadEntries is the layer of one key without the entries that are not
// valid; where none is, the layer itself.
func withoutBadEntries(l cloudconfig.Layer) cloudconfig.Layer {
	valid := func(doc []byte) bool {
		_, _, err := cloudconfig.Resolve(cloudconfig.Layer{Name: l.Name, File: l.File, YAML: doc})
		return onlyErrors(err) == nil
	}
	var doc map[string][]yaml.Node
	if !standAlone[l.Name] || valid(l.YAML) || yaml.Unmarshal(l.YAML, &doc) != nil {
		return l
	}
	good := slices.DeleteFunc(doc[l.Name], func(entry yaml.Node) bool {
		b, err := yaml.Marshal(map[string][]yaml.Node{l.Name: {entry}})
		return err != nil || !valid(b)
	})
	if len(good) == 0 {
		return l
	}
	if b, err := yaml.Marshal(map[string][]yaml.Node{l.Name: good}); err == nil {
		l.YAML = b
	}
	return l
}

// onlyErrors leaves warnings out of what cloudconfig says.
func onlyErrors(err error) error {
	ps, ok := errors.AsType[cloudconfig.Problems](err)
	if !ok {
		return err
	}
	if ps = ps.Errors(); len(ps) == 0 {
		return nil
	}
	return fmt.Errorf("config: %w", ps)
}
