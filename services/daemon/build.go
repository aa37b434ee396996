package daemon

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strconv"
	"strings"

	"rancheros/cloudconfig"
)

// A setting is a flag of dockerd, without dashes, and its value.
type setting struct{ name, value string }

// A builder collects what goes on the command line.
type builder struct {
	d    cloudconfig.Docker
	root fs.FS

	dataRoot string
	config   string // where the config file that we make goes
	defaults []setting
	hosts    []string
	features map[string]bool
	asked    map[string]bool // features that a person asked for by an argument
	debug    bool
	extra    []string // arguments as a person wrote them
	proxies  []string // of rancher.network, for pulls
	env      []string
	files    []File
	problems []error
}

func newBuilder(c *cloudconfig.Config, d cloudconfig.Docker, root fs.FS) *builder {
	return &builder{
		d: d, root: root, debug: c.Rancher.Debug, proxies: proxies(c.Rancher.Network),
		extra: slices.Concat([]string(d.Args), []string(d.ExtraArgs)),
	}
}

// proxies are the variables by which programs know them.
func proxies(n cloudconfig.Network) []string {
	var env []string
	for _, p := range []struct{ name, value string }{
		{"HTTP_PROXY", n.HTTPProxy}, {"HTTPS_PROXY", n.HTTPSProxy}, {"NO_PROXY", n.NoProxy},
	} {
		if p.value != "" {
			env = append(env, p.name+"="+p.value, strings.ToLower(p.name)+"="+p.value)
		}
	}
	return env
}

// build makes the command. What a person wrote as an argument wins over the
// daemon's config file, that over rancher.docker, and that over our defaults;
// dockerd itself refuses to be told the same thing twice.
func (b *builder) build() (Command, error) {
	b.extra, b.asked = takeFeatures(onceEachHost(modern(b.extra)))
	given := flagsIn(b.extra)
	inFile, err := b.configFile(given)
	if err != nil {
		return Command{}, err
	}
	argv := []string{"/usr/bin/dockerd", "--config-file=" + b.config}
	for _, s := range b.settings() {
		if !given[s.name] && !inFile[s.name] {
			argv = append(argv, "--"+s.name+"="+s.value)
		}
	}
	hosts := b.hosts
	if len(b.d.Host) > 0 {
		hosts = b.d.Host
	}
	for _, h := range hosts {
		if !inFile["host"] && !slices.Contains(hostsIn(b.extra), fullHost(h)) {
			argv = append(argv, "--host="+h)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(b.d.LogOpts)) {
		if !inFile["log-opt"] {
			argv = append(argv, "--log-opt="+key+"="+b.d.LogOpts[key])
		}
	}
	argv = append(argv, each(inFile, "insecure-registry", b.d.InsecureRegistry)...)
	argv = append(argv, each(inFile, "registry-mirror", b.d.RegistryMirror)...)
	argv = append(argv, b.extra...)
	env := lastWins(slices.Concat([]string{path, "HOME=/root"}, b.proxies, b.d.Environment, b.env))
	return Command{Argv: argv, Env: env, Files: b.files, Problems: b.problems}, nil
}

// lastWins leaves out variables that are set again later: dockerd would take the
// first.
func lastWins(env []string) []string {
	name := func(kv string) string { n, _, _ := strings.Cut(kv, "="); return n }
	var out []string
	for i, kv := range env {
		if !slices.ContainsFunc(env[i+1:], func(later string) bool { return name(later) == name(kv) }) {
			out = append(out, kv)
		}
	}
	return out
}

func each(inFile map[string]bool, name string, values []string) []string {
	var out []string
	for _, v := range values {
		if !inFile[name] {
			out = append(out, "--"+name+"="+v)
		}
	}
	return out
}

// settings are those that have one value, ours overridden by the config's.
func (b *builder) settings() []setting {
	d := b.d
	out := slices.Clone(b.defaults)
	set := func(name, value string) {
		if value == "" {
			return
		}
		if i := slices.IndexFunc(out, func(s setting) bool { return s.name == name }); i >= 0 {
			out[i].value = value
			return
		}
		out = append(out, setting{name, value})
	}
	set("data-root", first(d.DataRoot, d.Graph, b.dataRoot))
	set("bridge", d.Bridge)
	set("containerd", d.Containerd)
	set("exec-root", d.ExecRoot)
	set("group", d.Group)
	set("log-driver", d.LogDriver)
	set("pidfile", d.PidFile)
	set("storage-driver", modernDriver(d.StorageDriver))
	set("debug", boolean(d.Debug))
	set("live-restore", boolean(d.LiveRestore))
	set("restart", boolean(d.Restart))
	set("selinux-enabled", boolean(d.SelinuxEnabled))
	set("userland-proxy", boolean(d.UserlandProxy))
	if b.debug {
		set("debug", "true")
	}
	if d.UsernsEnabled != nil && *d.UsernsEnabled {
		set("userns-remap", "user-docker:user-docker")
	}
	if i := slices.IndexFunc(out, func(s setting) bool { return s.name == "bridge" }); i < 0 || out[i].value != "none" {
		set("bip", d.BIP)
	}
	for i, s := range out {
		if s.name == "userland-proxy" && s.value == "true" && !hasProxy(b.root) {
			out[i].value = "false"
			b.problems = append(b.problems, errors.New("userland_proxy is left out: there is no docker-proxy on this machine, and nothing here needs it"))
		}
	}
	return out
}

func first(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

func boolean(b *bool) string {
	if b == nil {
		return ""
	}
	return strconv.FormatBool(*b)
}

// configFile merges our features into the config file of the daemon that the
// user may have written, and leaves out of it what an argument says. inFile names
// the flags that the rest of it stands for.
func (b *builder) configFile(given map[string]bool) (inFile map[string]bool, err error) {
	config := map[string]any{}
	if b.d.ConfigFile != "" {
		text, err := fs.ReadFile(b.root, rel(b.d.ConfigFile))
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			b.problems = append(b.problems, fmt.Errorf("%s is left out: %w", b.d.ConfigFile, err))
		case len(text) > 1<<20:
			b.problems = append(b.problems, fmt.Errorf("%s is left out: more than 1 MiB", b.d.ConfigFile))
		default:
			if err := json.Unmarshal(text, &config); err != nil {
				b.problems = append(b.problems, fmt.Errorf("%s is left out: %w", b.d.ConfigFile, err))
				config = map[string]any{}
			}
		}
	}
	inFile = map[string]bool{}
	for _, key := range slices.Sorted(maps.Keys(config)) {
		flag := flagOf(key)
		if !given[flag] {
			inFile[flag] = true
			continue
		}
		delete(config, key)
		b.problems = append(b.problems, fmt.Errorf("%s: %s is left out: the argument --%s wins", b.d.ConfigFile, key, flag))
	}
	features, _ := config["features"].(map[string]any)
	if features == nil {
		features = map[string]any{}
	}
	for name, on := range b.features {
		if _, theirs := features[name]; !theirs {
			features[name] = on
		}
	}
	for name, on := range b.asked {
		features[name] = on
	}
	config["features"] = features
	text, err := json.MarshalIndent(config, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("config file of the engine: %w", err)
	}
	b.files = append(b.files, File{b.config, 0o644, append(text, '\n')})
	return inFile, nil
}

// plurals are keys of the daemon's config file whose flag is called otherwise.
var plurals = map[string]string{
	"authorization-plugins": "authorization-plugin", "cdi-spec-dirs": "cdi-spec-dir", "default-address-pools": "default-address-pool",
	"default-network-opts": "default-network-opt", "default-ulimits": "default-ulimit", "dns-opts": "dns-opt", "exec-opts": "exec-opt",
	"extension-dirs": "extension-dir", "host-gateway-ips": "host-gateway-ip", "hosts": "host", "insecure-registries": "insecure-registry",
	"labels": "label", "log-opts": "log-opt", "node-generic-resources": "node-generic-resource", "registry-mirrors": "registry-mirror",
	"storage-opts": "storage-opt",
}

// flagOf is the flag for a key of the daemon's config file.
func flagOf(key string) string {
	if flag, ok := plurals[key]; ok {
		return flag
	}
	return key
}
