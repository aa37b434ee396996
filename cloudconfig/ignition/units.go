package ignition

import (
	"fmt"
	"strings"

	"rancheros/cloudconfig/ignition/unit"
)

// units takes over systemd units. Where a unit runs a container, a service does
// the same without systemd.
func (im *Import) units(c config) {
	for _, u := range c.Systemd.Units {
		next := Unit{Name: u.Name, Contents: u.Contents, Enabled: u.Enabled, Mask: u.Mask, Folder: "system"}
		for _, d := range u.Dropins {
			if d.Contents == nil {
				continue // as Ignition has it: nothing is written
			}
			next.Dropins = append(next.Dropins, Dropin{d.Name, str(d.Contents)})
		}
		im.Units = append(im.Units, next)
	}
}

// services are the units that run a container, as services by name.
func (im *Import) services() map[string]any {
	services := map[string]any{}
	for i := range im.Units {
		u := &im.Units[i]
		at := fmt.Sprintf("$.systemd.units.%d", i)
		if is(u.Mask) || u.Contents == nil && len(u.Dropins) == 0 && u.Enabled == nil {
			continue
		}
		if u.Contents == nil {
			im.problem(at, "unit %s is only changed here, and there is no systemd: it does nothing on this system", u.Name)
			continue
		}
		name, ok := strings.CutSuffix(u.Name, ".service")
		if !ok {
			im.problem(at, "unit %s is no service; there is no systemd on this system", u.Name)
			continue
		}
		service, err := unit.Service(*u.Contents)
		if err != nil {
			im.problem(at, "unit %s does not become a service: %v", u.Name, err)
			continue
		}
		if u.Enabled == nil || !*u.Enabled {
			continue
		}
		u.Service = strings.ReplaceAll(name, "@", "-")
		services[u.Service] = service
	}
	return services
}
