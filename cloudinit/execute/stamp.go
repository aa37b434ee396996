package execute

import (
	"fmt"
	"path"
	"strings"

	"rancheros/cloudconfig"
	"rancheros/cloudinit/state"
	"rancheros/paths"
)

// stampPath is the file that says that an applier has run: ours below
// paths.Done, elsewhere upstream's semaphores. "" for what runs at every boot.
func (t *Target) stampPath(a Applier) string {
	id := state.SafeName(t.InstanceID)
	switch {
	case a.Every == Once && t.Ours:
		return path.Join(paths.Done, "once", a.Name)
	case a.Every == Once:
		return path.Join(state.Semaphores, state.Semaphore(a.Name)+".once")
	case a.Every != Instance:
		return ""
	case t.Ours:
		return path.Join(paths.Done, id, a.Name)
	}
	file := path.Join(state.Instances, id, "sem", state.Semaphore(a.Name))
	if strings.HasPrefix(a.Name, state.Per) {
		file += ".instance"
	}
	return file
}

// due says by a skip that an applier has had its turn.
func (t *Target) due(a Applier) error {
	if a.Every == Never {
		return Skip("rancher.cloud_init.frequency says never")
	}
	p := t.stampPath(a)
	if p == "" || t.Tree.Planned() || !t.Tree.Exists(p) {
		return nil
	}
	if a.Every == Once {
		return Skip("it has run on this machine")
	}
	return Skip("it has run for this instance")
}

// stamp notes that an applier has had its turn. A plan leaves none.
func (t *Target) stamp(a Applier) error {
	p := t.stampPath(a)
	if p == "" || t.Tree.Planned() {
		return nil
	}
	return t.quietly(func() error { return t.write(p, "", 0o644) })
}

// atMostOnce says whether an applier runs what users wrote: that has had its
// turn when it has begun, as upstream has it, whatever becomes of it.
func (a Applier) atMostOnce() bool {
	return a.Name == "runcmd" || strings.HasPrefix(a.Name, "scripts_")
}

// quietly keeps changes to our own books out of the record.
func (t *Target) quietly(f func() error) error {
	return t.Tree.Unrecorded(f)
}

// frequencies reads rancher.cloud_init.frequency: applier to how often.
func frequencies(c *cloudconfig.Config) (map[string]Every, error) {
	out := map[string]Every{}
	for name, f := range c.Rancher.CloudInit.Frequency {
		switch e := Every(f); e {
		case Boot, Instance, Once, Never:
			out[name] = e
		case "always", "every-boot":
			out[name] = Boot
		case "once-per-instance":
			out[name] = Instance
		default:
			return out, fmt.Errorf("rancher.cloud_init.frequency.%s: %q is none of boot, instance, once, never", name, f)
		}
	}
	return out, nil
}
