package services

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"go.yaml.in/yaml/v4"
)

func (p *parser) logging(n *yaml.Node) error {
	return fields(n, map[string]setter{
		"driver":  to(&p.Host.LogConfig.Type, str),
		"options": to(&p.Host.LogConfig.Config, stringMap),
	})
}

// fields reads a mapping of which every key must be known.
func fields(n *yaml.Node, table map[string]setter) error {
	ps, err := pairs(n)
	if err != nil {
		return err
	}
	for _, kv := range ps {
		set, ok := table[kv.key]
		if !ok {
			return fmt.Errorf("line %d: unknown key %q", kv.value.Line, kv.key)
		}
		if err := set(kv.value); err != nil {
			return fmt.Errorf("%s: %w", kv.key, err)
		}
	}
	return nil
}

func (p *parser) healthcheck(n *yaml.Node) error {
	h := &container.HealthConfig{}
	var (
		off     bool
		retries int64
	)
	err := fields(n, map[string]setter{
		"test": func(n *yaml.Node) error {
			if n = resolve(n); n.Kind == yaml.ScalarNode {
				h.Test = []string{"CMD-SHELL", n.Value}
				return nil
			}
			return to(&h.Test, list)(n)
		},
		"interval": to(&h.Interval, duration), "timeout": to(&h.Timeout, duration),
		"start_period": to(&h.StartPeriod, duration), "start_interval": to(&h.StartInterval, duration),
		"retries": to(&retries, integer), "disable": to(&off, boolean),
	})
	h.Retries = int(retries)
	if off {
		h = &container.HealthConfig{Test: []string{"NONE"}}
	}
	p.Config.Healthcheck = h
	return err
}

func (p *parser) expose(n *yaml.Node) error {
	items, err := list(n)
	for _, item := range items {
		if err := p.port(item, "", ""); err != nil {
			return err
		}
	}
	return err
}

// ports reads [[ADDRESS:]HOST:]CONTAINER[/PROTOCOL], ranges included, and
// compose's long form.
func (p *parser) ports(n *yaml.Node) error {
	n = resolve(n)
	if n.Kind != yaml.SequenceNode {
		n = &yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{n}}
	}
	var errs []error
	for _, item := range n.Content {
		errs = append(errs, p.portOf(resolve(item)))
	}
	return errors.Join(errs...)
}

// portOf reads one entry of ports.
func (p *parser) portOf(n *yaml.Node) error {
	if n != nil && n.Kind == yaml.MappingNode {
		m, err := stringMap(n)
		if err != nil {
			return err
		}
		inner := m["target"]
		if m["protocol"] != "" {
			inner += "/" + m["protocol"]
		}
		return p.port(inner, m["host_ip"], m["published"])
	}
	spec, err := str(n)
	if err != nil {
		return err
	}
	rest, inner := cutLast(spec, ":")
	addr, outer := cutLast(rest, ":")
	if err := p.port(inner, strings.Trim(addr, "[]"), outer); err != nil {
		return fmt.Errorf("%q: %w", spec, err)
	}
	if !strings.Contains(spec, ":") {
		p.publish(inner)
	}
	return nil
}

// cutLast splits at the last sep; what has none is all after it.
func cutLast(s, sep string) (before, after string) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return "", s
	}
	return s[:i], s[i+len(sep):]
}

// publish gives the ports of a range that names no host port a free one.
func (p *parser) publish(inner string) {
	r, err := network.ParsePortRange(inner)
	if err != nil {
		return
	}
	for n := int(r.Start()); n <= int(r.End()); n++ {
		if port, ok := network.PortFrom(uint16(n), r.Proto()); ok {
			p.bindPort(port, network.PortBinding{})
		}
	}
}

func (p *parser) port(inner, addr, outer string) error {
	in, err := network.ParsePortRange(inner)
	if err != nil {
		return err
	}
	var ip netip.Addr
	if addr != "" {
		if ip, err = netip.ParseAddr(addr); err != nil {
			return fmt.Errorf("%q is not an address", addr)
		}
	}
	first, last := 0, 0
	if outer != "" {
		lo, hi, isRange := strings.Cut(outer, "-")
		if !isRange {
			hi = lo
		}
		var errLo, errHi error
		first, errLo = strconv.Atoi(lo)
		last, errHi = strconv.Atoi(hi)
		if errors.Join(errLo, errHi) != nil || first < 0 || last > math.MaxUint16 || last-first != int(in.End())-int(in.Start()) {
			return fmt.Errorf("host ports %s do not fit container ports %s", outer, inner)
		}
	}
	for n := int(in.Start()); n <= int(in.End()); n++ {
		port, ok := network.PortFrom(uint16(n), in.Proto())
		if !ok {
			return fmt.Errorf("%q is not a port", inner)
		}
		if p.Config.ExposedPorts == nil {
			p.Config.ExposedPorts = network.PortSet{}
		}
		p.Config.ExposedPorts[port] = struct{}{}
		if outer != "" {
			p.bindPort(port, network.PortBinding{HostIP: ip, HostPort: strconv.Itoa(first + n - int(in.Start()))})
		} else if ip.IsValid() { // ADDRESS::CONTAINER, a free port there
			p.bindPort(port, network.PortBinding{HostIP: ip})
		}
	}
	return nil
}

func (p *parser) bindPort(port network.Port, b network.PortBinding) {
	if p.Host.PortBindings == nil {
		p.Host.PortBindings = network.PortMap{}
	}
	p.Host.PortBindings[port] = append(p.Host.PortBindings[port], b)
}

func (p *parser) devices(n *yaml.Node) error {
	items, err := list(n)
	for _, item := range items {
		parts := strings.Split(item, ":")
		d := container.DeviceMapping{PathOnHost: parts[0], PathInContainer: parts[0], CgroupPermissions: "rwm"}
		if len(parts) > 1 {
			d.PathInContainer = parts[1]
		}
		if len(parts) > 2 {
			d.CgroupPermissions = parts[2]
		}
		p.Host.Devices = append(p.Host.Devices, d)
	}
	return err
}

func (p *parser) tmpfs(n *yaml.Node) error {
	items, err := list(n)
	for _, item := range items {
		path, options, _ := strings.Cut(item, ":")
		if p.Host.Tmpfs == nil {
			p.Host.Tmpfs = map[string]string{}
		}
		p.Host.Tmpfs[path] = options
	}
	return err
}

func (p *parser) ulimits(n *yaml.Node) error {
	ps, err := pairs(n)
	if err != nil {
		return err
	}
	for _, kv := range ps {
		u := &container.Ulimit{Name: kv.key}
		if v := resolve(kv.value); v.Kind == yaml.MappingNode {
			err = fields(v, map[string]setter{"soft": to(&u.Soft, integer), "hard": to(&u.Hard, integer)})
		} else {
			u.Soft, err = integer(v)
			u.Hard = u.Soft
		}
		if err != nil {
			return fmt.Errorf("%s: %w", kv.key, err)
		}
		p.Host.Ulimits = append(p.Host.Ulimits, u)
	}
	slices.SortFunc(p.Host.Ulimits, func(a, b *container.Ulimit) int { return strings.Compare(a.Name, b.Name) })
	return nil
}

func (p *parser) cpus(n *yaml.Node) error {
	s, err := str(n)
	if err != nil {
		return err
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || !(f > 0 && f < 1e6) {
		return fmt.Errorf("%q is not a number of processors", s)
	}
	p.Host.NanoCPUs = int64(f * 1e9)
	return nil
}
