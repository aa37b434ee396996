package services

import (
	"fmt"
	"maps"
	"math"
	"net/netip"
	"strconv"
	"strings"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"go.yaml.in/yaml/v4"
)

// A setter reads the value of one key.
type setter func(*yaml.Node) error

// to reads with read into dst.
func to[T any](dst *T, read func(*yaml.Node) (T, error)) setter {
	return func(n *yaml.Node) (err error) {
		*dst, err = read(n)
		return err
	}
}

// as is to, for strings with a type of their own.
func as[T ~string](dst *T) setter {
	return func(n *yaml.Node) error {
		s, err := str(n)
		*dst = T(s)
		return err
	}
}

// ref is to, for values that Docker tells from absent ones.
func ref[T any](dst **T, read func(*yaml.Node) (T, error)) setter {
	return func(n *yaml.Node) error {
		v, err := read(n)
		if err == nil {
			*dst = &v
		}
		return err
	}
}

// nothing is for keys of compose that mean nothing to a machine's services.
func nothing(*yaml.Node) error { return nil }

// refuse is for keys that would mean something that we do not do.
func refuse(instead string) setter {
	return func(*yaml.Node) error { return fmt.Errorf("%w: %s", errNotHere, instead) }
}

// keys are the keys of a service. The second column of names are those of
// compose's first version.
func (p *parser) keys() map[string]setter {
	c, h := p.Config, p.Host
	table := map[string]setter{
		"image":       to(&c.Image, str),
		"command":     to(&c.Cmd, words),
		"entrypoint":  to(&c.Entrypoint, words),
		"environment": p.environment,
		"labels":      p.labels,
		"annotations": to(&h.Annotations, stringMap),
		"user":        to(&c.User, str),
		"working_dir": to(&c.WorkingDir, str),
		"hostname":    to(&c.Hostname, str),
		"domainname":  to(&p.domain, str),
		"tty":         to(&c.Tty, boolean),
		"stdin_open":  to(&c.OpenStdin, boolean),
		"stop_signal": to(&c.StopSignal, str),
		"stop_grace_period": func(n *yaml.Node) error {
			d, err := duration(n)
			if err == nil {
				seconds := int(math.Ceil(d.Seconds())) // 0 would be no grace at all
				c.StopTimeout = &seconds
			}
			return err
		},
		"healthcheck": p.healthcheck,
		"expose":      p.expose,
		"ports":       p.ports,

		"privileged":   to(&h.Privileged, boolean),
		"read_only":    to(&h.ReadonlyRootfs, boolean),
		"restart":      p.restart,
		"network_mode": p.networkMode, "net": p.networkMode,
		"networks":     p.networks,
		"pid":          as(&h.PidMode),
		"ipc":          as(&h.IpcMode),
		"uts":          as(&h.UTSMode),
		"cgroup":       as(&h.CgroupnsMode),
		"userns_mode":  as(&h.UsernsMode),
		"volumes":      p.volumes,
		"volumes_from": to(&p.volumesFrom, list),
		"tmpfs":        p.tmpfs,
		"devices":      p.devices,
		"cap_add":      to(&h.CapAdd, list),
		"cap_drop":     to(&h.CapDrop, list),
		"security_opt": to(&h.SecurityOpt, list),
		"group_add":    to(&h.GroupAdd, list),
		"extra_hosts":  p.extraHosts,
		"dns":          p.dns,
		"dns_opt":      to(&h.DNSOptions, list),
		"dns_search":   to(&h.DNSSearch, list),
		"sysctls":      to(&h.Sysctls, stringMap),
		"init":         ref(&h.Init, boolean),
		"runtime":      to(&h.Runtime, str),
		"depends_on":   p.dependsOn, "links": p.links,
	}
	maps.Copy(table, p.resourceKeys())
	maps.Copy(table, p.otherKeys())
	return table
}

func (p *parser) resourceKeys() map[string]setter {
	h := p.Host
	return map[string]setter{
		"shm_size":  to(&h.ShmSize, size),
		"ulimits":   p.ulimits,
		"mem_limit": to(&h.Memory, size), "memswap_limit": to(&h.MemorySwap, size),
		"mem_reservation":     to(&h.MemoryReservation, size),
		"mem_swappiness":      ref(&h.MemorySwappiness, integer),
		"oom_kill_disable":    ref(&h.OomKillDisable, boolean),
		"oom_score_adj":       func(n *yaml.Node) error { i, err := integer(n); h.OomScoreAdj = int(i); return err },
		"pids_limit":          ref(&h.PidsLimit, integer),
		"cpu_shares":          to(&h.CPUShares, integer),
		"cpu_quota":           to(&h.CPUQuota, integer),
		"cpu_period":          to(&h.CPUPeriod, integer),
		"cpus":                p.cpus,
		"cpuset":              to(&h.CpusetCpus, str),
		"cgroup_parent":       to(&h.CgroupParent, str),
		"device_cgroup_rules": to(&h.DeviceCgroupRules, list),
		"log_driver":          to(&h.LogConfig.Type, str),
		"log_opt":             to(&h.LogConfig.Config, stringMap), "log_opts": to(&h.LogConfig.Config, stringMap),
		"logging":       p.logging,
		"volume_driver": to(&h.VolumeDriver, str),
		"storage_opt":   to(&h.StorageOpt, stringMap),
	}
}

func (p *parser) otherKeys() map[string]setter {
	return map[string]setter{
		"container_name": func(n *yaml.Node) error {
			if s, _ := str(n); s != p.Name {
				return fmt.Errorf("%w: the container is called %s, as the service", errNotHere, p.Name)
			}
			return nil
		},
		"build":      refuse("build the image elsewhere and name it in image"),
		"dockerfile": refuse("build the image elsewhere and name it in image"),
		"extends":    refuse("write the service out"),
		"env_file":   refuse("use environment and rancher.environment"),
		"secrets":    refuse("use write_files and volumes"),
		"configs":    refuse("use write_files and volumes"),
		"gpus":       refuse("use devices"),
		"platform":   nothing, "pull_policy": nothing, "scale": nothing, "deploy": nothing, "profiles": nothing,
		"develop": nothing, "external_links": nothing, "isolation": nothing, "mac_address": nothing, "attach": nothing,
	}
}

func (p *parser) labels(n *yaml.Node) error {
	m, err := stringMap(n)
	maps.Copy(p.Config.Labels, m)
	return err
}

func (p *parser) restart(n *yaml.Node) error {
	s, err := str(n)
	if err != nil {
		return err
	}
	mode, tries, limited := strings.Cut(s, ":")
	if mode == "false" { // YAML's reading of `restart: no`
		mode = "no"
	}
	policy := container.RestartPolicy{Name: container.RestartPolicyMode(mode)}
	if limited {
		if policy.MaximumRetryCount, err = strconv.Atoi(tries); err != nil {
			return fmt.Errorf("%q: write on-failure:3", s)
		}
	}
	if err := container.ValidateRestartPolicy(policy); err != nil {
		return err
	}
	p.Host.RestartPolicy = policy
	return nil
}

func (p *parser) networkMode(n *yaml.Node) error {
	s, err := str(n)
	if other, ok := strings.CutPrefix(s, "service:"); ok {
		s = "container:" + other
	}
	if other, ok := strings.CutPrefix(s, "container:"); ok {
		p.After = append(p.After, other)
	}
	p.Host.NetworkMode = container.NetworkMode(s)
	return err
}

// networks takes the first network; the others would need a second call once
// the container is there.
func (p *parser) networks(n *yaml.Node) error {
	es, err := entries(n)
	if err != nil || len(es) == 0 {
		return err
	}
	p.Host.NetworkMode = container.NetworkMode(es[0].key)
	p.Network.EndpointsConfig = map[string]*network.EndpointSettings{}
	for _, e := range es {
		p.Network.EndpointsConfig[e.key] = &network.EndpointSettings{}
	}
	return nil
}

func (p *parser) dependsOn(n *yaml.Node) error {
	es, err := entries(n)
	for _, e := range es {
		p.After = append(p.After, e.key)
	}
	return err
}

func (p *parser) links(n *yaml.Node) error {
	items, err := list(n)
	for _, item := range items {
		name, _, _ := strings.Cut(item, ":")
		p.After = append(p.After, name)
	}
	p.Host.Links = items
	return err
}

func (p *parser) dns(n *yaml.Node) error {
	items, err := list(n)
	for _, item := range items {
		addr, err := netip.ParseAddr(item)
		if err != nil {
			return fmt.Errorf("%q is not an address", item)
		}
		p.Host.DNS = append(p.Host.DNS, addr)
	}
	return err
}

func (p *parser) extraHosts(n *yaml.Node) error {
	es, err := entries(n)
	for _, e := range es {
		host := e.key
		if v, _ := str(e.value); v != "" {
			host += ":" + v
		}
		p.Host.ExtraHosts = append(p.Host.ExtraHosts, host)
	}
	return err
}
