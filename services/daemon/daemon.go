// Package daemon makes the command lines of the two engines out of config.
package daemon

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"rancheros/cloudconfig"
	"rancheros/paths"
)

// A Command is how an engine is started.
type Command struct {
	// Argv begins with the full path of the program.
	Argv []string
	Env  []string
	// Files must be there before it starts. See WriteConfig.
	Files []File
	// Problems are settings that were left out, and why.
	Problems []error
}

// A File is one that the engine reads.
type File struct {
	// Path is absolute.
	Path    string
	Mode    os.FileMode
	Content []byte
}

// WriteConfig writes the files below root.
func (c Command) WriteConfig(root string) error {
	for _, f := range c.Files {
		path := filepath.Join(root, f.Path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fmt.Errorf("config of the engine: %w", err)
		}
		next := path + ".new"
		if err := os.WriteFile(next, f.Content, f.Mode); err != nil {
			return fmt.Errorf("config of the engine: %w", err)
		}
		if err := os.Rename(next, path); err != nil {
			return fmt.Errorf("config of the engine: %w", err)
		}
	}
	return nil
}

// path ends with the helpers: what a person puts into the console comes first.
const path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:" + paths.EngineHelpers

// System is System Docker's. It needs nothing of config: a machine whose config
// is broken must still get one.
func System(c *cloudconfig.Config) (Command, error) {
	return system(c, os.DirFS("/"))
}

// User is User Docker's. It reads what docker-machine wrote to
// paths.DockerOpts.
func User(c *cloudconfig.Config) (Command, error) {
	return user(c, os.DirFS("/"))
}

func system(c *cloudconfig.Config, root fs.FS) (Command, error) {
	d := c.Rancher.SystemDocker
	b := newBuilder(c, d, root)
	b.dataRoot = paths.SystemDockerData
	b.defaults = []setting{
		// It has no network of its own: system services use the host's.
		{"bridge", "none"},
		{"iptables", "false"},
		{"ip6tables", "false"},
		{"storage-driver", "overlay2"},
		{"exec-root", "/var/run/system-docker"},
		{"pidfile", "/var/run/system-docker.pid"},
		{"group", "root"},
		{"userland-proxy", "false"},
		// The order of services is ours; see services.Up.
		{"restart", "false"},
	}
	b.hosts = []string{"unix://" + paths.SystemDockerSocket}
	b.config = "/run/ros/system-docker.json"
	b.features = map[string]bool{
		"embedded-containerd": true,
		// The image carries the graph driver's data root. See image/seed.
		"containerd-snapshotter": false,
	}
	if d.Exec != nil && !*d.Exec && d.LiveRestore == nil {
		b.defaults = append(b.defaults, setting{"live-restore", "true"})
	}
	b.env = []string{keepAlive + "=" + b.hosts[0]}
	return b.build()
}

// keepAlive makes our engine start services again that Docker itself has given
// up; see engine/internal/revive.
const keepAlive = "ROS_KEEP_ALIVE"

func user(c *cloudconfig.Config, root fs.FS) (Command, error) {
	d := c.Rancher.Docker
	b := newBuilder(c, d, root)
	b.dataRoot = "/var/lib/docker"
	b.defaults = []setting{
		{"group", "docker"},
		{"userland-proxy", "false"},
		{"firewall-backend", "nftables"},
		{"exec-root", "/var/run/docker"},
		{"pidfile", "/var/run/docker.pid"},
	}
	b.hosts = []string{"unix://" + paths.DockerSocket}
	b.config = "/run/ros/docker.json"
	b.features = map[string]bool{
		"embedded-containerd": true,
		// Without it swarm wants the iptables backend.
		"swarm-nftables": true,
	}
	if d.TLS {
		if err := b.tls(); err != nil {
			return Command{}, err
		}
	}
	opts, env, err := dockerOpts(root)
	if err != nil {
		b.problems = append(b.problems, err)
	}
	b.extra = append(b.extra, opts...)
	b.env = env
	return b.build()
}

// tlsDir is where docker-machine looks as well.
const tlsDir = "/etc/docker/tls"

// tls takes the certificates from config, or else those that are there.
func (b *builder) tls() error {
	files := []File{
		{tlsDir + "/ca.pem", 0o644, []byte(b.d.CACert)},
		{tlsDir + "/server-cert.pem", 0o644, []byte(b.d.ServerCert)},
		{tlsDir + "/server-key.pem", 0o600, []byte(b.d.ServerKey)},
	}
	for _, f := range files {
		switch _, err := fs.Stat(b.root, rel(f.Path)); {
		case len(f.Content) > 0:
			b.files = append(b.files, f)
		case err != nil:
			return fmt.Errorf("rancher.docker.tls is set but there is no %s; put it there or set rancher.docker.ca_cert, server_cert and server_key", f.Path)
		}
	}
	b.extra = append(b.extra, b.d.TLSArgs...)
	if len(b.d.TLSArgs) == 0 {
		b.extra = append(b.extra, "--tlsverify", "--tlscacert="+files[0].Path, "--tlscert="+files[1].Path,
			"--tlskey="+files[2].Path, "-H=0.0.0.0:2376")
	}
	return nil
}

// dockerOpts reads the file that docker-machine writes: shell assignments, of
// DOCKER_OPTS and of the engine's environment. It is never given to a shell.
func dockerOpts(root fs.FS) (opts, env []string, err error) {
	b, err := fs.ReadFile(root, rel(paths.DockerOpts))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err == nil && len(b) > 1<<16 {
		err = errors.New("it has more than 64 KiB")
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%s is left out: %w", paths.DockerOpts, err)
	}
	if opts, env, err = readDockerOpts(string(b)); err != nil {
		return nil, nil, fmt.Errorf("%s is left out: %w", paths.DockerOpts, err)
	}
	return opts, env, nil
}

func rel(path string) string { return strings.TrimPrefix(path, "/") }

// hasProxy says whether dockerd could use a userland proxy.
func hasProxy(root fs.FS) bool {
	return slices.ContainsFunc([]string{"usr/bin/docker-proxy", "usr/local/bin/docker-proxy"}, func(p string) bool {
		_, err := fs.Stat(root, p)
		return err == nil
	})
}
