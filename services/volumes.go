package services

import (
	"errors"
	"fmt"
	"strings"

	"github.com/moby/moby/api/types/mount"
	"go.yaml.in/yaml/v4"

	"rancheros/paths"
)

// volumeSet returns the binds that a name in volumes_from stands for.
//
// RancherOS had containers of these names that did nothing but hold volumes.
// Users' services still name them; the binds alone do the same.
func volumeSet(name string) (binds []string, ok bool) {
	switch strings.TrimSuffix(strings.TrimSuffix(name, ":rw"), ":ro") {
	case "command-volumes":
		return commandVolumes(), true
	case "system-volumes":
		return systemVolumes(), true
	case "container-data-volumes":
		return []string{
			"/var/lib/user-docker:/var/lib/docker:rshared",
			"/var/lib/m-user-docker:/var/lib/m-user-docker",
		}, true
	case "user-volumes":
		return []string{"/home:/home", "/opt:/opt", "/var/lib/kubelet:/var/lib/kubelet:rshared"}, true
	case "media-volumes":
		return []string{"/media:/media:rshared", "/mnt:/mnt:rshared"}, true
	case "all-volumes":
		for _, part := range []string{"command-volumes", "system-volumes", "container-data-volumes", "user-volumes", "media-volumes"} {
			more, _ := volumeSet(part)
			binds = append(binds, more...)
		}
		return binds, true
	}
	return nil, false
}

// commandVolumes are our own programs: the same files in every container.
//
// The engine's helpers (runc, shim, init) are seen by their folder, not one by
// one: runc seals its own program by an overlay over the folder that it lies
// in, and would find there what a mount on the file alone hides.
func commandVolumes() []string {
	binds := []string{"/usr/bin:" + paths.EngineHelpers + ":ro"}
	for _, name := range []string{"ros", "dockerd", "docker", "system-docker"} {
		binds = append(binds, "/usr/bin/"+name+":/usr/bin/"+name+":ro")
	}
	return binds
}

// systemVolumes are what of the machine a system service gets to see.
func systemVolumes() []string {
	return []string{
		"/dev:/dev:rslave",
		"/dev:/host/dev", // where RancherOS had it
		"/boot:/boot:rslave",
		"/etc/docker:/etc/docker",
		"/etc/hosts:/etc/hosts",
		"/etc/hostname:/etc/hostname",
		"/etc/logrotate.d:/etc/logrotate.d",
		"/etc/resolv.conf:/etc/resolv.conf",
		"/etc/ssl/certs/ca-certificates.crt:/etc/ssl/certs/ca-certificates.crt",
		"/lib/firmware:/lib/firmware:ro",
		"/lib/modules:/lib/modules:ro",
		"/run:/run:rshared",
		"/usr/share/ros:/usr/share/ros:ro",
		"/var/lib/boot2docker:/var/lib/boot2docker",
		"/var/lib/cloud:/var/lib/cloud",
		"/var/lib/rancher:/var/lib/rancher",
		"/var/lib/waagent:/var/lib/waagent",
		"/var/log:/var/log",
	}
}

// joinBinds adds the sets that from names to a service's own binds, which win
// where both mount something at the same place.
func joinBinds(own, from []string) []string {
	taken := map[string]bool{}
	var out []string
	add := func(binds []string, readOnly bool) {
		for _, b := range binds {
			if at := bindTarget(b); !taken[at] {
				taken[at] = true
				if readOnly && !strings.HasSuffix(b, ":ro") {
					b = strings.Join(strings.Split(b, ":")[:2], ":") + ":ro"
				}
				out = append(out, b)
			}
		}
	}
	add(own, false)
	for _, name := range from {
		set, _ := volumeSet(name)
		add(set, strings.HasSuffix(name, ":ro"))
	}
	return out
}

func bindTarget(bind string) string {
	parts := strings.Split(bind, ":")
	if len(parts) < 2 {
		return parts[0]
	}
	return parts[1]
}

// volumes reads SOURCE:TARGET[:OPTIONS], TARGET alone, and compose's long form.
func (p *parser) volumes(n *yaml.Node) error {
	n = resolve(n)
	if n.Kind != yaml.SequenceNode {
		return fmt.Errorf("line %d: want a list", n.Line)
	}
	var errs []error
	for _, item := range n.Content {
		errs = append(errs, p.volume(resolve(item)))
	}
	return errors.Join(errs...)
}

// volume reads one entry of volumes.
func (p *parser) volume(n *yaml.Node) error {
	if n != nil && n.Kind == yaml.MappingNode {
		m, err := longVolume(n)
		if err == nil {
			p.Host.Mounts = append(p.Host.Mounts, m)
		}
		return err
	}
	s, err := str(n)
	if err != nil {
		return err
	}
	source, target, two := strings.Cut(s, ":")
	switch {
	case !two && strings.HasPrefix(s, "/"):
		if p.Config.Volumes == nil {
			p.Config.Volumes = map[string]struct{}{}
		}
		p.Config.Volumes[s] = struct{}{}
	case !two || source == "" || !strings.HasPrefix(target, "/"):
		return fmt.Errorf("line %d: %q: write /source:/target, name:/target or /target", n.Line, s)
	default:
		p.Host.Binds = append(p.Host.Binds, s)
	}
	return nil
}

func longVolume(n *yaml.Node) (mount.Mount, error) {
	m := mount.Mount{Type: mount.TypeVolume}
	err := fields(n, map[string]setter{
		"type":      as(&m.Type),
		"source":    to(&m.Source, str),
		"target":    to(&m.Target, str),
		"read_only": to(&m.ReadOnly, boolean),
		"bind": func(n *yaml.Node) error {
			b := &mount.BindOptions{}
			m.BindOptions = b
			return fields(n, map[string]setter{
				"propagation": as(&b.Propagation), "create_host_path": to(&b.CreateMountpoint, boolean), "selinux": nothing,
			})
		},
		"volume": func(n *yaml.Node) error {
			v := &mount.VolumeOptions{}
			m.VolumeOptions = v
			return fields(n, map[string]setter{"nocopy": to(&v.NoCopy, boolean), "subpath": to(&v.Subpath, str)})
		},
		"tmpfs": func(n *yaml.Node) error {
			t := &mount.TmpfsOptions{}
			m.TmpfsOptions = t
			return fields(n, map[string]setter{"size": to(&t.SizeBytes, size), "mode": nothing})
		},
	})
	if err == nil && m.Target == "" {
		err = fmt.Errorf("line %d: it has no target", n.Line)
	}
	return m, err
}
