package cloudconfig

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"rancheros/paths"
	"rancheros/sys/cmdline"
)

// Names of the standard layers, lowest first. Drop-ins are named
// cloud-config.d/FILE.
const (
	LayerOS       = "os"
	LayerOEM      = "oem"
	LayerDropIn   = "cloud-config.d"
	LayerLocal    = "local"
	LayerCmdline  = "cmdline"
	LayerMetadata = "metadata"
)

// maxDropIns is how many files of cloud-config.d are read.
const maxDropIns = 200

// Load reads the standard layers below root ("/" on a machine) and resolves
// them. The Config is good to use even if there is an error, which is a
// Problems then.
func Load(root string) (*Config, *Trace, error) {
	var problems Problems
	md, err := ReadMetadata(root)
	if err != nil {
		problems = append(problems, toProblem(filepath.Join(root, paths.Metadata), err))
	}
	layers, err := Layers(root, md)
	if err != nil {
		problems = append(problems, toProblems(root, err)...)
	}
	tr, ps := mergeLayers(layers)
	problems = append(problems, ps...)
	if md != nil {
		tr.fill(md, root)
	}
	c, ps := tr.decode()
	if md != nil && !tr.networkByPerson() {
		c.CloudNetwork = md.Network
	}
	c.spreadDebug()
	return c, tr, append(problems, ps...).Errors().AsError()
}

// Layers reads layers 1 to 5 below root: os, oem, drop-ins by name, local,
// kernel command line. Files that cannot be read are named in the error and
// left out. md, which may be nil, is what $public_ipv4 and its like stand for.
func Layers(root string, md *Metadata) ([]Layer, error) {
	var (
		layers []Layer
		errs   []error
	)
	add := func(name, path string, mine bool) {
		file := filepath.Join(root, path)
		doc, err := readBounded(file)
		if errors.Is(err, fs.ErrNotExist) {
			return
		}
		if err != nil {
			errs = append(errs, err)
			return
		}
		if mine {
			doc = md.substitute(doc)
		}
		layers = append(layers, Layer{Name: name, File: file, YAML: doc})
	}
	add(LayerOS, paths.OSConfig, false)
	add(LayerOEM, paths.OEMConfig, false)
	names, err := dropIns(filepath.Join(root, paths.ConfigDir))
	if err != nil {
		errs = append(errs, err)
	}
	for _, name := range names {
		add(LayerDropIn+"/"+name, filepath.Join(paths.ConfigDir, name), true)
	}
	add(LayerLocal, paths.LocalConfig, true)
	file := filepath.Join(root, "proc/cmdline")
	if line, err := readBounded(file); err == nil {
		layers = append(layers, CmdlineLayers(file, string(line))...)
	}
	return layers, errors.Join(errs...)
}

// dropIns are the files of cloud-config.d by name. RancherOS took any name
// that does not begin with a dot; we leave editors' copies out as well.
func dropIns(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var names []string
	for _, e := range entries {
		name := e.Name()
		if e.IsDir() || strings.HasPrefix(name, ".") || strings.HasSuffix(name, "~") {
			continue
		}
		names = append(names, name)
	}
	slices.Sort(names)
	if len(names) > maxDropIns {
		return names[:maxDropIns], fmt.Errorf("read %s: %d files; only the first %d are used", dir, len(names), maxDropIns)
	}
	return names, err
}

// readBounded reads a regular file of at most MaxDocument bytes, or so much of
// it that parse refuses it.
func readBounded(file string) ([]byte, error) {
	if st, err := os.Stat(file); err != nil {
		return nil, err
	} else if !st.Mode().IsRegular() { // opening a pipe would wait for ever
		return nil, fmt.Errorf("read %s: not a file", file)
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, MaxDocument+1))
}

// CmdlineLayers are the layers that a kernel command line holds: what stands
// before ` -- ` and what stands after it, which is never exported. A setting
// that is not valid is left out alone: a typing error must not cost the state
// disk that the next word names.
func CmdlineLayers(file, line string) []Layer {
	l := cmdline.Parse(line)
	var layers []Layer
	for i, args := range [][]cmdline.Arg{l.Args, l.Extra} {
		settings := cmdline.Settings(args)
		if i == 1 && l.ExtraText != "" {
			settings = append([]cmdline.Setting{{Key: "rancher.environment." + extraCmdline, Value: "/init " + l.ExtraText, Text: true}}, settings...)
		}
		tree, dropped := cmdlineTree(file, settings)
		if len(tree.Content) > 0 || len(dropped) > 0 {
			layers = append(layers, Layer{Name: LayerCmdline, File: file, tree: tree, private: i == 1, dropped: dropped})
		}
	}
	return layers
}

// extraCmdline is the variable with what stood after ` -- `, for services that
// list its name. It is never exported or printed.
const extraCmdline = "EXTRA_CMDLINE"

// cmdlineTree makes a document of settings. Later ones win; a value blocks a
// deeper path. Values that are no YAML stay text.
func cmdlineTree(file string, settings []cmdline.Setting) (*yaml.Node, Problems) {
	var dropped Problems
	root := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	for _, s := range settings {
		steps, err := resolvePath(s.Key, root)
		if err != nil {
			dropped = append(dropped, toProblem(file, err))
			continue
		}
		value := cmdlineValue(s)
		alone := strict{file: file}
		alone.check(nest(steps, value), reflect.TypeFor[Config](), "")
		if len(alone.problems) > 0 {
			dropped = append(dropped, alone.problems...)
			continue
		}
		if old, _ := find(root, steps); old != nil && appendsAt(steps) {
			value = appended(old, value)
		}
		if err := put(root, steps, value, false); err != nil {
			dropped = append(dropped, toProblem(file, err))
		}
	}
	return root, dropped
}

// shield hides the letters that would make maps of URLs from YAML.
var shield, unshield = strings.NewReplacer(":", "\ue000", "?", "\ue001"), strings.NewReplacer("\ue000", ":", "\ue001", "?")

func cmdlineValue(s cmdline.Setting) *yaml.Node {
	text := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s.Value, Line: 1, Column: 1}
	if s.Text || s.Value == "" {
		return text
	}
	var doc yaml.Node
	in := s.Value
	if strings.HasPrefix(in, "[") {
		in = shield.Replace(in)
	}
	if err := yaml.Unmarshal([]byte(in), &doc); err != nil || len(doc.Content) == 0 {
		return text
	}
	x := expander{left: 1000, open: map[*yaml.Node]bool{}}
	n := x.expand(doc.Content[0], "", 0)
	if len(x.problems) > 0 {
		return text
	}
	tidy(n)
	return n
}

// tidy undoes shield and takes line numbers off, which say nothing here.
func tidy(n *yaml.Node) {
	n.Value, n.Line, n.Column = unshield.Replace(n.Value), 1, 1
	for _, c := range n.Content {
		tidy(c)
	}
}

// fill adds what metadata says: a host name where no layer set one, the disk
// to grow, and keys in any case.
func (tr *Trace) fill(md *Metadata, root string) {
	tree := md.tree()
	for _, key := range []string{"hostname", "fqdn"} {
		if n := child(tr.merged, key); n != nil && n.Value != "" {
			drop(tree, "hostname")
		}
	}
	if n, _ := find(tr.merged, []pathStep{{"rancher", -1}, {"resize_device", -1}}); n != nil && n.Value != "" {
		drop(tree, "rancher", "resize_device")
	}
	tr.add(Layer{Name: LayerMetadata, File: filepath.Join(root, paths.Metadata), tree: tree}, tree)
}

// networkByPerson says whether a layer above the image's own defaults
// describes links.
func (tr *Trace) networkByPerson() bool {
	for _, l := range tr.layers {
		if l.Name == LayerOS {
			continue
		}
		n, _ := find(l.root, []pathStep{{"rancher", -1}, {"network", -1}, {"interfaces", -1}})
		if n != nil && n.Kind == yaml.MappingNode && len(n.Content) > 0 {
			return true
		}
	}
	return false
}

// spreadDebug lets rancher.debug hold for the engines too, where nobody said
// otherwise.
func (c *Config) spreadDebug() {
	if !c.Rancher.Debug {
		return
	}
	on := true
	c.Rancher.Log = true
	for _, d := range []*Docker{&c.Rancher.Docker, &c.Rancher.SystemDocker} {
		if d.Debug == nil {
			d.Debug = &on
		}
	}
}

func toProblem(file string, err error) Problem {
	return Problem{File: file, Severity: Error, Message: err.Error()}
}

func toProblems(file string, err error) Problems {
	if ps, ok := errors.AsType[Problems](err); ok {
		return ps
	}
	return Problems{toProblem(file, err)}
}
